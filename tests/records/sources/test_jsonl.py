import json

from records.sources import BadRow, Row, detect, open_source


def read(tmp_path, *lines, name="t.jsonl"):
    path = tmp_path / name
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return list(open_source(str(path), "jsonl", ""))


def test_forms_of_a_line(tmp_path):
    rows = read(tmp_path, {"image": "a.jpg", "caption": "a dog"}, "",
                {"captions": ["a cat", "the cat"], "file": "b.jpg"},
                {"image": "c.jpg", "tags": ["traffic light", "bus"], "split": "val"},
                {"image": "d.jpg", "caption": ["an ox"], "tags": ["ox"]}, {"Image": "e.jpg", "tags": "sea, sand"})
    assert rows == [
        Row("a.jpg", "a dog", "t.jsonl:1"), Row("b.jpg", "a cat", "t.jsonl:3 caption 0"),
        Row("b.jpg", "the cat", "t.jsonl:3 caption 1"),
        Row("c.jpg", "traffic light, bus", "t.jsonl:4", "validation", ("traffic light", "bus")),
        Row("d.jpg", "an ox", "t.jsonl:5"), Row("e.jpg", "sea, sand", "t.jsonl:6", None, ())]


def test_keywords_may_be_numbers(tmp_path):
    rows = read(tmp_path, {"image": "a.jpg", "labels": [0, 16, 0]}, {"image": "b.jpg", "label": 7})
    assert rows == [Row("a.jpg", "0, 16", "t.jsonl:1", None, ("0", "16")),
                    Row("b.jpg", "7", "t.jsonl:2", None, ("7",))]


def test_bad_lines_among_good_ones(tmp_path):
    good = {"image": "a.jpg", "caption": "a dog"}
    rows = read(tmp_path, good, '{"image": "b.jpg", "caption": ', good, "[1, 2]", "nonsense", '"text"',
                {"caption": "a cat"}, {"image": "c.jpg"}, {"image": "d.jpg", "captions": []},
                {"image": "e.jpg", "captions": ["ok", 7, ""]}, {"image": None, "caption": "x"},
                {"image": "f.jpg", "tags": []}, '{"image": "g.jpg", "caption": "half \\ud83d"}',
                '{"image": "h.jpg", "caption": "nul \\u0000"}', "[" * 100_000, '{"image": ' + "9" * 5_000 + "}", good)
    found = [row.reason.partition(":")[0] if isinstance(row, BadRow) else row.image for row in rows]
    assert found == ["a.jpg", "line is no JSON", "a.jpg", "line is no JSON object", "line is no JSON",
                     "line is no JSON object", "object names no image", "object has no caption", "caption is empty",
                     "e.jpg", "caption is not text", "caption is empty", "image name is not text", "caption is empty",
                     "caption is not UTF-8", "caption holds a NUL byte", "line is no JSON", "line is no JSON", "a.jpg"]


def test_detected_by_content_and_by_name(tmp_path):
    row = '{"image": "a.jpg", "captions": ["a dog"]}\n'
    for name, text in (("t.json", row), ("t.txt", "broken\n" + row), ("t.jsonl", "broken"), ("t.ndjson", "{}")):
        (tmp_path / name).write_text(text)
        assert detect(str(tmp_path / name)) == "jsonl"


def test_a_file_may_be_an_object_and_dialogues_have_answers(tmp_path):
    rows = read(tmp_path, {"image": {"file_name": "a.jpg"}, "caption": "a dog"}, {"image": ["b.jpg"], "text": "a cat"},
                {"id": 7, "url": "https://example.org/c.jpg", "file": "c.jpg", "caption": "an ox"},
                {"picture_file": "d.jpg", "caption": "a cow"}, {"image_id": 7, "caption": "a bee"},
                {"image": "e.jpg", "conversations": [{"from": "human", "value": "?"},
                                                     {"from": "gpt", "value": "a hen"}]},
                {"image": "f.jpg", "caption": ["a", "red", "box"]}, {"image": "g.jpg", "captions": ["Dog.", "Cat."]})
    assert [(row.image, row.caption) for row in rows] == [
        ("a.jpg", "a dog"), ("b.jpg", "a cat"), ("c.jpg", "an ox"), ("d.jpg", "a cow"), ("7", "a bee"),
        ("e.jpg", "a hen"), ("f.jpg", "a red box"), ("g.jpg", "Dog."), ("g.jpg", "Cat.")]
