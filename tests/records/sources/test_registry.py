import pytest

from flags.errors import UserError
from flags.make_records import MakeRecords
from records.sources import FORMATS, detect, is_spooled, open_source


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
