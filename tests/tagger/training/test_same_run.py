import dataclasses

import pytest

from flags.errors import UserError
from flags.train import OF_PIXELS, OF_SELF_CRITICAL, Train
from records.format.manifest import FileInfo
from records.text.vocabulary import Vocabulary
from tagger.runs import run_dir
from tagger.training.caption_task import CaptionTask
from tagger.training.distribution import open_devices
from tagger.training.same_run import check_same, epochs_flag


@pytest.fixture
def begun(task_config, tmp_path):
    """Flags and records of a run that has its description in its folder."""
    config = dataclasses.replace(task_config, run_dir=str(tmp_path / "run"))
    task = CaptionTask(config=config, devices=open_devices("cpu"))
    run_dir.save_description(config, task.manifest, task.vocabulary, task.tags)
    return config, task.manifest


def test_the_same_command_and_flags_that_do_not_shape_the_result_go_on(begun):
    config, manifest = begun
    check_same(config, manifest)
    check_same(dataclasses.replace(config, xla=not config.xla, keep_checkpoints=7), manifest)
    check_same(config, None)


@pytest.mark.parametrize("flags, flag", [
    ({}, "epochs"), ({"schedule": "cosine"}, ""), ({"teachers": 1}, ""), ({"self_critical_epochs": 1}, ""),
    ({"train_backbone": "all"}, ""), ({"train_backbone": "all", "trained_feature_epochs": 1}, "trained_feature_epochs"),
    ({"train_backbone": "all", "trained_feature_epochs": 1, "self_critical_epochs": 1}, "")])
def test_more_epochs_only_where_nothing_else_depends_on_them(begun, flags, flag):
    config = dataclasses.replace(begun[0], **{"self_critical_epochs": 0, **flags})
    run_dir.save_description(config, begun[1], Vocabulary.load(config.run_dir), None)
    assert epochs_flag(config) == flag
    for name in ("epochs", "trained_feature_epochs"):
        more = dataclasses.replace(config, **{name: getattr(config, name) + 1})
        if name == flag or name == "trained_feature_epochs" and not config.train_backbone:
            check_same(more, begun[1])
        else:
            with pytest.raises(UserError, match=f"--{name}="):
                check_same(more, begun[1])


@pytest.mark.parametrize("flags", [{"seed": 5}, {"dropout": 0.25}, {"batch_size": 31}])
def test_flags_that_shape_the_result_are_refused_by_name(begun, flags):
    config, manifest = begun
    ((name, value),) = flags.items()
    with pytest.raises(UserError, match=f"--{name}={value}: the run in .* was started with --{name}="):
        check_same(dataclasses.replace(config, **flags), manifest)


def test_a_flag_that_was_left_out_is_not_said_to_be_given(begun):
    config, manifest = begun
    vocabulary = Vocabulary.load(config.run_dir)
    run_dir.save_description(dataclasses.replace(config, tag_weight=0.5), manifest, vocabulary, None)
    with pytest.raises(UserError, match="^--tag_weight is left out, or 0.0, its default: the run in .* was started "
                                        "with --tag_weight=0.5; give that to continue it"):
        check_same(dataclasses.replace(config, tag_weight=0.0), manifest)


def test_flags_of_several_values_are_named_as_a_shell_takes_them(begun):
    with pytest.raises(UserError, match="--callbacks=a:B,c:D: the run in .* was started with --callbacks=; give"):
        check_same(dataclasses.replace(begun[0], callbacks=("a:B", "c:D")), begun[1])


def test_a_cosine_schedule_depends_on_its_epochs(begun, tmp_path):
    config = dataclasses.replace(begun[0], schedule="cosine", run_dir=str(tmp_path / "cosine"))
    task = CaptionTask(config=config, devices=open_devices("cpu"))
    run_dir.save_description(config, task.manifest, task.vocabulary, task.tags)
    with pytest.raises(UserError, match="--epochs="):
        check_same(dataclasses.replace(config, epochs=config.epochs + 1), task.manifest)


def test_other_records_and_a_folder_without_a_description(begun, tmp_path):
    config, manifest = begun
    with pytest.raises(UserError, match="^--records_dir=.*: holds other records than the run in .* was started with "
                                        r"\(the same examples, made otherwise; they were made anew since\); give"):
        check_same(config, dataclasses.replace(manifest, seed=manifest.seed + 1))
    with pytest.raises(UserError, match="holds checkpoints but no config.json; restore it, or start over with --fresh"):
        check_same(dataclasses.replace(config, run_dir=str(tmp_path / "nowhere")), manifest)


def test_all_flags_that_differ_are_named_at_once(begun):
    config, manifest = begun
    with pytest.raises(UserError, match="^--seed=5; --dropout=0.25; --tag_weight is left out, or 0.0, its default: the "
                                        "run in .* was started with --seed=0 --dropout=0.5 --tag_weight=0.5; give "
                                        "these to continue it"):
        check_same(dataclasses.replace(config, seed=5, dropout=0.25, tag_weight=0.0), manifest)


def test_other_records_are_said_before_flags(begun):
    config, manifest = begun
    assert manifest.backbone
    for change, words in (
            ({"backbone": dataclasses.replace(manifest.backbone, name="other")}, "the backbone is other, not "),
            ({"backbone": dataclasses.replace(manifest.backbone, weights_sha256="1" * 64)}, "the backbone's weights' "),
            ({"files": {"vocabulary.txt": FileInfo(1, "1" * 64)}}, "another vocabulary"),
            ({"splits": {}}, "other examples")):
        with pytest.raises(UserError, match=rf"^--records_dir=elsewhere: .*\({words}.*; its own are .*records\), and "
                                            "with --seed=0; give those"):
            check_same(dataclasses.replace(config, records_dir="elsewhere", seed=5),
                       dataclasses.replace(manifest, **change))


def test_flags_of_stages_that_a_run_does_without_may_be_anything(begun):
    config, manifest = begun
    check_same(dataclasses.replace(config, pixel_epochs=99, mirror=False, teacher_weight=0.25), manifest)
    with pytest.raises(UserError, match="--self_critical_samples=9"):  # it has that stage
        check_same(dataclasses.replace(config, self_critical_samples=9), manifest)


def test_flags_of_stages_exist():
    fields = {field.name for field in dataclasses.fields(Train)}
    assert fields >= OF_PIXELS | OF_SELF_CRITICAL
