"""Tables as public tools leave them: each is read right, or refused by a line that says what to change."""

import contextlib
import json
import time

import pytest

from flags.errors import UserError
from records.sources import open_source
from tests.records.sources.tables import BOTH, CAT, DOG, KEYWORDS, Case, check_read, check_refused, lines, write

ROWS = [{"image": name, "caption": text} for name, text in BOTH]
SHAPES = [{"label": "dog", "points": []}, {"label": "red ball"}, {"label": "dog"}]
READ = {
    # Hugging Face
    "datasets to_csv, image as a dict": Case(
        lines(
            "image,caption",
            "\"{'bytes': None, 'path': 'p1.jpg'}\",a red dog",
            "\"{'bytes': None, 'path': 'p2.jpg'}\",a white cat",
        ),
        BOTH,
    ),
    "datasets to_json": Case(
        lines(*(json.dumps({"image": {"path": n, "bytes": None}, "text": c}) for n, c in BOTH)), BOTH
    ),
    "imagefolder's metadata.csv": Case("file_name,text\np1.jpg,a red dog\np2.jpg,a white cat\n", BOTH),
    "imagefolder's metadata.jsonl with a list of lists": Case(
        lines(
            json.dumps({"file_name": "p1.jpg", "captions": [["a", "red", "dog"]]}),
            json.dumps({"file_name": "p2.jpg", "captions": [["a", "white", "cat"]]}),
        ),
        BOTH,
    ),
    "rows of the datasets server": Case(
        {
            "features": [{"name": "image"}],
            "rows": [{"row_idx": i, "row": {"image": n, "caption": c}} for i, (n, c) in enumerate(BOTH)],
        },
        BOTH,
    ),
    "splits as keys": Case(
        {"train": [{"image": DOG[0], "caption": DOG[1]}], "val": [{"image": CAT[0], "caption": CAT[1]}]},
        BOTH,
        splits=["train", "validation"],
    ),
    # pandas
    "to_csv with its index": Case(",image,caption\n0,p1.jpg,a red dog\n1,p2.jpg,a white cat\n", BOTH),
    "to_csv of numpy arrays": Case(
        "image,captions\np1.jpg,\"['a red dog' 'a dog, red']\"\n", [DOG, ("p1.jpg", "a dog, red")]
    ),
    "to_json": Case({"image": {"0": DOG[0], "1": CAT[0]}, "caption": {"0": DOG[1], "1": CAT[1]}}, BOTH),
    "to_json split": Case({"columns": ["image", "caption"], "index": [0, 1], "data": [list(DOG), list(CAT)]}, BOTH),
    "to_json table": Case(
        {"schema": {"fields": []}, "data": [{"index": 0, "image": n, "caption": c} for n, c in BOTH]}, BOTH
    ),
    "to_json records over lines": Case(
        "[\n" + ",\n".join(json.dumps({"image": n, "caption": c}) for n, c in BOTH) + "\n]", BOTH
    ),
    "to_json index": Case({"0": ROWS[0], "1": ROWS[1]}, BOTH),
    "to_json index on one line of a file": Case(json.dumps({"0": ROWS[0], "1": ROWS[1]}) + "\n", BOTH),
    "to_json index, photos as index": Case({n: {"id": i, "caption": c} for i, (n, c) in enumerate(BOTH)}, BOTH),
    "to_json index of one photo": Case({"p1.jpg": {"id": 7, "caption": "a red dog"}}, [DOG]),
    "to_json index under splits": Case({"train": {"0": ROWS[0]}, "val": {"0": ROWS[1], "1": {"image": "p3.jpg"}}},
                                       BOTH, ["object has no caption"], splits=["train", "validation"]),
    "to_json index, objects of several shapes": Case(
        {"0": ROWS[0], "1": {"file_name": "p2.jpg", "text": "a white cat"}, "2": {"image": "p3.jpg"}, "3": "a text"},
        BOTH, ["object has no caption", "entry is no object"]),
    "to_json, photos as index": Case({"caption": dict(BOTH), "split": {"p1.jpg": "train", "p2.jpg": "val"}}, BOTH,
                                     splits=["train", "validation"]),
    "to_json split, photos as index": Case(
        {"columns": ["caption"], "index": [n for n, _ in BOTH], "data": [[c] for _, c in BOTH]}, BOTH),
    "to_json split, two columns of one name": Case(
        {"columns": ["image", "caption", "caption"], "data": [["p1.jpg", "a red dog", "a dog"]]},
        [DOG, ("p1.jpg", "a dog")]),
    "metadata beside the rows": Case({"name": "My captions", "description": "Photos of 2024", "data": ROWS}, BOTH),
    "metadata beside annotations": Case({"name": "My captions", "annotations": ROWS}, BOTH),
    "COCO's info beside rows": Case(
        {"info": {"description": "COCO 2017", "url": "https://e.org", "year": 2017}, "annotations": ROWS}, BOTH),
    "a caption beside the rows": Case({"id": 1, "caption": "a cow", "data": ROWS}, BOTH, ["object stands beside rows"]),
    "a cover beside the rows": Case({"image": "p0.jpg", "description": "my pets", "data": ROWS},
                                    [("p0.jpg", "my pets"), *BOTH]),
    "captions of other photos than its own": Case({"image": "p0.jpg", "captions": ROWS}, BOTH),
    "albums": Case([{"id": "pets", "title": "My pets", "photos": ROWS[:1]}, {"id": "x", "photos": ROWS[1:]}], BOTH),
    "an array of mappings": Case([{n: c} for n, c in BOTH], BOTH),
    "a split whose captions have an unknown name": Case(
        {"train": ROWS, "val": [{"image": "p3.jpg", "sents": ["a cow"]}] * 2}, BOTH, ["object has no caption"] * 2),
    "lists of names beside the captions": Case({"captions": dict(BOTH), "train": ["p1.jpg"]}, BOTH,
                                               ["array element is no object"]),
    "a mapping with its version": Case({"version": "1.0", "info": {"name": "x", "description": "y"}, **dict(BOTH)},
                                       BOTH, ["key beside names of image files is none itself"]),
    "captions by number": Case({"p1.jpg": {"0": "a red dog", "1": "a dog"}}, [DOG, ("p1.jpg", "a dog")]),
    "rows a line in a document": Case('{"train": [\n' + ",\n".join(map(json.dumps, ROWS)) + "\n]}\n", BOTH),
    "COCO under splits": Case(
        {split: {"images": [{"id": 1, "file_name": n}], "annotations": [{"image_id": 1, "caption": c}]}
         for split, (n, c) in zip(("train", "val"), BOTH, strict=True)}, BOTH, splits=["train", "validation"]),
    "COCO with ids as keys": Case(
        {"images": {"7": {"file_name": "p1.jpg"}, "8": {"file_name": "p2.jpg"}},
         "annotations": [{"image_id": 8, "caption": "a white cat"}, {"image_id": 7, "caption": "a red dog"}]},
        [CAT, DOG], name="t.json"),
    "a split beside photos": Case({"p1.jpg": "a red dog", "val": ROWS[1:]}, BOTH, splits=[None, "validation"]),
    "rows of other photos under a photo": Case({"p0.jpg": ROWS}, BOTH),
    "rows under two keys, one of which may describe": Case({"info": ROWS, "data": {"file": "p0.jpg", "text": "a cow"}},
                                                           [*BOTH, ("p0.jpg", "a cow")]),
    "pairs under numbers": Case({"0": list(DOG), "1": list(CAT)}, BOTH),
    "objects beside columns": Case({"image": ["p1.jpg"] * 3, "caption": ["a red dog"] * 3, "data": ROWS},
                                   [DOG] * 3 + BOTH),
    "a split in parts whose captions have an unknown name": Case(
        {"train": ROWS, "val": {"items": {"0": {"image": "p3.jpg", "sents": ["a cow"]}}}}, BOTH,
        ["object has no caption"]),
    "COCO under a key": Case(
        {"version": 1, "info": {}, "payload": {"annotations": [{"image_id": 1, "caption": "a red dog"}],
                                               "images": [{"id": 1, "file_name": "p1.jpg"}]}, "more": [1]}, [DOG],
        name="t.json"),
    # keys given twice
    "a photo for each caption": Case('{"p1.jpg": "a red dog",\n"p1.jpg": "a dog",\n"p2.jpg": "a white cat"}',
                                     [DOG, ("p1.jpg", "a dog"), CAT]),
    "a photo for each object": Case('{"p1.jpg": {"caption": "a red dog"}, "p1.jpg": {"caption": "a dog"}}',
                                    [DOG, ("p1.jpg", "a dog")]),
    "a split twice": Case(f'{{"val": [{json.dumps(ROWS[0])}], "val": [{json.dumps(ROWS[1])}]}}', BOTH,
                          splits=["validation"] * 2),
    "a class twice": Case('{"dog": ["p1.jpg"], "dog": ["p2.jpg"]}', [("p1.jpg", ("dog",)), ("p2.jpg", ("dog",))]),
    "a line with two captions": Case('{"image": "p1.jpg", "caption": "a red dog", "caption": "a dog"}\n' * 2,
                                     [DOG, ("p1.jpg", "a dog")] * 2),
    "a line with two lists of tags": Case('{"image": "p1.jpg", "tags": ["dog"], "tags": ["red ball"]}\n',
                                          KEYWORDS[:1]),
    "COCO with keys twice": Case(
        '{"images": [{"id": 1, "file_name": "p1.jpg"}], "annotations": [{"image_id": 1, "caption": "a red dog",'
        ' "caption": "a dog"}], "annotations": [{"image_id": 1, "caption": "one"}]}',
        [DOG, ("p1.jpg", "a dog"), ("p1.jpg", "one")]),
    "to_dict list": Case({"image": [n for n, _ in BOTH], "caption": [c for _, c in BOTH]}, BOTH),
    "arrays of arrays": Case([["image", "caption"], list(DOG), list(CAT)], BOTH),
    "to_markdown": Case(
        lines(
            "|    | image   | caption     |",
            "|---:|:--------|:------------|",
            "|  0 | p1.jpg  | a red dog   |",
            "|  1 | p2.jpg  | a white cat |",
        ),
        BOTH,
    ),
    # R, MATLAB, SQL
    "write.csv with row names": Case(
        '"","image","caption"\n"1","p1.jpg","a red dog"\n"2","p2.jpg","a white cat"\n', BOTH
    ),
    "write.table": Case('"image" "caption"\n"1" "p1.jpg" "a red dog"\n"2" "p2.jpg" "a white cat"\n', BOTH),
    "write.table with tabs": Case("image\tcaption\n1\tp1.jpg\ta red dog\n2\tp2.jpg\ta white cat\n", BOTH),
    "MATLAB's cells": Case("image,captions\np1.jpg,\"{'a red dog'; 'a dog'}\"\n", [DOG, ("p1.jpg", "a dog")]),
    "Postgres arrays": Case('image,tags\np1.jpg,"{dog,""red ball""}"\np2.jpg,{cat}\n', KEYWORDS),
    "psql": Case(
        lines(
            " image  |   caption   ",
            "--------+-------------",
            " p1.jpg | a red dog",
            " p2.jpg | a white cat",
            "(2 rows)",
        ),
        BOTH,
        ["number of fields is wrong"],
    ),
    "mysql": Case(
        lines(
            "+--------+-------------+",
            "| image  | caption     |",
            "+--------+-------------+",
            "| p1.jpg | a red dog   |",
            "| p2.jpg | a white cat |",
            "+--------+-------------+",
        ),
        BOTH,
    ),
    "SELECT INTO OUTFILE": Case('image\tcaption\np1.jpg\t"a \\"red\\" dog"\n', [("p1.jpg", 'a "red" dog')]),
    # Excel
    "Unicode text": Case("image\tcaption\r\np1.jpg\ta red dog\r\np2.jpg\ta white cat\r\n".encode("utf-16"), BOTH),
    "CSV of a German Excel": Case("sep=;\r\nImage;Caption\r\np1.jpg;a red dog\r\np2.jpg;a white cat\r\n", BOTH),
    "a title above the header": Case(
        "Photo list 2024,\n,\nimage,caption\np1.jpg,a red dog\np2.jpg,a white cat\n", BOTH
    ),
    "empty columns and rows": Case(
        "image,caption,,\np1.jpg,a red dog,,\n,,,\np2.jpg,a white cat,,\n", BOTH, ["image name is empty"]
    ),
    "old Mac": Case(b"image,caption\rp1.jpg,a red dog\rp2.jpg,a white cat\r", BOTH),
    # annotation tools
    "LabelMe": Case({"version": "5", "imagePath": "p1.jpg", "shapes": SHAPES, "imageData": None}, KEYWORDS[:1]),
    "LabelMe, many": Case(
        [{"imagePath": "p1.jpg", "shapes": SHAPES}, {"imagePath": "p2.jpg", "shapes": [{"label": "cat"}]}], KEYWORDS
    ),
    "VIA": Case(
        {
            "p1.jpg123": {"filename": "p1.jpg", "size": 123, "file_attributes": {"caption": "a red dog"}},
            "p2.jpg456": {"filename": "p2.jpg", "size": 456, "file_attributes": {"caption": "a white cat"}},
        },
        BOTH,
    ),
    "Roboflow's classes": Case(
        "filename, dog, red ball, cat\np1.jpg, 1, 1, 0\np2.jpg, 0, 0, 1\np3.jpg, 0, 0, 0\n",
        KEYWORDS,
        ["no keyword is set"],
    ),
    "CelebA": Case("image_id,dog,red ball,cat\np1.jpg,1,1,-1\np2.jpg,-1,-1,1\n", KEYWORDS),
    "COCO of objects": Case(
        {
            "images": [{"id": 0, "file_name": "p1.jpg"}, {"id": 1, "file_name": "p2.jpg"}],
            "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "red ball"}, {"id": 3, "name": "cat"}],
            "annotations": [{"image_id": i, "category_id": c} for i, c in ((0, 1), (0, 2), (0, 1), (1, 3))],
        },
        KEYWORDS,
    ),
    "Supervisely-like objects": Case(
        [
            {"name": "p1.jpg", "objects": [{"classTitle": "x", "label": "dog"}, {"label": "red ball"}]},
            {"name": "p2.jpg", "objects": [{"label": "cat"}]},
        ],
        KEYWORDS,
    ),
    "scores of a tagger": Case(
        {"p1.jpg": {"tags": {"dog": 0.98, "red ball": 0.5}}, "p2.jpg": {"tags": {"cat": 0.7}}}, KEYWORDS
    ),
    "keywords as objects": Case(
        lines(
            json.dumps({"image": "p1.jpg", "tags": [{"name": "dog"}, {"name": "red ball"}]}),
            json.dumps({"image": "p2.jpg", "tags": [{"name": "cat"}]}),
        ),
        KEYWORDS,
    ),
    # data sets
    "Open Images": Case(
        "ImageID,Source,LabelName,Confidence\np1,verification,dog,1\np1,verification,cat,0\n",
        [("p1", ("dog",))],
        ["label is marked as absent"],
    ),
    "Visual Genome's regions": Case(
        [{"id": 1, "image": "p1.jpg", "regions": [{"phrase": "a red dog"}, {"phrase": "a ball"}]}],
        [DOG, ("p1.jpg", "a ball")],
    ),
    "VizWiz": Case(
        {
            "images": [{"id": 0, "file_name": "p1.jpg"}],
            "annotations": [
                {"image_id": 0, "caption": "a red dog", "is_rejected": False, "is_precanned": False},
                {"image_id": 0, "caption": "quality issues", "is_rejected": True, "is_precanned": True},
            ],
        },
        [DOG],
        ["caption is marked is_rejected"],
    ),
    "LLaVA": Case(
        [
            {
                "id": "1",
                "image": "p1.jpg",
                "conversations": [
                    {"from": "human", "value": "<image>\nSay it."},
                    {"from": "gpt", "value": "a red dog"},
                ],
            }
        ],
        [DOG],
    ),
    "messages": Case(
        [
            {
                "images": ["p1.jpg"],
                "messages": [{"role": "user", "content": "<image>?"}, {"role": "assistant", "content": "a red dog"}],
            }
        ],
        [DOG],
    ),
    "COCO results": Case([{"image_id": 42, "caption": "a red dog"}], [("42", "a red dog")]),
    "Flickr8k on Hugging Face": Case("image,caption_0,caption_1\np1.jpg,a red dog,a dog\n", [DOG, ("p1.jpg", "a dog")]),
    "descriptions.txt": Case("1000268201_693b08cb0e a red dog\n", [("1000268201_693b08cb0e", "a red dog")]),
    "token file with list of ids": Case("p1.jpg#0\tstartseq a red dog endseq\np2.jpg#0\ta white cat\n", BOTH),
    "Danbooru": Case(lines(json.dumps({"id": 1, "file": "p1.jpg", "tag_string": "1girl long_hair"})), [("p1.jpg", ())]),
    "kohya's metadata": Case(
        {"p1.jpg": {"caption": "a red dog", "tags": "dog, ball"}, "p2.jpg": {"caption": "a white cat"}}, BOTH
    ),
    "LAION with files": Case(
        "url,text,file_path\nhttps://e.org/1,a red dog,p1.jpg\nhttps://e.org/2,a white cat,p2.jpg\n", BOTH
    ),
    "CC3M with files": Case("a red dog\tp1.jpg\na white cat\tp2.jpg\n", BOTH),
    "a mapping of single captions": Case(dict(BOTH), BOTH),
    # photo libraries and others
    "exiftool -csv": Case('SourceFile,Subject\np1.jpg,"dog, red ball"\n', [("p1.jpg", ())]),
    "Lightroom": Case('"File Name","Title","Caption","Keywords"\n"p1.jpg","","a red dog","dog, ball"\n', [DOG]),
    "Windows paths": Case("path,caption\n.\\sub\\p1.jpg,a red dog\n", [("sub/p1.jpg", "a red dog")]),
    "rows with splits and no header": Case(
        "p1.jpg,train,a red dog\np2.jpg,val,a white cat\n", BOTH, splits=["train", "validation"]
    ),
    "a number between, no header": Case("p1.jpg,0,a red dog\np2.jpg,1,a white cat\n", BOTH),
    "comments above": Case("# made by a tool\n# 2024\nimage,caption\np1.jpg,a red dog\np2.jpg,a white cat\n", BOTH),
    "Spark": Case('image,caption\np1.jpg,"a \\"red\\" dog, big"\n', [("p1.jpg", 'a "red" dog, big')]),
}
REFUSED = {
    "CC3M": Case("a red dog\thttps://e.org/1.jpg\na white cat\thttps://e.org/2.jpg\n", error="no caption table"),
    "LAION": Case("url,text\nhttps://e.org/1.jpg,a red dog\n", bad=["image name is a URL, not a file under --images"]),
    "Label Studio JSON-MIN": Case(
        [{"image": "/data/upload/1/ab12cd34-p1.jpg", "caption": "a red dog"}], bad=["image name leads outside --images"]
    ),
    "CVAT's XML": Case(
        '<?xml version="1.0"?>\n<annotations><image name="p1.jpg"/></annotations>',
        error="XML: export it as COCO JSON or CSV",
    ),
    "a web page": Case("<!DOCTYPE html><table><tr><td>p1.jpg</td></tr></table>", error="save the table itself as CSV"),
    "mysqldump": Case(
        "-- MySQL dump\n\nINSERT INTO photos VALUES ('p1.jpg','a red dog');\n", error="export the table as CSV"
    ),
    "YAML": Case("- image: p1.jpg\n  caption: a red dog\n", error="YAML: write each photo as a line of JSON"),
    "YAML mapping": Case("p1.jpg:\n  - a red dog\n", error="YAML: write each photo as a line of JSON"),
    "an Excel workbook": Case("zip", error="Excel workbooks are.*export it as CSV", name="t.xlsx"),
    "SQLite": Case("sqlite", error="an SQLite database.*export it as CSV", name="t.db"),
    "a pickle": Case(b"\x80\x04\x95\x10\x00", error="a Python pickle.*export it as CSV"),
    "NumPy": Case(b"\x93NUMPY\x01\x00v\x00", error="a NumPy file.*export it as CSV"),
    "bzip2": Case(b"BZh91AY&SY", error="a bzip2 file"),
    "other languages": Case("Bild;Beschreibung\np1.jpg;ein Hund\n", error="rename the columns, or add such a line"),
    "pretty-printed objects after one another": Case(
        '{\n "image": "p1.jpg",\n "caption": "a dog"\n}\n{\n "image": "p2.jpg",\n "caption": "a cat"\n}\n',
        error="a second JSON value follows the first; write one array",
    ),
    "names alone": Case("p1.jpg\np2.jpg\n", error="expected a CSV with a header such as image,caption"),
    "two texts without a header": Case(
        "p1.jpg,a dog,red\np2.jpg,a cat,white\n", error="rename the columns, or add such a line"
    ),
    "JSON of nothing known": Case({"version": 1, "items": [1, 2]}, error="no captions in this JSON: expected an array"),
    "an unknown split": Case(
        "image,caption,split\np1.jpg,a red dog,fold_3\n", bad=['split "fold_3" is unknown: expected']
    ),
    "two photos under one key": Case('{"image": "p1.jpg", "image": "p2.jpg", "caption": "a dog"}\n',
                                     bad=["object names several images"]),
    "several objects on a line": Case(json.dumps({"0": ROWS[0], "1": ROWS[1]}) + "\n", name="t.jsonl",
                                      bad=["object holds several objects with a photo or captions each"]),
    "a photo's name as the key of a line": Case(json.dumps({"p1.jpg": {"id": 1, "caption": "a"}}) + "\n",
                                                name="t.jsonl", bad=["object names no image"]),
    "columns of which one is shorter": Case({"image": ["p1.jpg", "p2.jpg"], "text": ["a", "b"], "text_2": ["c"]},
                                            error="image has 2 entries and text_2 1"),
    "two categories with one id": Case(
        {"images": [{"id": 1, "file_name": "p1.jpg"}], "annotations": [{"image_id": 1, "category_id": 1}],
         "categories": [{"id": 1, "name": "dog"}, {"id": 1, "name": "cat"}]},
        error='the categories "dog" and "cat" both have the id "1"; give each an id of its own'),
    "a cut list in a cell": Case(
        "image,captions\np1.jpg,\"['a red dog' 'a do\"\n", bad=["caption is a list that cannot be"]
    ),
    "ARFF": Case("@RELATION photos\n@ATTRIBUTE image STRING\n", error="an ARFF file: export the table as CSV"),
}


