import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from records.images.augmentation import Augmentation, augment, view_numbers, whole
from records.images.decoding import decode_and_resize
from tests.records.inputs import PHOTOS

SIZE = 96
PHOTO = PHOTOS[0].read_bytes()
AS_IS = Augmentation(smallest_crop=1.0, mirror=False)


def view(image=PHOTO, augmentation=None, seed=0, key="a.jpg", may_mirror=True):
    return augment(tf.constant(image), SIZE, augmentation or Augmentation(), view_numbers(seed, tf.constant(key)),
                   may_mirror).numpy()


def png(pixels):
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


def test_a_view_is_a_function_of_seed_and_key():
    first = view()
    assert first.shape == (SIZE, SIZE, 3) and first.dtype == np.uint8
    assert (first == view()).all()
    assert (first != view(seed=1)).mean() > 0.5 and (first != view(key="b.jpg")).mean() > 0.5


def test_inside_tf_data_it_is_the_same():
    dataset = tf.data.Dataset.range(3).map(lambda seed: augment(
        tf.constant(PHOTO), SIZE, Augmentation(), view_numbers(seed, tf.constant("a.jpg")), True), num_parallel_calls=2)
    for seed, pixels in enumerate(dataset.as_numpy_iterator()):
        assert (pixels == view(seed=seed)).all()


def test_the_whole_photo_is_what_features_are_computed_of():
    for photo in PHOTOS[:3]:
        data = tf.constant(photo.read_bytes())
        assert np.abs(whole(data, SIZE).numpy() - decode_and_resize(data, SIZE).numpy()).max() <= 0.5


def test_crops_cover_the_share_that_was_asked_for_and_reach_every_edge():
    # Position is colour, so that a view tells which part it shows.
    y, x = np.mgrid[0:256, 0:256].astype(np.uint8)
    data = png(np.stack([y, x, np.zeros_like(x)], axis=2))
    tops, shares = [], []
    for seed in range(60):
        pixels = view(data, Augmentation(0.5, mirror=False), seed).astype(float)
        height, width = (np.ptp(pixels[..., channel]) / 255 for channel in (0, 1))
        shares.append(height * width)
        tops.append(pixels[..., 0].min() / 255)
    assert 0.42 < min(shares) < 0.6 and 0.85 < max(shares) <= 1
    assert min(tops) < 0.02 and 0.1 < max(tops) < 0.5


def test_mirrored_half_of_the_time_and_never_where_it_may_not():
    still, mirrored = view(augmentation=AS_IS), view(augmentation=AS_IS)[:, ::-1]
    seen = [view(augmentation=Augmentation(1.0, mirror=True), seed=seed) for seed in range(40)]
    assert all((pixels == still).all() or (pixels == mirrored).all() for pixels in seen)
    assert 10 < sum((pixels == mirrored).all() for pixels in seen) < 30
    assert all((view(augmentation=Augmentation(1.0), seed=seed, may_mirror=False) == still).all() for seed in range(10))


def test_brightness_and_saturation_stay_in_their_bounds():
    grey = png(np.full((64, 64, 3), 200, np.uint8))
    levels = [view(grey, Augmentation(1.0, False, brightness=0.5, saturation=0.5), seed)[0, 0, 0] for seed in range(40)]
    assert 95 <= min(levels) < 130 and max(levels) == 255  # 200 x 0.5, and 200 x 1.5 cut off
    red = png(np.tile(np.array([[[200, 50, 50]]], np.uint8), (64, 64, 1)))
    ranges = [np.ptp(view(red, Augmentation(1.0, False, saturation=0.5), seed)[0, 0].astype(int)) for seed in range(40)]
    assert 70 < min(ranges) < 110 and 190 < max(ranges) <= 230


def test_saturation_moves_every_pixel_away_from_its_grey():
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    seen = view(png(pixels), Augmentation(1.0, False, saturation=0.5)).astype(float)
    factor = 0.5 + view_numbers(0, tf.constant("a.jpg")).numpy()[6]
    grey = (pixels @ np.array([0.299, 0.587, 0.114]))[..., np.newaxis]
    assert abs(factor - 1) > 0.05
    assert np.abs(seen - np.clip(grey + (pixels - grey) * factor, 0, 255)).max() <= 0.501


@pytest.mark.parametrize("times", [2.25, 5])
def test_what_is_too_fine_for_a_small_view_becomes_grey(times):
    side = int(times * SIZE)
    stripes = np.zeros((side, side, 3), np.uint8)
    stripes[:, ::2] = 255
    seen = view(png(stripes), AS_IS).astype(float)
    assert abs(seen.mean() - 127.5) < 3 and seen.std() < 30


@pytest.mark.parametrize("side", [SIZE * 2, SIZE * 9])
def test_jpegs_decoded_at_a_reduced_scale_show_the_same_part(side):
    large = Image.open(PHOTOS[1]).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    data, exact = io.BytesIO(), io.BytesIO()
    large.save(data, "JPEG", quality=95)
    large.save(exact, "PNG")
    for seed in range(3):
        difference = view(data.getvalue(), seed=seed).astype(float) - view(exact.getvalue(), seed=seed)
        assert np.abs(difference).mean() < 6


def test_grey_photos_and_damaged_ones():
    grey = io.BytesIO()
    Image.open(PHOTOS[2]).convert("L").save(grey, "JPEG")
    pixels = view(grey.getvalue())
    assert (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all()
    with pytest.raises(tf.errors.InvalidArgumentError):
        view(PHOTO[:100])
