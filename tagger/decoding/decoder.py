"""Features to captions and ranked tags, all inside the graph.

    decoder = Decoder([run.model], run.vocabulary, max_length=37)
    decoded = decoder.decode(features, beam_width=3)      # features float [B, F]
    decoder.text(decoded.tokens)                          # string [B]

Every row of the answer depends on its own feature alone, never on the rest of the batch.
"""

import functools
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from flags.choices import MAX_BEAM_WIDTH
from flags.eval import Eval
from flags.export import Export
from records.text.vocabulary import Vocabulary
from tagger.decoding.beam_search import Beams, State, beam_search
from tagger.decoding.repetition import RepetitionConstraint
from tagger.decoding.tag_ranking import noise, tag_marginals
from tagger.modeling.merge_model import MergeModel
from tagger.modeling.tag_calibration import TagCalibration
from tagger.modeling.tag_outputs import TagOutputs
from tagger.runs.ensemble import calibrations
from tagger.runs.run_dir import Run


class Decoded(NamedTuple):
    """Captions and ranked tags of a batch of B photos.

    Attributes:
      tokens: int32 [B, L] word ids of the best caption, right-padded with 0; <end> is not written.
      score: float32 [B], geometric mean of the probabilities of the caption's words and its <end>, in (0, 1].
      tags: string [B, n], most probable first; "" where the vocabulary has fewer than n tags.
      tag_scores: float32 [B, n] in [0, 1], estimated probability that the tag occurs in a caption of the photo.
      all_tag_scores: float32 [B, T], the estimated probability of every tag, in the order of `Decoder.tag_outputs`.
    """

    tokens: tf.Tensor
    score: tf.Tensor
    tags: tf.Tensor
    tag_scores: tf.Tensor
    all_tag_scores: tf.Tensor


def decoder_of(runs: Sequence[Run], config: Eval | Export) -> "Decoder":
    """What writes captions and ranks tags with the models of trained runs, as eval and export have it.

    Args:
      runs: one, or several that are averaged (tagger.runs.ensemble).
      config: max_length (0: that of the run), top_tags, tag_samples and block_repeats.
    """
    first = runs[0]
    return Decoder([run.model for run in runs], first.vocabulary, config.max_length or first.max_length,
                   tags=config.top_tags, tag_samples=config.tag_samples, block_repeats=config.block_repeats,
                   tag_outputs=first.tag_outputs, separator=first.separator, calibrations=calibrations(runs))


