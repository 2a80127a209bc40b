"""Serialised examples: equal to TensorFlow's own serialisation of the same features."""

import random

import pytest
import tensorflow as tf

from records.format.example import Example, encode


def serialised_by_tensorflow(example: Example) -> bytes:
    def texts(values):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    def integers(values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    features = {"key": texts([example.key.encode()]), "height": integers([example.height]),
                "width": integers([example.width]), "captions": texts([c.encode() for c in example.captions]),
                "tags": texts([t.encode() for t in example.tags]), "tokens": integers(example.tokens)}
    if example.image is not None:
        features["image"] = texts([example.image])
    if example.feature is not None:
        features["feature"] = texts([example.feature])
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


@pytest.mark.parametrize("example", [
    Example("a.jpg", b"\xff\xd8jpeg", 480, 640, b"\x00\x3c" * 2048, ["A dog.", "Ein Häuschen"], ["dog", ""],
            [5, 9, 1, 3, 1]),
    Example("b.png", None, 1, 1, None, ["x"], [""], [1]),
    Example("ü" * 200, b"", 2**31, 127, b"", ["c" * 20_000] * 7, ["t"] * 7, [0, 127, 128, 16_383, 16_384, 2**40]),
    Example("none", b"i" * 3_000_000, 128, 16_384, None, [], [], []),
], ids=["usual", "no image", "long values", "nothing said"])
def test_bytes_are_those_of_tensorflow(example):
    assert encode(example) == serialised_by_tensorflow(example)


def test_bytes_are_those_of_tensorflow_for_random_examples():
    random_ = random.Random(1)
    for _ in range(300):
        captions = ["".join(chr(random_.choice((97, 228, 0x4E2D, 0x1F600))) for _ in range(random_.randrange(90)))
                    for _ in range(random_.randrange(1, 8))]
        example = Example(
            f"k{random_.randrange(10**6)}", random_.randbytes(random_.randrange(40_000)), random_.randrange(10**5),
            random_.randrange(10**5), random_.randbytes(2 * random_.randrange(3000)), captions,
            [c[:random_.randrange(20)] for c in captions], [random_.randrange(30_000) for _ in range(200)])
        assert encode(example) == serialised_by_tensorflow(example)
