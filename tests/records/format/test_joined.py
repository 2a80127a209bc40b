"""Several records folders as one split."""

import dataclasses

import pytest

from flags.errors import UserError
from records.format import joined
from records.format import manifest as manifests
from records.input.caption_dataset import CaptionDataset
from records.input.options import InputOptions
from records.input.shard_reader import images, open_split
from tests.records import folders
from tests.records.inputs import make, write_captions, write_photos


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Two folders of a train split; the first has a test split too."""
    base = tmp_path_factory.mktemp("joined")
    shards = [folders.random_split(seed, sizes) for seed, sizes in ((0, [5, 9]), (1, [4, 3, 8]), (2, [6]))]
    folders.write(base / "a", {"train": shards[0], "test": shards[2]})
    folders.write(base / "b", {"train": shards[1]})
    return base, shards


def test_the_whole_has_the_examples_of_each_in_turn(parts):
    base, shards = parts
    both = f"{base / 'a'},{base / 'b'}"
    split = open_split(both, "train")
    assert [example["key"].decode() for example in images(split).as_numpy_iterator()] == [
        f"train/{s}/{r}" for part in shards[:2] for s, records in enumerate(part) for r in range(len(records))]
    assert [shard.file for shard in split.info.shards][-1] == "test-train.tfrecord-00004-of-00005"
    assert manifests.from_json(split.manifest.to_json()) == split.manifest  # a run keeps a copy
    assert open_split(both, "test").info == open_split(base / "a", "test").info
    assert joined.first(both) == str(base / "a") and joined.load(base / "a") == manifests.load(base / "a")


@pytest.mark.parametrize("ram_budget_mb", [100, 0])
def test_batches_of_the_whole_hold_every_caption_once(parts, ram_budget_mb):
    base, shards = parts
    dataset = CaptionDataset(open_split(f"{base / 'a'}, {base / 'b'}", "train"),
                             InputOptions(batch_size=5, ram_budget_mb=ram_budget_mb), vocabulary_size=100)
    rows = [tuple(row[row > 0].tolist()) for batch in dataset.epoch(0).as_numpy_iterator()
            for row, key in zip(batch["targets"], batch["key"], strict=True) if key]
    expected = [(*caption, 1) for part in shards[:2] for shard in part for record in shard for caption in record]
    assert sorted(rows) == sorted(expected) and dataset.in_memory == bool(ram_budget_mb)


def test_folders_that_mean_something_else_do_not_fit(parts, tmp_path):
    base, shards = parts
    manifest = manifests.load(base / "b")
    for name, change, said in (
            ("target", {"target": "tags"}, "their targets are tags and captions; make .* anew with --target=captions"),
            ("words", {"files": {**manifest.files, "vocabulary.txt": manifests.FileInfo(1, "1" * 64)}},
             "each has a vocabulary of its own; make .* anew with --vocabulary="),
            ("backbone", {"backbone": dataclasses.replace(manifest.backbone, weights_sha256="1" * 64)},
             "its features do not fit .*: the backbone's weights' sha256 is 1111"),
            ("none", {"backbone": None}, "its records hold no features")):
        (tmp_path / name).mkdir()
        manifests.save(tmp_path / name, dataclasses.replace(manifest, **change))
        with pytest.raises(UserError, match=said):
            joined.load(f"{base / 'a'},{tmp_path / name}")
    with pytest.raises(UserError, match="is named twice"):
        joined.load(f"{base / 'a'},{base / 'a'}")
    with pytest.raises(UserError, match="no such folder"):
        joined.load(f"{base / 'a'},{tmp_path / 'nowhere'}")


def test_records_with_the_words_of_others_fit_them(tmp_path):
    names = write_photos(tmp_path / "images", 12)
    tables = [write_captions(tmp_path / f"{part}.csv", names[part::2]) for part in (0, 1)]
    flags = {"split_fractions": "train=1"}
    first = make(tmp_path / "images", tables[0], tmp_path / "a", **flags)
    second = make(tmp_path / "images", tables[1], tmp_path / "b", vocabulary=str(first), **flags)
    assert joined.load(f"{first},{second}").splits["train"].examples == 12
    with pytest.raises(UserError, match="drop these"):
        make(tmp_path / "images", tables[1], tmp_path / "c", vocabulary=str(first), min_count=2)
    with pytest.raises(UserError, match="--target=tags with --vocabulary=.*: these records were made with"):
        make(tmp_path / "images", tables[1], tmp_path / "c", vocabulary=str(first), target="tags")
