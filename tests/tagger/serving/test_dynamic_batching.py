import asyncio
import threading

import numpy as np
import pytest

from tagger.serving.dynamic_batching import MicroBatches


class Doubling:
    """Doubles rows of one column, one batch after the other, when `gate` is open; remembers its batches."""

    def __init__(self):
        self.gate, self.batches = threading.Event(), []

    def __call__(self, kind, inputs):
        assert self.gate.wait(10)
        self.batches.append((kind, inputs["x"].tolist()))
        if kind == "bad":
            raise ValueError("no such kind")
        return {"twice": 2 * inputs["x"], "text": inputs["x"].astype(str).astype(object)}


def run(compute, calls, most_rows=4, threads=1):
    """Answers, or exceptions, of calls made at once: the first starts, the others find the model busy."""
    async def all_of_them():
        batches = MicroBatches(compute, most_rows, threads)
        made = [asyncio.ensure_future(batches.call(kind, {"x": np.array(rows)})) for kind, rows in calls]
        while not any(call.done() for call in made):
            await asyncio.sleep(0)
            compute.gate.set()
        return await asyncio.gather(*made, return_exceptions=True)

    return asyncio.run(all_of_them())


def test_what_came_meanwhile_is_computed_together_and_each_gets_its_own_rows():
    compute = Doubling()
    answers = run(compute, [("a", [1]), ("a", [2, 3]), ("a", [4])])
    assert compute.batches == [("a", [1]), ("a", [2, 3, 4])]
    assert [answer["twice"].tolist() for answer in answers] == [[2], [4, 6], [8]]
    assert [answer["text"].tolist() for answer in answers] == [["1"], ["2", "3"], ["4"]]


def test_a_batch_stops_growing_and_keeps_kinds_apart_in_the_order_they_came():
    compute = Doubling()
    answers = run(compute, [("a", [0]), ("a", [1, 2, 3]), ("b", [4]), ("a", [5, 6]), ("a", [7]), ("b", [8])])
    assert compute.batches == [("a", [0]), ("a", [1, 2, 3, 7]), ("b", [4, 8]), ("a", [5, 6])]
    assert [answer["twice"].tolist() for answer in answers] == [[0], [2, 4, 6], [8], [10, 12], [14], [16]]


def test_more_rows_than_a_batch_go_alone_and_no_rows_get_none():
    compute = Doubling()
    answers = run(compute, [("a", [0]), ("a", [1, 2, 3, 4, 5]), ("a", []), ("a", [6])])
    assert compute.batches == [("a", [0]), ("a", [1, 2, 3, 4, 5]), ("a", [6])]
    assert [answer["twice"].tolist() for answer in answers] == [[0], [2, 4, 6, 8, 10], [], [12]]


def test_an_error_reaches_those_of_its_batch_and_no_others():
    compute = Doubling()
    answers = run(compute, [("a", [1]), ("bad", [2]), ("bad", [3]), ("a", [4])])
    assert [type(answer) for answer in answers] == [dict, ValueError, ValueError, dict]
    assert answers[3]["twice"].tolist() == [8]


@pytest.mark.parametrize("number", [1, 2])  # the oldest one that waits, and one behind it
def test_a_client_that_left_costs_nothing(number):
    compute = Doubling()

    async def leave():
        batches = MicroBatches(compute, 4, 1)
        made = [asyncio.ensure_future(batches.call("a", {"x": np.array([number])})) for number in range(4)]
        await asyncio.sleep(0)
        made[number].cancel()
        compute.gate.set()
        return await asyncio.gather(*made, return_exceptions=True)

    answers = asyncio.run(leave())
    assert compute.batches == [("a", [0]), ("a", [3 - number, 3])]
    assert isinstance(answers[number], asyncio.CancelledError)


@pytest.mark.parametrize("threads", [1, 3])
def test_hundreds_of_calls(threads):
    compute = Doubling()
    answers = run(compute, [(str(number % 3), [number]) for number in range(300)], threads=threads)
    assert [answer["twice"].tolist() for answer in answers] == [[2 * number] for number in range(300)]
    assert max(len(rows) for _, rows in compute.batches) == 4
