"""The server: TensorFlow Serving's REST routes for one SavedModel, and a page to drop photos on.

    GET  /                              the page
    GET  /v1/models/NAME                status of the version served
    GET  /v1/models/NAME/metadata       its signatures
    POST /v1/models/NAME:predict        rows or columns, as in tagger.serving.tf_serving_json

For trying an export, and for developing clients, on one machine. It serves the version that was newest when it was
started, computes together what several clients ask at once (tagger.serving.dynamic_batching), bounds what one client
may take from the others (tagger.serving.admission), and knows no encryption and no passwords: in production run
TensorFlow Serving on the same folder.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import tensorflow as tf

from flags.errors import UserError
from flags.serve import Serve
from records.util.counted import counted
from tagger.serving import tf_serving_json
from tagger.serving.page import content_security_policy, page

try:
    from aiohttp import web
except ImportError as missing:
    raise UserError("--mode=serve needs aiohttp, which is an optional extra: pip install 'tagger[serve]' "
                    "(or pip install aiohttp)") from missing

from tagger.serving.admission import MB, Admission, Limits, Refusal
from tagger.serving.host_check import refusal
from tagger.serving.inflation import inflated
from tagger.serving.model import ServedModel

_PATIENCE_S = 25.0  # for what is being answered when the server is asked to end; Kubernetes kills after 30
_LULL_S = 1.0  # in which clients that keep their connection learn that it ends with their next answer
_LINGERING_S = 2.0  # for which the rest of a refused body is read, so that its sender sees the refusal
_READ_BYTES = 64 << 10  # of a connection at a time
_BACKLOG = 512

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serve(config: Serve) -> int:
    """Serves until SIGINT (Ctrl-C) or SIGTERM, then answers the requests that are there.

    Returns:
      the exit status: 0 after SIGTERM, 130 after SIGINT, 1 when requests were left unanswered.

    Raises:
      UserError: there is no SavedModel, or the address cannot be listened on.
    """
    server = Server(config)
    try:
        return asyncio.run(server.run())
    except (OSError, UnicodeError) as error:
        what = getattr(error, "strerror", None) or error
        raise UserError(f"--host={config.host} --port={config.port}: cannot listen there ({what}); "
                        "is another program using the port? --port=0 takes a free one") from error


class Server:
    """One process's server: listens, answers, ends in good order."""

    def __init__(self, config: Serve):
        self._config, self._model = config, ServedModel(config)
        self._names = frozenset(name.lower() for name in (config.host, *config.allowed_hosts))
        self._signal = 0

    async def run(self) -> int:
        """Serves; the exit status."""
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end, number, asked)
        runner = web.AppRunner(self._application(), access_log=None, handler_cancellation=True, auto_decompress=False,
                               keepalive_timeout=Limits.idle_s, lingering_time=_LINGERING_S, read_bufsize=_READ_BYTES,
                               shutdown_timeout=_LULL_S)
        await runner.setup()
        assert runner.server is not None
        self._admission = Admission(runner.server, self._config.max_request_mb * MB)
        sweeps = loop.create_task(self._sweep())
        try:
            listening = await loop.create_server(self._admission.connection, self._config.host, self._config.port,
                                                 backlog=_BACKLOG)
            self._announce(*listening.sockets[0].getsockname()[:2])
            await asked.wait()
            await self._stop_listening(listening)
            unanswered = await self._drain()
        finally:
            sweeps.cancel()
            await runner.cleanup()
        status = 128 + signal.SIGINT if self._signal == signal.SIGINT else 0
        if unanswered:
            print(f"{counted(unanswered, 'request')} not answered within {_PATIENCE_S:.0f} s", file=sys.stderr)
            status = 1
        if self._model.is_computing:  # for a client that left; Python would wait for it, however long it takes
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)  # the process for costly images ends with its parent
        self._model.close()
        return status

    def _end(self, number: int, asked: asyncio.Event) -> None:
        if asked.is_set():
            print("ended at once, as it was asked a second time", file=sys.stderr, flush=True)
            os._exit(128 + number)
        self._signal = number
        asked.set()

    def _announce(self, host: str, port: int) -> None:
        address, name = f"http://{f'[{host}]' if ':' in host else host}:{port}", self._config.name
        print(f"Serving {self._model.path} as {name}\n  page:    {address}/\n"
              f"  predict: {address}/v1/models/{name}:predict\nStop with Ctrl-C.", flush=True)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._admission.sweep()

    async def _stop_listening(self, listening: asyncio.Server) -> None:
        """Takes the connections that the system has accepted already, which closing would reset, then closes."""
        copies = [socket.socket(fileno=os.dup(one.fileno())) for one in listening.sockets]
        loop = asyncio.get_running_loop()
        listening.close()
        for copy in copies:
            copy.setblocking(False)
            with copy, contextlib.suppress(OSError):
                while True:
                    await loop.connect_accepted_socket(self._admission.connection, copy.accept()[0])

    async def _drain(self) -> int:
        """Waits for the answers of the requests that are here; how many have none after _PATIENCE_S."""
        start = time.monotonic()
        self._admission.drain()
        while (passed := time.monotonic() - start) < _PATIENCE_S:
            if not self._admission.open_connections or passed > _LULL_S and not self._admission.unanswered:
                break
            await asyncio.sleep(0.02)
        return self._admission.unanswered

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[_json_errors, self._admit])
        model, config = self._model, self._config
        html = page(config.name, model.version)
        headers = {"Content-Security-Policy": content_security_policy(html), "X-Content-Type-Options": "nosniff"}

        async def show_page(request: web.Request) -> web.Response:
            return web.Response(text=html, content_type="text/html", headers=headers)

        async def status(request: web.Request) -> web.Response:
            fine = {"error_code": "OK", "error_message": ""}
            return web.json_response({"model_version_status": [
                {"version": model.version, "state": "AVAILABLE", "status": fine}]})

        async def metadata(request: web.Request) -> web.Response:
            return web.json_response(model.metadata(config.name))

        async def predict(request: web.Request) -> web.Response:
            async with self._admission.body(request) as data, inflated(data, request.headers, self._admission) as body:
                parsed = await model.parse(body)
                body.clear()  # the model has the images now
                return web.Response(body=await model.predict(*parsed), content_type="application/json")

        app.router.add_get("/", show_page)
        for base in (f"/v1/models/{config.name}", f"/v1/models/{config.name}/versions/{model.version}"):
            app.router.add_get(base, status)
            app.router.add_get(f"{base}/metadata", metadata)
            app.router.add_post(f"{base}:predict", predict)
        return app

    @web.middleware
    async def _admit(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        with self._admission.request(request):
            if reason := refusal(request.headers.get("Host"), request.headers.get("Origin"), self._names):
                raise Refusal(403, reason)
            response = await handler(request)
            if self._signal:
                response.force_close()
            return response


@web.middleware
async def _json_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Every error as TensorFlow Serving writes it: {"error": "…"}."""
    try:
        return await handler(request)
    except tf_serving_json.BadRequest as error:
        return _error(400, str(error))
    except Refusal as error:
        response = _error(error.status, str(error), {"Retry-After": "1"} if error.status == 503 else None)
        if not request.content.is_eof():  # what is left of its body would be taken for the next request
            response.force_close()
        return response
    except web.HTTPNotFound:
        return _error(404, f"{request.path} is not served here; there are the routes / and /v1/models/NAME with "
                           "/metadata and :predict")
    except web.HTTPException as error:
        return _error(error.status, error.reason, error.headers)
    except tf.errors.OpError as error:
        return _error(500, f"the model failed: {error.message[:500]}")


def _error(status: int, message: str, headers: Any = None) -> web.Response:
    kept = {name: value for name, value in (headers or {}).items() if name in ("Retry-After", "Allow")}
    return web.Response(status=status, body=json.dumps({"error": message}).encode(), headers=kept,
                        content_type="application/json")
