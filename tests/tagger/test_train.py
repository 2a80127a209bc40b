import dataclasses
import shutil

import numpy as np
import pytest
from etils import epath

from flags.errors import UserError
from flags.train import RESUMABLE, Train
from records.format import layout
from records.format import manifest as manifests
from records.util.folder_lock import locked
from tagger.runs.run_dir import load_run, save_weights
from tagger.train import run
from tagger.training import history
from tests.tagger.training.run import write_records


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write_records(tmp_path_factory.mktemp("records") / "records")


@pytest.fixture(scope="module")
def first(records, tmp_path_factory):
    """A run of two epochs in this process."""
    config = Train(records_dir=str(records), run_dir=str(tmp_path_factory.mktemp("run") / "run"), epochs=2,
                   batch_size=100)
    assert run(config) == 0
    return config


def test_the_run_folder_is_all_that_is_needed_later(first, records):
    loaded = load_run(first.run_dir)
    assert loaded.config == first
    assert loaded.vocabulary.size == 100
    assert loaded.max_length == 14
    assert loaded.manifest == manifests.load(records)
    assert (epath.Path(first.run_dir) / layout.MANIFEST).read_bytes() == (records / layout.MANIFEST).read_bytes()


def test_more_epochs_go_on(first, capsys):
    more = dataclasses.replace(first, epochs=3, batch_size=0)  # that of the run, not one for its 601 captions
    assert run(more) == 0
    assert load_run(first.run_dir).config == dataclasses.replace(first, epochs=3)
    error = capsys.readouterr().err
    assert "continuing in epoch 3, after step 0" in error
    assert "epoch 3/3: loss" in error


@pytest.mark.parametrize("flags", [{"records_dir": "nowhere"}, {"callbacks": ("collections:OrderedDict",)}])
def test_a_training_that_is_refused_leaves_no_run_behind(first, tmp_path, flags):
    with pytest.raises(UserError, match=f"--{next(iter(flags))}"):
        run(dataclasses.replace(first, run_dir=str(tmp_path / "runs" / "new"), **flags))
    assert not list(tmp_path.iterdir())


def test_init_from_and_fresh(first, records, tmp_path, capsys):
    config = dataclasses.replace(first, run_dir=str(tmp_path / "second"), init_from=first.run_dir, learning_rate=1e-12,
                                 dropout=0.0, epochs=1)
    assert run(config) == 0
    for mine, theirs in zip(load_run(config.run_dir).model.weights, load_run(first.run_dir).model.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
    with pytest.raises(UserError, match="--seed=1: the run in .* was started with --seed=0; .*--fresh"):
        run(dataclasses.replace(config, seed=1))
    folder = tmp_path / "second"
    (folder / "eval-test").mkdir()
    left = [folder / name for name in ("backbone.json", "backbone.weights.h5", "eval-test/metrics.json", "report.html")]
    for path in left:
        path.write_text('{"weights_sha256": "0"}')
    (folder / "mine.log").write_text("")
    assert run(dataclasses.replace(config, seed=1, fresh=True)) == 0
    assert "epoch 1/1" in capsys.readouterr().err
    assert (folder / "mine.log").exists() and load_run(folder).manifest == load_run(first.run_dir).manifest
    assert not [path for path in left if path.exists()]


def test_a_weight_that_is_not_finite_is_in_no_checkpoint(records, tmp_path):
    config = Train(records_dir=str(records), run_dir=str(tmp_path), batch_size=100, checkpoint_every_steps=1,
                   callbacks=("tests.tagger.training.run:BreakWeight",))
    with pytest.raises(UserError, match="weights are not finite .*after step 3 of 6; the checkpoint at step 2 is from"):
        run(config)
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())][-1] == "step-00000002.npz"


