"""The TFRecord file format: framing for writers, and a walk that finds where a damaged file is damaged.

A record is: length (uint64), masked crc32c of those 8 bytes (uint32), the data, masked crc32c of the data
(uint32), all little-endian (https://www.tensorflow.org/tutorials/load_data/tfrecord). Nothing marks the end of
a file, which is why one cut between two records, or inside a header, reads clean in TensorFlow.
"""

import dataclasses
import struct
from collections.abc import Iterator
from typing import BinaryIO

import google_crc32c

HEADER_BYTES = 12
FOOTER_BYTES = 4
_MASK_DELTA = 0xA282EAD8
_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_HEADER = struct.Struct("<QI")


def masked_crc(data: bytes) -> int:
    """crc32c of `data`, rotated and offset as TFRecord files store it."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def frame(data: bytes) -> bytes:
    """One record: header, data, footer."""
    length = _LENGTH.pack(len(data))
    return b"".join((length, _CRC.pack(masked_crc(length)), data, _CRC.pack(masked_crc(data))))


class Damage(ValueError):
    """A file is no sequence of whole records.

    Attributes:
      record: index of the first damaged record.
      offset: byte offset in the file where that record starts.
    """

    def __init__(self, record: int, offset: int, problem: str):
        super().__init__(f"record {record} at byte {offset}: {problem}")
        self.record, self.offset = record, offset


def walk(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yields (offset, data) of every record.

    Raises:
      Damage: at the first record that is cut short or fails a checksum.
    """
    offset = index = 0
    while header := _read(file, HEADER_BYTES):
        data = _data(file, _length(header, index, offset), index, offset)
        yield offset, data
        offset += HEADER_BYTES + len(data) + FOOTER_BYTES
        index += 1


@dataclasses.dataclass(frozen=True)
class Span:
    """Neighbouring records of a file.

    Attributes:
      data: holds them, and `padding` zero bytes at its end.
      starts, ends: where the data of each record lies in it.
      first: number of the first one in the file.
    """

    data: bytes
    starts: list[int]
    ends: list[int]
    first: int


def spans(file: BinaryIO, size: int, padding: int = 0) -> Iterator[Span]:
    """All records of a file, as many at a time as fit in `size` bytes, but at least one.

    Raises:
      Damage: as of `walk`.
    """
    left, index, offset = b"", 0, 0  # `left` is what was read of the next record, which starts at `offset`
    zeros, asked = bytes(padding), size
    while part := _read(file, asked):
        data = b"".join((left, part, zeros))
        at, until = 0, len(data) - padding - FOOTER_BYTES
        starts, ends = list[int](), list[int]()
        while (start := at + HEADER_BYTES) <= until:
            length, sum_of_length = _HEADER.unpack_from(data, at)
            if sum_of_length != masked_crc(data[at:at + _LENGTH.size]):
                raise Damage(index + len(starts), offset + at, "the checksum of the length is wrong")
            if (end := start + length) > until:
                break
            if _CRC.unpack_from(data, end)[0] != masked_crc(data[start:end]):
                raise Damage(index + len(starts), offset + at, f"the checksum of the {length} bytes of data is wrong")
            starts.append(start)
            ends.append(end)
            at = end + FOOTER_BYTES
        span = Span(data, starts, ends, index)
        left, index, offset = data[at:len(data) - padding], index + len(starts), offset + at
        del part, data  # the caller may keep many files waiting
        if starts:
            yield span
        del span
        missing = _length(left[:HEADER_BYTES], index, offset) if len(left) >= HEADER_BYTES else 0
        asked = max(size, HEADER_BYTES + missing + FOOTER_BYTES) - len(left)
    if left:
        length = _length(left[:HEADER_BYTES], index, offset)
        raise Damage(index, offset, f"the file ends {len(left) - HEADER_BYTES} bytes into {length} bytes of data")


def read_header(file: BinaryIO, index: int, offset: int) -> int:
    """Bytes of the whole record that starts where `file` stands; `index` and `offset` are for the error.

    Raises:
      Damage: the header is cut short or fails its checksum.
    """
    return HEADER_BYTES + _length(_read(file, HEADER_BYTES), index, offset) + FOOTER_BYTES


def read_record(file: BinaryIO, index: int, offset: int) -> bytes:
    """The data of the record that starts where `file` stands; arguments and errors as of `read_header`."""
    return _data(file, _length(_read(file, HEADER_BYTES), index, offset), index, offset)


def _length(header: bytes, index: int, offset: int) -> int:
    if len(header) < HEADER_BYTES:
        raise Damage(index, offset, f"the file ends {len(header)} bytes into the header")
    if _CRC.unpack(header[8:])[0] != masked_crc(header[:8]):
        raise Damage(index, offset, "the checksum of the length is wrong")
    return _LENGTH.unpack(header[:8])[0]


def _data(file: BinaryIO, length: int, index: int, offset: int) -> bytes:
    body = _read(file, length + FOOTER_BYTES)
    if len(body) < length + FOOTER_BYTES:
        raise Damage(index, offset, f"the file ends {len(body)} bytes into {length} bytes of data")
    data = body[:length]
    if _CRC.unpack(body[length:])[0] != masked_crc(data):
        raise Damage(index, offset, f"the checksum of the {length} bytes of data is wrong")
    return data


def _read(file: BinaryIO, size: int) -> bytes:
    """`size` bytes, or what is left: raw files may return less than asked for."""
    parts = []
    while size > 0 and (part := file.read(min(size, 1 << 24))):
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
