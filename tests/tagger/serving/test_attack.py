"""Eight clients that behave, while others do not; see tests.tagger.serving.attack. Figures are printed (pytest -s)."""

import http.client
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import threading
import time

import pytest

from records.images.limits import MAX_MEMORY_BYTES
from tests.conftest import ROOT
from tests.records.inputs import PHOTOS
from tests.tagger.serving.server import b64, children, process_and_address

pytest.importorskip("aiohttp")
SECONDS = float(os.environ.get("ATTACK_SECONDS", "300"))
CLIENTS = 8
IMAGES = 200
MB = 1 << 20
MOST_MB = 128 + 4 * 64 + 6 * 64 + 1500  # uploads, one large body being parsed, one large photo: beside two idle models


class Clients:
    """Threads that ask about one photo after the other; latencies in seconds, statuses of every request."""

    def __init__(self, address: str):
        self._address, self._stop = address.partition("//")[2], threading.Event()
        self._bodies = [json.dumps({"instances": [b64(photo.read_bytes())]}).encode() for photo in PHOTOS[:8]]
        self.latencies: list[float] = []
        self.statuses: list[int] = []
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _ask(self, number: int) -> None:
        while not self._stop.is_set():
            connection = http.client.HTTPConnection(self._address, timeout=120)
            try:
                connection.connect()
            except ConnectionRefusedError:  # the server takes no more
                return
            start = time.perf_counter()
            try:
                connection.request("POST", "/v1/models/tagger:predict", self._bodies[number])
                response = connection.getresponse()
                response.read()
                self.statuses.append(response.status)
            except (OSError, http.client.HTTPException):
                self.statuses.append(0)
            self.latencies.append(time.perf_counter() - start)
            connection.close()

    def stop(self) -> "Clients":
        self._stop.set()
        return self.join()

    def join(self) -> "Clients":
        for thread in self._threads:
            thread.join()
        return self

    def __str__(self) -> str:
        return (f"{len(self.statuses)} requests, median {self.percentile(50):.3f} s, "
                f"99th percentile {self.percentile(99):.3f} s")

    def percentile(self, percent: int) -> float:
        return statistics.quantiles(self.latencies, n=100)[percent - 1]


def resident_mb(pid: int, name: str = "VmRSS") -> float:
    """Of a process and of those that it started."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split(f"{name}:")[1].split()[0]) / 1024 + sum(resident_mb(child, name) for child in children(pid))


def memory_watched_until(process: subprocess.Popen, pid: int) -> list[float]:
    """Resident MB of a process, once a second, until another one ends."""
    memory = [resident_mb(pid)]
    while True:
        try:
            process.wait(1)
            return memory
        except subprocess.TimeoutExpired:
            memory.append(resident_mb(pid))


def start_attack(address: str, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.tagger.serving.attack", address.partition("//")[2], *arguments], cwd=ROOT,
        stdout=subprocess.PIPE, text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"})


@pytest.mark.slow
def test_honest_clients_are_answered_beside_200_hostile_images_of_twelve_kinds(demo):
    with process_and_address(demo[0] / "export") as (process, address):
        clients = Clients(address)
        time.sleep(30)
        quiet, idle = clients.stop(), resident_mb(process.pid)
        attack, clients = start_attack(address, "600", str(IMAGES)), Clients(address)
        memory_watched_until(attack, process.pid)
        beset, answers = clients.stop(), json.loads(attack.stdout.read())
        peak = resident_mb(process.pid, "VmHWM")
    print(f"\nquiet: {quiet}, {idle:.0f} MB\nbeside {IMAGES} hostile images: {beset}; peak {peak:.0f} MB"
          f"\nthose images: {answers}")
    assert set(quiet.statuses) == set(beset.statuses) == {200}
    assert sum(answers.values()) == IMAGES and not any(name.endswith(": 500") for name in answers)
    assert peak - idle < idle + MAX_MEMORY_BYTES / MB  # the model once more, and one such image
    assert beset.percentile(99) < 2 * quiet.percentile(99)


@pytest.mark.slow
def test_honest_clients_are_answered_while_the_server_is_attacked_and_when_it_ends(demo):
    with process_and_address(demo[0] / "export") as (process, address):
        clients = Clients(address)
        time.sleep(min(SECONDS / 4, 30))
        quiet, idle = clients.stop(), resident_mb(process.pid)
        attack, clients = start_attack(address, str(SECONDS)), Clients(address)
        memory = memory_watched_until(attack, process.pid)
        beset, answers = clients.stop(), json.loads(attack.stdout.read())
        peak = resident_mb(process.pid, "VmHWM")
        last = Clients(address)
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        last.join()
        assert process.wait(60) == 0
    half = len(memory) // 2
    print(f"\nquiet: {quiet}, {idle:.0f} MB\nattacked for {SECONDS:.0f} s: {beset}; memory: medians of both halves "
          f"{statistics.median(memory[:half]):.0f} and {statistics.median(memory[half:]):.0f} MB, peak {peak:.0f} MB"
          f"\nattackers: {answers}"
          f"\nended under load: {len(last.statuses)} requests, {last.statuses.count(200)} answered")
    assert set(quiet.statuses) == set(beset.statuses) == set(last.statuses) == {200}
    assert peak - 2 * idle < MOST_MB
    assert sum(count for name, count in answers.items() if name.startswith("image")) > 0
