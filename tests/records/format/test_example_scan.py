"""Scanned records hold what TensorFlow's own serialiser wrote, in any order of the fields."""

import numpy as np
import pytest
import tensorflow as tf

from records.format import example
from records.format.example_scan import PADDING, Unreadable, scan

IDS = [[], [1], [5, 127, 128, 1], [16383, 16384, 2097151, 2097152, 300, 1], [*range(2, 400), 1]]


def record(number, ids):
    feature = np.arange(number, number + 6, dtype="<f2").tobytes()
    return {"tokens": ids, "key": [f"photo-{number}.jpg".encode()], "feature": [feature], "width": [number],
            "captions": [b"a tokens key \x0a\x07feature \x12"] * number, "image": [b"\xff" * 300 * number]}


def serialized(fields):
    message = tf.train.Example()
    for name, values in fields.items():
        kind = "bytes_list" if values and isinstance(values[0], bytes) else "int64_list"
        getattr(message.features.feature[name], kind).value.extend(values)
    return message.SerializeToString()


def scanned(records, size=6):
    limits = np.cumsum([0, *map(len, records)])
    return scan(b"".join(records) + bytes(PADDING), limits[:-1], limits[1:], size)


def test_of_tensorflows_bytes():
    found = scanned([serialized(record(number, ids)) for number, ids in enumerate(IDS)])
    assert found.key == [f"photo-{number}.jpg".encode() for number in range(5)]
    np.testing.assert_array_equal(found.feature, np.arange(6) + np.arange(5)[:, None])
    assert [found.tokens[a:b].tolist() for a, b in zip(found.limits, found.limits[1:], strict=False)] == IDS


def test_of_our_bytes_and_without_features():
    records = [example.encode(example.Example(f"k{number}", b"image" * number, 9, 9, bytes(12), ["A dog."] * number,
                                              ["dog"], ids, [[1], []])) for number, ids in enumerate(IDS)]
    found = scanned(records, 0)
    assert found.feature.shape == (5, 0) and found.tokens.tolist() == sum(IDS, [])
    assert scanned(records).feature.shape == (5, 6)


@pytest.mark.parametrize("change, problem", [
    (lambda fields: fields.pop("key"), "has no key"), (lambda fields: fields.pop("feature"), "has no feature"),
    (lambda fields: fields.update(feature=[bytes(10)]), "has a feature of 10 bytes, not 12"),
    (lambda fields: fields.update(tokens=[b"text"]), "is no tf.train.Example that make_records writes")])
def test_another_record_is_named(change, problem):
    fields = record(1, [1])
    change(fields)
    with pytest.raises(Unreadable, match=problem) as caught:
        scanned([serialized(record(0, [1])), serialized(fields)])
    assert caught.value.record == 1


def test_any_bytes_are_refused_or_read():
    good, random = serialized(record(2, IDS[3])), np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(good)
        data[random.integers(len(data))] = random.integers(256)
        try:
            scanned([good, bytes(data[:random.integers(len(data) // 2, len(data) + 1)]), good])
        except Unreadable as error:
            assert error.record == 1
