"""Bodies that clients compressed, inflated on a thread and never beyond what was set aside for them."""

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator, Mapping

from tagger.serving.admission import MB, Admission, Refusal

_GZIP = 16 + zlib.MAX_WBITS
_IN, _OUT = 64 << 10, 1 << 20  # bytes in and out of zlib at a time


@contextlib.asynccontextmanager
async def inflated(data: bytearray, headers: Mapping[str, str], admission: Admission) -> AsyncIterator[bytearray]:
    """The body that `data` stands for; `data` itself where it is not compressed.

    Like TensorFlow Serving's, gzip alone. 1 MB of it may stand for 1 GB: inflating stops at the largest body.

    Raises:
      Refusal: another encoding, no gzip data, more than the largest body, or no room for it.
    """
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        yield data
        return
    if encoding != "gzip":
        raise Refusal(415, f"Content-Encoding: {encoding[:40]!r} is not read here; send gzip, or plain JSON")
    inflation, most = _Inflation(data), admission.largest_body
    ordinary = min(admission.limits.ordinary_bytes, most)
    with contextlib.ExitStack() as room:
        room.enter_context(admission.set_aside(ordinary))
        await asyncio.to_thread(inflation.until, ordinary + 1)
        if len(inflation.body) > ordinary:
            room.enter_context(admission.set_aside(most))
            await asyncio.to_thread(inflation.until, most + 1)
        if len(inflation.body) > most:
            raise Refusal(413, f"the request is larger than {most // MB} MB when inflated; send fewer photos at once")
        if not inflation.is_whole:
            raise Refusal(400, "the body's gzip data is cut short, or has something behind it")
        yield inflation.body


class _Inflation:
    """Gzip data, inflated as far as one wants.

    Attributes:
      body: what it was inflated to, so far.
    """

    def __init__(self, data: bytearray):
        self.body = bytearray()
        self._zlib, self._rest, self._piece = zlib.decompressobj(_GZIP), memoryview(data), memoryview(b"")

    def until(self, most: int) -> None:
        """Inflates until there are `most` bytes, or all.

        Raises:
          Refusal: it is no gzip data.
        """
        while not self._zlib.eof and len(self.body) < most:
            if not self._piece:
                self._piece, self._rest = self._rest[:_IN], self._rest[_IN:]
            at_end = not self._piece
            try:
                part = self._zlib.decompress(self._piece, min(_OUT, most - len(self.body)))
            except zlib.error as error:
                raise Refusal(400, f"the body is no gzip data ({error})") from error
            self._piece = memoryview(self._zlib.unconsumed_tail)
            self.body += part
            if at_end and not part:
                return

    @property
    def is_whole(self) -> bool:
        return self._zlib.eof and not self._zlib.unused_data and not self._rest
