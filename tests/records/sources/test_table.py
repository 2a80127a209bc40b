import gzip
import io
import tracemalloc

import pytest
import tensorflow as tf

from flags.errors import UserError
from records.sources import BadRow, Row, open_source
from records.sources.table import LINE_LIMIT, Table, Unbuffered

ROWS = "image,caption\r\na.jpg,a dog\r\nb.jpg,\"a café, 犬\"\r\n"


def read(path):
    return list(open_source(str(path), "auto", ""))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_encodings_are_told_from_the_first_bytes(tmp_path, encoding):
    path = tmp_path / "captions.csv"
    path.write_bytes((ROWS + "c.jpg,the cat\r\n" * 50).encode(encoding))
    rows = read(path)
    assert len(rows) == 52
    assert rows[:2] == [Row("a.jpg", "a dog", "captions.csv:2"), Row("b.jpg", "a café, 犬", "captions.csv:3")]


def test_bytes_that_are_not_utf8_cost_their_own_row_only(tmp_path):
    path = tmp_path / "captions.csv"
    path.write_bytes("image,caption\na.jpg,a dog\ncafé.jpg,two\nb.jpg,a café\nc.jpg,the cat\n".encode("latin-1"))
    good, name, caption, last = read(path)
    assert (good.image, last.image) == ("a.jpg", "c.jpg")
    assert name == BadRow("captions.csv:3", "caf\\udce9.jpg",
                          'image name is not UTF-8: byte 0xE9 in "caf�.jpg"')
    assert caption.image == "b.jpg"
    assert caption.reason.startswith("caption is not UTF-8: byte 0xE9")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system(tmp_path, end):
    path = tmp_path / "t.csv"
    path.write_text(end.join(["image,caption", "a.jpg,a dog", "", "b.jpg,a cat"]), newline="")
    assert [row.where for row in read(path)] == ["t.csv:2", "t.csv:4"]


def test_gzip(tmp_path):
    path = tmp_path / "captions.csv.gz"
    path.write_bytes(gzip.compress(ROWS.encode()))
    assert [row.image for row in read(path)] == ["a.jpg", "b.jpg"]


def test_truncated_gzip_is_not_half_read_in_silence(tmp_path):
    path = tmp_path / "captions.csv.gz"
    path.write_bytes(gzip.compress("".join(f"{n}.jpg,dog {n * n}\n" for n in range(10_000)).encode())[:-1000])
    with pytest.raises(UserError, match="is the file complete"):
        read(path)


def test_a_line_that_is_no_row_is_skipped_in_bounded_memory(tmp_path):
    path = tmp_path / "captions.csv"
    with path.open("w") as file:
        file.write("image,caption\na.jpg,a dog\nb.jpg,")
        for _ in range(64):
            file.write("x" * LINE_LIMIT)
        file.write("\nc.jpg,a cat\n")
    tracemalloc.start()
    rows = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [type(row) for row in rows] == [Row, BadRow, Row]
    assert rows[1] == BadRow("captions.csv:3", "", "line is longer than 1,048,576 characters")
    assert rows[2].where == "captions.csv:4"
    assert peak < 16 * LINE_LIMIT


@pytest.mark.parametrize(("name", "line"), [
    ("t.csv", "photo_{}.jpg,{}\n"),
    ("t.txt", "photo_{}.jpg#0\t{}\n"),
    ("t.jsonl", '{{"image": "photo_{}.jpg", "caption": "{}"}}\n')])
def test_large_tables_stream(tmp_path, name, line):
    path = tmp_path / name
    path.write_text("".join(line.format(number, "dog " + "x" * 1_200) for number in range(5_000)))
    tracemalloc.start()
    count = sum(isinstance(row, Row) for row in open_source(str(path), "auto", ""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 5_000
    assert peak < path.stat().st_size / 4


def test_files_of_object_stores_are_read_like_local_ones(tmp_path):
    """etils opens gs:// paths as tf.io.gfile.GFile, which Python's text and gzip readers do not take as they are."""
    (tmp_path / "t.gz").write_bytes(gzip.compress(ROWS.encode() * 1000))
    stream = Unbuffered(tf.io.gfile.GFile(str(tmp_path / "t.gz"), "rb"))
    with gzip.GzipFile(fileobj=io.BufferedReader(stream)) as unpacked, io.TextIOWrapper(unpacked, newline="") as text:
        assert text.read() == ROWS * 1000


@pytest.mark.parametrize("path", ["{tmp}", "{tmp}/missing.csv", "{tmp}/missing.csv.gz"])
def test_no_file_is_one_line(tmp_path, path):
    path = path.format(tmp=tmp_path)
    with pytest.raises(UserError, match=f"--captions: .*{path}.*expected a file with a table of captions"):
        read(path)


def test_whether_the_head_is_cut_is_told_by_bytes(tmp_path):
    (tmp_path / "short").write_text("犬" * 21_000, "utf-8")
    (tmp_path / "long").write_text("犬" * 23_000, "utf-8")
    assert not Table(str(tmp_path / "short"), "").is_head_cut
    cut = Table(str(tmp_path / "long"), "")
    assert cut.is_head_cut and len(cut.head) < 23_000
