"""The manifest: what was written is read back, anything else is refused with a remedy."""

import dataclasses
import json

import pytest

from flags.errors import UserError
from records.format import layout
from records.format.manifest import (
    BackboneInfo,
    FileInfo,
    Manifest,
    Rejected,
    ShardInfo,
    SplitInfo,
    check_sizes,
    from_json,
    load,
    save,
)

SHARD = ShardInfo("n-train.tfrecord-00000-of-00001", 5, "ab" * 32, 2, 4, 31)
MANIFEST = Manifest(
    "n", "captions", 0, {"tagger": "1"}, {"seed": 0, "shards": "", "split_lists": None},
    BackboneInfo("resnet50", "imagenet", "cd" * 32, 2048, 224, "caffe", "float32"), 9, 1, 0, 100,
    {"train": SplitInfo(2, 4, 31, 12, (SHARD,))}, {"vocabulary.txt": FileInfo(3, "ef" * 32)}, 1,
    Rejected(2, {"ümläut": 2}))


@pytest.fixture
def folder(tmp_path):
    save(tmp_path, MANIFEST)
    (tmp_path / SHARD.file).write_bytes(b"12345")
    (tmp_path / "vocabulary.txt").write_bytes(b"abc")
    return tmp_path


@pytest.mark.parametrize("manifest", [MANIFEST, dataclasses.replace(MANIFEST, backbone=None)])
def test_a_manifest_is_read_back_as_it_was(manifest):
    assert from_json(manifest.to_json()) == manifest


def test_a_whole_folder_passes(folder):
    assert load(folder) == MANIFEST
    check_sizes(folder, load(folder))


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda folder: (folder / SHARD.file).unlink(), "tfrecord-00000-of-00001: is missing, .* lists it with 5 bytes"),
    (lambda folder: (folder / SHARD.file).write_bytes(b"1234"), "has 4 bytes, manifest.json says 5"),
    (lambda folder: (folder / "vocabulary.txt").write_bytes(b""), "vocabulary.txt: has 0 bytes"),
    (lambda folder: (folder / "n-train.tfrecord-00001-of-00002").write_bytes(b""), "is a shard that manifest"),
])
def test_files_of_other_sizes_are_named(folder, spoil, message):
    spoil(folder)
    with pytest.raises(UserError, match=message):
        check_sizes(folder, MANIFEST)


@pytest.mark.parametrize("edit", [
    lambda body: body | {"format": 2}, lambda body: body | {"seed": 1}, lambda body: body | {"sha256": "0" * 64},
    lambda body: {k: v for k, v in body.items() if k != "sha256"}, lambda body: [], lambda body: body | {"more": 1}])
def test_an_edited_manifest_is_refused(folder, edit):
    (folder / layout.MANIFEST).write_text(json.dumps(edit(json.loads(MANIFEST.to_json()))))
    with pytest.raises(UserError, match=r"manifest.json: is damaged: .*; restore it from a copy"):
        load(folder)


def test_folders_without_one_are_told_apart(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no folder that make_records finished"):
        load(tmp_path)
    layout.staging_dir(tmp_path).mkdir()
    with pytest.raises(UserError, match="did not finish here; run the same make_records command again"):
        load(tmp_path)


def test_a_run_folder_is_not_taken_for_damaged_records(tmp_path):
    """It holds a copy of the manifest: a reader would report its shards as lost, and advise to make them again."""
    save(tmp_path, MANIFEST)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="is a folder that train wrote"):
        load(tmp_path)
