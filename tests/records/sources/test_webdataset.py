"""Tars with photos inside, as they are written by others."""

import bz2
import gzip
import lzma

from tests.records.sources.archives import photo, shards, write_tar
from tests.records.sources.rows import read


def test_members_of_one_name_are_one_example(tmp_path, small_photos):
    write_tar(tmp_path / "train-0.tar", [
        ("a.jpg", small_photos[0]), ("a.txt", "A dog\non grass."), ("a.json", '{"caption": "other"}'),
        ("x/b.seg.png", small_photos[1]), ("x/b.json", '{"captions": ["One cat.", "Two cats."], "url": "http://e/c.jpg"}'),
        ("c.webp", small_photos[2]), ("c.cls", "17"), ("d.jpg", small_photos[3]), ("e.txt", "no photo"),
        ("../f.jpg", small_photos[4]), ("../f.txt", "outside"), ("g.jpg", small_photos[5]), ("g.json", "{broken"),
        ("a.jpg", small_photos[6]), ("a.txt", "again"), ("__url__", "no example")])
    rows, bad = read(f"webdataset:{tmp_path}/*.tar", tmp_path / "out")
    assert [(row.image, row.caption, row.keywords, row.split) for row in rows] == [
        ("train-0/a.jpg", "A dog on grass.", None, "train"), ("train-0/x/b.png", "One cat.", None, "train"),
        ("train-0/x/b.png", "Two cats.", None, "train"), ("train-0/c.webp", "17", ("17",), "train")]
    assert [photo(row) for row in rows] == [small_photos[i] for i in (0, 1, 1, 2)]
    assert [(where, reason.partition(":")[0]) for where, reason in bad] == [
        ("train-0.tar:d", "photo has no caption"), ("train-0.tar:e", "example has no photo"),
        ("train-0.tar:../f", "image name leads outside --images"), ("train-0.tar:g", "text is no JSON"),
        ("train-0.tar:a", "image name is used by an earlier example of the split")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train-0.tar"]  # nothing is written


def test_a_tar_that_was_cut_gives_what_is_whole(tmp_path, small_photos):
    captions = shards(tmp_path, small_photos[:8], 2)
    whole = (tmp_path / "00000.tar").read_bytes()
    (tmp_path / "00000.tar").write_bytes(whole[:len(whole) // 2 + 700])
    rows, bad = read(captions, tmp_path / "out")
    assert len(rows) >= 5
    assert any(reason.startswith("tar is damaged or cut short") for _, reason in bad)


def test_a_compressed_tar_is_unpacked_once(tmp_path, small_photos):
    shards(tmp_path, small_photos[:4], 1)
    data = (tmp_path / "00000.tar").read_bytes()
    for suffix, module in (("gz", gzip), ("bz2", bz2), ("xz", lzma)):
        path = tmp_path / f"00000.tar.{suffix}"
        path.write_bytes(module.compress(data))
        rows, bad = read(f"webdataset:{path}", tmp_path / suffix)
        assert not bad and list(map(photo, rows)) == small_photos[:4]
        assert rows[0].image.endswith("/000000000.jpg") and len(list((tmp_path / suffix).iterdir())) == 1
    path.write_bytes(module.compress(data)[:-300])
    assert read(f"webdataset:{path}", tmp_path / "cut")[1][-1][1].startswith("tar is damaged or cut short")
    path.write_bytes(b"\x28\xb5\x2f\xfd...")
    assert read(f"webdataset:{path}", tmp_path / "z")[1][0][1].endswith(
        "it is compressed by Zstandard: unpack it with zstd -d")


def test_several_photos_of_one_name_are_told_apart(tmp_path, small_photos):
    a, b = small_photos[:2]
    write_tar(tmp_path / "t.tar", [
        ("v.1.jpg", a), ("v.1.txt", "first"), ("v.2.jpg", b), ("v.2.txt", "second"), ("v.3.jpg", b),
        ("w.png", b), ("w.jpg", a), ("w.txt", "its own"), ("w.blip.txt", "by another"),
        ("x.2024.01.jpg", b), ("x.2024.01.json", '["a dog", "a red dog"]'),
        ("y.jpg", a), ("y.json", '{"file_name": "other.jpg", "tags": ["dog", "red ball"], "split": "val"}'),
        ("z.jpg", a), ("z.json", '{"conversations": [{"from": "gpt", "value": "a dog"}]}')])
    rows, bad = read(f"webdataset:{tmp_path}/t.tar", tmp_path)
    assert [(row.image, row.caption) for row in rows] == [
        ("t/v.1.jpg", "first"), ("t/v.2.jpg", "second"), ("t/w.jpg", "its own"),
        ("t/x.2024.01.jpg", "a dog"), ("t/x.2024.01.jpg", "a red dog"), ("t/y.jpg", "dog, red ball"),
        ("t/z.jpg", "a dog")]
    assert [photo(row) == a for row in rows] == [True, False, True, False, False, True, True]
    assert rows[5].keywords == ("dog", "red ball") and rows[5].split == "validation"
    assert [where for where, _ in bad] == ["t.tar:v.3"]
