"""make_records started again: after its end, after kills, with other flags, beside another one."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from flags.errors import UserError
from records.format import manifest as manifests
from records.ingest.fingerprint import check_same
from records.verify_records import problems
from tests.records.inputs import DEMO, contents, make, write_captions, write_photos

ROOT = DEMO.parents[1]


def test_started_again_a_finished_folder_is_left_alone(photos, records, capsys):
    before = {path: path.stat().st_mtime_ns for path in records.iterdir()}
    make(*photos, records, shards="train=4,validation=2")
    assert {path: path.stat().st_mtime_ns for path in records.iterdir()} == before
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize(("flags", "named"), [
    ({"seed": 3}, "--seed: 0 there, 3 now"), ({"min_count": 2}, "--min_count"), ({"target": "tags"}, "--target"),
    ({"shards": "train=5"}, "--shards"), ({"store_images": True, "max_words": 7}, "--max_words")])
def test_another_flag_is_refused_by_name(photos, records, flags, named):
    before = contents(records)
    with pytest.raises(UserError, match=named):
        make(*photos, records, **{"shards": "train=4,validation=2", **flags})
    assert contents(records) == before


def test_another_table_is_refused_and_overwrite_makes_it_anew(photos, records, tmp_path):
    copy = shutil.copytree(records, tmp_path / "copy")
    table = shutil.copy(photos[1], tmp_path / "captions.csv")
    with open(table, "a") as file:
        file.write("photo_0000.jpg,one caption more\n")
    with pytest.raises(UserError, match="made before the table of --captions changed, or with another; undo that"):
        make(photos[0], table, copy, shards="train=4,validation=2")
    make(photos[0], table, copy, shards="train=3", overwrite=True)
    assert problems(copy) == []
    assert len(list(copy.glob("*-train.tfrecord-*"))) == 3
    assert sum(split.captions for split in manifests.load(copy).splits.values()) == 181


def test_a_dataset_that_was_replaced_is_refused(photos, records, tmp_path, capsys):
    dataset = shutil.copytree(records, tmp_path / "dataset")
    captions, target = f"tfds:{dataset}", tmp_path / "r"
    make("", captions, target, name="again")
    capsys.readouterr()
    (dataset / "contact_sheet.png").touch()
    make("", captions, target, name="again")
    assert "nothing to do" in capsys.readouterr().out
    shard = next(dataset.glob("*-train.tfrecord-00000-*"))
    before = shard.stat()
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")  # as long as it was
    os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(UserError, match="made before the dataset of --captions changed, or with another"):
        make("", captions, target, name="again")
    shutil.rmtree(dataset)
    make("", captions, target, name="again")
    assert "nothing to do" in capsys.readouterr().out


def test_records_from_before_a_setting_was_there_are_left_alone():
    check_same({"seed": 0}, {"seed": 0, "dataset_sha256": "1", "tag_forms": "published"}, "r", "records")
    with pytest.raises(UserError, match="--tag_forms: 'published' there, 'merged' now"):
        check_same({"seed": 0}, {"seed": 0, "tag_forms": "merged"}, "r", "records")


def test_foreign_shards_are_not_taken_over(photos, tmp_path):
    (tmp_path / "mine-train.tfrecord-00000-of-00001").write_bytes(b"precious")
    with pytest.raises(UserError, match="mine-train.tfrecord-00000-of-00001"):
        make(*photos, tmp_path)
    assert (tmp_path / "mine-train.tfrecord-00000-of-00001").read_bytes() == b"precious"


def kill_and_restart(photos, target, kills, seed, extra=()):
    """Runs the command line until it was killed `kills` times, at random moments of a run's length, and once more.

    A run that ends before its moment counts as no kill: its folder is removed, so that there is work again.
    """
    command = [sys.executable, "main.py", "--mode=make_records", f"--images={photos[0]}", f"--captions={photos[1]}",
               f"--records_dir={target}", "--backbone=none", "--name=photos", "--workers=2", *extra]
    start = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    length = time.monotonic() - start
    uninterrupted = contents(target)
    shutil.rmtree(target)
    random_ = random.Random(seed)
    hits, starts = 0, 0
    while hits < kills:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        starts += 1
        try:
            # Early moments more often: the work that is left gets less with every restart.
            process.communicate(timeout=random_.uniform(0.2, 1) ** 2 * length)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            hits += 1
        else:
            assert process.returncode == 0
            assert contents(target) == uninterrupted, "a run after kills ended with other bytes"
            shutil.rmtree(target)
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return uninterrupted, contents(target), starts


def test_three_kills_leave_no_trace(photos, tmp_path):
    uninterrupted, killed, _ = kill_and_restart(photos, tmp_path / "records", kills=3, seed=0,
                                                extra=("--shards=train=6,validation=2",))
    assert killed == uninterrupted


def test_half_a_vocabulary_of_a_killed_run_is_removed_and_a_users_file_is_not(photos, tmp_path):
    (tmp_path / "r").mkdir()
    for name in ("vocabulary.txt.tmp-17", "tags.txt.tmp-17", "mine.txt.tmp-17"):
        (tmp_path / "r" / name).write_text("half")
    make(*photos, tmp_path / "r")
    assert [name for name in contents(tmp_path / "r") if "tmp" in name] == ["mine.txt.tmp-17"]


@pytest.mark.slow
def test_thirty_kills_on_600_photos_leave_no_trace(tmp_path):
    names = write_photos(tmp_path / "images", 600, size=224)
    table = write_captions(tmp_path / "captions.csv", names, per_image=5)
    uninterrupted, killed, starts = kill_and_restart((tmp_path / "images", table), tmp_path / "records", kills=30,
                                                     seed=1, extra=("--shards=train=12,validation=3,test=3",))
    assert killed == uninterrupted
    print(f"30 kills in {starts} starts")


def test_a_restart_keeps_finished_shards(photos, tmp_path, capsys):
    """A kill after two shards or more, but before the last."""
    target = tmp_path / "records"
    make(*photos, target, shards="train=4,validation=2")
    receipts = tmp_path / "killed" / ".make_records" / "done"
    while len(list(receipts.glob("*.json"))) < 2:  # on a busy machine the kill may come after the last shard
        shutil.rmtree(tmp_path / "killed", ignore_errors=True)
        process = subprocess.Popen(
            [sys.executable, "main.py", "--mode=make_records", f"--images={photos[0]}", f"--captions={photos[1]}",
             f"--records_dir={tmp_path / 'killed'}", "--backbone=none", "--name=photos", "--workers=1",
             "--shards=train=4,validation=2"], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        while process.poll() is None and len(list(receipts.glob("*.json"))) < 2:
            pass
        process.kill()
        process.communicate()
    finished = [tmp_path / "killed" / path.stem for path in receipts.glob("*.json")]
    written = {path: path.stat().st_mtime_ns for path in finished}
    make(*photos, tmp_path / "killed", shards="train=4,validation=2")
    assert f"kept {len(finished)} of 7 shards" in capsys.readouterr().out
    assert len(finished) >= 2 and {path: path.stat().st_mtime_ns for path in finished} == written
    assert contents(tmp_path / "killed") == contents(target)


def test_unfinished_records_are_refused_with_other_flags(photos, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "main.py", "--mode=make_records", f"--images={photos[0]}", f"--captions={photos[1]}",
         f"--records_dir={tmp_path / 'r'}", "--backbone=none", "--workers=1"],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    while process.poll() is None and not (tmp_path / "r" / ".make_records" / "settings.json").exists():
        pass
    process.kill()
    process.communicate()
    with pytest.raises(UserError, match="unfinished records made with another value of --seed"):
        make(*photos, tmp_path / "r", name="r", seed=1)
    with pytest.raises(UserError, match="did not finish here"):
        manifests.load(tmp_path / "r")
    make(*photos, tmp_path / "r", name="r", seed=1, overwrite=True)
    assert problems(tmp_path / "r") == []


def test_two_at_a_time_are_refused(photos, tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys; from records.ingest.staging import StagingFolder\n"
         f"with StagingFolder({str(tmp_path / 'r')!r}).locked(): print('held', flush=True); sys.stdin.read()"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(UserError, match="another make_records is writing there"):
        make(*photos, tmp_path / "r")
    holder.communicate()
    make(*photos, tmp_path / "r")
