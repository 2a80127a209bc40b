"""Bad caption tables, each made here, run through make_records from the command line.

Whatever is wrong, the run ends with exit status 0 and every row in the records or in rejected.jsonl, or with exit
status 1 and one line that names the table. Where a table has good rows beside the bad, they are used.
"""

import dataclasses
import gzip
import io
import json
import pathlib
import shutil
import zipfile

import pytest

import main

PHOTOS = sorted((pathlib.Path(__file__).parents[2] / "tagger" / "demo_data" / "images").glob("*.jpg"))[:3]
HEADER = b"image,caption\n"
GOOD = b"a.jpg,a dog\nb.jpg,the cat\n"


@dataclasses.dataclass
class Case:
    """One table.

    Attributes:
      data: its bytes.
      good: how many captions must get into the records.
      bad: kind and number of rejected rows.
      error: what the one line must say, for tables that cannot be used at all.
    """

    data: bytes
    good: int = 0
    bad: dict[str, int] = dataclasses.field(default_factory=dict)
    error: str = ""
    name: str = "t.csv"


def csv(rows: bytes | str, good: int, bad: dict[str, int] | None = None) -> Case:
    """Two good rows, the bad ones, and `good` counts all that must survive."""
    return Case(HEADER + GOOD + (rows.encode() if isinstance(rows, str) else rows), good, bad or {})


def lines(*rows: object, good: int, bad: dict[str, int]) -> Case:
    fine = {"image": "a.jpg", "caption": "a dog"}
    text = [json.dumps(row) if not isinstance(row, str) else row for row in (fine, *rows, {**fine, "image": "b.jpg"})]
    return Case("\n".join(text).encode("utf-8", "surrogateescape"), good, bad, name="t.jsonl")


def coco(images: object, annotations: object, good: int, bad: dict[str, int]) -> Case:
    return Case(json.dumps({"images": images, "annotations": annotations}).encode(), good, bad, name="t.json")


def zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("captions.csv", data)
    return buffer.getvalue()


OUTSIDE, UNCLOSED, FIELDS = "image name leads outside --images", "quote is opened and never closed", \
    "number of fields is wrong"
FLICKR_FORM = "line is not of the form name#number<TAB>caption"
A = {"id": 1, "file_name": "a.jpg"}