class Decoder(tf.Module):
    """Beam search and tag ranking over one model or over the mean of the probabilities of several.

    Tags are ranked by the models' own answer (`MergeModel.tag_scores`) where all of them were trained for it with
    --tag_weight, else by the captions that they would write (tagger.decoding.tag_ranking), with the probabilities
    from before a self-critical stage sharpened them.

    Args:
      models: models over the same vocabulary and features.
      vocabulary: the words behind the ids.
      max_length: words of the longest caption; a call of `decode` may lower it.
      tags: n, how many tags are answered for every photo.
      tag_samples: sampled captions that the tag scores average over, beside the beams. More is slower and
        steadier; 0 leaves the beams alone.
      block_repeats: one of `flags.choices.BLOCK_REPEATS`.
      tag_outputs: the tags, and which logits speak for them; by default every noun, verb and adjective is one.
      separator: what stands between the words of a caption, or between tags.
      calibrations: for each model, the function that turns its tag scores into probabilities; () for none.
    """

    def __init__(self, models: Sequence[MergeModel], vocabulary: Vocabulary, max_length: int, tags: int = 10,
                 tag_samples: int = 16, block_repeats: str = "content_words", tag_outputs: TagOutputs | None = None,
                 separator: str = " ", calibrations: Sequence[TagCalibration] = ()):
        super().__init__(name="decoder")
        if not models:
            raise ValueError("Decoder: found no models, expected at least one")
        self.models = list(models)
        self.max_length = max_length
        self._words = np.asarray(("", "", "", *vocabulary.words[3:]), object)  # specials are never shown
        self.tag_outputs = tag_outputs or TagOutputs.of(vocabulary, None)
        self.tags, self._separator, self._calibrations = tags, separator, calibrations
        self._noise = noise(tag_samples, max_length)
        self._constraint = RepetitionConstraint(vocabulary, block_repeats)

    @tf.autograph.experimental.do_not_convert  # nothing to convert; looking for it takes seconds
    def decode(self, feature: tf.Tensor, beam_width: tf.Tensor | int = 3, length_penalty: tf.Tensor | float = 0.7,
               max_length: tf.Tensor | int | None = None, min_score: tf.Tensor | float = 0.0,
               top_tags: tf.Tensor | int | None = None) -> Decoded:
        """Captions and tags of B photos.

        Args:
          feature: float [B, F]; B may be 0.
          beam_width: captions kept at each step, clipped to 1 … MAX_BEAM_WIDTH; 1 is greedy.
          length_penalty: a caption's rank is its log probability / length ** length_penalty.
          max_length: words of the longest caption, clipped to 1 … the constructor's; None for the constructor's.
          min_score: tags below it are left out of `tags` and `tag_scores`, which hold "" and 0 there.
          top_tags: as are those after the first so many; None for the constructor's.
        """
        limit = self._limit(max_length)
        beams = self.search(feature, beam_width, length_penalty, limit)
        length = tf.cast(beams.length[:, 0], tf.float32)
        scores = self._tag_scores(feature, beams, limit)
        tags, tag_scores = self._rank(scores)
        shown = (tag_scores >= min_score) & (tf.range(self.tags) < (self.tags if top_tags is None else top_tags))
        tags, tag_scores = tf.where(shown, tags, ""), tf.where(shown, tag_scores, 0.0)
        return Decoded(beams.tokens[:, 0], tf.exp(beams.log_probability[:, 0] / length), tags, tag_scores, scores)

    def search(self, feature: tf.Tensor, beam_width: tf.Tensor | int = 3, length_penalty: tf.Tensor | float = 0.7,
               max_length: tf.Tensor | int | None = None) -> Beams:
        """The captions that beam search finishes, best first; arguments as of `decode`."""
        width = tf.clip_by_value(beam_width, 1, MAX_BEAM_WIDTH)
        return beam_search(self._prefill, self._decode_step, feature, self._constraint, width, length_penalty,
                           self._limit(max_length))

    def _limit(self, max_length: tf.Tensor | int | None) -> tf.Tensor:
        return tf.clip_by_value(self.max_length if max_length is None else max_length, 1, self.max_length)

    def text(self, tokens: tf.Tensor) -> tf.Tensor:
        """Captions string [B] of word ids int32 [B, L], right-padded with 0: words joined by the separator."""
        words = tf.gather(tf.constant(list(self._words)), tokens)
        joined = tf.strings.reduce_join(words, axis=1, separator=self._separator)
        return tf.strings.regex_replace(joined, f"({re.escape(self._separator)})+$", "")  # between pads

    def tag_scores(self, feature: tf.Tensor, beam_width: tf.Tensor | int = 3) -> tf.Tensor:
        """`Decoded.all_tag_scores` alone. Models that were trained to rank tags need no beam search for it."""
        asked = all(model.tag_prompt for model in self.models)
        return self._tag_scores(feature, None if asked else self.search(feature, beam_width), self._limit(None))

    def _tag_scores(self, feature: tf.Tensor, beams: Beams | None, limit: tf.Tensor) -> tf.Tensor:
        """float32 [B, T]. `beams` may be None where the models were trained to rank tags."""
        if not all(model.tag_prompt for model in self.models):
            prefill = functools.partial(self._prefill, sharpened=False)
            decode_step = functools.partial(self._decode_step, sharpened=False)
            assert beams is not None
            together = tag_marginals(prefill, decode_step, feature, self._noise, beams, limit, self.tag_outputs)
            p = [together] * len(self.models)
        else:
            p = [model.tag_scores(feature, self.tag_outputs) for model in self.models]
        if self._calibrations:
            names = list(self.tag_outputs.names)
            p = [calibration.apply(scores, names) for scores, calibration in zip(p, self._calibrations, strict=True)]
        return tf.add_n(p) / len(p)

    def _rank(self, tag_scores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The n most probable tags string [B, n] with their scores; equal scores in their order."""
        count = min(self.tags, self.tag_outputs.size)
        scores, index = tf.math.top_k(tag_scores, count)
        tags = tf.gather(tf.constant(list(self.tag_outputs.names), tf.string), index)
        missing = [[0, 0], [0, self.tags - count]]
        return tf.pad(tags, missing, constant_values=""), tf.pad(scores, missing)

    def _prefill(self, feature: tf.Tensor, sharpened: bool = True) -> tuple[tf.Tensor, State]:
        return self._combine([model.prefill(feature) for model in self.models], sharpened)

    def _decode_step(self, state: State, word: tf.Tensor, sharpened: bool = True) -> tuple[tf.Tensor, State]:
        share = len(state) // len(self.models)
        parts = [state[i * share:(i + 1) * share] for i in range(len(self.models))]
        answers = [model.decode_step(part, word) for model, part in zip(self.models, parts, strict=True)]
        return self._combine(answers, sharpened)

    def _combine(self, answers: list[tuple[tf.Tensor, State]], sharpened: bool) -> tuple[tf.Tensor, State]:
        """Mean probabilities float32 [N, V], and the models' states one after the other."""
        scales = [1.0 if sharpened else model.inverse_temperature for model in self.models]
        p = [tf.nn.softmax(tf.cast(logits, tf.float32) / scale)
             for (logits, _), scale in zip(answers, scales, strict=True)]
        return tf.add_n(p) / len(p) if len(p) > 1 else p[0], tuple(part for _, state in answers for part in state)
