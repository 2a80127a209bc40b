"""make_records from its flags to its lines: several tables, lists, links; what is refused, what the summary says."""

import dataclasses
import json
import shutil
import sqlite3

import pytest

import main
from flags.errors import UserError
from flags.make_records import MakeRecords
from records.format import manifest as manifests
from records.ingest import fingerprint
from records.input.shard_reader import open_split
from records.make_records import _refused
from records.util.process_pool import WorkerDied
from tests.records.inputs import contents, make, write_table
from tests.records.test_make_records import keys_of


@pytest.mark.parametrize(("flags", "message"), [
    ({"images": "nowhere"}, "--images=nowhere: no such folder"), ({"images": ""}, "--images is required"),
    ({"store_images": False}, "leaves nothing of the photos"),
    ({"store_images": False, "store_size": 9, "backbone": "resnet50"}, "--store_size=9 with --store_images=false"),
    ({"shards": "train=91"}, "more than its"),
    ({"shards": "other=1"}, "no such split"), ({"shards": "train=x"}, "expected a number"),
    ({"shards": "train"}, "expected name=value"), ({"min_count": 0}, "--min_count=0: expected at least 1"),
    ({"max_rejected": "lots"}, "expected a share such as 5%"), ({"name": "a-b"}, "--name=a-b"),
    ({"split_fractions": "validation=1"}, "the train split is empty"), ({"captions": "nowhere.csv"}, "nowhere.csv")])
def test_flags_that_cannot_work_are_explained_and_can_be_mended(photos, tmp_path, flags, message):
    with pytest.raises(UserError, match=message):
        make(**{"images": photos[0], "captions": photos[1], "records_dir": tmp_path / "r", **flags})
    assert not (tmp_path / "r").exists() or contents(tmp_path / "r").keys() == {"rejected.jsonl"}
    if "images" not in flags:
        make(*photos, tmp_path / "r")  # what was found out until then is no obstacle


def test_flags_are_compared_with_those_of_the_records_before_weights_are_loaded(photos, tmp_path):
    gone = {"backbone": "resnet50", "backbone_weights": str(tmp_path / "gone.weights.h5")}
    records = make(*photos, tmp_path / "r")
    with pytest.raises(UserError, match="made with another value of --backbone: 'none' there, 'resnet50' now"):
        make(*photos, records, **gone)
    manifest, config = manifests.load(records), MakeRecords(records_dir=str(records), backbone="resnet50")
    manifests.save(records, dataclasses.replace(
        manifest, backbone=manifests.BackboneInfo("resnet50", "mine.h5", "0" * 64, 2048, 224, "caffe", "float32"),
        flags={**manifest.flags, "backbone": "resnet50", **fingerprint.backbone_settings(config, "0" * 64)}))
    with pytest.raises(UserError, match="gone.weights.h5.*; the records in .* were made with --backbone_weights=mine"):
        make(*photos, records, **gone)


