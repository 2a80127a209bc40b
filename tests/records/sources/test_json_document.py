import json

import pytest

from flags.errors import UserError
from records.sources import Row, open_source
from records.sources.json_document import matches, read
from records.sources.table import Table


def table(tmp_path, text):
    (tmp_path / "t.json").write_text(text)
    return Table(str(tmp_path / "t.json"), "")


def rows(tmp_path, document):
    return list(read(table(tmp_path, json.dumps(document))))


@pytest.mark.parametrize("document", [
    [{"image": "a.jpg", "caption": "A dog."}, {"image": "b.jpg", "caption": "A cat."}],
    [["image", "caption"], ["a.jpg", "A dog."], ["b.jpg", "A cat."]],
    [["a.jpg", "A dog."], ["b.jpg", "A cat."]],
    {"a.jpg": ["A dog."], "b.jpg": "A cat."},
    {"a.jpg": {"caption": "A dog."}, "b.jpg": {"caption": "A cat."}},
    {"data": [{"image": "a.jpg", "caption": "A dog."}, {"image": "b.jpg", "caption": "A cat."}]},
    {"image": ["a.jpg", "b.jpg"], "caption": ["A dog.", "A cat."]},
    {"image": {"0": "a.jpg", "1": "b.jpg"}, "caption": {"0": "A dog.", "1": "A cat."}},
    {"columns": ["image", "caption"], "data": [["a.jpg", "A dog."], ["b.jpg", "A cat."]]}])
def test_shapes_that_say_the_same(tmp_path, document):
    assert [(row.image, row.caption) for row in rows(tmp_path, document)] == [("a.jpg", "A dog."), ("b.jpg", "A cat.")]


def test_a_key_may_be_a_split(tmp_path):
    photo = {"image": "a.jpg", "caption": "A dog."}
    assert rows(tmp_path, {"train": [photo], "val": [{**photo, "image": "b.jpg"}]}) == [
        Row("a.jpg", "A dog.", "t.json:train[0]", "train"), Row("b.jpg", "A dog.", "t.json:val[0]", "validation")]


@pytest.mark.parametrize(("document", "said"), [([], "nothing"), ({"version": 1}, "version"), (7, "a int")])
def test_no_captions(tmp_path, document, said):
    with pytest.raises(UserError, match=f"t.json: no captions in this JSON: expected .* found .*{said}"):
        rows(tmp_path, document)


def test_a_key_that_is_a_file_goes_before_an_id(tmp_path):
    """Without suffixes, only the files tell whether a key or an id is the photo."""
    document = {"train": {"1000_ab": {"id": 1, "caption": "A dog."}, "1001_ab": {"id": 2, "caption": "A cat."}}}
    names = {f"{key}.jpg" for key in document["train"]}
    path = table(tmp_path, json.dumps(document)).path
    assert [row.image for row in open_source(path, "auto", str(tmp_path))] == ["1", "2"]
    for name in names:
        (tmp_path / name).write_text("")
    assert {row.image for row in open_source(path, "auto", str(tmp_path))} == names
    assert {row.split for row in open_source(path, "auto", str(tmp_path))} == {"train"}


def test_no_row_of_a_large_mapping_is_lost(tmp_path):
    found = rows(tmp_path, {str(i): {"image": f"{i}.jpg", "caption": f"A dog {i}."} for i in range(1500)})
    assert [row.image for row in found] == [f"{i}.jpg" for i in range(1500)]
    assert found[-1].where == 't.json:["1499"]'


def test_lines_are_another_format(tmp_path):
    assert matches(table(tmp_path, '[{"image": "a.jpg"}]')) and matches(table(tmp_path, '{\n "a.jpg": ["A dog."]}'))
    assert not matches(table(tmp_path, '{"image": "a.jpg"}\n{"image": "b.jpg"}\n'))
