"""One image and its captions as a tf.train.Example.

The bytes are those that TensorFlow's own serialiser writes for the same features with sorted keys. They are put
together here because it is several times as fast as filling protocol buffers (benchmarks/records.py), and
because the processes that write shards then need no TensorFlow.
"""

import dataclasses
import functools
from collections.abc import Iterable, Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """What is stored of one image.

    Attributes:
      key: the image's name in the caption table.
      image: encoded image that tf.io.decode_image reads, upright; None: not stored.
      height, width: of the upright image, in pixels.
      feature: little-endian float16 values of the pooled backbone output; None: not stored.
      captions: the reference captions.
      tags: the tags of each caption, joined by spaces; parallel to captions.
      tokens: ids of the target words of each caption, each followed by 1 (<end>), one caption after the other.
      tag_ids: ids of the tags of each caption, parallel to captions; None where there is no tag vocabulary.
    """

    key: str
    image: bytes | None
    height: int
    width: int
    feature: bytes | None
    captions: Sequence[str]
    tags: Sequence[str]
    tokens: Sequence[int]
    tag_ids: Sequence[Sequence[int]] | None = None


TAG_IDS = "tag_ids"

# Protocol buffer wire format (https://protobuf.dev/programming-guides/encoding): each field is a varint
# (number << 3 | wire type), and for wire type 2 a varint length and that many bytes.
_FEW = 1 << 14  # numbers below it, most lengths and ids, are looked up
_VARINTS = [bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7]) for n in range(_FEW)]
_FIELD_1 = [b"\x0a" + varint for varint in _VARINTS]  # before that many bytes of field 1


def _varint(value: int) -> bytes:
    if value < _FEW:
        return _VARINTS[value]
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field_1(size: int) -> bytes:
    return _FIELD_1[size] if size < _FEW else b"\x0a" + _varint(size)


# A Feature has one of these lists.
_BYTES_LIST, _INT64_LIST = b"\x0a", b"\x1a"


@functools.lru_cache(maxsize=1 << 12)
def _head(name: str, kind: bytes, size: int) -> bytes:
    """What comes before the `size` bytes of a list's values in the map entry {1: name, 2: Feature}."""
    values = kind + _varint(size)
    entry = _field_1(len(name)) + name.encode() + b"\x12" + _varint(len(values) + size) + values
    return _field_1(len(entry) + size) + entry


def _texts(name: str, values: Iterable[str]) -> tuple[bytes, bytes]:
    data = b"".join([_field_1(len(value)) + value for value in map(str.encode, values)])
    return _head(name, _BYTES_LIST, len(data)), data


def _bytes(name: str, value: bytes) -> tuple[bytes, bytes, bytes]:
    before = _field_1(len(value))
    return _head(name, _BYTES_LIST, len(before) + len(value)), before, value


def _int64s(name: str, values: Iterable[int]) -> bytes:
    data = b"".join([_VARINTS[value] if value < _FEW else _varint(value) for value in values])
    data = _field_1(len(data)) + data if data else b""
    return _head(name, _INT64_LIST, len(data)) + data


@functools.lru_cache(maxsize=1 << 12)  # photos come in few sizes
def _int64(name: str, value: int) -> bytes:
    return _int64s(name, (value,))


def encode(example: Example) -> bytes:
    """The serialised tf.train.Example; all integers must be at least 0."""
    # Joined once: an image is many times the rest, and each join copies it.
    parts = [*_texts("captions", example.captions)]
    if example.feature is not None:
        parts += _bytes("feature", example.feature)
    parts.append(_int64("height", example.height))
    if example.image is not None:
        parts += _bytes("image", example.image)
    parts += _bytes("key", example.key.encode())
    if example.tag_ids is not None:  # as TensorFlow Datasets stores a sequence of sequences
        parts += (_int64s(f"{TAG_IDS}/ragged_flat_values", [tag for tags in example.tag_ids for tag in tags]),
                  _int64s(f"{TAG_IDS}/ragged_row_lengths_0", map(len, example.tag_ids)))
    parts += (*_texts("tags", example.tags), _int64s("tokens", example.tokens),
              _int64("width", example.width))
    return b"".join((_field_1(sum(map(len, parts))), *parts))
