import asyncio
import gzip

import pytest

pytest.importorskip("aiohttp")

from tagger.serving.admission import MB, Admission, Limits, Refusal  # noqa: E402
from tagger.serving.inflation import inflated  # noqa: E402


def inflate(data, encoding=None, largest=4 * MB):
    async def run():
        async def handler(request):
            raise AssertionError

        from aiohttp import web
        runner = web.ServerRunner(web.Server(handler))
        await runner.setup()
        admission = Admission(runner.server, largest, Limits(ordinary_bytes=MB))
        headers = {} if encoding is None else {"Content-Encoding": encoding}
        try:
            async with inflated(bytearray(data), headers, admission) as body:
                return bytes(body)
        finally:
            await runner.cleanup()

    return asyncio.run(run())


@pytest.mark.parametrize("size", [0, 5, MB + 7, 4 * MB])
def test_what_was_compressed_comes_back(size):
    body = bytes(i * i % 251 for i in range(997)) * (size // 997 + 1)
    assert inflate(gzip.compress(body[:size], mtime=0), "GZIP") == body[:size]


def test_what_is_not_compressed_stays():
    assert inflate(b"{}") == inflate(b"{}", "identity") == b"{}"


@pytest.mark.parametrize(("data", "encoding", "status", "said"), [
    (gzip.compress(bytes(4 * MB + 1), mtime=0), "gzip", 413, "larger than 4 MB when inflated"),
    (gzip.compress(b"{}", mtime=0)[:-3], "gzip", 400, "cut short, or has something behind it"),
    (gzip.compress(b"{}", mtime=0) + b"more", "gzip", 400, "cut short, or has something behind it"),
    (b"no gzip", "gzip", 400, "no gzip data"), (b"{}", "br", 415, "Content-Encoding: 'br' is not read here")])
def test_what_is_refused(data, encoding, status, said):
    with pytest.raises(Refusal, match=said) as caught:
        inflate(data, encoding)
    assert caught.value.status == status
