"""What clients may hold of the server while their requests are not whole: connections, time and memory.

    admission = Admission(new_handler, largest_body=64 << 20)
    loop.create_server(admission.connection, …)              # counts connections; aiohttp's handlers do the rest
    with admission.request(request):                         # its head is there
        async with admission.body(request) as data: ...      # accounted for until the block is left

A client that behaves is never turned away because of one that does not: who has kept the server waiting longest goes
first. What is bounded, and by what (`Limits`):

- Connections: the most that are open, a share of the process's descriptors. One more, and the one that has been
  without a whole request for the longest time is closed.
- Heads: the first one within `head_s` of connecting, the next within `idle_s` of the last answer.
- Bodies in time: `window_bytes` in every `window_s`, or the rest of it.
- Bodies in memory: those up to `ordinary_bytes` count as they arrive, `ordinary_total` together; when that is full, the
  oldest unfinished one is dropped. A larger one has its whole length set aside before it is read, of `large_bodies`
  times the largest body; when that is taken, it is told to come back.
"""

import asyncio
import contextlib
import dataclasses
import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator

from aiohttp import web

MB = 1 << 20
_MOST_CONNECTIONS = 512
_SHARE_OF_DESCRIPTORS = 2  # one half for connections, the other for files of TensorFlow and libraries
_BUSY = "the server has as many uploads as it holds in memory; try again"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What clients may hold; see the module. Seconds and bytes.

    Attributes:
      connections: 0: 512, or half of the descriptors where those are fewer.
      window_bytes: 16 KB/s by default: a telephone on a bad day.
      drain_s: what an unfinished upload gets when the server is asked to end.
    """

    connections: int = 0
    head_s: float = 10
    idle_s: float = 75
    window_s: float = 10
    window_bytes: int = 160 << 10
    ordinary_bytes: int = 8 * MB
    ordinary_total: int = 128 * MB
    large_bodies: int = 4
    drain_s: float = 5


class Refusal(Exception):
    """A request that is not read to its end.

    Attributes:
      status: of the HTTP answer.
    """

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(eq=False)
class _Connection:
    """A connection; `since`: when it was opened, its request began or its last answer was given."""

    handler: web.RequestHandler
    since: float
    answered: bool = False
    in_request: bool = False
    is_whole: bool = False

    def is_lost(self, now: float) -> bool:
        return self.handler.transport is None and now - self.since > 1  # it has none for a moment when it is made


@dataclasses.dataclass(eq=False)
class _Upload:
    """A body on its way: bytes accounted for, by class; `refusal`: status and message for its cancelled reader.

    No exception is kept here: its traceback would keep the body, until the garbage collector comes by.
    """

    task: asyncio.Task
    window_start: float
    ordinary: int = 0
    large: int = 0
    received: int = 0
    received_before: int = 0
    refusal: tuple[int, str] | None = None


class Admission:
    """Counts what clients hold and turns away what is too much; see the module.

    Attributes:
      largest_body: bytes; larger ones are refused with status 413 before they are read.
      limits: of everything else.

    Args:
      new_handler: makes aiohttp's handler of one connection.
    """

    def __init__(self, new_handler: Callable[[], web.RequestHandler], largest_body: int,
                 limits: Limits = Limits()):
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most = limits.connections or max(8, min(_MOST_CONNECTIONS, descriptors // _SHARE_OF_DESCRIPTORS))
        self.limits = limits
        self._new_handler, self.largest_body = new_handler, largest_body
        self._connections: dict[web.RequestHandler, _Connection] = {}
        self._uploads: dict[_Upload, None] = {}  # unfinished ones, oldest first
        self._ordinary = self._large = 0
        self._draining_since: float | None = None

    # Connections

    def connection(self) -> web.RequestHandler:
        """aiohttp's handler for a new connection; closes another one when there are too many."""
        now = time.monotonic()
        if len(self._connections) >= self._most:
            self._forget_lost(now)
        if len(self._connections) >= self._most:
            waiting = [one for one in self._connections.values() if not one.is_whole]
            if waiting:
                self._close(min(waiting, key=lambda one: one.since))
        handler = self._new_handler()
        self._connections[handler] = _Connection(handler, now)
        return handler

    @contextlib.contextmanager
    def request(self, request: web.Request) -> Iterator[None]:
        """The time from a request's head to its answer."""
        one = self._connections.get(request.protocol)
        if one is None:  # closed to make room
            raise Refusal(503, _BUSY)
        one.in_request, one.since = True, time.monotonic()
        try:
            yield
        finally:
            one.in_request = one.is_whole = False
            one.answered, one.since = True, time.monotonic()

    @property
    def open_connections(self) -> int:
        """Connections that are open."""
        self._forget_lost(time.monotonic())
        return len(self._connections)

    @property
    def unanswered(self) -> int:
        """Requests whose head was read and that have no answer yet."""
        return sum(one.in_request and one.handler.transport is not None for one in self._connections.values())

    def _forget_lost(self, now: float) -> None:
        for handler in [one.handler for one in self._connections.values() if one.is_lost(now)]:
            del self._connections[handler]

    def _close(self, one: _Connection) -> None:
        self._connections.pop(one.handler, None)
        one.handler.force_close()

    # Bodies

    @contextlib.asynccontextmanager
    async def body(self, request: web.Request) -> AsyncIterator[bytearray]:
        """The request's body, as it was sent; its bytes count until the block is left.

        Raises:
          Refusal: it is too large, too slow, or there is no room for it.
        """
        task = asyncio.current_task()
        assert task is not None
        upload = _Upload(task, time.monotonic())
        try:
            data = await self._read(upload, request)
            if one := self._connections.get(request.protocol):
                one.is_whole = True
            yield data
        finally:
            self._ordinary -= upload.ordinary
            self._large -= upload.large

    def set_aside(self, size: int) -> "contextlib.AbstractContextManager[None]":
        """Room for `size` bytes more, for a body that grows while it is inflated.

        Raises:
          Refusal: there is none.
        """
        @contextlib.contextmanager
        def room() -> Iterator[None]:
            if self._large + size > self.limits.large_bodies * self.largest_body:
                raise Refusal(503, _BUSY)
            self._large += size
            try:
                yield
            finally:
                self._large -= size

        return room()

    async def _read(self, upload: _Upload, request: web.Request) -> bytearray:
        length = request.content_length
        if length is not None and length > self.largest_body:
            raise self._too_large()
        self._uploads[upload] = None
        try:
            if length is not None and length > self.limits.ordinary_bytes:
                self._make_large(upload, length)
            data = bytearray()
            while part := await request.content.readany():
                data += part
                upload.received = len(data)
                if len(data) > self.largest_body:
                    raise self._too_large()
                if not upload.large and len(data) > self.limits.ordinary_bytes:  # one that did not say its length
                    self._make_large(upload, self.largest_body)
                if not upload.large:
                    upload.ordinary += len(part)
                    self._ordinary += len(part)
                    self._make_room(upload)
            return data
        except asyncio.CancelledError:
            if upload.refusal is None:
                raise
            upload.task.uncancel()
            raise Refusal(*upload.refusal) from None
        finally:
            self._uploads.pop(upload, None)

    def _too_large(self) -> Refusal:
        return Refusal(413, f"the request is larger than {self.largest_body // MB} MB; send fewer photos at once")

    def _make_large(self, upload: _Upload, size: int) -> None:
        if self._large + size > self.limits.large_bodies * self.largest_body:
            raise Refusal(503, _BUSY)
        self._large += size
        upload.large = size
        self._ordinary -= upload.ordinary
        upload.ordinary = 0

    def _make_room(self, newest: _Upload) -> None:
        for upload in list(self._uploads):
            if self._ordinary <= self.limits.ordinary_total:
                return
            if upload is newest:
                continue
            if upload.ordinary and upload.refusal is None:
                self._refuse(upload, 503, _BUSY)
        if self._ordinary > self.limits.ordinary_total:
            raise Refusal(503, _BUSY)

    def _refuse(self, upload: _Upload, status: int, message: str) -> None:
        upload.refusal = status, message
        self._ordinary -= upload.ordinary  # its memory goes when its task runs, which is before the next body's
        upload.ordinary = 0
        upload.task.cancel()

    # Time

    def drain(self) -> None:
        """From now on, uploads have `drain_s` left."""
        self._draining_since = time.monotonic()

    def sweep(self) -> None:
        """Closes what has been idle, or too slow, for too long; to be called about once a second."""
        now, limits = time.monotonic(), self.limits
        self._forget_lost(now)
        for one in list(self._connections.values()):
            if not one.in_request and now - one.since > (limits.idle_s if one.answered else limits.head_s):
                self._close(one)
        for upload in list(self._uploads):
            if upload.refusal:
                continue
            if self._draining_since is not None and now - self._draining_since > limits.drain_s:
                self._refuse(upload, 503, "the server is ending; send it again to the next one")
            elif now - upload.window_start >= limits.window_s:
                if upload.received - upload.received_before < limits.window_bytes:
                    self._refuse(upload, 408, f"too slow: less than {limits.window_bytes >> 10} KB of the body came "
                                              f"in {limits.window_s:.0f} s")
                upload.window_start, upload.received_before = now, upload.received
