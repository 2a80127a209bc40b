"""--mode=export; what its SavedModel answers is in tests/tagger/saved_model."""

import re
import shutil
import types

import pytest

from flags.errors import UserError
from flags.export import Export
from records.backbones.registry import load_backbone, load_encoder
from tagger import export
from tagger.decoding.decoder import Decoder
from tagger.modeling.tag_calibration import TagCalibration
from tagger.runs.run_dir import load_run
from tagger.saved_model.loaded import SavedModel
from tagger.saved_model.versions import newest
from tests.records.inputs import DEMO
from tests.tagger.saved_model.exported import EveryTag, photos

WEIGHTS = DEMO / "mobilenet_v2_notop_float16.weights.h5"


def test_the_next_export_is_the_next_version_half_the_size_in_half_precision_and_says_the_same(demo, model, tmp_path):
    shutil.copytree(demo[0] / "export", tmp_path / "export")
    shutil.copytree(demo[0] / "run", tmp_path / "run")  # no records beside it: a run folder is enough
    export.run(Export(run_dir=str(tmp_path / "run"), export_dir=str(tmp_path / "export"),
                      ensemble=(str(tmp_path / "run"),), export_precision="float16", backbone_weights=str(WEIGHTS),
                      precision="mixed_bfloat16"))
    assert sorted(path.name for path in (tmp_path / "export").iterdir()) == ["1", "2", "README.md"]
    sizes = [sum(path.stat().st_size for path in (tmp_path / "export" / number / "variables").iterdir())
             for number in ("1", "2")]
    assert sizes[1] < 0.8 * sizes[0]  # two models now, but of half-width numbers
    assert [newest(tmp_path / "export", precision).name for precision in ("float32", "mixed_bfloat16")] == ["1", "2"]
    assert re.search(r"products in bfloat16, .*; \d of \d captions differ from float32's on validation photos",
                     (tmp_path / "export" / "README.md").read_text())
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


def test_a_run_that_there_is_not_leaves_no_export_folder(tmp_path):
    with pytest.raises(UserError, match="--run_dir=.*run: no such folder"):
        export.run(Export(run_dir=str(tmp_path / "run"), export_dir=str(tmp_path / "exports" / "export")))
    assert not list(tmp_path.iterdir())


def test_weights_that_are_gone_or_other_ones_are_refused(demo, tmp_path):
    given = {"run_dir": str(demo[0] / "run"), "export_dir": str(tmp_path / "export")}
    with pytest.raises(UserError, match="--backbone_weights=nowhere.h5: no such file"):
        export.run(Export(**given, backbone_weights="nowhere.h5"))
    network = load_encoder("mobilenet_v2", str(WEIGHTS)).build()
    network.variables[0].assign(network.variables[0].value + 1e-3)
    network.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(UserError, match="give the file that make_records used"):
        export.run(Export(**given, backbone_weights=str(tmp_path / "other.weights.h5")))
    assert not (tmp_path / "export").exists()


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


def test_what_the_least_score_gave_on_the_validation_split_is_said():
    thresholds = ((0.02, 0.3, 0.9, 0.45), (0.04, 0.35, 0.5, 0.41), (0.5, 0.6, 0.2, 0.3))
    runs = [types.SimpleNamespace(calibration=TagCalibration({}, (1.0, 0.0), thresholds))]
    config = Export(run_dir="run", export_dir="export")
    assert export.chosen_score(config, 0.02, runs) == (
        "Tags are answered from a score of 0.02 on (the best F1), at most 10 a photo: on the validation split 30% of "
        "such tags were right, and they were 90% of all that are. So low a score gives nearly every photo 10 tags; "
        "--tag_precision=0.5 would give fewer and surer ones, from 0.50 on.")
    surer = Export(run_dir="run", export_dir="export", tag_precision=0.5)
    assert "from a score of 0.50 on (--tag_precision=0.5), at most 10 a photo: on the validation split 60% of" in (
        export.chosen_score(surer, 0.5, runs))
    assert export.chosen_score(config, 0.0, [types.SimpleNamespace(calibration=None)]) == ""


@pytest.mark.parametrize("wrong", [{"beam_width": 0}, {"beam_width": 65}, {"top_tags": 0}, {"tag_samples": -1},
                                   {"max_length": -1}])
def test_flags_out_of_range(wrong):
    with pytest.raises(UserError, match=f"--{next(iter(wrong))}="):
        export.run(Export(run_dir="anywhere", export_dir="anywhere", **wrong))
