"""Parquet files with photos inside: read as they are written by others."""

import json
import sys

import pytest

from flags.errors import UserError
from tests.records.inputs import PHOTOS, contents, make
from tests.records.sources.archives import read


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
    assert (tmp_path / "out" / rows[2].image).read_bytes() == small_photos[1]
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
