"""Memory that TensorFlow takes as it is."""

import numpy as np
from numpy.typing import DTypeLike

_ALIGNMENT = 64  # bytes; TensorFlow copies an array that is not aligned so


def aligned_empty(shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """An array of any values, as of numpy.empty, which becomes a tensor without a copy."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + _ALIGNMENT, np.uint8)
    first = -raw.ctypes.data % _ALIGNMENT
    return raw[first:first + size].view(dtype).reshape(shape)
