"""The server as a process, asked over loopback."""

import base64
import concurrent.futures
import gzip
import http.client
import io
import json
import os
import shutil
import signal
import subprocess

import numpy as np
import pytest
from PIL import Image

from flags.errors import UserError
from flags.serve import Serve
from tests.records.inputs import PHOTOS
from tests.tagger.serving.server import ask, b64, open_url, process_and_address, server

pytest.importorskip("aiohttp")
IMAGES = [path.read_bytes() for path in PHOTOS[:6]]


@pytest.fixture(scope="module")
def address(demo):
    with server(demo[0] / "export", "--name=photos", "--max_request_mb=1", "--max_batch=12",
                "--allowed_hosts=photos.example") as address:
        yield address


@pytest.fixture(scope="module")
def expected(plain):
    return plain.answer([*IMAGES, b"broken"])


def test_rows(address, expected):
    status, answer = ask(f"{address}/v1/models/photos:predict", {"instances": [*map(b64, IMAGES), b64(b"broken")]})
    assert status == 200
    assert [row["caption"] for row in answer["predictions"]] == [row["caption"] for row in expected]
    assert [row["valid"] for row in answer["predictions"]] == [True] * 6 + [False]
    assert set(answer["predictions"][0]) == {"caption", "tags", "tag_scores", "valid"}
    shown = [tag for tag in answer["predictions"][0]["tags"] if tag]  # below the threshold there is none
    assert shown == [tag for tag, _ in expected[0]["tags"]]


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_the_exports_readme_asks_with_curl(address, demo, tmp_path):
    blocks = (demo[0] / "export" / "README.md").read_text().split("\n\n")
    command = next(block for block in blocks if "curl" in block).replace("localhost:8501", address)
    noise = np.random.default_rng(0).integers(0, 256, [400, 400, 3], np.uint8)  # 200 KB, more than an argument may have
    Image.fromarray(noise).save(tmp_path / "photo.jpg", quality=95)
    result = subprocess.run(["sh", "-c", command.replace("tagger:", "photos:")], cwd=tmp_path, capture_output=True,
                            env=os.environ | {"no_proxy": "*"}, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["predictions"][0]["valid"]


def test_more_images_than_go_with_others_keep_their_order(address, expected):
    """12 images, and one of 4,000 x 4,000: computed in pieces of 8 and of 1."""
    large = io.BytesIO()
    Image.new("RGB", (4000, 4000)).save(large, "PNG")
    for images, answers in (([*IMAGES, *IMAGES], 2 * expected[:6]), ([*IMAGES[:2], large.getvalue()], expected[:2])):
        status, answer = ask(f"{address}/v1/models/photos:predict", {"instances": [*map(b64, images)]})
        assert status == 200 and all(row["valid"] for row in answer["predictions"])
        captions = [row["caption"] for row in answer["predictions"]]
        assert captions[:len(answers)] == [row["caption"] for row in answers]


def test_no_rows_get_no_answers(address):
    url = f"{address}/v1/models/photos:predict"
    assert ask(url, {"inputs": []}) == (200, {"outputs": {"caption": [], "tags": [], "tag_scores": [], "valid": []}})
    assert ask(url, {"signature_name": "features", "inputs": []})[1]["outputs"]["caption"] == []


def test_base64_with_line_breaks_and_gzip(address, expected):
    broken = {"b64": base64.encodebytes(IMAGES[0]).decode()}
    assert "\n" in broken["b64"]
    body = json.dumps({"instances": [broken]}).encode()
    for data, headers in ((body, {}), (gzip.compress(body), {"Content_Encoding": "gzip"})):
        status, answer = ask(f"{address}/v1/models/photos:predict", data, **headers)
        assert (status, answer["predictions"][0]["caption"]) == (200, expected[0]["caption"])


@pytest.mark.parametrize(("data", "encoding", "status", "message"), [
    (gzip.compress(b" " * (1 << 26), mtime=0), "gzip", 413, "larger than 1 MB when inflated"),
    (gzip.compress(b"{}", mtime=0)[:-4], "gzip", 400, "cut short"), (b"{}", "gzip", 400, "no gzip data"),
    (b"{}", "br", 415, "'br' is not read here")])
def test_compressed_bodies_that_are_refused(address, data, encoding, status, message):
    found, answer = ask(f"{address}/v1/models/photos:predict", data, Content_Encoding=encoding)
    assert found == status and message in answer["error"]


def test_pages_of_other_sites_are_refused(address):
    """A page that posts to the loopback address, and one whose name was made to point there (DNS rebinding)."""
    url, body, port = f"{address}/v1/models/photos:predict", {"instances": [b64(IMAGES[0])]}, address.rsplit(":", 1)[1]
    assert ask(url, body, Origin="http://evil.example")[0] == 403
    assert ask(url, body, Origin="null")[0] == 403
    assert ask(url, body, Host=f"evil.example:{port}", Origin=f"http://evil.example:{port}")[0] == 403
    assert "--allowed_hosts=NAME" in ask(f"{address}/v1/models/photos", Host="evil.example")[1]["error"]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"photos.example:{port}"):
        assert ask(url, body, Host=host, Origin=f"http://{host}")[0] == 200
    assert ask(url, body, Host=f"localhost:{port}", Origin="https://photos.example")[0] == 200


