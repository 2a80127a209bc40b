"""Predictions for every image of a split, with its references: what `metrics.score` takes.

    predictions = predict_split(decoder, split, vocabulary, tags, frequent_tags(vocabulary, tags), batch_size=64)
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from records.format.example import TAG_IDS
from records.input import caption_dataset
from records.text.tag_vocabulary import TagVocabulary
from records.text.tokenizer import tags_among, words
from records.text.vocabulary import SPECIALS, Vocabulary
from records.util.progress import Progress
from tagger.decoding.decoder import Decoder
from tagger.evaluation.metrics import Prediction

FREQUENT_TAGS = 200


@dataclasses.dataclass(frozen=True)
class Predicted:
    """What was predicted for one image: for the metrics, and for people to read.

    Attributes:
      prediction: words, tags and references.
      captions: the reference captions as they were written.
      text: the predicted caption, or tags, as people read it.
      score: geometric mean of the probabilities of the predicted words, <end> included; in (0, 1].
      frequent_tag_scores: float32 [frequent tags], the probability of each of the train split's most frequent tags.
    """

    prediction: Prediction
    captions: tuple[str, ...]
    text: str
    score: float
    frequent_tag_scores: np.ndarray


def frequent_tags(vocabulary: Vocabulary, tags: TagVocabulary | None, count: int = FREQUENT_TAGS) -> tuple[str, ...]:
    """The `count` tags that most train captions have, most frequent first, ties alphabetical."""
    if tags is not None:
        return tags.tags[:count]
    counted = zip(vocabulary.tag_counts[len(SPECIALS):], vocabulary.words[len(SPECIALS):], strict=True)
    ordered = sorted((-tagged, word) for tagged, word in counted if tagged)
    return tuple(word for _, word in ordered[:count])


def reference_tags(example: Mapping[str, Any], tags: TagVocabulary | None) -> tuple[tuple[str, ...], ...]:
    """The tags of each reference caption of an image; of a row of keywords, the keywords as one list.

    Args:
      example: of records.input.shard_reader.images, as NumPy values.
      tags: the records' tags; None where they have no tag vocabulary.
    """
    if tags is None:
        return tuple(tuple(text.decode().split()) for text in example["tags"])
    return tuple(tuple(tags.tags[tag] for tag in ids) for ids in example[TAG_IDS])


def tag_words(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags as metrics of captions see them, where a space would end a word."""
    return tuple(tag.replace(" ", "_") for tag in tags)


def prediction(image: str, answer: Sequence[str], ranked: Sequence[str], scores: Sequence[float],
               captions: Sequence[str], tags_of_captions: Sequence[Sequence[str]], target: str,
               tags: TagVocabulary | None) -> Prediction:
    """One image's answer and references, normalised alike.

    Args:
      image: its key.
      answer: predicted words; for target "tags", predicted tags.
      ranked: predicted tags, best first. scores: the probability of each.
      captions: reference captions as they were written.
      tags_of_captions: the tags of each reference caption.
      target: "captions" or "tags", what the model was trained to write. For tags, the references of the caption
        metrics are the reference captions' tag sequences, and every predicted word is a tag.
      tags: the records' tags; None where they have no tag vocabulary.
    """
    references = tuple(map(tuple, tags_of_captions))
    if target == "tags":
        answer_tags = tuple(dict.fromkeys(answer))
        return Prediction(image, tag_words(answer), tuple(map(tag_words, references)), answer_tags, tuple(ranked),
                          references, tuple(scores))
    answer_tags = tuple(tags_among(answer)) if tags is None else tags.names(answer)
    return Prediction(image, tuple(answer), tuple(tuple(words(text)) for text in captions), answer_tags,
                      tuple(ranked), references, tuple(scores))


def predict_split(decoder: Decoder, split: caption_dataset.Split, vocabulary: Vocabulary, tags: TagVocabulary | None,
                  frequent: tuple[str, ...], batch_size: int, beam_width: int, length_penalty: float, limit: int = 0,
                  ) -> Iterator[Predicted]:
    """Decodes the images of `split` in their order, `batch_size` at a time.

    Args:
      vocabulary: the models' vocabulary.
      tags: the records' tags; None where they have no tag vocabulary.
      frequent: tags whose probability is computed for every image; it is 0 for tags that the models do not know.
      limit: stop after so many images; 0 for all.

    Raises:
      UserError: the split cannot be read.
    """
    places = {name: index for index, name in enumerate(decoder.tag_outputs.names)}
    columns = [places.get(name, decoder.tag_outputs.size) for name in frequent]  # the last is added below, for none

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, split.feature_size], tf.float16)])
    def decode(feature: tf.Tensor) -> tuple[tf.Tensor, ...]:
        decoded = decoder.decode(feature, beam_width=beam_width, length_penalty=length_penalty)
        padded = tf.pad(decoded.all_tag_scores, [[0, 0], [0, 1]])
        frequent_scores = tf.gather(padded, tf.constant(columns, tf.int32), axis=1)
        return (decoder.text(decoded.tokens), decoded.tokens, decoded.score, decoded.tags, decoded.tag_scores,
                frequent_scores)

    total = min(limit or split.info.examples, split.info.examples)
    examples = itertools.islice(caption_dataset.images(split, read_image=False).as_numpy_iterator(), total)
    with (caption_dataset.reading_errors(split.records_dir),
          Progress("decode", total, "photos", warms_up=True) as progress):
        while batch := list(itertools.islice(examples, batch_size)):
            answers = [part.numpy() for part in decode(np.stack([example["feature"] for example in batch]))]
            for example, text, tokens, score, names, scores, of_frequent in zip(batch, *answers, strict=True):
                captions = tuple(caption.decode() for caption in example["captions"])
                ranked = tuple(name.decode() for name in names if name)
                yield Predicted(
                    prediction(example["key"].decode(), vocabulary.decode(tokens), ranked,
                               scores[:len(ranked)].tolist(), captions, reference_tags(example, tags),
                               split.manifest.target, tags),
                    captions, text.decode(), float(score), of_frequent)
            progress.add(len(batch))
