"""What a metric sees: the predictions for one split, with their references."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Prediction:
    """One image's prediction and references. Every word of a caption is as `records.text.tokenizer.words` gives it.

    Attributes:
      image: the image's key in the records.
      words: the predicted caption; for a run with --target=tags, the predicted tag sequence, no tag with a space.
      references: one word sequence per reference caption; for --target=tags, one tag sequence per caption.
      caption_tags: the tags in `words` (nouns, verbs, adjectives), each once.
      ranked_tags: predicted tags, best first, each once.
      reference_tags: the tags of each reference caption, parallel to the captions.
      tag_scores: the probability of each of ranked_tags.
    """

    image: str
    words: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]
    caption_tags: tuple[str, ...]
    ranked_tags: tuple[str, ...]
    reference_tags: tuple[tuple[str, ...], ...]
    tag_scores: tuple[float, ...] = ()

    @property
    def all_tags(self) -> frozenset[str]:
        """The union of the reference captions' tags."""
        return frozenset(tag for tags in self.reference_tags for tag in tags)

    @property
    def shared_tags(self) -> frozenset[str]:
        """The tags that at least two of the image's reference captions contain; all tags where there is one caption."""
        if len(self.reference_tags) == 1:
            return self.all_tags
        sets = [frozenset(tags) for tags in self.reference_tags]
        return frozenset(tag for tag in self.all_tags if sum(tag in names for names in sets) >= 2)


@dataclasses.dataclass(frozen=True)
class Predictions:
    """The predictions for one split.

    Attributes:
      images: one Prediction per image, in the split's order.
      frequent_tags: the most frequent tags of the train split, most frequent first.
      frequent_tag_scores: float array [len(images), len(frequent_tags)], a higher score for a likelier tag.
      threshold: score that a tag must reach to be shown; None where none was chosen.
      train_captions: the distinct word sequences of the train split's captions, or None when they are unknown.
    """

    images: Sequence[Prediction]
    frequent_tags: tuple[str, ...]
    frequent_tag_scores: np.ndarray
    threshold: float | None = None
    train_captions: frozenset[tuple[str, ...]] | None = None

    def __post_init__(self) -> None:
        expected = (len(self.images), len(self.frequent_tags))
        if self.frequent_tag_scores.shape != expected:
            raise ValueError(f"frequent_tag_scores has shape {self.frequent_tag_scores.shape}, expected {expected}")
        if not self.images:
            raise ValueError("images is empty: metrics need at least one image")


@dataclasses.dataclass(frozen=True)
class Scores:
    """The values of one metric, or of all metrics together.

    Attributes:
      values: name -> value over the whole split; None where the split does not define the metric. A list of lists is a
        table, its columns as the metric says.
      per_image: name -> float array [images], for the metrics that have a value per image.
    """

    values: dict[str, Any]
    per_image: dict[str, np.ndarray]
