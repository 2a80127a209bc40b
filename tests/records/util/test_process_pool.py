"""The process map: order, errors, a bounded number of tasks in flight, and no worker left behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

from flags.errors import UserError
from records.util.process_pool import WorkerDied, Workers, ordered_map
from tests.records.inputs import DEMO


def slow_when_even(number):
    time.sleep(0.05 * (number % 2 == 0))
    return number, os.getpid()


def refuse_five(number):
    if number == 5:
        raise UserError("five is no number")
    return number


def die_at_five(number):
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_the_order_of_the_tasks(workers):
    results = list(ordered_map(slow_when_even, range(20), workers))
    assert [number for number, _ in results] == list(range(20))
    processes = {process for _, process in results}
    assert (processes == {os.getpid()}) if workers == 0 else (os.getpid() not in processes)


def test_tasks_are_taken_as_they_are_needed():
    taken = []

    def tasks():
        for number in range(100):
            taken.append(number)
            yield number

    results = ordered_map(slow_when_even, tasks(), 2)
    next(results)
    assert len(taken) <= 10
    results.close()


@pytest.mark.parametrize("workers", [0, 2])
def test_errors_of_the_input_reach_the_caller(workers):
    with pytest.raises(UserError, match="^five is no number$"):
        list(ordered_map(refuse_five, range(20), workers))


def test_a_killed_worker_is_noticed():
    with pytest.raises(WorkerDied):
        list(ordered_map(die_at_five, range(20), 2))


def test_a_script_that_every_worker_would_run_again_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("from records.util.process_pool import ordered_map\n"
                      "for number in ordered_map(abs, range(9), 2): print(number)\n")
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, timeout=120,
                         env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert ran.returncode == 1 and not ran.stdout
    assert 'UserError: worker processes end before they begin. A Python script that starts them needs `if' in ran.stderr


def test_workers_stay_for_the_next_map_and_are_replaced_when_one_died():
    with Workers() as workers:
        first, second = ({process for _, process in workers.map(slow_when_even, range(20), 2)} for _ in range(2))
        assert first == second and len(first) == workers.running == 2
        with pytest.raises(WorkerDied):
            list(workers.map(die_at_five, range(20), 2))
        third = {process for _, process in workers.map(slow_when_even, range(20), 2)}
        assert len(third) == 2 and not third & first
    for process in first | third:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_workers_that_were_started_before_serve_the_map():
    with Workers() as workers:
        workers.start(2, os.getpid)
        assert workers.running == 2
        pool = workers._pool
        assert list(workers.map(refuse_five, range(4), 2)) == list(range(4)) and workers._pool is pool
        workers.start(0, os.getpid)
        assert workers._pool is pool


def test_workers_that_were_killed_while_they_waited_are_replaced():
    with Workers() as workers:
        workers.start(2, os.getpid)
        first = {process for _, process in workers.map(slow_when_even, range(20), 2)}
        for process in first:
            os.kill(process, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while workers.running and time.monotonic() < deadline:
            workers.prepare(os.getpid)
        assert workers.running == 0
        assert not first & {process for _, process in workers.map(slow_when_even, range(20), 2)}


def test_a_map_of_nothing_starts_nothing():
    with Workers() as workers:
        assert list(workers.map(slow_when_even, [], 2)) == [] and workers.running == 0


def test_workers_end_when_their_parent_is_killed():
    code = ("from records.util.process_pool import ordered_map\n"
            "from tests.records.util.test_process_pool import slow_when_even\n"
            "if __name__ == '__main__':\n"
            "    for number, process in ordered_map(slow_when_even, range(10**6), 2):\n"
            "        print(process, flush=True)\n")
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=DEMO.parents[1], stdout=subprocess.PIPE, text=True)
    assert len({parent.stdout.readline() for _ in range(30)}) == 2
    parent.kill()
    parent.communicate(timeout=60)  # ends when the last process that holds the pipe does: the workers do, too
