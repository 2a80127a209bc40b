"""Contenders of a benchmark, each in a process of its own, whose rounds alternate: what disturbs one disturbs all.

    contenders = {name: start_contender(serve, name, folder) for name in names}
    seconds = alternate(contenders, rounds=5)                    # of each contender, a list

`serve(*arguments, pipe)` sends one object when it is ready; then, for each number of a round that it receives, what the
round took. None ends it.
"""

import multiprocessing
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple


class Contender(NamedTuple):
    """A running contender; `ready` is what it sent first, None when its process died before."""

    process: BaseProcess
    pipe: Connection
    ready: Any


def start_contender(serve: Callable[..., None], *arguments: object) -> Contender:
    """Starts a contender, and waits until it is ready."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(*arguments, there))
    process.start()
    there.close()  # so that a contender that dies is an error here, not a wait without end
    try:
        return Contender(process, here, here.recv())
    except EOFError:
        return Contender(process, here, None)


def alternate(contenders: Mapping[str, Contender], rounds: int) -> dict[str, list[Any]]:
    """What the rounds took, numbered from 1; ends the contenders."""
    taken: dict[str, list[Any]] = {name: [] for name in contenders}
    for number in range(1, rounds + 1):
        for name, contender in contenders.items():
            contender.pipe.send(number)
            taken[name].append(contender.pipe.recv())
    for contender in contenders.values():
        contender.pipe.send(None)
        contender.process.join()
    return taken
