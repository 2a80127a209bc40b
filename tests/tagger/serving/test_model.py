import asyncio
import json

import pytest

pytest.importorskip("aiohttp")

from flags.serve import Serve  # noqa: E402
from tagger.serving.model import ServedModel  # noqa: E402
from tests.records.images.bad_images import encoded, photo, png_header  # noqa: E402
from tests.tagger.saved_model import small  # noqa: E402
from tests.tagger.serving.server import b64  # noqa: E402


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    small.save(folder / "7")
    return folder


def ask(export, *documents):
    """Answers to requests that come at once, and how many rows of each were computed at a time."""
    async def run():
        model = ServedModel(Serve(export_dir=str(export), max_batch=40, together=4))
        parsed = [await model.parse(json.dumps(document).encode()) for document in documents]
        answers = await asyncio.gather(*[model.predict(*one) for one in parsed])
        return [json.loads(answer) for answer in answers], [at_a_time for _, at_a_time in parsed]

    return asyncio.run(run())


def test_each_request_gets_its_own_rows(export):
    numbers = [[[float(10 * i + j)] + [0.0] * 3 for j in range(i)] for i in (1, 2, 6)]
    answers, at_a_time = ask(export, *({"signature_name": "features", "instances": rows} for rows in numbers))
    assert [[row["caption"] for row in answer["predictions"]] for answer in answers] == [
        [f"{row[0]:.0f}" for row in rows] for rows in numbers]
    assert at_a_time == [0, 0, 4]  # with others'; a large one in pieces


def test_many_photos_go_in_pieces_and_a_large_one_alone(export):
    quick = b64(encoded(photo(), "JPEG"))
    large = b64(png_header(9000, 9000))
    _, at_a_time = ask(export, {"inputs": []})
    assert at_a_time == [0]

    async def parse(images):
        model = ServedModel(Serve(export_dir=str(export), max_batch=40))
        return (await model.parse(json.dumps({"instances": images}).encode()))[1]

    assert [asyncio.run(parse(images)) for images in ([quick] * 8, [quick] * 9, [quick, large])] == [0, 8, 1]


def test_version_and_signatures(export):
    model = ServedModel(Serve(export_dir=str(export), name="mine"))
    assert model.version == "7" and not model.is_computing
    body = model.metadata("mine")
    assert body["model_spec"]["version"] == "7"
    inputs = body["metadata"]["signature_def"]["signature_def"]["features"]["inputs"]
    assert inputs["features"]["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in inputs["features"]["tensor_shape"]["dim"]] == ["-1", "4"]
