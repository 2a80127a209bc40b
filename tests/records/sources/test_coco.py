import json

import pytest

from flags.errors import UserError
from records.sources import BadRow, Row, detect, open_source

DOCUMENT = {
    "info": {"description": "COCO"}, "licenses": [],
    "images": [{"id": 9, "file_name": "000009.jpg", "height": 1}, {"id": 4, "file_name": "000004.jpg"},
               {"id": 5, "file_name": "000005.jpg"}, {"id": 6}, "text", {"file_name": "x.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 4, "caption": "A dog.\n"}, {"id": 2, "image_id": 9, "caption": "A cat."},
        {"id": 3, "image_id": 77, "caption": "Nobody."}, {"id": 4, "image_id": 9, "caption": ""},
        {"id": 5, "caption": "No image."}, None, {"id": 6, "image_id": 6, "caption": "No name."},
        {"id": 7, "image_id": [1], "caption": "List."}, {"id": 8, "image_id": 4}]}


def write(tmp_path, document, **options):
    path = tmp_path / "captions_val.json"
    path.write_text(json.dumps(document, **options))
    return str(path)


@pytest.mark.parametrize("options", [{}, {"indent": 1}, {"sort_keys": True}])
def test_rows(tmp_path, options):
    path = write(tmp_path, DOCUMENT, **options)
    assert detect(path) == "coco"
    rows = list(open_source(path, "auto", ""))
    assert [row for row in rows if isinstance(row, Row)] == [
        Row("000004.jpg", "A dog.", "captions_val.json:annotations[0]"),
        Row("000009.jpg", "A cat.", "captions_val.json:annotations[1]")]
    assert [(row.where.partition(":")[2], row.image, row.reason.partition(":")[0])
            for row in rows if isinstance(row, BadRow)] == [
        ("images[4]", "", "image is no object with an id"), ("images[5]", "", "image is no object with an id"),
        ("annotations[2]", "", "image_id is of no image in the file"),
        ("annotations[3]", "000009.jpg", "caption is empty"),
        ("annotations[4]", "", "annotation is no object with an image_id"),
        ("annotations[5]", "", "annotation is no object with an image_id"),
        ("annotations[6]", "", "image name is not text"),
        ("annotations[7]", "", "annotation is no object with an image_id"),
        ("annotations[8]", "000004.jpg", "caption is not text"), ("images", "000005.jpg", "photo has no caption")]


@pytest.mark.parametrize("document", [[], {"images": []}, {"images": {}, "annotations": []}, "text", None])
def test_other_json_is_refused(tmp_path, document):
    with pytest.raises(UserError, match="no COCO captions"):
        list(open_source(write(tmp_path, document), "coco", ""))


def test_a_cut_file_is_refused_with_its_position(tmp_path):
    path = write(tmp_path, DOCUMENT)
    text = open(path).read()
    open(path, "w").write(text[:-40])
    with pytest.raises(UserError, match=r"captions_val.json:1:\d+: no valid JSON"):
        list(open_source(path, "auto", ""))


@pytest.mark.parametrize("first", ["images", "annotations"])
def test_letters_of_several_bytes_do_not_hide_what_follows(tmp_path, first):
    """64 KiB of Japanese are 22,000 letters, and the second list begins behind them."""
    text = "犬が芝生の上を走っている " * 20
    parts = {"images": [{"id": i, "file_name": f"p{i}.jpg", "note": text} for i in range(300)],
             "annotations": [{"image_id": i, "caption": f"犬 {299 - i}", "note": text} for i in range(299, -1, -1)]}
    path = tmp_path / "t.json"
    document = {key: parts[key] for key in sorted(parts, key=first.__ne__)}
    path.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    assert detect(str(path)) == "coco"
    rows = list(open_source(str(path), "auto", ""))
    assert [(row.image, row.caption) for row in rows] == [(f"p{i}.jpg", f"犬 {299 - i}") for i in range(299, -1, -1)]
    assert [(row.image, row.caption) for row in open_source(str(path), "json", "")] == [
        (row.image, row.caption) for row in rows]


def test_a_long_document_for_each_split(tmp_path):
    parts = {split: {"images": [{"id": i, "file_name": f"{split}{i}.jpg"} for i in range(900)],
                     "annotations": [{"image_id": i, "caption": f"dog {i}"} for i in range(900)]}
             for split in ("train", "val")}
    path = write(tmp_path, parts)
    assert detect(path) == "coco"
    rows = list(open_source(path, "auto", ""))
    assert len(rows) == 1800 and rows[-1] == Row("val899.jpg", "dog 899", "captions_val.json:val.annotations[899]",
                                                 "validation")


def test_long_json_lines_with_annotations_are_lines(tmp_path):
    path = tmp_path / "t.json"
    line = json.dumps({"file_name": "a.jpg", "annotations": [{"label": "dog"}], "note": "x" * 400})
    path.write_text(f"{line}\n" * 300)
    assert detect(str(path)) == "jsonl" and len(list(open_source(str(path), "auto", ""))) == 300


def test_two_images_with_one_id_are_an_error_that_names_them(tmp_path):
    path = write(tmp_path, {"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"},
                                       {"id": "1", "file_name": "c.jpg"}],
                            "annotations": [{"image_id": 1, "caption": "a dog"}]})
    with pytest.raises(UserError, match=r'images\[0\] and images\[2\] both have the id "1" \("a.jpg" and "c.jpg"\)'):
        list(open_source(path, "auto", ""))
    path = write(tmp_path, {"images": [{"id": 1, "file_name": "a.jpg"}] * 2,
                            "annotations": [{"image_id": "1", "caption": "a dog"}]})
    assert [row.image for row in open_source(path, "auto", "")] == ["a.jpg"]


def test_categories_are_keywords_and_marked_captions_are_left_out(tmp_path):
    path = write(tmp_path, {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "categories": [{"id": 1, "name": "traffic light"}, {"id": 2, "name": "bus"}],
        "annotations": [{"image_id": 1, "category_id": c, "bbox": []} for c in (2, 1, 2)] + [
            {"image_id": 2, "category_id": 9}]})
    rows = list(open_source(path, "auto", ""))
    assert rows[1] == Row("a.jpg", "bus, traffic light", "captions_val.json:annotations[0]", None,
                          ("bus", "traffic light"))
    assert rows[0].reason == 'category_id is of no category in the file: "9"'
    path = write(tmp_path, {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [
        {"image_id": 1, "caption": "a dog", "is_rejected": False, "is_precanned": False},
        {"image_id": 1, "caption": "Quality issues", "is_rejected": True, "is_precanned": True}]})
    assert [getattr(row, "reason", row.image) for row in open_source(path, "auto", "")] == [
        "a.jpg", "caption is marked is_rejected"]
