import json
import os

import pytest

from flags.errors import UserError
from flags.make_records import MakeRecords
from records.sources import FORMATS, BadRow, detect, is_spooled, open_source, table_files


def test_the_flag_offers_every_format():
    field = next(f for f in MakeRecords.__dataclass_fields__.values() if f.name == "captions_format")
    assert set(field.metadata["choices"]) == {"auto", *FORMATS}


@pytest.mark.parametrize(("text", "expected"), [
    ("image,caption\na.jpg,a dog\n", "csv"),
    ("image_name| comment_number| comment\n", "csv"),
    ("a.jpg,a dog\n", "csv"),
    ("a.jpg#0\ta dog\n", "flickr"),
    ("\n\na.jpg#0\ta dog\n", "flickr"),
    ("broken\na.jpg#0\ta dog\nb.jpg#0\ta dog\nc.jpg#0\ta dog\n", "flickr"),
    ('{"image": "a.jpg", "caption": "a dog"}\n', "jsonl"),
    ('{"images": [{"id": 1, "file_name": "a"}], "annotations": []}', "coco"),
    ('{"annotations": [{"image_id": 1, "caption": "a"}], "images": []}', "coco"),
    ('{\n "images": [\n  {"id": 1}\n ],\n "annotations": [\n  {"image_id": 1, "caption": "a"}\n ]\n}', "coco"),
    ('{"images": [{"sentids": [0], "sentences": []}]}', "karpathy"),
    ('[{"image": "a.jpg", "caption": "a dog"}]', "json"),
    ('[\n{"image": "a.jpg", "caption": "a dog"},\n{"image": "b.jpg", "caption": "a cat"}\n]', "json"),
    ('{"a.jpg": ["a dog"]}', "json"),
    ("1000268201_693b08cb0e a dog runs\n", "descriptions"),
    ("a.jpg a dog runs\n", "descriptions"),
])
def test_detection(tmp_path, text, expected):
    path = tmp_path / "captions.txt"
    path.write_text(text)
    assert detect(str(path)) == expected


def test_a_named_format_is_not_second_guessed(tmp_path):
    path = tmp_path / "captions.txt"
    path.write_text("image,caption\na.jpg,a dog\n")
    assert [row.reason for row in open_source(str(path), "flickr", "")] == [
        "line is not of the form name#number<TAB>caption"] * 2
    with pytest.raises(UserError, match="--captions_format=xml is unknown"):
        open_source(str(path), "xml", "")


def test_only_datasets_bring_their_images():
    assert is_spooled("tfds:coco_captions")
    assert is_spooled("coco_captions", "tfds")
    assert not is_spooled("captions.csv")


def coco(path, *images):
    path.write_text(json.dumps({"images": [{"id": i, "file_name": name} for i, name in enumerate(images)],
                                "annotations": [{"image_id": i, "caption": f"{name} it is"}
                                                for i, name in enumerate(images)]}))
    return str(path)


def test_the_tables_of_two_splits_are_read_together(tmp_path):
    """COCO's ids are its own in each file; its photos lie in train2017/ and val2017/."""
    files = [coco(tmp_path / "captions_train2017.json", "1.jpg", "2.jpg"),
             coco(tmp_path / "captions_val2017.json", "3.jpg")]
    for photo in ("train2017/1.jpg", "train2017/2.jpg", "val2017/3.jpg"):
        (tmp_path / photo).parent.mkdir(exist_ok=True)
        (tmp_path / photo).touch()
    expected = [("train2017/1.jpg", "train"), ("train2017/2.jpg", "train"), ("val2017/3.jpg", "validation")]
    for captions in (",".join(files), f"{tmp_path}/captions_*2017.json"):
        rows = list(open_source(captions, "auto", str(tmp_path)))
        assert [(row.image, row.split) for row in rows] == expected
    assert rows[0].where == "captions_train2017.json:annotations[0]"
    rows = list(open_source(",".join(files), "auto", str(tmp_path / "train2017"), own_splits=False))
    assert [(row.image, row.split) for row in rows] == [("1.jpg", None), ("2.jpg", None), ("3.jpg", None)]


