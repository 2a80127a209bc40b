"""Small files that cost much are refused from their header, by make_records and by the SavedModel alike."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf

from records.images import limits
from records.images.decoding import decode_batch
from records.images.files import BadImage
from records.images.validation import check_image
from tests.records.images.hostile_images import hostile, largest, odd, pillow_only
from tests.records.inputs import PHOTOS

_MEMORY = Path("/proc/self/status")
_RESET_PEAK = Path("/proc/self/clear_refs")
needs_peak = pytest.mark.skipif(not _RESET_PEAK.exists(), reason="the kernel does not tell a process's peak memory")


@pytest.fixture(scope="module")
def batch():
    decode = tf.function(lambda rows: decode_batch(rows, 224), [tf.TensorSpec([None], tf.string)], autograph=False)
    decode([PHOTOS[0].read_bytes(), b"no image"])
    return decode


def verdict(data: bytes) -> str:
    """What make_records says of an image: "" or a reason."""
    try:
        check_image(data)
    except BadImage as error:
        return str(error)
    return ""


def peak(run: Callable[[], object]) -> int:
    """Bytes that this process's memory grew by at the most while something ran, in the better of two runs.

    Pages that the system had taken from an idle process come back in the first one.
    """

    def read(name: str) -> int:
        return 1024 * int(re.search(rf"{name}:\s*(\d+) kB", _MEMORY.read_text()).group(1))

    growth = []
    for _ in range(2):
        _RESET_PEAK.write_text("5")
        before = read("VmRSS")
        run()
        growth.append(read("VmHWM") - before)
    return min(growth)


@pytest.mark.parametrize("name, make", [*hostile().items(), *odd().items()])
def test_make_records_and_the_saved_model_say_the_same(batch, name, make):
    data = make()
    _, valid = batch([data])
    reason = verdict(data)
    assert valid.numpy().tolist() == [not reason], reason
    is_sound = name in odd() and name != "very_much_text.png"
    assert is_sound == (not reason), reason


@needs_peak
def test_what_is_refused_takes_no_memory(batch):
    rows = [make() for make in hostile().values()]
    assert peak(lambda: batch(rows)) < 64 << 20
    assert peak(lambda: [verdict(row) for row in rows]) < 64 << 20


@pytest.mark.parametrize("name, make", [(name, make) for name, make in pillow_only().items() if "avif" not in name])
def test_formats_that_only_make_records_reads_are_bounded_too(name, make):
    assert verdict(make())


def test_the_reason_says_what_is_too_much():
    files = hostile()
    assert re.match("JPEG has too many scans: 1,000, the limit is 100", verdict(files["many_scans.jpg"]()))
    assert re.match("PNG has too many compressed texts: 300, the limit is 32", verdict(odd()["very_much_text.png"]()))
    assert verdict(files["large_rgba.png"]()).startswith("photo is too large: 10,000 x 10,000 pixels, transparent")
    assert verdict(files["wide.png"]()).startswith("photo is too large: 900,000 x 100 pixels")


def test_others_in_the_batch_keep_their_pixels(batch):
    good = [path.read_bytes() for path in PHOTOS[:2]]
    large = odd()["many_frames.gif"]()
    images, valid = batch([good[0], hostile()["huge_frame.gif"](), large, hostile()["many_scans.jpg"](), good[1]])
    assert valid.numpy().tolist() == [True, False, True, False, True]
    tf.debugging.assert_equal(tf.gather(images, [0, 4]), batch(good)[0])


@pytest.mark.slow
@needs_peak
@pytest.mark.parametrize("name", largest())
def test_the_largest_photo_takes_no_more_than_the_docs_say(batch, name):
    data = largest()[name]()
    assert peak(lambda: check_image(data)) < limits.MAX_MEMORY_BYTES
    assert peak(lambda: batch([data])) < limits.MAX_MEMORY_BYTES
    assert batch([data])[1].numpy().all()