CASES = {
    # Names that must never be opened.
    "traversal": csv("../../etc/passwd,the cow\n", 2, {OUTSIDE: 1}),
    "traversal inside": csv("sub/../../a.jpg,the cow\n", 2, {OUTSIDE: 1}),
    "traversal with backslashes": csv("..\\..\\windows\\win.ini,the cow\n", 2, {OUTSIDE: 1}),
    "absolute name": csv("/etc/passwd,the cow\n", 2, {OUTSIDE: 1}),
    "drive letter": csv("C:\\photos\\a.jpg,the cow\nd:a.jpg,an ox\n", 2, {OUTSIDE: 2}),
    "network share": csv("\\\\server\\share\\a.jpg,the cow\n", 2, {OUTSIDE: 1}),
    "home folder": csv("~root/a.jpg,the cow\n", 2, {OUTSIDE: 1}),
    "url": csv("https://example.org/a.jpg,the cow\n", 2, {"image name is a URL, not a file under --images": 1}),
    "folder as image": csv("./,the cow\nsub/,an ox\n", 2, {"image name is a folder": 2}),
    "NUL in name": csv("a\0.jpg,the cow\n", 2, {"image name holds a NUL byte": 1}),
    "escape sequence in name": csv("\x1b[2Ja.jpg,the cow\n", 2, {"image name holds a control character": 1}),
    "very long name": csv("x" * 5_000 + ".jpg,the cow\n", 2, {
        "image name is longer than a file name can be": 1}),
    "long non-ASCII name": csv("é" * 200 + ".jpg,the cow\n", 2, {
        "image name is longer than a file name can be": 1}),
    "empty name": csv(",the cow\n  ,an ox\n", 2, {"image name is empty": 2}),
    # Captions.
    "empty captions": csv('c.jpg,\nc.jpg,"  "\nc.jpg,the cow\n', 3, {"caption is empty": 2}),
    "captions without words": csv("c.jpg,...\nc.jpg,?!\n", 2, {"caption has no words": 2}),
    "caption of 5,000 words": csv("c.jpg," + "dog " * 5_000 + "\n", 2, {"caption is too long": 1}),
    "caption of 5,000 words in one": csv("c.jpg," + "dog" * 5_000 + "\n", 3),
    "caption beyond the field limit": csv("c.jpg," + "x" * 200_000 + "\nc.jpg,an ox\n", 3, {"row is no CSV": 1}),
    "line of 3 MB": csv("c.jpg," + "x" * 3_000_000 + "\nc.jpg,an ox\n", 3, {
        "line is longer than 1,048,576 characters": 1}),
    "NUL in caption": csv("c.jpg,the\0 cow\n", 2, {"caption holds a NUL byte": 1}),
    "control characters in caption": csv("c.jpg,the\x07 \x1b[31mcow\n", 3),
    "duplicate rows": csv("a.jpg,a dog\na.jpg,a dog\nc.jpg,the cow\n", 3, {
        "caption repeats another row of the same photo": 2}),
    # Encodings.
    "latin-1": csv("c.jpg,un café\nc.jpg,the cow\n".encode("latin-1"), 3, {"caption is not UTF-8": 1}),
    "latin-1 name": csv("café.jpg,the cow\n".encode("latin-1"), 2, {"image name is not UTF-8": 1}),
    "windows-1252 quotes": csv(b"c.jpg,the \x93big\x94 cow\n", 2, {"caption is not UTF-8": 1}),
    "half a character": csv(b"c.jpg,cow \xe7\x8a\nc.jpg,an ox\n", 3, {"caption is not UTF-8": 1}),
    "surrogates encoded as UTF-8": csv(b"c.jpg,cow \xed\xa0\xbd\n", 2, {"caption is not UTF-8": 1}),
    "UTF-8 with BOM": Case(b"\xef\xbb\xbf" + HEADER + GOOD, 2),
    "UTF-16": Case((HEADER + GOOD).decode().encode("utf-16"), 2),
    "UTF-16 without BOM": Case((HEADER + GOOD).decode().encode("utf-16-le"), 2),
    "UTF-16 cut in a character": Case((HEADER + GOOD).decode().encode("utf-16")[:-3], 2),
    "BOM only": Case(b"\xef\xbb\xbf", error="is empty"),
    # Layout.
    "CRLF and blank lines": Case((HEADER + b"\n\n" + GOOD + b"\n").replace(b"\n", b"\r\n"), 2),
    "old Mac line ends": Case((HEADER + GOOD).replace(b"\n", b"\r"), 2),
    "no line end at the end": Case((HEADER + GOOD).rstrip(), 2),
    "comma without quotes": csv("c.jpg,a cow, brown\nc.jpg,an ox\n", 4),
    "missing field": csv("c.jpg\nc.jpg,an ox\n", 3, {FIELDS: 1}),
    "trailing commas": csv("c.jpg,an ox,,,\n", 3),
    "quote never closed": csv('c.jpg,"the cow\nc.jpg,an ox\n', 3, {UNCLOSED: 1}),
    "two quotes never closed": csv('c.jpg,"the cow\nc.jpg,an ox\nc.jpg,"the pig\nc.jpg,a hen\n', 4, {UNCLOSED: 2}),
    "quote in the last line": csv('c.jpg,"the cow', 2, {UNCLOSED: 1}),
    "text after a quote": csv('c.jpg,"Moo" says the cow\nc.jpg,"Moo, moo" it says\n', 4),
    "caption over lines": csv('c.jpg,"the\n\ncow"\n', 3),
    "row of quotes": csv('"""","""\n""\n', 2, {UNCLOSED: 1, FIELDS: 1}),
    "empty split": Case(b"image,caption,split\na.jpg,a dog,train\nb.jpg,the cat,\nc.jpg,an ox,../x\n", 1, {
        "split is no name": 2}),
    "bars with a missing bar": Case(
        b"image_name| comment_number| comment\na.jpg| 0| a dog\nb.jpg| 4   the cat\nc.jpg| 0| \"an\" ox\n", 2, {
            FIELDS: 1}),
    "header twice": csv("image,caption\n", 2, {"photo does not exist": 1}),
    # Flickr token files.
    "token lines broken": Case(
        b"a.jpg#0\ta dog\nb.jpg#0 the cat\nc.jpg\tan ox\n#1\ta hen\nc.jpg#1\t\nc.jpg#2\tthe pig\nb.jpg#x\ta cow\n"
        b"a.jpg#1\ttwo dogs\na.jpg#2\tthree dogs\nb.jpg#9\tfour\n", 5,
        {FLICKR_FORM: 3, "image name is empty": 1, "caption is empty": 1}, name="t.token.txt"),
    "token name outside": Case(b"a.jpg#0\ta dog\n../a.jpg#0\ta cat\n", 1, {OUTSIDE: 1}, name="t.txt"),
    # JSON lines.
    "malformed line": lines('{"image": "c.jpg", "caption"', good=2, bad={"line is no JSON": 1}),
    "lines that are no objects": lines([1], 7, "null", '"text"', good=2, bad={"line is no JSON object": 4}),
    "keys missing": lines({"caption": "x"}, {"image": "c.jpg"}, {}, good=2, bad={
        "object names no image": 2, "object has no caption": 1}),
    "values of other types": lines(
        {"image": 7.5, "caption": "x"}, {"image": "c.jpg", "caption": {"en": "x"}}, {"image": "c.jpg", "captions": []},
        {"image": "c.jpg", "captions": [None, "an ox"]}, good=3,
        bad={"image name is not text": 1, "caption is not text": 2, "caption is empty": 1}),
    "half an emoji": lines('{"image": "c.jpg", "caption": "cow \\ud83d"}', good=2, bad={"caption is not UTF-8": 1}),
    "escaped NUL": lines('{"image": "c.jpg", "caption": "cow \\u0000"}', good=2, bad={"caption holds a NUL byte": 1}),
    "deep nesting": lines("[" * 50_000, '{"image": ' * 50_000, good=2, bad={"line is no JSON": 2}),
    "endless number": lines('{"image": "c.jpg", "caption": ' + "1" * 10_000 + "}", good=2, bad={"line is no JSON": 1}),
    "byte that is no UTF-8": lines('{"image": "c.jpg", "caption": "caf\udce9"}', good=2, bad={
        "caption is not UTF-8": 1}),
    # JSON documents.
    "COCO with broken entries": coco(
        [A, {"id": 2, "file_name": "b.jpg"}, {"id": 3}, "text", {"id": 4, "file_name": "c.jpg"}],
        [{"image_id": 1, "caption": "a dog"}, {"image_id": 9, "caption": "x"}, {"image_id": 2}, 7, {"image_id": [1]},
         {"image_id": 3, "caption": "x"}], 1,
        {"image_id is of no image in the file": 1, "caption is not text": 1, "image name is not text": 1,
         "annotation is no object with an image_id": 2, "image is no object with an id": 1, "photo has no caption": 1}),
    "COCO name outside": coco([A, {"id": 2, "file_name": "/etc/passwd"}],
                              [{"image_id": 1, "caption": "a dog"}, {"image_id": 2, "caption": "x"}], 1, {OUTSIDE: 1}),
    "Karpathy with broken entries": Case(json.dumps({"images": [
        {"filename": "a.jpg", "split": "train", "sentences": [{"raw": "a dog"}, {"tokens": ["x"]}, "text"]},
        {"filename": "b.jpg", "split": "", "sentences": [{"raw": "x"}]},
        {"filename": "../b.jpg", "split": "train", "sentences": [{"raw": "x"}]},
        {"filename": "c.jpg", "split": "train"}, None, {"split": "train", "sentences": [{"raw": "x"}]}]}).encode(), 1, {
            "caption is not text": 1, "sentence is no object": 1, "split is no name": 1, OUTSIDE: 1,
            "image is no object with sentences": 2, "image name is not text": 1}, name="t.json"),
    "JSON cut": Case(b'{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"ima', name="t.json",
                     error="no valid JSON"),
    "JSON of something else": Case(b'{"images": [1, 2], "labels": []}', name="t.json",
                                   error="no captions in this JSON"),
    "JSON array": Case(b'[{"image": "a.jpg", "caption": "a dog"}, 7, {"image": "b.jpg"}]', 1, {
        "array element is no object": 1, "object has no caption": 1}, name="t.json"),
    # No tables at all.
    "empty file": Case(b"", error="is empty"),
    "white space": Case(b" \n\r\n\t\n", error="is empty"),
    "header only": Case(HEADER, error="has no captions"),
    "missing columns": Case(b"width,height\n640,480\n", error="width,height"),
    "prose": Case(b"It was a dark and stormy night.\n" * 50, error="is no caption table"),
    "NUL bytes only": Case(b"\0" * 10_000, error="is no text"),
    "noise": Case(bytes((n * n * 31 + n) % 256 for n in range(10_000)), error="--captions"),
    "photo": Case(PHOTOS[0].read_bytes(), error="is a JPEG photo"),
    "zip": Case(zipped(HEADER + GOOD), error="is a zip file"),
    "gzip": Case(gzip.compress(HEADER + GOOD), 2),
    "gzip cut": Case(gzip.compress(HEADER + GOOD + b"c.jpg,an ox\n" * 99)[:-20], error="is the file complete?"),
    "gzip of nothing": Case(gzip.compress(b""), error="is empty"),
    "web page": Case(b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n", error="is no caption table"),
}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for name, photo in zip("abc", PHOTOS, strict=True):
        shutil.copy(photo, folder / f"{name}.jpg")
    return folder


def test_the_corpus_has_its_size():
    assert len(CASES) >= 75


@pytest.mark.parametrize("name", CASES)
def test_a_bad_table_costs_its_bad_rows_only(name, images, tmp_path, capfd):
    case = CASES[name]
    table, records_dir = tmp_path / case.name, tmp_path / "records"
    table.write_bytes(case.data)
    splits = [] if b"split" in case.data else ["--split_fractions=train=1"]
    status = main.main(["main.py", "--mode=make_records", f"--images={images}", f"--captions={table}",
                        f"--records_dir={records_dir}", "--backbone=none", "--workers=1", "--max_rejected=100%",
                        *splits])
    error = capfd.readouterr().err
    assert "Traceback" not in error
    if case.error:
        assert status == 1
        message = [line for line in error.splitlines() if line.startswith("error: ")]
        assert len(message) == 1 and case.error in message[0] and str(table) in message[0]
        return
    assert status == 0, error
    manifest = json.loads((records_dir / "manifest.json").read_text())
    rejected = [json.loads(line) for line in (records_dir / "rejected.jsonl").read_text("utf-8").splitlines()]
    assert sum(split["captions"] for split in manifest["splits"].values()) == case.good
    assert manifest["rejected"]["by_reason"] == case.bad
    assert len(rejected) == sum(case.bad.values())
    for line in rejected:
        assert line["row"].startswith(f"{case.name}:")
        assert line["reason"].isprintable() and len(line["reason"]) < 300
