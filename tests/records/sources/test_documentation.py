"""docs/data.md: its examples are read as it says."""

import io
import pathlib
import re
import tarfile

import pytest

from records.sources import FORMATS, Row, columns, detect, open_source

PAGE = (pathlib.Path(__file__).parents[3] / "docs" / "data.md").read_text("utf-8")
EXAMPLES = dict(re.findall(r"### `--captions_format=(\w+)`\n\n```\w+\n(.*?)```", PAGE, re.DOTALL))


def test_every_format_is_described():
    assert {f for f in FORMATS if f"### `--captions_format={f}`" in PAGE} == set(FORMATS)
    assert set(EXAMPLES) >= {"csv", "flickr", "descriptions", "jsonl", "json", "coco", "karpathy"}


@pytest.mark.parametrize(("form", "captions"), [
    ("csv", 2), ("flickr", 2), ("descriptions", 2), ("jsonl", 4), ("json", 3), ("coco", 1), ("karpathy", 1)])
def test_examples_are_recognised_and_have_no_bad_rows(tmp_path, form, captions):
    path = tmp_path / "captions"
    path.write_text(EXAMPLES[form], "utf-8")
    assert detect(str(path)) == form
    rows = list(open_source(str(path), "auto", str(tmp_path)))
    assert len(rows) == captions
    assert all(isinstance(row, Row) for row in rows)


@pytest.mark.parametrize(("start", "captions"), [
    ("file_name,caption_0", ["A dog runs on the grass.", "A brown dog.", "A cat asleep."]),
    ('{"dog.jpg": [', ["A dog runs on the grass.", "A brown dog.", "A cat asleep."])])
def test_further_examples_are_read_as_the_page_says(tmp_path, start, captions):
    (example,) = (text for text in re.findall(r"```\w+\n(.*?)```", PAGE, re.DOTALL) if text.startswith(start))
    path = tmp_path / "captions"
    path.write_text(example, "utf-8")
    rows = list(open_source(str(path), "auto", str(tmp_path)))
    assert [row.image for row in rows] == ["dog.jpg", "dog.jpg", "cat.jpg"]
    assert [row.caption for row in rows] == captions


def test_the_sidecar_example_is_read_as_the_page_says(tmp_path):
    (example,) = re.findall(r"```text\n(photos/dog.jpg\n.*?)```", PAGE, re.DOTALL)
    for name, text in re.findall(r"^(\S+) *(.*)$", example, re.MULTILINE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    rows = list(open_source("sidecar", "auto", str(tmp_path / "photos")))
    assert [(row.image, row.caption) for row in rows] == [
        ("dog.jpg", "A dog runs on the grass."), ("sub/cat.png", "A cat asleep.")]


def test_the_webdataset_example_is_read_as_the_page_says(tmp_path):
    with tarfile.open(tmp_path / "00000.tar", "w") as tar:
        for name, text in re.findall(r"^00000.tar: (\S+) *(.*)$", PAGE, re.MULTILINE):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    rows = list(open_source(f"webdataset:{tmp_path}/{{00000..00000}}.tar", "auto", str(tmp_path / "photos")))
    assert [(row.image, row.caption) for row in rows] == [
        ("00000/000000000.jpg", "A dog runs on the grass."), ("00000/000000001.jpg", "A cat asleep.")]
    assert rows[1].extent.file == str(tmp_path / "00000.tar")


def test_column_names_are_those_that_are_read():
    table = dict(re.findall(r"^\| (photo|text|split)[^|]*\| (.*) \|$", PAGE, re.MULTILINE))
    for kind, names in (("photo", columns.IMAGE), ("text", columns.CAPTION), ("split", columns.SPLIT)):
        assert tuple(re.findall(r"`(\w+)`", table[kind])) == names
