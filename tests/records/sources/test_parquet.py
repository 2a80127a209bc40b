"""Parquet files with photos inside: read as they are written by others."""

import json
import sys

import pytest

from flags.errors import UserError
from tests.records.inputs import PHOTOS, contents, make
from tests.records.sources.archives import photo
from tests.records.sources.rows import read


@pytest.fixture
def write_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    def write(name, columns, metadata=None):
        table = pyarrow.table(columns)
        parquet.write_table(table.replace_schema_metadata(metadata), tmp_path / name)
        return f"parquet:{tmp_path}/{name}"

    return write


def test_hugging_face_files_with_photos_inside(tmp_path, small_photos, write_parquet):
    captions = write_parquet("train-00000-of-00001.parquet", {
        "image": [{"bytes": data, "path": "same.jpg"} for data in small_photos[:3]],
        "caption": [["A dog.", "Two dogs."], ["A cat."], []], "image_id": [1, 2, 3]})
    rows, bad = read(captions, tmp_path / "out")
    folder = "train-00000-of-00001"
    assert [(row.image, row.caption, row.split) for row in rows] == [
        (f"{folder}/00000000-same.jpg", "A dog.", "train"), (f"{folder}/00000000-same.jpg", "Two dogs.", "train"),
        (f"{folder}/00000001-same.jpg", "A cat.", "train")]
    assert photo(rows[2]) == small_photos[1]
    assert bad == [("train-00000-of-00001.parquet:2", "caption is empty")]
    records = make(tmp_path / "kept", captions, tmp_path / "records")
    assert contents(make("", captions, tmp_path / "again")) == contents(records)


def test_bytes_paths_and_class_names(tmp_path, small_photos, write_parquet):
    features = {"info": {"features": {"label": {"names": ["cat", "traffic light"], "_type": "ClassLabel"}}}}
    rows, _ = read(write_parquet("a.parquet", {"img": small_photos[:2], "label": [1, 0]},
                                 {"huggingface": json.dumps(features)}), tmp_path / "out")
    assert [(row.image, row.keywords) for row in rows] == [
        ("a/00000000.jpg", ("traffic light",)), ("a/00000001.jpg", ("cat",))]
    rows, bad = read(write_parquet("b.parquet", {"file_name": [PHOTOS[0].name, "../x.jpg"], "text": ["A dog.", "B c"]}),
                     PHOTOS[0].parent)
    assert [(row.image, row.caption) for row in rows] == [(PHOTOS[0].name, "A dog.")]
    assert bad[0][1].startswith("image name leads outside")


def test_parquet_that_cannot_be_used_is_one_line(tmp_path, write_parquet):
    (tmp_path / "no.parquet").write_bytes(b"PAR1 no such thing")
    with pytest.raises(UserError, match="no.parquet cannot be read"):
        read(f"parquet:{tmp_path}/no.parquet", tmp_path)
    with pytest.raises(UserError, match="has no column of captions or tags; .* found image, size"):
        read(write_parquet("c.parquet", {"image": [b"x"], "size": [3]}), tmp_path)


def test_without_pyarrow_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'pyarrow>=17', or this package with its extra \[parquet\]"):
        read(f"parquet:{tmp_path}/a.parquet", tmp_path)


def _features(**names):
    return {"huggingface": json.dumps({"info": {"features": names}})}


CATS = {"names": ["cat", "big dog"], "_type": "ClassLabel"}
BOTH = ["A dog.", "A cat."]
# Columns beside `image`, Hugging Face's features, and what comes out: captions, or keywords.
COLUMNS = {
    "lists of captions": ({"captions": [["A dog.", "Two."], ["A cat."]]}, None, ["A dog.", "Two.", "A cat."]),
    "text": ({"text": BOTH, "url": ["https://e.org/1", "https://e.org/2"]}, None, BOTH),
    "bytes": ({"caption": [b"A dog.", b"A cat."]}, None, BOTH),
    "dialogues": ({"conversations": [[{"from": "gpt", "value": text}] for text in BOTH]}, None, BOTH),
    "Hugging Face's webdatasets, txt": ({"txt": BOTH, "__key__": ["a", "b"]}, None, BOTH),
    "Hugging Face's webdatasets, json": ({"json": [{"caption": text} for text in BOTH]}, None, BOTH),
    "classes": ({"label": [1, 0]}, _features(label=CATS), [("big dog",), ("cat",)]),
    "lists of classes": ({"labels": [[0, 1], [1]]}, _features(labels={"feature": CATS, "_type": "Sequence"}),
                         [("cat", "big dog"), ("big dog",)]),
    "lists of classes, as written later": ({"labels": [[0, 1], [1]]}, _features(labels=[CATS]),
                                           [("cat", "big dog"), ("big dog",)]),
    "classes without names": ({"label": [3, 7]}, None, [("3",), ("7",)]),
    "a mask before": ({"a_mask": [b"1", b"2"], "caption": BOTH}, None, BOTH),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_texts(tmp_path, small_photos, write_parquet, name):
    columns, features, texts = COLUMNS[name]
    captions = write_parquet("a.parquet", {**columns, "image": [{"bytes": data, "path": None} for data in
                                                                small_photos[:2]]}, features)
    rows, bad = read(captions, tmp_path / "out")
    assert not bad and [row.caption if row.keywords is None else row.keywords for row in rows] == texts
    assert photo(rows[0]) == small_photos[0] and photo(rows[-1]) == small_photos[1]


def test_kinds_of_columns_that_hold_photos(tmp_path, small_photos, write_parquet):
    pyarrow = pytest.importorskip("pyarrow")
    structs = [{"bytes": data, "path": None} for data in small_photos[:2]]
    for index, (column, values) in enumerate((
            ("image", pyarrow.array(small_photos[:2], pyarrow.large_binary())),
            ("img_bytes", pyarrow.array(small_photos[:2]).dictionary_encode()),
            ("images", [[struct] for struct in structs]), ("jpg", structs))):
        text = pyarrow.array(BOTH, pyarrow.large_string()).dictionary_encode()
        rows, bad = read(write_parquet(f"{index}.parquet", {"caption": text, column: values}), tmp_path / "out")
        assert not bad and list(map(photo, rows)) == small_photos[:2]
    holes = {"image": [structs[0], None, structs[1]], "caption": ["A dog.", "x", None]}
    rows, bad = read(write_parquet("n.parquet", holes), tmp_path / "out")
    assert len(rows) == 1 and [reason.partition(":")[0] for _, reason in bad] == [
        "image has neither bytes nor a path", "caption is not text"]
    rows, bad = read(write_parquet("two.parquet", {"images": [structs], "caption": ["Two."]}), tmp_path / "out")
    assert not rows and bad[0][1].startswith("object names several images")
    with pytest.raises(UserError, match="several columns that may be photos: left, right; rename the right one"):
        read(write_parquet("three.parquet", {"left": [b"1"], "right": [b"2"], "caption": ["x"]}), tmp_path / "out")