def test_sigterm_answers_what_is_there(demo):
    """Eight clients ask when the server is told to end: every request that it took is answered, then it ends with 0."""
    body, answered = json.dumps({"instances": [b64(IMAGES[0])]}).encode(), []
    with process_and_address(demo[0] / "export") as (process, address):
        def client(_):
            """Asks until the server takes no more; what it answered."""
            while True:
                connection = http.client.HTTPConnection(address.partition("//")[2], timeout=60)
                try:
                    connection.connect()
                except ConnectionRefusedError:
                    return True
                connection.request("POST", "/v1/models/tagger:predict", body)
                answered.append(connection.getresponse().status)
                connection.close()
                if len(answered) == 16:
                    process.send_signal(signal.SIGTERM)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert all(pool.map(client, range(8)))
        errors = process.communicate(timeout=60)[1]
    assert process.returncode == 0 and not errors
    assert set(answered) == {200} and len(answered) >= 16


def test_columns_with_options_and_a_version_in_the_route(address):
    status, answer = ask(f"{address}/v1/models/photos/versions/1:predict", {
        "signature_name": "serving_default_with_options",
        "inputs": {"image_bytes": [b64(IMAGES[0])], "beam_width": 1, "length_penalty": 0.5, "max_length": 2,
                   "min_score": 0.1, "top_tags": 3}})
    assert status == 200
    assert len(answer["outputs"]["caption"][0].split()) <= 2
    assert 0 < answer["outputs"]["caption_score"][0] <= 1


def test_features(address):
    status, answer = ask(f"{address}/v1/models/photos:predict",
                         {"signature_name": "features", "instances": [[0.1] * 1280]})
    assert status == 200 and len(answer["predictions"]) == 1 and "valid" not in answer["predictions"][0]


def test_status_and_metadata(address):
    status, answer = ask(f"{address}/v1/models/photos")
    assert (status, answer["model_version_status"][0]["version"]) == (200, "1")
    assert answer["model_version_status"][0]["state"] == "AVAILABLE"
    status, answer = ask(f"{address}/v1/models/photos/metadata")
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert answer["model_spec"] == {"name": "photos", "signature_name": "", "version": "1"}
    assert signature["inputs"]["image_bytes"]["dtype"] == "DT_STRING"
    assert [dim["size"] for dim in signature["outputs"]["tag_scores"]["tensor_shape"]["dim"]] == ["-1", "10"]
    assert {name: info["dtype"] for name, info in signature["outputs"].items()} == {
        "caption": "DT_STRING", "tags": "DT_STRING", "tag_scores": "DT_FLOAT", "valid": "DT_BOOL"}


@pytest.mark.parametrize(("path", "body", "status", "message"), [
    ("/v1/models/photos:predict", b"no json", 400, "no JSON"),
    ("/v1/models/photos:predict", {"instances": [b64(b"")] * 13}, 400, "at most 12"),
    ("/v1/models/photos:predict", b'{"instances": ["\\ud800"]}', 400, "surrogate"),
    ("/v1/models/photos:predict", b'{"signature_name": "\\ud800", "instances": [""]}', 400, "unknown"),
    ("/v1/models/photos:predict", {"instances": []}, 400, "at least one"),
    ("/v1/models/photos:predict", b'{"signature_name": "features", "instances": [[' + b"NaN," * 1279 + b"0]]}", 400,
     "finite"),
    ("/v1/models/%ED%A0%80:predict", {"instances": ["a"]}, 404, "not served here"),
    ("/v1/models/photos:predict", b" " * (1 << 20) + b"{}", 413, "larger than 1 MB"),
    ("/v1/models/photos:predict", None, 405, "Not Allowed"),
    ("/v1/models/other:predict", {"instances": ["a"]}, 404, "not served here"),
    ("/v1/models/photos:classify", {"instances": ["a"]}, 404, "not served here"),
    ("/etc/passwd", None, 404, "not served here"),
])
def test_errors_are_json(address, path, body, status, message):
    found, answer = ask(address + path, body)
    assert found == status
    assert message in answer["error"] and set(answer) == {"error"}


def test_many_clients_each_get_their_own_answer(address, expected):
    def one(number):
        index = number % 6
        status, answer = ask(f"{address}/v1/models/photos:predict", {"instances": [b64(IMAGES[index])]})
        return status, answer["predictions"][0]["caption"] == expected[index]["caption"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(one, range(32))) == {(200, True)}


def test_the_page_needs_nothing_but_the_server(address):
    with open_url(f"{address}/") as response:
        text = response.read().decode()
        policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert 'data-model="photos"' in text


@pytest.mark.parametrize("wrong", [{"port": 70_000}, {"threads": 0}, {"together": 0}, {"max_batch": 0},
                                   {"max_request_mb": -1}, {"name": "{x"}, {"name": "a/b"}, {"name": "\ud800"}])
def test_flags_out_of_range(wrong):
    from tagger.serve import run

    with pytest.raises(UserError, match=f"--{next(iter(wrong))}="):
        run(Serve(export_dir="anywhere", **wrong))
