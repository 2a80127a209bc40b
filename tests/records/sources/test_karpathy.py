import json

import pytest

from flags.errors import UserError
from records.sources import BadRow, Row, detect, open_source


def image(name, split, *captions, **more):
    return {"filename": name, "split": split, "sentids": [], "imgid": 0,
            "sentences": [{"tokens": [], "raw": caption} for caption in captions], **more}


def write(tmp_path, document):
    path = tmp_path / "dataset_coco.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_rows(tmp_path):
    path = write(tmp_path, {"dataset": "flickr8k", "images": [
        image("a.jpg", "train", "A dog.", "The dog."), image("b.jpg", "restval", "A cat."),
        image("c.jpg", "val", "A cow."),
        image("d.jpg", "test", ""), image("e.jpg", "test"), {"filename": "f.jpg"}, None,
        {"filename": "g.jpg", "split": "train", "sentences": ["text", {"tokens": ["no", "raw"]}]}]})
    assert detect(path) == "karpathy"
    rows = list(open_source(path, "auto", ""))
    assert [(row.image, row.caption, row.split) for row in rows if isinstance(row, Row)] == [
        ("a.jpg", "A dog.", "train"), ("a.jpg", "The dog.", "train"), ("b.jpg", "A cat.", "train"),
        ("c.jpg", "A cow.", "validation")]
    assert rows[1].where == "dataset_coco.json:images[0].sentences[1]"
    assert [(row.image, row.reason.partition(":")[0]) for row in rows if isinstance(row, BadRow)] == [
        ("d.jpg", "caption is empty"), ("e.jpg", "photo has no caption"), ("", "image is no object with sentences"),
        ("", "image is no object with sentences"), ("g.jpg", "sentence is no object"), ("g.jpg", "caption is not text")]


@pytest.mark.parametrize(("file", "expected"), [
    ("val2014/b.jpg", ["val2014/a.jpg", "val2014/b.jpg"]), ("a.jpg", ["a.jpg", "b.jpg"]),
    ("b.jpg", ["val2014/a.jpg", "b.jpg"]), (None, ["val2014/a.jpg", "val2014/b.jpg"])])
def test_photos_may_lie_in_the_folders_named_or_all_in_one(tmp_path, file, expected):
    """`filepath` is believed until a photo is found without it."""
    images = tmp_path / "images"
    images.mkdir()
    if file:
        (images / file).parent.mkdir(exist_ok=True)
        (images / file).write_bytes(b"")
    path = write(tmp_path, {"images": [
        image(name, "train", "A dog.", filepath="val2014") for name in ("a.jpg", "b.jpg")]})
    assert [row.image for row in open_source(path, "karpathy", str(images))] == expected


@pytest.mark.parametrize("document", [[], {}, {"images": "text"}, 7])
def test_other_json_is_refused(tmp_path, document):
    with pytest.raises(UserError, match="no Karpathy split file"):
        list(open_source(write(tmp_path, document), "karpathy", ""))
