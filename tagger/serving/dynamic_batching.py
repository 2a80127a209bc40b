"""Calls of many clients, computed together: what came while the model was busy becomes its next batch.

    batches = MicroBatches(compute, most_rows=32, threads=1)
    outputs = await batches.call("serving_default", {"image_bytes": array})     # from any number of coroutines

No call waits for others to come: on an idle server it is computed at once and alone, and batches grow with the load by
themselves. So there is no time-out to tune, which TensorFlow Serving's batching has.

`call_in_pieces` is for calls of many rows: other calls are computed between its pieces.
"""

import asyncio
import collections
import concurrent.futures
import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np

Arrays = Mapping[str, np.ndarray]
Kind = TypeVar("Kind", bound=Hashable)


@dataclasses.dataclass(frozen=True)
class _Call(Generic[Kind]):
    """One client's rows, and where it waits for its own rows of the answer."""

    kind: Kind
    inputs: Arrays
    rows: int
    answer: asyncio.Future


class MicroBatches(Generic[Kind]):
    """Runs `compute` on threads of its own, over the rows of several calls at once.

    Calls are started in the order in which they came. A batch holds the oldest call and those behind it that are of
    its kind, as long as its rows are no more than `most_rows`; a call with more rows than that goes alone.

    Args:
      compute: a function of the kind and of input arrays with rows as first axis; returns output arrays of as many
        rows. It is called from threads. What it raises, every call of the batch raises.
      most_rows: where a batch stops growing.
      threads: batches computed at the same time.
    """

    def __init__(self, compute: Callable[[Kind, Arrays], Arrays], most_rows: int, threads: int):
        self._compute, self._most_rows, self._free = compute, most_rows, threads
        self._pool = concurrent.futures.ThreadPoolExecutor(threads)
        self._waiting: collections.deque[_Call[Kind]] = collections.deque()
        self._running: set[asyncio.Task] = set()  # the event loop itself keeps only weak references to tasks

    async def call_in_pieces(self, kind: Kind, inputs: Arrays, rows: int) -> Arrays:
        """Like `call`, computed `rows` rows at a time."""
        count = len(next(iter(inputs.values())))
        parts = [await self.call(kind, {name: value[start:start + rows] for name, value in inputs.items()})
                 for start in range(0, count, rows)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    async def call(self, kind: Kind, inputs: Arrays) -> Arrays:
        """The output rows that belong to `inputs`, one to a row."""
        call = _Call(kind, inputs, len(next(iter(inputs.values()))), asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        self._start()
        return await call.answer

    @property
    def is_computing(self) -> bool:
        """Whether a batch is being computed: nothing can stop it."""
        return bool(self._running)

    def _start(self) -> None:
        while self._free and self._waiting:
            if self._waiting[0].answer.done():  # its client has left
                self._waiting.popleft()
                continue
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._run(self._next()))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _next(self) -> list[_Call[Kind]]:
        """Takes the oldest call and what can go with it; the rest keeps its order."""
        first, rest = self._waiting.popleft(), collections.deque[_Call[Kind]]()
        batch, rows = [first], first.rows
        for call in self._waiting:
            if call.answer.done():  # its client has left
                continue
            if call.kind == first.kind and rows + call.rows <= self._most_rows:
                batch.append(call)
                rows += call.rows
            else:
                rest.append(call)
        self._waiting = rest
        return batch

    async def _run(self, batch: Sequence[_Call[Kind]]) -> None:
        try:
            answers = await asyncio.get_running_loop().run_in_executor(self._pool, self._together, batch)
        except Exception as error:  # whatever it is, those who wait must hear of it
            for call in batch:
                if not call.answer.done():
                    call.answer.set_exception(error)
        else:
            for call, answer in zip(batch, answers, strict=True):
                if not call.answer.done():
                    call.answer.set_result(answer)
        finally:
            self._free += 1
            self._start()

    def _together(self, batch: Sequence[_Call[Kind]]) -> list[Arrays]:
        inputs = {name: np.concatenate([call.inputs[name] for call in batch]) for name in batch[0].inputs}
        outputs = self._compute(batch[0].kind, inputs)
        ends = np.cumsum([call.rows for call in batch])[:-1]
        parts = {name: np.split(value, ends) for name, value in outputs.items()}
        return [{name: parts[name][number] for name in parts} for number in range(len(batch))]
