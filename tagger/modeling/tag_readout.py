"""What the image's feature says about each tag directly, beside what the network answers when it is asked for tags.

    readout = TagReadout(kernel, bias, rate, network_share=1 / 3)
    readout.mix(feature, logits)            # float [B, F], float32 [B, T] to float32 [B, T]

The published network reads tags, like words, off 128 numbers, of which captions need most: too few for some thousand
tags (docs/quality.md has what that costs). Its layers stay as they are. The readout is a linear regression beside it,
of how many of a photo's captions have the tag; tagger.training.fit_tag_readout solves it when training has ended.
"""

import io
from collections.abc import Iterator, Sequence

import h5py
import keras
import numpy as np
import tensorflow as tf

_LEAST, _MOST = -0.5, 0.98  # in units of the tag's rate; as a probability
_SHARPNESS = 2.0


class TagReadout(tf.Module):
    """A linear function of the feature for each of the first K tags, the most frequent ones.

    Attributes:
      kernel: float32 [F, K]. bias: float32 [K]. The answer is in units of `rate`: 1 for a photo like the average.
      rate: float32 [K], the mean share of a train photo's captions that have the tag; above 0.
      network_share: weight of the network's logits in `mix`; the rest is the readout's.
    """

    def __init__(self, kernel: np.ndarray, bias: np.ndarray, rate: np.ndarray, network_share: float):
        super().__init__(name="tag_readout")
        self.kernel, self.bias, self.rate = (
            keras.Variable(value, dtype="float32", trainable=False, name=name)
            for value, name in ((kernel, "kernel"), (bias, "bias"), (rate, "rate")))
        self.network_share = network_share

    @property
    def weights(self) -> list[keras.Variable]:
        """What an export stores."""
        return [self.kernel, self.bias, self.rate]

    @property
    def size(self) -> int:
        """K."""
        return int(self.kernel.shape[1])

    def logits(self, feature: tf.Tensor) -> tf.Tensor:
        """float32 [B, K] of features [B, F].

        A regression may leave [0, 1]. Softplus brings what is below 0 above it; how far below half the rate it was is
        noise, and would spoil the calibration.
        """
        kernel, bias, rate = (tf.convert_to_tensor(weight.value) for weight in self.weights)
        times = tf.maximum(tf.nn.bias_add(tf.matmul(tf.cast(feature, tf.float32), kernel), bias), _LEAST)
        p = tf.minimum(rate * tf.nn.softplus(_SHARPNESS * times) / _SHARPNESS, _MOST)
        return tf.math.log(p) - tf.math.log1p(-p)

    def mix(self, feature: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """float32 [B, T]: the weighted mean with the network's logits; of tags beyond the first K the network's."""
        share = self.network_share
        mixed = share * logits[:, :self.size] + (1 - share) * self.logits(feature)
        return tf.concat([mixed, logits[:, self.size:]], axis=1)

    def to_bytes(self, attributes: dict[str, str]) -> bytes:
        """The bytes of an HDF5 file; equal weights and attributes give equal bytes."""
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            for weight in self.weights:
                file.create_dataset(weight.name, data=weight.numpy())
            file.attrs["network_share"] = self.network_share
            file.attrs.update(attributes)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, feature_size: int, tags: int) -> "TagReadout":
        """Reads what `to_bytes` made.

        Raises:
          ValueError: it is damaged, or does not fit features [F] and T tags.
        """
        try:
            with h5py.File(io.BytesIO(data), "r") as file:
                kernel, bias, rate = (np.asarray(file[name], np.float32) for name in ("kernel", "bias", "rate"))
                share = float(file.attrs["network_share"])
        except (OSError, KeyError, TypeError) as error:
            raise ValueError(str(error)) from error
        if kernel.ndim != 2 or len(kernel) != feature_size or kernel.shape[1] > tags:
            raise ValueError(f"its kernel is {kernel.shape}, expected ({feature_size}, at most {tags})")
        if not bias.shape == rate.shape == kernel.shape[1:] or not 0 <= share <= 1 or not (rate > 0).all() or not all(
                np.isfinite(value).all() for value in (kernel, bias, rate)):
            raise ValueError("its numbers are none that training writes")
        return cls(kernel, bias, rate, share)


def solve(gram: np.ndarray, moments: np.ndarray, strengths: Sequence[float]) -> Iterator[np.ndarray]:
    """Ridge regressions: for each strength the kernel float64 [F, K] that minimises the squared error plus it.

    Args:
      gram: float64 [F, F], of features less their mean.
      moments: float64 [F, K], of those and of the targets less their mean.
      strengths: of the penalty, in units of the mean of gram's diagonal.

    Hoerl & Kennard, "Ridge regression", 1970.
    """
    unit = max(np.trace(gram) / len(gram), 1e-9)
    for strength in strengths:
        yield np.linalg.solve(gram + strength * unit * np.eye(len(gram)), moments)
