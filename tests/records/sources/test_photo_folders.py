"""Photos with texts beside them, and folders whose names are tags."""

import json
import shutil

import pytest

import main
from flags.errors import UserError
from records.sources import BadRow, open_source
from tests.records.inputs import PHOTOS, contents, make


def folder_of(folder, files):
    """A folder of photos, and of texts where a value is one."""
    for index, (name, text) in enumerate(files.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            shutil.copy(PHOTOS[index], folder / name)
        else:
            (folder / name).write_text(text, "utf-8")
    return folder


def read(captions, images, **options):
    rows = list(open_source(captions, "auto", str(images), **options))
    return ([row for row in rows if not isinstance(row, BadRow)],
            [(row.where, row.reason) for row in rows if isinstance(row, BadRow)])


def test_each_line_of_a_text_is_a_caption(tmp_path):
    rows, bad = read("sidecar", folder_of(tmp_path, {
        "a.jpg": None, "a.txt": "\ufeffA dog.\r\n\r\nA brown dog.\n", "b.PNG": None, "b.caption": "A cat",
        "train/c.webp": None, "train/c.webp.txt": "A bus", "d.jpg": None, "e.jpg": None, "e.txt": " \n",
        "f.txt": "no photo", ".hidden/x.jpg": None}))
    assert [(row.image, row.caption, row.where, row.split) for row in rows] == [
        ("a.jpg", "A dog.", "a.txt:1", None), ("a.jpg", "A brown dog.", "a.txt:3", None),
        ("b.PNG", "A cat", "b.caption:1", None), ("train/c.webp", "A bus", "train/c.webp.txt:1", "train")]
    assert bad == [("d.jpg", "image has no caption: there is no .txt or .caption of its name"),
                   ("e.txt", "caption is empty"), ("f.txt", "text has no image: there is no photo of its name")]


def test_a_folder_is_the_tag_and_a_split_before_it_the_split(tmp_path):
    rows, bad = read("folders", folder_of(tmp_path, {
        "cat/1.jpg": None, "traffic light/2.jpg": None, "val/dog/deep/3.jpg": None, "4.jpg": None, "test/5.jpg": None}))
    assert [(row.image, row.keywords, row.split) for row in rows] == [
        ("cat/1.jpg", ("cat",), None), ("traffic light/2.jpg", ("traffic light",), None),
        ("val/dog/deep/3.jpg", ("dog",), "validation")]
    assert [where for where, _ in bad] == ["4.jpg", "test/5.jpg"]


def test_comma_tags_beside_photos_become_tags(tmp_path):
    images = folder_of(tmp_path / "photos", {
        name: text for i in range(4) for name, text in ((f"{i}.jpg", None), (f"{i}.txt", "1girl, long hair, dog"))})
    records = make(images, "sidecar", tmp_path / "records", target="tags", split_fractions="train=1.0")
    assert {"1girl", "long hair", "dog"} <= set((records / "tags.txt").read_text().split("\n"))


def test_folders_make_records_of_tags_and_another_content_is_told(tmp_path):
    images = folder_of(tmp_path / "photos", {f"{split}/{tag}/{i}.jpg": None for i, (split, tag) in enumerate(
        [("train", "cat"), ("train", "dog"), ("val", "cat"), ("val", "dog")])})
    records = make(images, "folders", tmp_path / "records")
    manifest = json.loads((records / "manifest.json").read_text())
    assert {name: split["examples"] for name, split in manifest["splits"].items()} == {"train": 2, "validation": 2}
    assert set((records / "tags.txt").read_text().split()) >= {"cat", "dog"}
    before = contents(records)
    assert contents(make(images, "folders", records)) == before
    shutil.move(images / "train" / "cat" / "0.jpg", images / "train" / "dog" / "0.jpg")
    with pytest.raises(UserError, match="--captions"):
        make(images, "folders", records)


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(UserError, match="has no captions"):
        read("sidecar", tmp_path)
    assert main.main(["main.py", "--mode=make_records", "--captions=sidecar", "--backbone=none",
                      f"--records_dir={tmp_path / 'records'}"]) == 1
