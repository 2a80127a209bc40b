"""Predictions for every image of a split, with its references: what `metrics.score` takes.

    predictions = predict_split(decoder, split, vocabulary, frequent_tags(vocabulary), "captions", batch_size=64)
"""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from records.input import caption_dataset
from records.text.tokenizer import tags, words
from records.text.vocabulary import SPECIALS, Vocabulary
from records.util.progress import Progress
from tagger.decoding.decoder import Decoder
from tagger.evaluation.metrics import Prediction

FREQUENT_TAGS = 200


@dataclasses.dataclass(frozen=True)
class Predicted:
    """One image: what the metrics need, and what a person wants to see.

    Attributes:
      prediction: words, tags and references.
      captions: the reference captions as they were written.
      score: geometric mean of the probabilities of the predicted words, <end> included; in (0, 1].
      tag_scores: for each of prediction.ranked_tags, the probability that a caption of the image contains it.
      frequent_tag_scores: float32 [frequent tags], the same for the most frequent tags of the train split.
    """

    prediction: Prediction
    captions: tuple[str, ...]
    score: float
    tag_scores: tuple[float, ...]
    frequent_tag_scores: np.ndarray


def frequent_tags(vocabulary: Vocabulary, count: int = FREQUENT_TAGS) -> tuple[str, ...]:
    """The `count` words that were most often a tag in train captions, most frequent first, ties alphabetical."""
    counted = zip(vocabulary.tag_counts[len(SPECIALS):], vocabulary.words[len(SPECIALS):], strict=True)
    ordered = sorted((-tagged, word) for tagged, word in counted if tagged)
    return tuple(word for _, word in ordered[:count])


def prediction(image: str, caption: str, ranked: tuple[str, ...], captions: tuple[str, ...],
               caption_tags: tuple[str, ...], target: str) -> Prediction:
    """Normalises one image's answer and references.

    Args:
      image: its key.
      caption: predicted words, joined by spaces.
      ranked: predicted tags, best first.
      captions: reference captions as they were written.
      caption_tags: the tags of each reference caption, joined by spaces.
      target: "captions" or "tags", what the model was trained to write. For tags, the references of the caption
        metrics are the reference captions' tag sequences, and every predicted word is a tag.
    """
    predicted = tuple(words(caption))
    found = tuple(dict.fromkeys(predicted)) if target == "tags" else tuple(tags(caption))
    reference_tags = tuple(tuple(text.split()) for text in caption_tags)
    references = reference_tags if target == "tags" else tuple(tuple(words(text)) for text in captions)
    return Prediction(image, predicted, references, found, ranked, reference_tags)


def predict_split(decoder: Decoder, split: caption_dataset.Split, vocabulary: Vocabulary, frequent: tuple[str, ...],
                  target: str, batch_size: int, beam_width: int, length_penalty: float, limit: int = 0,
                  ) -> Iterator[Predicted]:
    """Decodes the images of `split` in their order, `batch_size` at a time.

    Args:
      vocabulary: the models' vocabulary.
      frequent: tags whose probability is wanted for every image; those the vocabulary lacks get 0.
      limit: stop after so many images; 0 for all.

    Raises:
      UserError: the split cannot be read.
    """
    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, split.feature_size], tf.float16)])
    def decode(feature: tf.Tensor) -> tuple[tf.Tensor, ...]:
        decoded = decoder.decode(feature, beam_width=beam_width, length_penalty=length_penalty)
        known = tf.gather(decoded.word_scores, vocabulary.ids(frequent), axis=1)
        return decoder.text(decoded.tokens), decoded.score, decoded.tags, decoded.tag_scores, known

    known = np.isin(frequent, vocabulary.words).astype(np.float32)
    total = min(limit or split.info.examples, split.info.examples)
    examples = itertools.islice(caption_dataset.images(split, read_image=False).as_numpy_iterator(), total)
    with caption_dataset.reading_errors(split.records_dir), Progress("decode", total, "images") as progress:
        while batch := list(itertools.islice(examples, batch_size)):
            answers = [part.numpy() for part in decode(np.stack([example["feature"] for example in batch]))]
            for example, caption, score, names, scores, frequent_scores in zip(batch, *answers, strict=True):
                yield _predicted(example, caption, float(score), names, scores, frequent_scores * known, target)
            progress.add(len(batch))


def _predicted(example: dict[str, Any], caption: bytes, score: float, names: np.ndarray, scores: np.ndarray,
               frequent_scores: np.ndarray, target: str) -> Predicted:
    captions = tuple(text.decode() for text in example["captions"])
    ranked = tuple(name.decode() for name in names if name)
    return Predicted(
        prediction(example["key"].decode(), caption.decode(), ranked, captions,
                   tuple(text.decode() for text in example["tags"]), target),
        captions, score, tuple(map(float, scores[:len(ranked)])), frequent_scores)
