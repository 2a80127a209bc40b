"""What a shard holds, counted while it is hashed: the numbers that its manifest gives.

    counted = count(file)
    counted.sha256, counted.examples, counted.captions, counted.tokens, counted.max_tokens

Hashing a photo of 20 KB takes 15 us: reading whole protocol buffers would take several times as long. The examples are
those of `records.format.example`, with their features in one order. What is not needed is skipped by its length, and
token ids are counted without being decoded: 7 us a photo, beside the hashing where there is a second CPU.
"""

import dataclasses
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from records.format.tfrecord import FOOTER_BYTES, HEADER_BYTES

_BLOCK_BYTES = 1 << 20
_KEY_BYTES = 8  # of the hash of a key
_CONTINUED = bytes(range(128, 256))  # all but the last byte of a varint
_TWO_BYTE_END = re.compile(rb"[\x80-\xff]\x01")  # looks like <end>, id 1, and is the end of a larger id


@dataclasses.dataclass(frozen=True)
class ShardCounts:
    """A shard as it is.

    Attributes:
      size, sha256: of the file; bytes, and hex.
      examples, captions, tokens, max_tokens: as in the manifest's ShardInfo and SplitInfo; all 0 with a problem.
      keys: the hash of every key, 8 bytes each.
      problem: why nothing could be counted; "" where all was.
    """

    size: int
    sha256: str
    examples: int = 0
    captions: int = 0
    tokens: int = 0
    max_tokens: int = 0
    keys: bytes = b""
    problem: str = ""


def key_hash(key: bytes) -> bytes:
    """What stands for a key in `ShardCounts.keys`."""
    return hashlib.blake2b(key, digest_size=_KEY_BYTES).digest()


def count(file: BinaryIO) -> ShardCounts:
    """Reads a shard to its end."""
    digest, size, problem = hashlib.sha256(), 0, ""
    keys, tokens, block = list[bytes](), list[bytes](), b""
    with ThreadPoolExecutor(1) as thread:  # hashing lets another thread run
        while part := file.read(_BLOCK_BYTES):
            hashing = thread.submit(digest.update, part) if len(part) == _BLOCK_BYTES else None
            if not hashing:  # beside less, starting the thread takes longer than it saves
                digest.update(part)
            size += len(part)
            if not problem:
                block = block + part if block else part
                try:
                    block = block[_examples(block, keys, tokens):]
                except (ValueError, IndexError):
                    problem = f"record {len(keys)} is no example as make_records writes them"
            if hashing:
                hashing.result()
    if block and not problem:
        problem = f"the file ends within record {len(keys)}"
    ids = b"".join(tokens)
    singles = _TWO_BYTE_END.sub(b"\x02", ids).translate(None, _CONTINUED)  # a byte for each token, <end> alone is 1
    *captions, rest = singles.split(b"\x01")
    if rest and not problem:
        problem = "a caption does not end with <end>"
    if problem:
        return ShardCounts(size, digest.hexdigest(), problem=problem)
    return ShardCounts(size, digest.hexdigest(), len(keys), len(captions), len(singles),
                       max(map(len, captions), default=-1) + 1, b"".join(map(key_hash, keys)))


def keys_of(file: BinaryIO) -> list[bytes]:
    """The keys of a shard of which `count` found no problem, in stored order."""
    keys, block = list[bytes](), b""
    while part := file.read(_BLOCK_BYTES):
        block += part
        block = block[_examples(block, keys, []):]
    return keys


def _examples(block: bytes, keys: list[bytes], tokens: list[bytes]) -> int:
    """Appends keys and token ids of the whole records at the start of `block`; returns where they end.

    Raises:
      ValueError, IndexError: they hold something else.
    """
    start, size, before_key, before_tokens = 0, len(block), 0, 0
    while start + HEADER_BYTES <= size:
        length = int.from_bytes(block[start:start + 8], "little")
        place, end = start + HEADER_BYTES, start + HEADER_BYTES + length
        if end + FOOTER_BYTES > size:
            break
        if _after(block, place) != end:
            raise ValueError
        # In sorted order: captions, perhaps feature, height, perhaps image, key, perhaps tag_ids, tags, tokens, width.
        place = _inside(block, place)
        for _ in range(before_key):  # as many as in the record before
            place = _after(block, place)
        while not block.startswith(b"key\x12", inside := _inside(block, place) + 2):
            place, before_key = _after(block, place), before_key + 1
            if place >= end:
                raise ValueError
        place = _after(block, place)
        # Feature {bytes_list {value}}, from "\x12" on.
        keys.append(block[_inside(block, _inside(block, _inside(block, inside + 3))):place])
        for _ in range(before_tokens):
            place = _after(block, place)
        while not block.startswith(b"tokens\x12", inside := _inside(block, place) + 2):
            place, before_tokens = _after(block, place), before_tokens + 1
            if place >= end:
                raise ValueError
        place = _after(block, place)
        values = _inside(block, _inside(block, inside + 6))
        if values < place:  # Feature {int64_list {value packed}}; without values nothing is packed
            tokens.append(block[_inside(block, values):place])
        start = end + FOOTER_BYTES
    return start


def _inside(block: bytes, place: int) -> int:
    """Where the content of the length-delimited field at `place` begins: after its tag, a byte, and its length."""
    place += 1
    while block[place] > 127:
        place += 1
    return place + 1


def _after(block: bytes, place: int) -> int:
    """Where that field ends."""
    byte = block[place + 1]
    if byte < 128:
        return place + 2 + byte
    length, shift, place = byte & 127, 7, place + 2
    while (byte := block[place]) > 127:
        length |= (byte & 127) << shift
        shift, place = shift + 7, place + 1
    return place + 1 + (length | byte << shift)