HOSTILE = {
    "a split's name": "image,caption,split\na.jpg,a dog,train" + "1" * 100_000 + "x\n",
    "an open list": "image,caption\na.jpg,['a'" + " " * 100_000 + "'b]\n",
    "quotes": "image,caption\na.jpg,[" + "'" * 100_000 + "]\n",
    "a column's name": "image,caption" + "1a" * 20_000 + "\na.jpg,a dog\n",
    "comments of SQL": "/* */" * 10_000 + "x\n",
    "dashes of SQL": "-- " * 20_000 + "x\n",
    "a rule": "image|caption\na.jpg|" + "-" * 900_000 + "x\n",
    "spaces": "1000268201_693b08cb0e a dog\n" * 30 + "a" + " " * 900_000 + "\n",
    "markers": "image,caption\na.jpg," + "<end> " * 20_000 + "x\n",
    "digits": "a1" * 30_000 + "! x\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_table_takes_time_out_of_proportion(tmp_path, name):
    """Patterns that try every way to match would take hours for each of these."""
    path = write(tmp_path, Case(HOSTILE[name]))
    start = time.process_time()
    with contextlib.suppress(UserError):
        list(open_source(path, "auto", str(tmp_path)))
    assert time.process_time() - start < 5


def test_there_are_sixty_and_more():
    assert len(READ) + len(REFUSED) >= 60


@pytest.mark.parametrize("name", READ)
def test_tables_of_public_tools_are_read(tmp_path, name):
    check_read(tmp_path, READ[name])


@pytest.mark.parametrize("name", REFUSED)
def test_tables_that_cannot_be_read_say_what_to_change(tmp_path, name):
    check_refused(tmp_path, REFUSED[name])
