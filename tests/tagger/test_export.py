"""The SavedModel of the demo run, asked the ways its users will ask it."""

import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps
from tensorflow.core.protobuf import saved_model_pb2

from flags.errors import UserError
from flags.export import Export
from records.backbones.registry import load_backbone, load_encoder
from records.input.caption_dataset import images, open_split
from tagger import export
from tagger.decoding.decoder import Decoder
from tagger.modeling.tag_calibration import TagCalibration
from tagger.runs.run_dir import load_run
from tagger.saved_model.loaded import SavedModel
from tests.conftest import ROOT
from tests.records.images.bad_images import broken
from tests.records.inputs import DEMO, PHOTOS

WEIGHTS = DEMO / "mobilenet_v2_notop_float16.weights.h5"
# In these, TensorFlow finds a whole picture: make_records refuses them for what Pillow says of their other bytes.
PICTURE_ALL_THE_SAME = {"larger_than_its_data.jpg", "ends_in_the_middle.jpg", "damaged_text_chunk.png"}
SCORE_TOLERANCE = 2e-3  # records round features to float16, and a sampled path may turn with the last bit


@pytest.fixture(scope="module")
def version(demo) -> pathlib.Path:
    return demo[0] / "export" / "1"


@pytest.fixture(scope="module")
def plain(version) -> SavedModel:
    return SavedModel(version)


class EveryTag:
    """An export that is always asked for all of its tags, whatever their scores."""

    def __init__(self, model: SavedModel):
        self._model, self.signatures = model, model.signatures

    def answer(self, images: list[bytes]) -> list[dict]:
        return self._model.answer(images, min_score=0.0)


@pytest.fixture(scope="module")
def model(plain) -> EveryTag:
    return EveryTag(plain)


