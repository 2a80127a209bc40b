"""The images of a records split in memory, for the baselines of benchmarks.quality."""

import dataclasses

import numpy as np

from records.input import caption_dataset
from records.text.tag_vocabulary import TagVocabulary
from tagger.evaluation.predictions import reference_tags


@dataclasses.dataclass(frozen=True)
class Images:
    """A split.

    Attributes:
      keys: image names.
      features: float32 [images, F].
      encoded: the photos' files; b"" where the records do not store them.
      captions: the captions of each image, as written.
      tags: the tags of each caption of each image.
    """

    keys: list[str]
    features: np.ndarray
    encoded: list[bytes]
    captions: list[tuple[str, ...]]
    tags: list[tuple[tuple[str, ...], ...]]


def load(records_dir: str, split: str, encoded: bool) -> Images:
    """Reads all of a split; `encoded=False` leaves the photos out."""
    opened = caption_dataset.open_split(records_dir, split)
    names = TagVocabulary.load(records_dir)
    examples = list(caption_dataset.images(opened, read_image=encoded).as_numpy_iterator())
    return Images(
        [example["key"].decode() for example in examples],
        np.stack([example["feature"] for example in examples]).astype(np.float32),
        [example["image"] for example in examples],
        [tuple(text.decode() for text in example["captions"]) for example in examples],
        [reference_tags(example, names) for example in examples])
