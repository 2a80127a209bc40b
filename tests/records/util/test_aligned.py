import numpy as np
import pytest

from records.util.aligned import aligned_empty


@pytest.mark.parametrize("shape, dtype", [((3, 5), np.float16), ((7,), np.int32), ((0, 4), np.int32)])
def test_arrays_start_where_tensorflow_takes_them(shape, dtype):
    array = aligned_empty(shape, dtype)
    assert (array.shape, array.dtype, array.flags.c_contiguous) == (shape, dtype, True)
    assert array.ctypes.data % 64 == 0 or not array.size
