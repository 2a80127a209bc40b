"""How many captions another arithmetic changes.

    changed = ChangedCaptions.between(captions(half, batches, 3, 0.7), captions(exact, batches, 3, 0.7))
    str(changed)          # "12 of 1,000 captions differ from float32's"
"""

import dataclasses
from collections.abc import Iterable, Iterator

import tensorflow as tf

from tagger.decoding.decoder import Decoder


@dataclasses.dataclass(frozen=True)
class ChangedCaptions:
    """Of `photos` photos, `changed` have another caption than in float32."""

    changed: int
    photos: int

    @classmethod
    def between(cls, answers: Iterable[str], exact: Iterable[str]) -> "ChangedCaptions":
        """Counts the differences of two equally long series of captions."""
        differs = [answer != other for answer, other in zip(answers, exact, strict=True)]
        return cls(sum(differs), len(differs))

    def __str__(self) -> str:
        return f"{self.changed:,} of {self.photos:,} captions differ from float32's"


def captions(decoder: Decoder, batches: Iterable[tf.Tensor], beam_width: int, length_penalty: float) -> Iterator[str]:
    """The best caption of every feature, of batches float [B, F]."""
    @tf.function(autograph=False, reduce_retracing=True)
    def search(feature: tf.Tensor) -> tf.Tensor:
        return decoder.text(decoder.search(feature, beam_width, length_penalty).tokens[:, 0])

    for feature in batches:
        yield from (text.decode() for text in search(feature).numpy())