def test_several_tables_of_no_split_or_of_one(tmp_path):
    for name in ("a/t.csv", "b/t.csv", "train_1.csv", "train_2.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("image,caption\na.jpg,a dog\n")
    rows = list(open_source(f"{tmp_path}/a/t.csv,{tmp_path}/b/t.csv", "auto", ""))
    assert [(row.where, row.split) for row in rows] == [
        (f"{tmp_path}/a/t.csv:2", None), (f"{tmp_path}/b/t.csv:2", None)]
    assert {row.split for row in open_source(f"{tmp_path}/train_*.csv", "csv", "")} == {None}


def test_which_files_captions_names(tmp_path):
    for name in ("a,b.csv", "x[1].csv", "c.csv"):
        (tmp_path / name).touch()
    assert table_files(f"{tmp_path}/a,b.csv") == [f"{tmp_path}/a,b.csv"]
    assert table_files(f"{tmp_path}/x[1].csv, {tmp_path}/c.csv") == [f"{tmp_path}/x[1].csv", f"{tmp_path}/c.csv"]
    assert table_files("tfds:coco_captions") == ["tfds:coco_captions"]
    for captions, named in ((f"{tmp_path}/*.json", "no file is of the form"),
                            (f"{tmp_path}/c.csv,{tmp_path}/c.csv", "twice"),
                            (f"{tmp_path}/c.csv,tfds:coco", "is read alone"), (",", "names no table")):
        with pytest.raises(UserError, match=named):
            table_files(captions)


def test_names_and_files(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("cafe\u0301.jpg", "caf\u00e9 2.jpg", "000000000042.jpg", "7.png", "a.jpg"):
        (photos / name).touch()
    os.symlink(photos, tmp_path / "link")
    table = tmp_path / "t.csv"
    names = {"caf\u00e9.jpg": "cafe\u0301.jpg", "cafe\u0301 2.jpg": "caf\u00e9 2.jpg", "cafe\u0301": "cafe\u0301.jpg",
             "42": "000000000042.jpg", "7": "7.png", "42.0": "000000000042.jpg", "a.jpg#3": "a.jpg",
             f"{photos}/a.jpg": "a.jpg", f"{tmp_path}/link/7": "7.png",
             "b.jpg": "b.jpg"}
    table.write_text("image,caption\n" + "".join(f"{name},a dog\n" for name in names), "utf-8")
    assert [row.image for row in open_source(str(table), "auto", str(photos))][:8] == list(names.values())[:8]
    rows = list(open_source(str(table), "auto", str(tmp_path / "link")))
    assert [row.image for row in rows] == list(names.values())
    table.write_text(f"image,caption\n{photos}2/a.jpg,a dog\n{photos}/../a.jpg,a dog\n")
    assert [row.reason.partition(":")[0] for row in open_source(str(table), "auto", str(photos))] == [
        "image name leads outside --images"] * 2


def test_splits_of_a_table_and_their_names(tmp_path):
    table = tmp_path / "t.csv"
    splits = {"train2017": "train", "val2017": "validation", "valid": "validation", "dev": "validation",
              "Training": "train", "trainval": "train", "minival": "validation", "test-dev": "test", "TEST": "test"}
    table.write_text("image,caption,split\n" + "".join(f"a.jpg,a dog,{split}\n" for split in [*splits, "banana"]))
    rows = list(open_source(str(table), "auto", ""))
    assert [row.split for row in rows[:-1]] == list(splits.values())
    assert isinstance(rows[-1], BadRow) and rows[-1].reason.startswith('split "banana" is unknown: expected train, ')
    assert {row.split for row in open_source(str(table), "auto", "", own_splits=False)} == {None}


@pytest.mark.parametrize("path", ["{tmp}/pipe", "/dev/null"])
def test_pipes_and_devices_are_refused_without_opening_them(tmp_path, path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="is a (named pipe|device), expected .* write it to a file first"):
        open_source(path.format(tmp=tmp_path), "auto", "")
