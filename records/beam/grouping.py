"""What steps of a pipeline give out to one another: values by a number, in batches that name where they come from.

    yield from spread(name, ((stable_hash(word), count) for word, count in counts), buckets)    # one step
    for count in gathered(values): ...                                                          # the next, by bucket

A step that is tried again gives out the same once more; that is counted once.
"""

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any


def stable_hash(text: str | bytes) -> int:
    """63 bits, the same in every process. Beam's DaskRunner groups by Python's own hash, which is salted for texts and
    not for numbers (apache/beam#29365); every runner takes numbers.
    """
    raw = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "big") >> 1


def spread(source: object, entries: Iterable[tuple[int, Any]], buckets: int) -> Iterator[tuple[int, Any]]:
    """The values of (hash, value) pairs by bucket, as a batch (source, values) each."""
    batches = defaultdict(list)
    for hashed, value in entries:
        batches[hashed % buckets].append(value)
    for bucket, batch in batches.items():
        yield bucket, (source, batch)


def once(batches: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """What the sources of a group sent, in the order of the sources, each once: the first field names it."""
    return [batch for _, batch in sorted({batch[0]: batch for batch in batches}.items())]


def gathered(batches: Iterable[tuple[Any, list[Any]]]) -> Iterator[Any]:
    """The values of a bucket, in the order of their sources, those of each source once."""
    return itertools.chain.from_iterable(values for _, values in once(batches))
