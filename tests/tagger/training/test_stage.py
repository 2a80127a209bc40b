import dataclasses

import pytest

from flags.errors import UserError
from records.text.vocabulary import Vocabulary
from tagger.runs import run_dir
from tagger.training.caption_task import CaptionTask
from tagger.training.distribution import open_devices
from tagger.training.stage import check_same


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
    check_same(dataclasses.replace(config, epochs=config.epochs + 1), manifest)


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
    with pytest.raises(UserError, match="--records_dir=.*: holds other records than the run in"):
        check_same(config, dataclasses.replace(manifest, seed=manifest.seed + 1))
    with pytest.raises(UserError, match="holds checkpoints but no config.json; restore it, or start over with --fresh"):
        check_same(dataclasses.replace(config, run_dir=str(tmp_path / "nowhere")), manifest)
