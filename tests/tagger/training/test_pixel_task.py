"""Training from pixels: what learns, the same weights on any devices, and after an interruption."""

import dataclasses
import json
import signal

import h5py
import numpy as np
import pytest
import tensorflow as tf
from etils import epath

from flags.errors import UserError
from flags.train import Train
from records.backbones.registry import load_encoder
from records.format import manifest as manifests
from records.input.shard_reader import images, open_split
from tagger import train
from tagger.runs import trained_backbone
from tagger.runs.run_dir import load_run
from tagger.training.distribution import Devices
from tagger.training.pixel_task import PixelTask
from tests.records.inputs import make, write_captions, write_photos
from tests.tagger.training.run import arrays, finish, start
from tests.tagger.training.run import train as train_process

BACKBONE = "tests.records.backbones.networks:named"
# 24 photos in batches of 5: the last has 4, and 5 does not divide by 2 or 3.
FLAGS = {"train_backbone": "block", "pixel_epochs": 2, "pixel_batch_size": 5, "backbone_learning_rate": 1e-3,
         "pixel_learning_rate": 2e-3, "pixel_tag_weight": 1, "dropout": 0.5, "plateau_patience": 0,
         "patience": 0, "epochs": 1}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pixels")
    names = write_photos(folder / "images", 28, size=110)
    return make(folder / "images", write_captions(folder / "captions.csv", names, per_image=3), folder / "records",
                backbone=BACKBONE, backbone_weights="", shards="train=3", min_count=1,
                split_fractions="train=0.8,validation=0.2")


def strategies(records, folder, spec, workers=1, **flags):
    """The checkpoint's arrays of a training in processes of their own on some devices."""
    config = {"records_dir": str(records), "run_dir": str(folder), **FLAGS, **flags}
    for status, output in finish(start(["tests/tagger/training/strategies.py", spec, json.dumps([config])], workers)):
        assert status == 0, output
    return arrays(folder)


@pytest.fixture(scope="module")
def one_device(records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("one") / "run"
    return folder, strategies(records, folder, "cpu")


def test_what_learns_and_what_stays(records, one_device):
    folder, _ = one_device
    before = load_encoder(BACKBONE).build()
    after = load_encoder(BACKBONE).build()
    trained_backbone.load(epath.Path(folder), after)
    moved = {}
    for layer, old in zip(after.layers, before.layers, strict=True):
        moved[layer.name] = [float(np.abs(weight.numpy() - start.numpy()).max())
                             for weight, start in zip(layer.weights, old.weights, strict=True)]
    assert moved.pop("block_conv")[0] > 1e-4
    others = [distance for distances in moved.values() for distance in distances]
    assert len(others) == 2 + 4 + 4 and not any(others)  # what comes before, and both batch normalisations
    run = load_run(folder)
    assert run.manifest.backbone.weights_sha256 != manifests.load(records).backbone.weights_sha256
    assert run.manifest.backbone.weights == str(folder / trained_backbone.WEIGHTS_FILE)


def test_the_loss_falls(one_device):
    rows = (one_device[0] / "history.csv").read_text().splitlines()
    header, *values = (row.split(",") for row in rows)
    losses = [float(row[header.index("val_loss")]) for row in values]
    assert len(losses) == 2 and losses[1] < losses[0]


@pytest.mark.parametrize(("spec", "workers"), [
    ("cpu:2", 1), pytest.param("cpu:3", 1, marks=pytest.mark.slow), pytest.param("cpu", 2, marks=pytest.mark.slow)])
def test_same_weights_on_several_devices(records, one_device, tmp_path, spec, workers):
    flags = {} if workers == 1 else {"pixel_batch_size": 6}
    expected = one_device[1] if workers == 1 else strategies(records, tmp_path / "one", "cpu", **flags)
    several = strategies(records, tmp_path / "run", spec, workers, **flags)
    compared = [name for name in expected if name.startswith("model/")]
    assert any("backbone" in name for name in compared)
    for name in compared:
        assert np.abs(expected[name] - several[name]).max() <= 1e-5, name


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 3, 8])
def test_killed_and_started_again_it_ends_the_same(records, tmp_path, step):
    flags = [f"--{name}={value}" for name, value in FLAGS.items()]
    flags += ["--deterministic", "--checkpoint_every_steps=1", "--devices=cpu",
              "--callbacks=tests.tagger.training.run:Interrupt"]
    folder = tmp_path / "run"
    [(status, output)] = train_process(records, tmp_path / "whole", *flags)
    assert status == 0, output
    [(status, output)] = train_process(records, folder, *flags, INTERRUPT=f"{int(signal.SIGKILL)}:batch:{step}")
    assert status == -signal.SIGKILL, output
    [(status, output)] = train_process(records, folder, *flags)
    assert status == 0, output
    for name in ("best.weights.h5", trained_backbone.WEIGHTS_FILE):
        pairs = [_values(path / name) for path in (folder, tmp_path / "whole")]
        assert list(pairs[0]) == list(pairs[1]) and all((pairs[0][key] == pairs[1][key]).all() for key in pairs[0])