def photos(count: int) -> list[bytes]:
    """Different photos: the embedded ones, then mirrored, then turned ones."""
    result = []
    for index in range(count):
        path = PHOTOS[index % len(PHOTOS)]
        if index < len(PHOTOS):
            result.append(path.read_bytes())
            continue
        with Image.open(path) as image:
            changed = ImageOps.mirror(image) if index // len(PHOTOS) % 2 else image
            changed = changed.rotate(index // len(PHOTOS) * 3)
            out = io.BytesIO()
            changed.save(out, "JPEG", quality=90)
            result.append(out.getvalue())
    return result


def broken_images(count: int) -> list[bytes]:
    kinds = [make() for name, make in sorted(broken().items()) if name not in PICTURE_ALL_THE_SAME]
    assert len(kinds) >= 50
    return (kinds * (count // len(kinds) + 1))[:count]


def check_against_single_answers(model: EveryTag, good: int, bad: int, batch_size: int, sampled: bool = True) -> None:
    """Broken images among good ones in batches: each answer is what the image alone gets.

    Where captions are sampled for the scores, rounding in a batch of another size may decide which word one of them
    takes, once in hundreds of photos. It is one of the 4 + 3 captions whose mean a score is, so it moves the score by
    a seventh at most. Without samples no score moves.
    """
    batch = photos(good)
    places = np.random.default_rng(0).choice(good, bad, replace=False)
    for place, data in zip(sorted(places, reverse=True), broken_images(bad), strict=True):
        batch.insert(place, data)
    singles = [model.answer([data])[0] for data in batch]
    together = [answer for start in range(0, len(batch), batch_size)
                for answer in model.answer(batch[start:start + batch_size])]
    assert sum(not answer["valid"] for answer in together) == bad
    assert [answer["valid"] for answer in together] == [single["valid"] for single in singles]
    assert [answer["caption"] for answer in together] == [single["caption"] for single in singles]
    moved = []
    for single, answer in zip(singles, together, strict=True):
        if not answer["valid"]:
            assert (answer["caption"], answer["tags"]) == ("", [])
            continue
        ours, theirs = dict(answer["tags"]), dict(single["tags"])
        last = min([*ours.values(), *theirs.values()])  # a tag in one list only stood last but for rounding
        moved.append(max(abs(ours.get(tag, last) - theirs.get(tag, last)) for tag in ours | theirs))
    assert np.mean(np.array(moved) > SCORE_TOLERANCE) <= (0.01 if sampled else 0)
    assert max(moved) <= 1 / 7


def test_sixty_photos_six_of_them_broken(model):
    check_against_single_answers(model, 54, 6, batch_size=20)


@pytest.mark.slow
def test_a_thousand_photos_fifty_of_them_broken(model):
    check_against_single_answers(model, 950, 50, batch_size=64)


@pytest.mark.slow
def test_a_thousand_photos_without_sampled_captions(demo, tmp_path):
    assert export.run(Export(run_dir=str(demo[0] / "run"), export_dir=str(tmp_path), tag_samples=0)) == 0
    check_against_single_answers(EveryTag(SavedModel(tmp_path / "1")), 950, 50, batch_size=64, sampled=False)


def test_every_kind_of_broken_image_spoils_its_own_row_only(model):
    good = photos(1)
    answers = model.answer(good + broken_images(50) + good)
    assert [answer["valid"] for answer in answers] == [True] + [False] * 50 + [True]
    assert answers[0]["caption"] == answers[-1]["caption"] != ""


def test_signatures_have_the_documented_names_types_and_shapes(model):
    def described(signature):
        inputs = {spec.name: (spec.dtype.name, spec.shape.as_list())
                  for spec in signature.structured_input_signature[1].values()}
        outputs = {name: (spec.dtype.name, spec.shape.as_list()) for name, spec in signature.structured_outputs.items()}
        return inputs, outputs

    answer = {"caption": ("string", [None]), "tags": ("string", [None, 10]), "tag_scores": ("float32", [None, 10])}
    options = {"beam_width": ("int32", []), "length_penalty": ("float32", []), "max_length": ("int32", []),
               "min_score": ("float32", []), "top_tags": ("int32", [])}
    image, valid = {"image_bytes": ("string", [None])}, {"valid": ("bool", [None])}
    feature, score = {"features": ("float32", [None, 1280])}, {"caption_score": ("float32", [None])}
    assert {name: described(signature) for name, signature in model.signatures.items()} == {
        "serving_default": (image, answer | valid),
        "features": (feature, answer),
        "serving_default_with_options": (image | options, answer | valid | score),
        "features_with_options": (feature | options, answer | score),
    }


@pytest.mark.parametrize("count", [0, 1, 31, 33, 100])
def test_any_number_of_images(model, count):
    data = (photos(5) * 20)[:count]
    answers = model.answer(data)
    assert len(answers) == count
    for index in range(5, count):
        assert answers[index]["caption"] == answers[index % 5]["caption"]


def test_no_images_with_onednn(demo):
    """oneDNN refuses convolutions of an empty batch, and is on in every program that does not say otherwise."""
    command = [sys.executable, "-m", "tagger.saved_model.loaded", str(demo[0] / "export" / "1")]
    result = subprocess.run(command, env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"}, cwd=ROOT, capture_output=True,
                            text=True, check=False)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_it_answers_the_same_every_time(model):
    assert model.answer(photos(4)) == model.answer(photos(4))


def test_records_features_and_their_images_get_the_same_captions(model, demo):
    examples = list(images(open_split(demo[0] / "records", "train")).take(20).as_numpy_iterator())
    from_images = model.answer([example["image"] for example in examples])
    features = np.stack([example["feature"] for example in examples]).astype(np.float32)
    from_features = model.signatures["features_with_options"](features=tf.constant(features), **defaults(99))
    assert [answer["caption"].encode() for answer in from_images] == from_features["caption"].numpy().tolist()
    scores = [[score for _, score in answer["tags"]] for answer in from_images]
    np.testing.assert_allclose(from_features["tag_scores"].numpy(), scores, atol=SCORE_TOLERANCE)


def test_checkpoint_in_memory_and_saved_model_agree(model, demo):
    run = load_run(demo[0] / "run")
    decoder = Decoder([run.model], run.vocabulary, run.max_length)
    examples = list(images(open_split(demo[0] / "records", "test")).as_numpy_iterator())
    features = np.stack([example["feature"] for example in examples]).astype(np.float32)
    decoded = tf.function(decoder.decode)(tf.constant(features))
    served = model.signatures["features_with_options"](features=tf.constant(features), **defaults(run.max_length))
    assert decoder.text(decoded.tokens).numpy().tolist() == served["caption"].numpy().tolist()
    np.testing.assert_allclose(decoded.score, served["caption_score"], rtol=1e-4)


def defaults(longest: int, **changed) -> dict[str, tf.Tensor]:
    options = {"beam_width": 3, "length_penalty": 0.7, "max_length": longest, "min_score": 0.0, "top_tags": 10}
    return {name: tf.constant(value) for name, value in (options | changed).items()}


def test_options_change_the_search(model):
    ask = model.signatures["serving_default_with_options"]
    image = tf.constant(photos(8))
    plain = model.signatures["serving_default"](image_bytes=image)
    same = ask(image_bytes=image, **defaults(99))
    np.testing.assert_array_equal(plain["caption"], same["caption"])
    short = ask(image_bytes=image, **defaults(2))
    assert all(len(caption.split()) <= 2 for caption in short["caption"].numpy())
    longer = ask(image_bytes=image, **defaults(99, length_penalty=3.0))
    words = [[len(caption.split()) for caption in answer["caption"].numpy()] for answer in (same, longer)]
    assert sum(words[1]) > sum(words[0])
    assert ((same["caption_score"].numpy() > 0) & (same["caption_score"].numpy() <= 1)).all()


def test_how_many_tags_is_asked_for_or_chosen_on_validation(plain, model, demo):
    """All tags of `model` against what plain answers and options leave of them."""
    data = photos(8)
    least = load_run(demo[0] / "run").calibration.best_f1
    assert plain.options["min_score"].numpy() == pytest.approx(least)
    every = [answer["tags"] for answer in model.answer(data)]
    for options, kept in (({}, lambda i, score: score >= least), ({"min_score": 0.6}, lambda i, score: score >= 0.6),
                          ({"min_score": 0.0, "top_tags": 3}, lambda i, score: i < 3)):
        answers = [[tag for tag, _ in answer["tags"]] for answer in plain.answer(data, **options)]
        assert answers == [[tag for i, (tag, score) in enumerate(tags) if kept(i, score)] for tags in every]


def test_what_a_user_sees_has_no_specials_and_no_repeated_tags(model, demo):
    run = load_run(demo[0] / "run")
    is_tag = dict(zip(run.vocabulary.words, run.vocabulary.is_tag, strict=True))
    for answer in model.answer(photos(47)):
        words = answer["caption"].split()
        assert not any("<" in word for word in words)
        content = [word for word in words if is_tag[word]]
        assert len(content) == len(set(content))
        names = [tag for tag, _ in answer["tags"]]
        assert len(names) == len(set(names)) == 10
        assert set(names) <= set(run.tags.tags)
        scores = [score for _, score in answer["tags"]]
        assert scores == sorted(scores, reverse=True) and 0 <= scores[-1] and scores[0] <= 1


def test_it_names_no_gpu_and_no_gpu_kernel(version):
    """So what was exported on a machine with GPUs loads where there are none (CudnnRNNV3 would not)."""
    saved = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    assert len(nodes) > 1000
    assert {node.op for node in nodes if "cudnn" in node.op.lower()} == set()
    assert {node.device for node in nodes} <= {"", "/device:CPU:0", "/device:CPU:*"}


def cli(version: pathlib.Path, tmp_path: pathlib.Path, executable: pathlib.Path, *arguments: str) -> str:
    """saved_model_cli in a folder of its own, with none of this project on its path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run([executable, arguments[0], "--dir", version, *arguments[1:]], cwd=tmp_path, text=True,
                            capture_output=True, env=environment | {"TF_CPP_MIN_LOG_LEVEL": "3"}, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def use_the_cli(version: pathlib.Path, tmp_path: pathlib.Path, executable: pathlib.Path) -> None:
    data = photos(2)
    np.save(tmp_path / "images.npy", np.array([data[0], b"broken", data[1]]))
    shown = cli(version, tmp_path, executable, "show", "--all")
    assert "inputs['image_bytes'] tensor_info:\n        dtype: DT_STRING\n        shape: (-1)" in shown
    expected = [answer["caption"] for answer in SavedModel(version).answer(data)]
    for signature in ("serving_default", "serving_default_with_options"):  # the second one leaves its options out
        cli(version, tmp_path, executable, "run", "--tag_set", "serve", "--signature_def", signature,
            "--inputs", "image_bytes=images.npy", "--outdir", str(tmp_path / signature))
        assert np.load(tmp_path / signature / "valid.npy").tolist() == [True, False, True]
        captions = np.load(tmp_path / signature / "caption.npy", allow_pickle=True)
        assert [caption.decode() for caption in captions] == [expected[0], "", expected[1]]


def test_saved_model_cli(version, tmp_path):
    use_the_cli(version, tmp_path, pathlib.Path(sys.executable).with_name("saved_model_cli"))


@pytest.mark.slow
def test_saved_model_cli_where_only_tensorflow_is_installed(version, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    subprocess.run([tmp_path / "venv/bin/pip", "install", "-q", f"tensorflow=={tf.__version__}"], check=True)
    use_the_cli(version, tmp_path, tmp_path / "venv/bin/saved_model_cli")


def test_the_readme_holds_a_request_and_its_real_answer(version, plain):
    text = (version.parent / "README.md").read_text()
    line = next(line for line in text.splitlines() if line.strip().startswith('{"predictions"'))
    prediction = json.loads(line)["predictions"][0]
    answer = plain.answer([PHOTOS[0].read_bytes()])[0]
    assert prediction["caption"] == answer["caption"]
    assert prediction["tags"] == [tag for tag, _ in answer["tags"]]
    for name in ("image_bytes", "caption", "tags", "tag_scores", "valid", "beam_width", "length_penalty", "max_length",
                 "min_score", "top_tags"):
        assert f"`{name}`" in text


def readme_commands(version: pathlib.Path, marker: str) -> str:
    """The indented block of the export's README that holds `marker`, without its indentation."""
    blocks = (version.parent / "README.md").read_text().split("\n\n")
    return textwrap.dedent(next(block for block in blocks if block.startswith("    ") and marker in block))


def test_the_readmes_python_and_command_line_work_as_they_stand(version, model, tmp_path, monkeypatch):
    (tmp_path / "1").symlink_to(version)
    (tmp_path / "photo.jpg").write_bytes(PHOTOS[0].read_bytes())
    expected = model.answer([PHOTOS[0].read_bytes()])[0]["caption"]
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(readme_commands(version, "tf.saved_model.load"), names)
    assert names["answer"]["caption"].numpy()[0].decode() == expected
    binaries = pathlib.Path(sys.executable).parent
    result = subprocess.run(["sh", "-ec", readme_commands(version, "saved_model_cli run")], text=True, check=False,
                            capture_output=True, env=os.environ | {"PATH": f"{binaries}:{os.environ['PATH']}"})
    assert result.returncode == 0, result.stderr[-2000:]
    assert expected in result.stdout


def test_the_next_export_is_the_next_version_half_the_size_and_says_the_same(demo, model, tmp_path):
    shutil.copytree(demo[0] / "export", tmp_path / "export")
    shutil.copytree(demo[0] / "run", tmp_path / "run")  # no records beside it: a run folder is enough
    export.run(Export(run_dir=str(tmp_path / "run"), export_dir=str(tmp_path / "export"),
                      ensemble=(str(tmp_path / "run"),), export_precision="float16", backbone_weights=str(WEIGHTS)))
    assert sorted(path.name for path in (tmp_path / "export").iterdir()) == ["1", "2", "README.md"]
    sizes = [sum(path.stat().st_size for path in (tmp_path / "export" / number / "variables").iterdir())
             for number in ("1", "2")]
    assert sizes[1] < 0.8 * sizes[0]  # two models now, but of half-width numbers
    both = model.answer(photos(6)), EveryTag(SavedModel(tmp_path / "export" / "2")).answer(photos(6))
    for first, second in zip(*both, strict=True):
        common = dict(first["tags"]).keys() & dict(second["tags"]).keys()
        assert len(common) >= 8
        for tag in common:
            assert dict(second["tags"])[tag] == pytest.approx(dict(first["tags"])[tag], abs=0.05)


def test_the_check_notices_another_model(demo, version):
    run = load_run(demo[0] / "run")
    run.model.output_dense.bias.assign(run.model.output_dense.bias.value[::-1])
    config = Export(run_dir=str(demo[0] / "run"), export_dir=str(version.parent))
    with pytest.raises(RuntimeError, match="the model in memory"):
        export.check(config, 0.0, load_backbone("mobilenet_v2", str(WEIGHTS)),
                     Decoder([run.model], run.vocabulary, run.max_length, tag_samples=4, tag_outputs=run.tag_outputs,
                             calibrations=[run.calibration]), version)


def test_weights_that_are_gone_or_other_ones_are_refused(demo, tmp_path):
    given = {"run_dir": str(demo[0] / "run"), "export_dir": str(tmp_path / "export")}
    with pytest.raises(UserError, match="--backbone_weights=nowhere.h5: no such file"):
        export.run(Export(**given, backbone_weights="nowhere.h5"))
    network = load_encoder("mobilenet_v2", str(WEIGHTS)).build()
    network.variables[0].assign(network.variables[0].value + 1e-3)
    network.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(UserError, match="give the file that make_records used"):
        export.run(Export(**given, backbone_weights=str(tmp_path / "other.weights.h5")))
    assert not list((tmp_path / "export").iterdir())


@pytest.mark.parametrize(("flags", "expected"), [
    ({}, 0.4), ({"min_score": 0.1}, 0.1), ({"tag_precision": 0.7}, 0.5), ({"tag_precision": 0.99}, "the most was 0.90"),
    ({"tag_precision": 0.7, "min_score": 0.1}, "give one")])
def test_the_least_score_of_tags(flags, expected):
    thresholds = ((0.2, 0.5, 0.9, 0.64), (0.4, 0.65, 0.7, 0.67), (0.5, 0.7, 0.5, 0.58), (0.8, 0.9, 0.1, 0.18),
                  (0.9, 0.0, 0.0, 0.0))
    runs = [types.SimpleNamespace(calibration=TagCalibration({}, (1.0, 0.0), thresholds))]
    config = Export(run_dir="run", export_dir="export", **flags)
    if isinstance(expected, float):
        assert export.min_score_of(config, runs) == expected
    else:
        with pytest.raises(UserError, match=expected):
            export.min_score_of(config, runs)
    without = [types.SimpleNamespace(calibration=None)]
    assert export.min_score_of(Export(run_dir="run", export_dir="export"), without) == 0


@pytest.mark.parametrize("wrong", [{"beam_width": 0}, {"beam_width": 65}, {"top_tags": 0}, {"tag_samples": -1},
                                   {"max_length": -1}])
def test_flags_out_of_range(wrong):
    with pytest.raises(UserError, match=f"--{next(iter(wrong))}="):
        export.run(Export(run_dir="anywhere", export_dir="anywhere", **wrong))
