"""What clients may hold of a server, with limits so small that a test reaches them, over real connections."""

import asyncio
import dataclasses
import gc
import json
from collections.abc import Awaitable, Callable

import pytest

web = pytest.importorskip("aiohttp.web")

from tagger.serving.admission import Admission, Limits, Refusal  # noqa: E402

KB = 1 << 10
LIMITS = Limits(connections=8, head_s=0.2, idle_s=0.2, window_s=0.2, window_bytes=4 * KB, ordinary_bytes=16 * KB,
                ordinary_total=64 * KB, large_bodies=2, drain_s=0.2)
LARGEST = 32 * KB


class Client:
    """One connection, asked by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> "Client":
        self.writer.write(data)
        await self.writer.drain()
        return self

    async def head(self, length: int) -> "Client":
        return await self.send(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode())

    async def status(self) -> int:
        """Of the answer; 0 where the connection was closed without one."""
        line = await self.reader.readline()
        return int(line.split()[1]) if line else 0


def serve(test: Callable[[Admission, Callable[[], Awaitable[Client]]], Awaitable[None]], limits=LIMITS) -> None:
    """Runs a test against a server that answers a body's length when `gate` is open."""

    async def run() -> None:
        async def answer(request: web.Request) -> web.Response:
            try:
                with admission.request(request):
                    async with admission.body(request) as data:
                        await admission.gate.wait()
                        return web.Response(body=json.dumps(len(data)).encode())
            except Refusal as error:
                response = web.Response(status=error.status, text=str(error))
                response.force_close()
                return response

        app = web.Application()
        app.router.add_post("/", answer)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, lingering_time=0.1,
                               shutdown_timeout=0.1)
        await runner.setup()
        admission = Admission(runner.server, LARGEST, limits)
        admission.gate = asyncio.Event()
        admission.gate.set()
        server = await asyncio.get_running_loop().create_server(admission.connection, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def connect() -> Client:
            return Client(*await asyncio.open_connection("127.0.0.1", port))

        try:
            await asyncio.wait_for(test(admission, connect), 20)
        finally:
            server.close()
            await runner.cleanup()

    asyncio.run(run())


async def until(condition: Callable[[], bool], admission: Admission) -> None:
    """Sweeps until the condition holds."""
    while not condition():
        await asyncio.sleep(0.01)
        admission.sweep()


def test_a_body_in_pieces_and_one_that_is_too_large():
    async def test(admission, connect):
        client = await (await connect()).head(6 * KB)
        await client.send(b"a" * 4 * KB)
        await client.send(b"a" * 2 * KB)
        assert await client.status() == 200
        assert await (await (await connect()).head(LARGEST + 1)).status() == 413
        await until(lambda: not admission.unanswered, admission)
        assert admission._ordinary == admission._large == 0

    serve(test)


def test_a_chunked_body_that_does_not_say_its_length_is_bounded_too():
    async def test(admission, connect):
        client = await (await connect()).send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(LARGEST // KB + 1):
            await client.send(b"400\r\n" + b"a" * KB + b"\r\n")
        assert await client.status() == 413

    serve(test)


def test_a_silent_connection_a_slow_head_and_a_slow_body_end():
    async def test(admission, connect):
        silent = await connect()
        slow_head = await (await connect()).send(b"POST / HTTP/1.1\r\n")
        slow_body = await (await (await connect()).head(8 * KB)).send(b"a" * KB)
        await until(lambda: not admission.open_connections, admission)
        assert [await client.status() for client in (silent, slow_head, slow_body)] == [0, 0, 408]

    serve(test)


def test_a_body_that_trickles_fast_enough_is_waited_for():
    async def test(admission, connect):
        client = await (await connect()).head(16 * KB)
        for _ in range(16):  # 1 KB in 0.05 s is 4 KB in every window
            await client.send(b"a" * KB)
            await asyncio.sleep(0.03)
            admission.sweep()
        assert await client.status() == 200

    serve(test)


def test_when_connections_run_out_the_one_that_waited_longest_goes_and_whole_requests_stay():
    async def test(admission, connect):
        admission.gate.clear()
        whole = await (await (await connect()).head(1)).send(b"a")
        while not any(one.is_whole for one in admission._connections.values()):
            await asyncio.sleep(0.01)
        silent = [await connect() for _ in range(20)]  # 8 are open at the most
        late = await (await (await connect()).head(2)).send(b"ab")
        admission.gate.set()
        assert await whole.status() == await late.status() == 200
        assert await silent[0].status() == 0
        assert admission.open_connections <= LIMITS.connections

    serve(test, dataclasses.replace(LIMITS, head_s=60, idle_s=60))


def test_when_memory_runs_out_the_oldest_unfinished_upload_goes():
    async def test(admission, connect):
        unfinished = [await (await (await connect()).head(16 * KB)).send(b"a" * 15 * KB) for _ in range(5)]
        assert await unfinished[0].status() == 503  # 75 KB are more than 64
        await unfinished[4].send(b"a" * KB)
        assert await unfinished[4].status() == 200
        assert admission._ordinary <= LIMITS.ordinary_total

    serve(test, dataclasses.replace(LIMITS, window_s=60))


def test_what_was_refused_is_not_kept_until_the_garbage_collector_comes():
    async def test(admission, connect):
        slow = [await (await (await connect()).head(16 * KB)).send(b"a") for _ in range(4)]
        while len(admission._uploads) < 4:
            await asyncio.sleep(0.01)
        gc.collect()
        gc.disable()
        try:
            await until(lambda: not admission.unanswered, admission)
            assert [await client.status() for client in slow] == [408] * 4
            await until(lambda: not admission.open_connections, admission)
            assert not [one for one in gc.get_objects() if type(one).__name__ == "_Upload"]
        finally:
            gc.enable()

    serve(test)


def test_large_bodies_are_set_aside_before_they_are_read():
    async def test(admission, connect):
        large = [await (await connect()).head(LARGEST) for _ in range(3)]
        assert await large[2].status() == 503  # of two times the largest, nothing is left
        small = await (await (await connect()).head(1)).send(b"a")
        assert await small.status() == 200
        await large[0].send(b"a" * LARGEST)
        assert await large[0].status() == 200
        again = await (await (await connect()).head(LARGEST)).send(b"a" * LARGEST)
        assert await again.status() == 200

    serve(test, dataclasses.replace(LIMITS, window_s=60))


def test_room_for_what_is_inflated():
    async def test(admission, connect):
        with admission.set_aside(2 * LARGEST):
            with pytest.raises(Refusal, match="try again"), admission.set_aside(1):
                raise AssertionError("there was room")
        with admission.set_aside(1):
            assert admission._large == 1

    serve(test)


def test_uploads_have_a_little_time_left_when_the_server_ends():
    async def test(admission, connect):
        client = await (await (await connect()).head(8 * KB)).send(b"a" * 7 * KB)
        while not admission.unanswered:
            await asyncio.sleep(0.01)
        admission.drain()
        await until(lambda: not admission.unanswered, admission)
        assert await client.status() == 503

    serve(test, dataclasses.replace(LIMITS, window_s=60))
