"""A server on loopback, beset: slow, unfinished, oversized and compressed uploads, and images that cost much.

    python -m tests.tagger.serving.attack 127.0.0.1:8501 60            for 60 s; one JSON line of what was answered
    python -m tests.tagger.serving.attack 127.0.0.1:8501 600 200       200 such images alone, four at a time
"""

import collections
import concurrent.futures
import gzip
import http.client
import itertools
import json
import random
import socket
import sys
import threading
import time
from collections.abc import Callable

from tests.records.images.hostile_images import hostile, largest
from tests.tagger.serving.server import b64

MB = 1 << 20
# Twelve kinds: eight that are refused from their header, four of the costliest that are not.
KINDS = {name: make for kinds, names in (
    (hostile(), ("huge_frame.gif", "chunk_first.png", "large_rgba.png", "large_interlaced.png", "many_scans.jpg",
                 "two_frames.jpg", "small_canvas.webp", "largest.bmp")),
    (largest(), ("rgb.png", "rgba.png", "progressive.jpg", "still.gif"))) for name in names
    for make in (kinds[name],)}
_SILENT, _SLOW_HEADS, _UNFINISHED, _ORDINARY_UNFINISHED = 100, 50, 40, 40
_PAUSE_S = 2.0  # between two tries of one attacker, on average


class Attack:
    """Threads that ask until the time is over; `answers` counts statuses by kind of attacker, 0 for none."""

    def __init__(self, host: str, port: int, seconds: float):
        assert host in ("127.0.0.1", "localhost", "::1"), "loopback only"
        self._host, self._port, self._end = host, port, time.monotonic() + seconds
        self.answers: collections.Counter[str] = collections.Counter()
        self._images = itertools.cycle(
            [(name, json.dumps({"instances": [b64(make())]}).encode()) for name, make in KINDS.items()])
        self._filler = b"[" * 100 * MB
        self._line = threading.Lock()
        self._bomb = gzip.compress(bytes(1 << 30), 9)

    def send_images(self, count: int) -> None:
        """Sends that many images, one kind after the other, from four clients; ends once all are answered."""
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            self.answers.update(pool.map(lambda image: self._post(*image), itertools.islice(self._images, count)))

    def run(self) -> None:
        """Attacks until the time is over."""
        attackers: list[Callable[[], str]] = [self._oversized, self._gzip_bomb, self._image, self._image]
        attackers += [lambda: self._hold(b"")] * _SILENT + [lambda: self._hold(b"POST / HTTP/1.1\r\nX: ")] * _SLOW_HEADS
        attackers += [lambda: self._unfinished(59 * MB)] * _UNFINISHED
        attackers += [lambda: self._unfinished(7 * MB)] * _ORDINARY_UNFINISHED
        threads = [threading.Thread(target=self._repeat, args=(attacker,)) for attacker in attackers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _repeat(self, attacker: Callable[[], str]) -> None:
        while time.monotonic() < self._end:
            try:
                self.answers[attacker()] += 1
            except (OSError, http.client.HTTPException):
                self.answers["connection closed"] += 1
            time.sleep(2 * _PAUSE_S * random.random())

    def _post(self, name: str, body: bytes, **headers: str) -> str:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=300)
        try:
            connection.request("POST", "/v1/models/tagger:predict", body, headers)
            return f"{name}: {connection.getresponse().status}"
        finally:
            connection.close()

    def _oversized(self) -> str:
        return self._unfinished(100 * MB)

    def _gzip_bomb(self) -> str:
        return self._post("gzip bomb", self._bomb, **{"Content-Encoding": "gzip"})

    def _image(self) -> str:
        return self._post("image", next(self._images)[1])

    def _hold(self, head: bytes) -> str:
        """A connection that says nothing more, or one byte a second."""
        with socket.create_connection((self._host, self._port), 5) as connection:
            connection.sendall(head)
            connection.settimeout(1)
            while time.monotonic() < self._end:
                try:
                    return "slow head: closed" if not connection.recv(100) else "slow head: answered"
                except TimeoutError:
                    if head:
                        connection.sendall(b"a")
        return "slow head: open at the end"

    def _send(self, connection: socket.socket, size: int) -> None:
        """Filler, over a line of about a gigabit a second that all attackers share."""
        for start in range(0, size, MB):
            with self._line:
                connection.sendall(memoryview(self._filler)[:min(MB, size - start)])
                time.sleep(0.008)

    def _unfinished(self, size: int) -> str:
        """An upload that stops after nine tenths; of 100 MB is more than the server takes."""
        with socket.create_connection((self._host, self._port), 5) as connection:
            connection.sendall(f"POST /v1/models/tagger:predict HTTP/1.1\r\nHost: {self._host}\r\n"
                               f"Content-Length: {size}\r\n\r\n".encode())
            self._send(connection, size * 9 // 10)
            connection.settimeout(max(self._end - time.monotonic(), 1))
            status = connection.recv(100).split(b" ")[1:2]
            return f"unfinished {size // MB} MB: {status[0].decode() if status else 'closed'}"


if __name__ == "__main__":
    attack = Attack(*sys.argv[1].rsplit(":", 1)[:1], int(sys.argv[1].rsplit(":", 1)[1]), float(sys.argv[2]))
    if sys.argv[3:]:
        attack.send_images(int(sys.argv[3]))
    else:
        attack.run()
    print(json.dumps(dict(sorted(attack.answers.items()))))
