import dataclasses
import json
import shutil

import pytest

from flags.errors import UserError
from tagger import train
from tagger.training.run_folder import check_free
from tests.records.inputs import contents, make, write_captions, write_photos


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """A folder as make_records leaves it."""
    folder = tmp_path_factory.mktemp("made")
    return make(folder / "images", write_captions(folder / "c.csv", write_photos(folder / "images", 6)),
                folder / "records", split_fractions="train=0.5,validation=0.5")


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("again", [False, True], ids=["finished", "begun_again"])
def test_records_are_never_trained_into(task_config, records, tmp_path, fresh, again):
    folder = tmp_path / "records"
    shutil.copytree(records, folder)
    if again:
        for name in ("manifest.json", "dataset_info.json"):
            (folder / name).unlink()
    before = contents(folder)
    config = dataclasses.replace(task_config, records_dir=str(records), run_dir=str(folder), fresh=fresh)
    with pytest.raises(UserError, match="^--run_dir=.*records: holds records; give a folder of its own$"):
        train.run(config)
    assert contents(folder) == before


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(("files", "message"), [
    (["a.jpg", "b.jpg", "c.jpg", "d.jpg"], "is no run, and holds a.jpg, b.jpg, c.jpg and 1 more; give a folder of its "
                                           "own, such as .*photos/run"),
    (["config.json", "model.safetensors"], "is no run, and holds config.json, model.safetensors;"),
    (["one/config.json", "two/config.json", "notes.md"], "has some in it: one, two; give a folder of its own, such as"),
    (["data/a.csv", "vocabulary.txt", "train.log"], "is no run, and holds data;")])
def test_what_is_no_run_is_left_alone(task_config, tmp_path, files, message, fresh):
    folder = tmp_path / "photos"
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps({"architectures": ["other"]}))
    before = contents(folder)
    with pytest.raises(UserError, match=message):
        train.run(dataclasses.replace(task_config, run_dir=str(folder), fresh=fresh))
    assert contents(folder) == before


@pytest.mark.parametrize("files", [
    [], ["manifest.json", "vocabulary.txt", "word_counts.tsv", "tags.txt", "config.json.tmp-123"],
    ["cross_entropy/config.json", "teacher_1/config.json"],
    ["slurm-17.out", "train.log", ".nfs1", "tensorboard/events.out.tfevents.1", "job.flags"],
    ["config.json", "checkpoints/step-00000001.npz", "my notes.txt"]])  # a run that is damaged says so itself
def test_what_trainings_and_jobs_leave_is_no_obstacle(tmp_path, files):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    check_free(tmp_path)
    check_free(tmp_path / "nowhere")