def _values(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    assert found
    return found


@pytest.mark.parametrize(("flag", "value", "message"), [
    ("train_backbone", "conv9", "--train_backbone=conv9: .*:named has no layer .* stem, .*; give one of them"),
    ("backbone_weights", "nowhere.weights.h5", "nowhere.weights.h5")])
def test_what_the_pixel_stage_cannot_do_is_said_before_the_first_stage(records, tmp_path, flag, value, message):
    config = Train(records_dir=str(records), run_dir=str(tmp_path / "run"), **{**FLAGS, flag: value})
    with pytest.raises(UserError, match=message):
        train.run(config)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_fresh_forgets_the_trained_backbone_and_its_features(records, tmp_path):
    """Two runs from pixels in one folder; then, where their backbone lay, one on the features of the records."""
    config = Train(records_dir=str(records), run_dir=str(tmp_path / "run"),
                   **{**FLAGS, "pixel_epochs": 1, "trained_feature_epochs": 1, "pixel_tag_weight": 0})
    assert train.run(config) == 0
    first = load_run(config.run_dir).manifest.backbone
    assert train.run(dataclasses.replace(config, pixel_learning_rate=1e-3, fresh=True)) == 0
    second = load_run(config.run_dir).manifest.backbone
    assert first.weights_sha256 != second.weights_sha256
    assert manifests.load(tmp_path / "run/pixels/records").backbone.weights_sha256 == second.weights_sha256
    with pytest.raises(UserError, match="--epochs=2: the run in --run_dir=.*run/pixels was started with --epochs=1"):
        train.run(dataclasses.replace(config, pixel_learning_rate=1e-3, epochs=2))
    pixels = dataclasses.replace(config, run_dir=str(tmp_path / "run/pixels"), train_backbone="", fresh=True)
    assert train.run(pixels) == 0
    assert load_run(pixels.run_dir).manifest.backbone == manifests.load(records).backbone
    assert not (tmp_path / "run/pixels/records").exists()


def test_every_host_scores_all_validation_photos(records):
    config = Train(records_dir=str(records), run_dir="run", **{**FLAGS, "monitor": "val_cider", "pixel_batch_size": 6})
    scores = []
    for host, hosts in ((0, 1), (1, 2)):
        task = PixelTask(config=config, devices=Devices(tf.distribute.get_strategy(), host, hosts, 1, False))
        scores.append(task.make_score(task.make_model())())
    assert scores[0] == scores[1]


@pytest.mark.slow
def test_it_ends_by_a_patience_of_its_own(records, tmp_path):
    """Steps of nothing: no epoch after the first is better."""
    flags = {**FLAGS, "pixel_epochs": 6, "pixel_patience": 1, "backbone_learning_rate": 0, "pixel_learning_rate": 1e-30}
    [(status, output)] = train_process(records, tmp_path / "run", *(f"--{k}={v}" for k, v in flags.items()))
    assert status == 0, output
    epochs = {stage: len((tmp_path / "run" / stage / "history.csv").read_text().splitlines()) - 1
              for stage in (".", "cross_entropy")}
    assert epochs == {".": 2, "cross_entropy": FLAGS["epochs"]}


@pytest.mark.slow
def test_the_whole_job(records, tmp_path):
    """All four stages in one command; eval, calibration and export then use the trained backbone."""
    run, exported = tmp_path / "run", tmp_path / "export"
    flags = {**FLAGS, "pixel_epochs": 1, "trained_feature_epochs": 1, "self_critical_epochs": 1, "batch_size": 8,
             "tag_weight": 0.5}
    for _ in range(2):  # the second finds everything done
        [(status, output)] = train_process(records, run, "--devices=cpu", *(f"--{k}={v}" for k, v in flags.items()))
        assert status == 0, output
    assert "complete already" in output and "nothing to do" not in output
    assert "stage 2 of 4: the backbone learns from photos" in output
    trained = load_run(run / "pixels").manifest.backbone
    loaded = load_run(run)
    assert loaded.manifest.backbone.weights_sha256 == trained.weights_sha256 and loaded.model.tag_readout
    for arguments in (["--mode=eval", f"--records_dir={records}", f"--run_dir={run}", "--split=validation"],
                      ["--mode=export", f"--run_dir={run}", f"--export_dir={exported}"]):
        [(status, output)] = finish(start(["main.py", *arguments]))
        assert status == 0, output
    predictions = [json.loads(line) for line in (run / "eval-validation/predictions.jsonl").read_text().splitlines()]
    photos = {example["key"].decode(): example["image"]
              for example in images(open_split(records, "validation")).as_numpy_iterator()}
    served = tf.saved_model.load(str(exported / "1")).signatures["serving_default"]
    answers = served(image_bytes=tf.constant([photos[line["image"]] for line in predictions]))["caption"].numpy()
    assert [answer.decode() for answer in answers] == [line["caption"] for line in predictions]
