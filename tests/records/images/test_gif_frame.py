import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from records.images.gif_frame import first_frame
from tests.records.images.bad_images import encoded, photo


def test_one_frame_is_left_and_it_is_the_first():
    data = encoded(photo(which=0), "GIF", save_all=True, append_images=[photo(which=1), photo(which=2)], comment=b"c")
    size, cut = first_frame(tf.constant(data))
    assert (int(size.height), int(size.width)) == photo().size[::-1] and len(cut.numpy()) < len(data) / 2
    with Image.open(io.BytesIO(cut.numpy())) as one, Image.open(io.BytesIO(data)) as all_frames:
        assert one.n_frames == 1
        np.testing.assert_array_equal(np.asarray(one.convert("RGB")), np.asarray(all_frames.convert("RGB")))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_a_frame_that_is_not_whole_has_no_height(share):
    data = encoded(photo(), "GIF")
    assert int(first_frame(tf.constant(data[:int(len(data) * share)]))[0].height) == 0


def test_a_frame_larger_than_its_screen():
    data = encoded(photo((40, 30)), "GIF")
    small = data[:6] + b"\x01\0\x01\0" + data[10:]
    size, _ = first_frame(tf.constant(small))
    assert (int(size.height), int(size.width)) == (30, 40)
