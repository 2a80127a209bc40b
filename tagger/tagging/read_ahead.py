"""Photos answered in order, the next ones read while the model computes, in bounded memory.

    for (shard, name), content, answer in answered(photos, read, compute, batch_size=32): ...
"""

import collections
import concurrent.futures
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

_READERS = 8  # files open at a time: storage behind a network answers many as fast as one
_BATCHES = 2  # computed at a time, so that one is decoded while the network computes the other
_BATCH_BYTES = 128 << 20  # where a batch of large files ends before it is full

Item = TypeVar("Item")
Result = TypeVar("Result")
Photo = tuple[int, Any]  # the output shard that its answer goes to, and what tells which photo it is


def answered(photos: Iterable[Photo], read: Callable[[Any], Any], compute: Callable[[Sequence[Any]], Sequence[Any]],
             batch_size: int) -> Iterator[tuple[Photo, Any, Any]]:
    """Yields (photo, content, answer) in order.

    A batch holds photos of one shard, the same ones whichever shard comes first: rounding, which depends on the batch,
    does not depend on where an interrupted run goes on.

    Args:
      read: what tells which photo it is -> its content; called from threads.
      compute: contents of a batch -> as many answers; called from threads.
    """
    readers = concurrent.futures.ThreadPoolExecutor(_READERS, "read")
    computers = concurrent.futures.ThreadPoolExecutor(_BATCHES, "compute")

    def answers(batch: list[tuple[Photo, Any]]) -> list[tuple[Photo, Any, Any]]:
        answers = compute([content for _, content in batch])
        return [(photo, content, answer) for (photo, content), answer in zip(batch, answers, strict=True)]

    try:
        contents = _ahead(readers, photos, lambda photo: (photo, read(photo[1])), 2 * batch_size)
        for batch in _ahead(computers, _batches(contents, batch_size), answers, _BATCHES):
            yield from batch
    finally:
        for pool in (readers, computers):
            pool.shutdown(cancel_futures=True)


def _ahead(pool: concurrent.futures.Executor, items: Iterable[Item], function: Callable[[Item], Result],
           window: int) -> Iterator[Result]:
    """Yields function(item) of every item in order; computes up to `window` results ahead of the caller."""
    flying: collections.deque[concurrent.futures.Future[Result]] = collections.deque()
    for item in items:
        flying.append(pool.submit(function, item))
        if len(flying) > window:
            yield flying.popleft().result()
    while flying:
        yield flying.popleft().result()


def _batches(contents: Iterable[tuple[Photo, Any]], batch_size: int) -> Iterator[list[tuple[Photo, Any]]]:
    batch: list[tuple[Photo, Any]] = []
    size = 0
    for photo, content in contents:
        if batch and (len(batch) == batch_size or size >= _BATCH_BYTES or batch[0][0][0] != photo[0]):
            yield batch
            batch, size = [], 0
        batch.append((photo, content))
        size += len(content) if isinstance(content, bytes) else 0
    if batch:
        yield batch
