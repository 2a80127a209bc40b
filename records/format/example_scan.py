"""Features and word ids out of many serialised tf.train.Examples at once, without parsing the rest of them.

A parser of protocol buffers goes through one message after the other, photos and captions included. Here NumPy goes
through all of them in step: where the next field of each record starts follows from the length of the one before, so
what is not asked for is stepped over. Any order of the fields is read, and ids packed as every serialiser of
tf.train.Example packs them (https://protobuf.dev/programming-guides/encoding).
"""

import dataclasses

import numpy as np

_FIELD_1, _FIELD_2, _FIELD_3 = 0x0A, 0x12, 0x1A  # tags of fields with a length
PADDING = 8  # bytes that `data` must have after the last record

_CONTINUED = 0x8080808080
_LONGEST_VARINT = 5


class Unreadable(ValueError):
    """A record is not laid out as make_records lays them out.

    Attributes:
      record: its number, from 0.
    """

    def __init__(self, record: int, problem: str):
        super().__init__(problem)
        self.record = record


@dataclasses.dataclass(frozen=True)
class Scanned:
    """What `scan` reads of n records.

    Attributes:
      feature: float16 [n, F].
      tokens: int32 [t], the ids of all records, one after the other.
      limits: int64 [n + 1], where the tokens of each record start, and end.
      key: list of n bytes objects.
    """

    feature: np.ndarray
    tokens: np.ndarray
    limits: np.ndarray
    key: list[bytes]


def scan(data: bytes, starts: np.ndarray, ends: np.ndarray, feature_size: int) -> Scanned:
    """Reads the fields `feature`, `tokens` and `key` of each record.

    Args:
      data: holds the records, and PADDING bytes more.
      starts, ends: int64 [n], where each record lies in it.
      feature_size: F; 0 steps over the features.

    Raises:
      Unreadable: a record lacks one of them, or is no tf.train.Example.
    """
    words = np.ndarray((len(data) - 7,), "<u8", data, strides=(1,))  # the 8 bytes that start at each
    found = {name: np.full((len(starts), 2), -1, np.int64) for name in ("key", "tokens", "feature")}
    start, end = _body(words, starts, ends, _FIELD_1, np.arange(len(starts)))  # of the map of features
    record = np.flatnonzero(start < end)
    at = start[record]
    while record.size:
        entry, after = _body(words, at, end[record], _FIELD_1, record)
        name, value = _body(words, entry, after, _FIELD_1, record)
        for wanted, spans in found.items():
            here = np.flatnonzero((value - name == len(wanted)) & (
                words[name] & (256 ** len(wanted) - 1) == int.from_bytes(wanted.encode(), "little")))
            if here.size:
                spans[record[here]] = np.stack(_body(words, value[here], after[here], _FIELD_2, record[here]), 1)
        more = after < end[record]
        record, at = record[more], after[more]
    every = np.arange(len(starts))
    for field, spans in found.items():
        if (feature_size or field != "feature") and (lacking := np.flatnonzero(spans[:, 0] < 0)).size:
            raise Unreadable(int(lacking[0]), f"has no {field}")
    key = [data[start:end] for start, end in np.stack(_value(words, found["key"], _FIELD_1, every), 1).tolist()]
    tokens, limits = _ids(data, np.stack(_value(words, found["tokens"], _FIELD_3, every), 1))
    return Scanned(_vectors(data, words, found["feature"], feature_size, every), tokens, limits, key)


def _body(words: np.ndarray, at: np.ndarray, end: np.ndarray, tag: int, record: np.ndarray
          ) -> tuple[np.ndarray, np.ndarray]:
    """Where the bodies of the fields at `at` start and end; each must have the tag, and lie before `end`."""
    at = np.minimum(at, len(words) - 1)
    word = words[at]
    length = word >> np.uint64(8)
    last = ~length & np.uint64(_CONTINUED)  # the lowest bit of these belongs to the last byte of the length
    last &= ~last + np.uint64(1)
    length &= last * np.uint64(2) - np.uint64(1)
    size = np.uint64(0)
    value = np.zeros(len(at), np.uint64)
    for place in range(_LONGEST_VARINT):
        value |= (length >> np.uint64(place)) & np.uint64(0x7F << 7 * place)
        size = size + (last > np.uint64(0x80 << 8 * place))
    start = at + 2 + size.astype(np.int64)
    stop = start + value.astype(np.int64)
    wrong = np.flatnonzero((word & np.uint64(0xFF) != tag) | (last == 0) | (stop > end))
    if wrong.size:
        raise Unreadable(int(record[wrong[0]]), "is no tf.train.Example that make_records writes")
    return start, stop


def _value(words: np.ndarray, spans: np.ndarray, kind: int, record: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of the one value, or of the packed ids, in each Feature; the same twice where there is none."""
    start, end = _body(words, spans[:, 0], spans[:, 1], kind, record)
    some = np.flatnonzero(start < end)
    start[some], end[some] = _body(words, start[some], end[some], _FIELD_1, record[some])
    return start, end


def _vectors(data: bytes, words: np.ndarray, spans: np.ndarray, size: int, record: np.ndarray) -> np.ndarray:
    if not size or not len(spans):
        return np.zeros((len(spans), size), np.float16)
    start, end = _value(words, spans, _FIELD_1, record)
    wrong = np.flatnonzero(end - start != 2 * size)
    if wrong.size:
        raise Unreadable(int(wrong[0]), f"has a feature of {end[wrong[0]] - start[wrong[0]]} bytes, not {2 * size}")
    rows = np.ndarray((len(data) - 2 * size + 1,), f"V{2 * size}", data, strides=(1,))  # one that starts at each byte
    return rows[start].view("<f2").reshape(len(spans), size)


def _ids(data: bytes, spans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The varints in the spans, and how many come before each span; `tokens` and `limits` of Scanned."""
    length = spans[:, 1] - spans[:, 0]
    after = np.cumsum(length)
    place = np.repeat(spans[:, 0] - (after - length), length) + np.arange(length.sum())
    packed = np.frombuffer(data, np.uint8)[place]
    last = packed < 128
    limits = np.concatenate([[0], np.concatenate([[0], np.cumsum(last)])[after]])
    end = np.flatnonzero(last)
    start = np.concatenate([[0], end[:-1] + 1])[:len(end)]
    ids = (packed[start] & 127).astype(np.int32)
    more, shift = np.flatnonzero(start < end), 7
    while more.size and shift < 7 * _LONGEST_VARINT:
        ids[more] |= (packed[start[more] + shift // 7] & 127).astype(np.int32) << shift
        more, shift = more[start[more] + shift // 7 < end[more]], shift + 7
    return ids, limits