def test_a_folder_that_cannot_be_written_is_explained(photos, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--records_dir"):
        make(*photos, tmp_path / "file")
    with pytest.raises(UserError, match="--records_dir"):
        make(*photos, tmp_path / "file" / "below")


# --- what people have, from the table to the records --------------------------------------------------------------


def test_lists_of_ids_are_completed_as_the_tables_names_are(photos, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("image_id,caption\nphoto_0000,a red box\nphoto_0001,a big box\n")
    (tmp_path / "train.txt").write_text("photo_0000\n")
    (tmp_path / "val.txt").write_text(f"{photos[0]}/photo_0001.jpg\n")
    records = make(photos[0], table, tmp_path / "r",
                   split_lists=f"train={tmp_path}/train.txt,validation={tmp_path}/val.txt", max_rejected="0")
    assert (keys_of(records, "train"), keys_of(records, "validation")) == (["photo_0000.jpg"], ["photo_0001.jpg"])


def test_several_tables_are_one_input_by_a_list_and_by_the_flag_given_twice(photos, tmp_path, capsys):
    for name, photo in (("captions_train2017.csv", "photo_0000.jpg"), ("captions_val2017.csv", "photo_0001.jpg")):
        write_table(tmp_path / name, [(photo, "a dog runs")])
    train, val = tmp_path / "captions_train2017.csv", tmp_path / "captions_val2017.csv"
    records = make(photos[0], f"{train},{val}", tmp_path / "r")
    assert (keys_of(records, "train"), keys_of(records, "validation")) == (["photo_0000.jpg"], ["photo_0001.jpg"])
    shown = capsys.readouterr().out
    assert "named after, captions_train2017.csv: train, captions_val2017.csv: validation" in shown
    assert "--overwrite" not in shown and "--seed" not in shown  # nothing to draw anew: the splits are official
    with pytest.raises(UserError, match="has no split 'test', it has train, validation; give --split=validation$"):
        open_split(records, "test", flag="split")
    command = ["main.py", "--mode=make_records", f"--images={photos[0]}", f"--records_dir={records}", "--backbone=none",
               "--name=photos", f"--captions={train}"]
    capsys.readouterr()
    assert main.main([*command, f"--captions={val}"]) == 0
    said = capsys.readouterr()
    assert "nothing to do" in said.out and "--glossary" not in said.err
    assert main.main(command) == 1
    assert "made before the table of --captions changed, or with another; undo that" in capsys.readouterr().err


def test_links_out_of_images_need_a_flag(photos, tmp_path, capsys):
    images = tmp_path / "snapshot"
    images.mkdir()
    for name in ("photo_0000.jpg", "photo_0001.jpg"):
        (images / name).symlink_to(photos[0] / name)
    shutil.copy(photos[0] / "photo_0002.jpg", images)
    table = write_table(tmp_path / "t.csv", [(f"photo_000{i}.jpg", f"dog number {i}") for i in range(3)])
    make(images, table, tmp_path / "without", split_fractions="train=1")
    said = capsys.readouterr().out
    assert "more than half of the rows are left out, 2 of 3: 2 rows like t.csv:2: photo is a link that leads " in said
    assert "--follow_links takes photos that are links out of it" in said
    assert keys_of(tmp_path / "without") == ["photo_0002.jpg"]
    with_links = make(images, table, tmp_path / "with", split_fractions="train=1", follow_links=True)
    assert len(keys_of(with_links)) == 3
    plain = make(photos[0], table, tmp_path / "plain", split_fractions="train=1")
    assert {k: v for k, v in contents(with_links).items() if "tfrecord" in k} == {
        k: v for k, v in contents(plain).items() if "tfrecord" in k}


def test_the_summary_shows_examples_as_they_were_understood(photos, tmp_path, capsys):
    table = tmp_path / "t.jsonl"
    table.write_text("\n".join(json.dumps(row) for row in (
        {"image": "photo_0000.jpg", "captions": [f"a dog runs {i}" for i in range(5)], "split": "train"},
        {"image": "photo_0001.jpg", "tags": ["traffic light", "bus"], "split": "train"},
        {"image": "photo_0002.jpg", "caption": "a cat", "split": "val"})))
    make(photos[0], table, tmp_path / "r")
    assert sorted(line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")) == [
        '  train  photo_0000.jpg: "a dog runs 0", "a dog runs 1", "a dog runs 2" (+2 more); tags: dog, run',
        '  train  photo_0001.jpg: "traffic light, bus"; tags: traffic light, bus',
        '  validation  photo_0002.jpg: "a cat"; tags: none; <unk>: cat']


def test_the_summary_says_what_a_small_set_lacks(photos, tmp_path, capsys):
    table = write_table(tmp_path / "t.csv", [(f"photo_000{i}.jpg", f"a dog sees number{i}") for i in range(3)])
    make(photos[0], table, tmp_path / "r", split_fractions="train=0.998,validation=0.001,test=0.001", min_count=2)
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("validation and test: no photos; train needs validation to tell its best epoch and eval "
                               "needs test") and "--split_lists=train=FILE" in line for line in lines)
    assert any("25.0% of the words of train are <unk>, which is much: make records with a smaller --min_count" in line
               for line in lines)


def test_three_photos_leave_no_split_to_choose_by_and_train_says_what_helps(photos, tmp_path, capsys):
    names = [f"photo_000{i}.jpg" for i in range(3)]
    table = write_table(tmp_path / "t.csv", [(name, "a dog") for name in names])
    for seed in range(9):  # one draw in two has all three in train
        records = make(photos[0], table, tmp_path / f"r{seed}", seed=seed)
        if set(manifests.load(records).splits) == {"train"}:
            break
    assert "validation and test: no photos; train needs validation" in capsys.readouterr().out
    with pytest.raises(UserError, match="no split 'validation', it has train; no photo is held out, so make records"):
        open_split(records, "validation")


def test_inputs_that_do_not_exist_are_noticed_before_the_backbone(photos, tmp_path):
    given = {"images": photos[0], "captions": photos[1], "records_dir": tmp_path / "r", "backbone": "resnet50",
             "backbone_weights": "not_looked_for.h5"}
    for flags, named in (({"captions": "typo.csv"}, "--captions: typo.csv does not exist"),
                         ({"captions": "webdataset:typo.tar"}, "typo.tar: there is no such file"),
                         ({"vocabulary": "typo"}, "--vocabulary=typo: no such folder")):
        with pytest.raises(UserError, match=named):
            make(**{**given, **flags})


def test_nothing_usable_names_the_reasons(photos, tmp_path):
    table = write_table(tmp_path / "t.csv", [("https://example.org/a.jpg", "a dog")] * 3 + [("photo_0000.jpg", "")])
    for limit in (None, "100%"):
        with pytest.raises(UserError, match='no usable caption: all 4 rows are left out: 3 rows like t.csv:2: image '
                                            'name is a URL, .*download the photos first.*; 1 row like t.csv:5: caption '
                                            'is empty'):
            make(photos[0], table, tmp_path / "r", max_rejected=limit)


def test_photos_that_are_all_in_other_splits_are_said_to_be(photos, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("image,caption,split\nphoto_0000.jpg,a dog,val\nphoto_0001.jpg,a cat,banana\n")
    with pytest.raises(UserError, match='train split is empty: of the photos, validation has 1; the table.s own splits '
                                        'name no train.*1 of 2 rows are left out: 1 row like t.csv:3: split "banana" '
                                        'is unknown'):
        make(photos[0], table, tmp_path / "r")
    make(photos[0], table, tmp_path / "r", split_fractions="train=1")
    assert len(keys_of(tmp_path / "r")) == 2


@pytest.mark.parametrize(("error", "told"), [
    (MemoryError(), "memory ran out: pass fewer --workers"),
    (WorkerDied("a worker process died"), "a worker process died: pass fewer --workers"),
    (OSError(28, "No space left on device", "r/x"), "--records_dir=r: cannot be written ([Errno 28] No space left on")])
def test_what_the_machine_refuses_is_told_as_it_is(error, told):
    assert str(_refused("r", error)).startswith(told)


def test_sqlite_out_of_memory_is_not_interrupted():
    error = sqlite3.OperationalError("interrupted")
    error.sqlite_errorcode = sqlite3.SQLITE_INTERRUPT
    assert str(_refused("r", error)).startswith("memory ran out: pass fewer --workers")
