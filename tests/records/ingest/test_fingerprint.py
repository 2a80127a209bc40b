"""What shapes the bytes is compared; what does not may change."""

import dataclasses

import pytest

from flags.errors import UserError
from flags.make_records import MakeRecords
from records.ingest import fingerprint


@pytest.fixture
def config(tmp_path):
    (tmp_path / "captions.csv").write_text("image,caption\na.jpg,a dog\n")
    (tmp_path / "train.txt").write_text("a.jpg\n")
    return MakeRecords(images=tmp_path, captions=tmp_path / "captions.csv", records_dir=tmp_path / "r",
                       split_lists=f"train={tmp_path / 'train.txt'}")


@pytest.mark.parametrize("records_dir, name", [
    ("/data/My photos (2024)", "my_photos_2024"), ("/data/2024", "records_2024"), ("gs://b/coco", "coco"),
    ("/data/日本", "records")])
def test_a_name_that_tensorflow_datasets_accepts(records_dir, name):
    assert fingerprint.dataset_name(MakeRecords(captions="c", records_dir=records_dir)) == name


def test_a_name_of_ones_own_is_taken_or_refused():
    assert fingerprint.dataset_name(MakeRecords(captions="c", records_dir="r", name="Photos_1")) == "Photos_1"
    with pytest.raises(UserError, match="--name=my-photos: expected letters, digits and underscores"):
        fingerprint.dataset_name(MakeRecords(captions="c", records_dir="r", name="my-photos"))


def test_contents_count_and_paths_do_not(config, tmp_path):
    before = fingerprint.settings_of(config, "n")
    (tmp_path / "moved.csv").write_text((tmp_path / "captions.csv").read_text())
    moved = dataclasses.replace(config, captions=tmp_path / "moved.csv", workers=3, overwrite=True, runner="beam")
    fingerprint.check_same(before, fingerprint.settings_of(moved, "n"), "r", "records")
    (tmp_path / "train.txt").write_text("b.jpg\n")
    with pytest.raises(UserError, match="^--records_dir=r: holds records made before a list of --split_lists changed, "
                                        "or with another; undo that, or give another folder, or --overwrite to make "
                                        "the records anew$"):
        fingerprint.check_same(before, fingerprint.settings_of(config, "n"), "r", "records")


@pytest.mark.parametrize("changes, named", [
    ({"min_count": 5}, "--min_count: 1 there, 5 now"), ({"seed": 1}, "--seed"), ({"store_images": False}, "--store"),
    ({"store_size": 9}, "made without --store_size, which is 9 now; leave it out, or give another folder")])
def test_a_flag_that_shapes_the_bytes_is_named(config, changes, named):
    changed = fingerprint.settings_of(dataclasses.replace(config, **changes), "n")
    with pytest.raises(UserError, match=named):
        fingerprint.check_same(fingerprint.settings_of(config, "n"), changed, "r", "records")


def test_another_version_of_a_library_is_named(config):
    now = fingerprint.settings_of(config, "n")
    with pytest.raises(UserError, match="made with pillow 0.1, and .* is installed now; install that version, or give"):
        fingerprint.check_same({**now, "pillow": "0.1"}, now, "r", "records")


def test_what_is_known_of_photos_outlives_other_splits_and_counts(config, tmp_path):
    """A restart with another --min_count keeps the photos that were checked; another table does not."""
    inputs = fingerprint.database_inputs(fingerprint.settings_of(config, "n"), "images")
    other = dataclasses.replace(config, min_count=5, seed=3)
    assert fingerprint.database_inputs(fingerprint.settings_of(other, "n"), "images") == inputs
    (tmp_path / "captions.csv").write_text("image,caption\na.jpg,a cat\n")
    assert fingerprint.database_inputs(fingerprint.settings_of(config, "n"), "images") != inputs


def test_a_table_that_is_not_there_is_named(config, tmp_path):
    with pytest.raises(UserError, match="--split_lists: .*nowhere.txt does not exist; give the path of a file"):
        fingerprint.settings_of(dataclasses.replace(config, split_lists=f"train={tmp_path / 'nowhere.txt'}"), "n")
