"""A real `--mode=serve` process and a client for it."""

import base64
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

from tests.conftest import ROOT

# Straight to the server: urllib keeps the proxies that the environment named when it was first used.
open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


@contextlib.contextmanager
def server(export_dir: pathlib.Path, *flags: str) -> Iterator[str]:
    """The address of a server on a free port; stopped as a user would, with Ctrl-C."""
    with process_and_address(export_dir, *flags) as (process, address):
        yield address
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130, errors
    assert "Traceback" not in errors


@contextlib.contextmanager
def process_and_address(export_dir: pathlib.Path, *flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server's process and address; killed where it still runs at the end."""
    process = subprocess.Popen(
        [sys.executable, "main.py", "--mode=serve", f"--export_dir={export_dir}", "--port=0", *flags], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    try:
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if "Stop with" in line:
                break
        address = re.search(r"page: +(http://\S+)/", "".join(lines))
        assert address, process.stderr.read()
        yield process, address[1]
    finally:
        process.kill()
        process.wait()


def children(parent: int) -> list[int]:
    """Processes that a process started, as /proc tells them."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def ask(url: str, body: object = None, method: str | None = None, **headers: str) -> tuple[int, dict]:
    """Status and JSON of one request; `body` is sent as JSON, or as it is when it is bytes."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers}, method=method)
    try:
        with open_url(request, timeout=120) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}
