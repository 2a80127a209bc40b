"""The server: TensorFlow Serving's REST routes for one SavedModel, and a page to drop photos on.

    GET  /                              the page
    GET  /v1/models/NAME                status of the version served
    GET  /v1/models/NAME/metadata       its signatures
    POST /v1/models/NAME:predict        rows or columns, as in tagger.serving.tf_serving_json

For trying an export, and for developing clients, on one machine. It serves the version that was newest when it was
started, computes together what several clients ask at once (tagger.serving.dynamic_batching), and knows no
encryption and no passwords: in production run TensorFlow Serving on the same folder.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import tensorflow as tf

from flags.errors import UserError
from flags.serve import Serve
from tagger.saved_model.loaded import SavedModel
from tagger.saved_model.versions import newest
from tagger.serving import tf_serving_json
from tagger.serving.dynamic_batching import Arrays, MicroBatches
from tagger.serving.page import content_security_policy, page

try:
    from aiohttp import web
except ImportError as missing:
    raise UserError("--mode=serve needs aiohttp, which is an optional extra: pip install 'tagger[serve]' "
                    "(or pip install aiohttp)") from missing

_MAX_WAITING = 64
"""Requests that may be in the server; further ones are told to come back, instead of filling the memory."""
_PATIENCE_S = 5.0  # for requests that are being answered when Ctrl-C is pressed
_MB = 1 << 20


def serve(config: Serve) -> None:
    """Serves until it is interrupted.

    Raises:
      UserError: there is no SavedModel, or the address cannot be listened on.
    """
    app = application(config)
    try:
        asyncio.run(_serve(app, config))
    except OSError as error:
        raise UserError(f"--host={config.host} --port={config.port}: cannot listen there ({error.strerror or error}); "
                        "is another program using the port? --port=0 takes a free one") from error


async def _serve(app: web.Application, config: Serve) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_PATIENCE_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.host, config.port)
        await site.start()
        host, port = runner.addresses[0][:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        print(f"Serving {app[_MODEL].path} as {config.name}\n  page:    {address}/\n"
              f"  predict: {address}/v1/models/{config.name}:predict\nStop with Ctrl-C.", flush=True)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


class Model:
    """A SavedModel that answers request bodies."""

    def __init__(self, config: Serve):
        self.path = newest(config.export_dir)
        self.version = self.path.name if self.path.name.isdecimal() else "1"
        self._loaded = SavedModel(self.path)
        self._inputs = {name: signature.structured_input_signature[1]
                        for name, signature in self._loaded.signatures.items()}
        self._max_batch = config.max_batch
        self._batches = MicroBatches(self._compute, config.together, config.threads)
        self._in_here = 0
        self._loaded.answer([tf.io.encode_jpeg(tf.zeros([8, 8, 3], tf.uint8)).numpy()])  # the first run is slow

    async def predict(self, body: bytes) -> bytes:
        """The answer to a request body.

        Raises:
          tf_serving_json.BadRequest: it cannot be answered.
          web.HTTPServiceUnavailable: too many requests are waiting.
        """
        if self._in_here >= _MAX_WAITING:
            raise web.HTTPServiceUnavailable(reason="too many requests are waiting", headers={"Retry-After": "1"})
        self._in_here += 1
        try:
            # Megabytes of base64 take a while; other clients are listened to meanwhile.
            request = await asyncio.to_thread(tf_serving_json.parse, body, self._inputs, self._max_batch)
            rows = {name: value for name, value in request.inputs.items() if value.ndim}
            options = tuple((name, value.item()) for name, value in request.inputs.items() if not value.ndim)
            return tf_serving_json.answer(await self._batches.call((request.signature, options), rows), request.by_row)
        finally:
            self._in_here -= 1

    def _compute(self, kind: tuple[str, tuple[tuple[str, float], ...]], rows: Arrays) -> dict[str, np.ndarray]:
        """What a signature answers to rows, all with the same options."""
        signature, options = kind
        inputs = {name: tf.constant(value, self._inputs[signature][name].dtype)
                  for name, value in [*rows.items(), *options]}
        return {name: value.numpy() for name, value in self._loaded.signatures[signature](**inputs).items()}

    def metadata(self, name: str) -> dict[str, Any]:
        """What TensorFlow Serving answers about the signatures."""
        signatures = {}
        for key, signature in self._loaded.signatures.items():
            inputs = {spec.name: _tensor_info(spec) for spec in self._inputs[key].values()}
            outputs = {output: _tensor_info(spec) for output, spec in signature.structured_outputs.items()}
            signatures[key] = {"inputs": inputs, "outputs": outputs, "method_name": "tensorflow/serving/predict"}
        return {"model_spec": {"name": name, "signature_name": "", "version": self.version},
                "metadata": {"signature_def": {"signature_def": signatures}}}


_MODEL = web.AppKey("model", Model)


def _tensor_info(spec: tf.TensorSpec) -> dict[str, Any]:
    dims = [{"size": str(-1 if size is None else size), "name": ""} for size in spec.shape]
    dtype = tf.as_dtype(spec.dtype)
    return {"dtype": f"DT_{ {'float32': 'FLOAT'}.get(dtype.name, dtype.name.upper()) }",
            "tensor_shape": {"dim": dims, "unknown_rank": False}, "name": spec.name}


def application(config: Serve) -> web.Application:
    """The server as an aiohttp application, model loaded and warm."""
    app = web.Application(client_max_size=config.max_request_mb * _MB, middlewares=[_json_errors])
    model = app[_MODEL] = Model(config)
    html = page(config.name, model.version)
    headers = {"Content-Security-Policy": content_security_policy(html), "X-Content-Type-Options": "nosniff"}

    async def show_page(request: web.Request) -> web.Response:
        return web.Response(text=html, content_type="text/html", headers=headers)

    async def status(request: web.Request) -> web.Response:
        ready = {"version": model.version, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        return web.json_response({"model_version_status": [ready]})

    async def metadata(request: web.Request) -> web.Response:
        return web.json_response(model.metadata(config.name))

    async def predict(request: web.Request) -> web.Response:
        return web.Response(body=await model.predict(await request.read()), content_type="application/json")

    app.router.add_get("/", show_page)
    for base in (f"/v1/models/{config.name}", f"/v1/models/{config.name}/versions/{model.version}"):
        app.router.add_get(base, status)
        app.router.add_get(f"{base}/metadata", metadata)
        app.router.add_post(f"{base}:predict", predict)
    return app


@web.middleware
async def _json_errors(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
                       ) -> web.StreamResponse:
    """Every error as TensorFlow Serving writes it: {"error": "…"}."""
    try:
        return await handler(request)
    except tf_serving_json.BadRequest as error:
        return _error(400, str(error))
    except web.HTTPRequestEntityTooLarge as error:
        return _error(413, f"the request is larger than {request.client_max_size // _MB} MB; send fewer images at once",
                      error.headers)
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