def test_weights_that_are_not_finite_are_no_start(first, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(first.run_dir, broken)
    loaded = load_run(first.run_dir)
    kernel = loaded.model.hidden_dense.kernel
    kernel.assign(np.where(np.arange(128) == 5, np.nan, kernel.numpy()))
    save_weights(loaded.model, loaded.max_length, broken / "best.weights.h5")
    config = dataclasses.replace(first, run_dir=str(tmp_path / "run"), init_from=str(broken))
    with pytest.raises(UserError, match="best.weights.h5: 256 of the hidden_dense/kernel weights are NaN or infinite"):
        run(config)


def test_a_folder_that_another_training_holds(first):
    with locked(first.run_dir), pytest.raises(
            UserError, match=r"--run_dir=.*: another training is writing there \(process \d+\)"):
        run(dataclasses.replace(first, seed=1, fresh=True))
    assert load_run(first.run_dir).config.seed == first.seed


def test_teachers_of_a_stage_that_is_left_out(first):
    with pytest.raises(UserError, match="--teachers=2: teach the cross-entropy stage, which --init_from"):
        run(dataclasses.replace(first, teachers=2, self_critical_epochs=1, init_from=first.run_dir))


def test_init_from_another_vocabulary(first, tmp_path):
    config = dataclasses.replace(first, run_dir=str(tmp_path / "r"), init_from=first.run_dir, vocabulary_size=50)
    with pytest.raises(UserError, match="--init_from=.*: has another vocabulary .100 entries, these records 50"):
        run(config)


def test_init_from_features_of_another_precision(first, tmp_path):
    shutil.copytree(first.run_dir, tmp_path / "half")
    manifest = manifests.from_json((tmp_path / "half" / layout.MANIFEST).read_bytes())
    manifests.save(tmp_path / "half", dataclasses.replace(
        manifest, backbone=dataclasses.replace(manifest.backbone, precision="bfloat16")))
    config = dataclasses.replace(first, run_dir=str(tmp_path / "r"), init_from=str(tmp_path / "half"))
    with pytest.raises(UserError, match="--init_from=.*precision is bfloat16, expected float32"):
        run(config)


def test_smaller_vocabulary(first, tmp_path):
    config = dataclasses.replace(first, run_dir=str(tmp_path / "r"), vocabulary_size=50, epochs=1)
    assert run(config) == 0
    loaded = load_run(config.run_dir)
    assert loaded.vocabulary.size == loaded.model.vocabulary_size == 50
    assert loaded.vocabulary.counts[2] == 250  # the words cut off are counted under <unk>


def test_xla_computes_the_same(first, tmp_path):
    plain = dataclasses.replace(first, run_dir=str(tmp_path / "plain"), epochs=1, dropout=0.0)
    compiled = dataclasses.replace(plain, run_dir=str(tmp_path / "xla"), xla=True)
    assert run(plain) == run(compiled) == 0
    for one, other in zip(load_run(plain.run_dir).model.weights, load_run(compiled.run_dir).model.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_bfloat16_learns_what_float32_does(first, tmp_path):
    config = dataclasses.replace(first, run_dir=str(tmp_path / "r"), precision="mixed_bfloat16")
    assert run(config) == 0
    rough, exact = history.read(epath.Path(config.run_dir)), history.read(epath.Path(first.run_dir))[:2]
    assert rough[1].loss < rough[0].loss and rough[1].val_loss < rough[0].val_loss
    assert [row.val_loss for row in rough] == pytest.approx([row.val_loss for row in exact], rel=0.01)
    assert [row.val_loss for row in rough] != [row.val_loss for row in exact]  # it is another arithmetic
    assert all(weight.dtype == "float32" for weight in load_run(config.run_dir).model.weights)


@pytest.mark.parametrize("flag, value, message", [
    ("epochs", 0, "--epochs=0: expected at least 1"),
    ("dropout", 1.0, "--dropout=1.0: expected at least 0 and below 1"),
    ("vocabulary_size", 2, "--vocabulary_size=2: expected"),
    ("learning_rate", float("nan"), "--learning_rate=nan: expected"),
    ("records_dir", "/nowhere", "--records_dir=/nowhere: no such folder"),
    ("train_split", "training", "training"),
    ("init_from", "/nowhere", "/nowhere"),
])
def test_bad_flags(first, tmp_path, flag, value, message):
    with pytest.raises(UserError, match=message):
        run(dataclasses.replace(first, **{"run_dir": str(tmp_path / "r"), flag: value}))


def test_teachers_get_no_more_than_label_smoothing_leaves(first, tmp_path):
    config = dataclasses.replace(first, run_dir=str(tmp_path / "r"), teachers=1, teacher_weight=0.95,
                                 label_smoothing=0.1)
    with pytest.raises(UserError, match=r"--teacher_weight=0.95: expected at most 0.9"):
        run(config)


def test_resumable_flags_exist():
    assert {field.name for field in dataclasses.fields(Train)} > RESUMABLE
