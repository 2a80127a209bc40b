"""Photos with texts beside them, and folders whose names are tags."""

import json
import shutil

import pytest

import main
from flags.errors import UserError
from tests.records.inputs import PHOTOS, contents, make
from tests.records.sources.rows import read


def folder_of(folder, files):
    """A folder of photos, and of texts where a value is one."""
    for index, (name, text) in enumerate(files.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            shutil.copy(PHOTOS[index], folder / name)
        else:
            (folder / name).write_text(text, "utf-8")
    return folder


def test_each_line_of_a_text_is_a_caption(tmp_path):
    rows, bad = read("sidecar", folder_of(tmp_path, {
        "a.jpg": None, "a.txt": "\ufeffA dog.\r\n\r\nA brown dog.\n", "b.PNG": None, "b.caption": "A cat",
        "train/c.webp": None, "train/c.webp.txt": "A bus", "d.jpg": None, "e.jpg": None, "e.txt": " \n",
        "f.txt": "no photo", ".hidden/x.jpg": None}))
    assert [(row.image, row.caption, row.where, row.split) for row in rows] == [
        ("a.jpg", "A dog.", "a.txt:1", None), ("a.jpg", "A brown dog.", "a.txt:3", None),
        ("b.PNG", "A cat", "b.caption:1", None), ("train/c.webp", "A bus", "train/c.webp.txt:1", "train")]
    assert bad == [("d.jpg", "photo has no caption: there is no .txt or .caption of its name"),
                   ("e.txt", "caption is empty"), ("f.txt", "text has no photo: there is no photo of its name")]


def test_a_folder_is_the_tag_and_a_split_before_it_the_split(tmp_path):
    rows, bad = read("folders", folder_of(tmp_path, {
        "cat/1.jpg": None, "traffic light/2.jpg": None, "val/dog/deep/3.jpg": None, "4.jpg": None, "test/5.jpg": None}))
    assert [(row.image, row.keywords, row.split) for row in rows] == [
        ("cat/1.jpg", ("cat",), None), ("traffic light/2.jpg", ("traffic light",), None),
        ("val/dog/deep/3.jpg", ("dog",), "validation")]
    assert [where for where, _ in bad] == ["4.jpg", "test/5.jpg"]


@pytest.mark.parametrize("names,tags", [
    (["data/train/dog/1.jpg", "data/val/cat/2.jpg"], [("cat", "validation"), ("dog", "train")]),
    (["images/dog/1.jpg", "images/cat/2.jpg"], [("cat", None), ("dog", None)]),
    (["dog/train/1.jpg", "cat/test/2.jpg"], [("cat", "test"), ("dog", "train")]),
    (["train/n01/images/1.JPEG", "train/n02/images/2.JPEG"], [("n01", "train"), ("n02", "train")]),
    (["cat/1.jpg", "cat/2.jpg"], [("cat", None), ("cat", None)]),
    (["animals/dog/poodle/1.jpg", "animals/cat/2.jpg"], [("cat", None), ("dog", None)]),
    (["train/1.jpg", "bus/2.jpg"], [("bus", None), ("train", None)]),
    (["train/train/1.jpg", "train/bus/2.jpg", "val/train/3.jpg", "val/bus/4.jpg"],
     [("bus", "train"), ("bus", "validation"), ("train", "train"), ("train", "validation")]),
], ids=["data/SPLIT/TAG", "images/TAG", "TAG/SPLIT", "tiny ImageNet", "one tag", "deeper", "vehicles",
        "vehicles in splits"])
def test_a_folder_of_all_photos_is_no_tag(tmp_path, names, tags):
    rows, bad = read("folders", folder_of(tmp_path, dict.fromkeys(names)))
    assert not bad and sorted((*row.keywords, row.split) for row in rows) == tags


def test_linked_folders_are_searched_once_and_held_to_what_holds_for_links(tmp_path):
    images = folder_of(tmp_path / "photos", {f"dog/{i}.jpg": None for i in range(3)})
    folder_of(tmp_path / "elsewhere", {"other.png": None, **{f"{i}.jpg": None for i in range(3, 5)}})
    (images / "cat").symlink_to(tmp_path / "elsewhere")
    (images / "dog" / "back").symlink_to(images)  # a circle
    assert sorted(row.image for row in read("folders", images)[0]) == [
        "cat/3.jpg", "cat/4.jpg", "cat/other.png", *(f"dog/{i}.jpg" for i in range(3))]
    records = make(images, "folders", tmp_path / "without", split_fractions="train=1.0")
    rejected = [json.loads(line) for line in (records / "rejected.jsonl").read_text().splitlines()]
    assert sorted(row["image"] for row in rejected) == ["cat/3.jpg", "cat/4.jpg", "cat/other.png"]
    assert all("link that leads outside --images" in row["reason"] for row in rejected)
    records = make(images, "folders", tmp_path / "with", split_fractions="train=1.0", follow_links=True)
    assert not (records / "rejected.jsonl").read_text()


def test_records_below_the_photos_are_none_of_them(tmp_path, capsys):
    images = folder_of(tmp_path, {name: text for i in range(4) for name, text in (
        (f"{i}.jpg", None), (f"{i}.txt", "a dog runs"))})
    records = make(images, "sidecar", images / "records", split_fractions="train=1.0", min_count=1)
    assert not (records / "rejected.jsonl").read_text()
    make(images, "sidecar", records, split_fractions="train=1.0", min_count=1)
    assert "nothing to do" in capsys.readouterr().out


def test_captions_and_tags_beside_one_photo(tmp_path):
    folder_of(tmp_path, {"10_dog/a.jpg": None, "10_dog/a.txt": "1girl, dog", "10_dog/a.caption": "A girl with a dog."})
    assert [row.caption for row in read("sidecar", tmp_path)[0]] == ["A girl with a dog."]
    assert [row.caption for row in read("sidecar", tmp_path, keywords=True)[0]] == ["1girl, dog"]


def test_texts_of_other_encodings_and_boxes(tmp_path):
    folder_of(tmp_path, {"a.jpg": None, "b.jpg": None, "b.txt": "0 0.5 0.5 0.1 0.1\n16 0.1 0.2 0.3 0.3\n"})
    (tmp_path / "a.txt").write_bytes("Ein Hund läuft.".encode("utf-16"))
    rows, bad = read("sidecar", tmp_path)
    assert [row.caption for row in rows] == ["Ein Hund läuft."]
    assert bad == [("b.txt", "caption file holds numbers alone, as YOLO writes boxes: expected words")]


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
