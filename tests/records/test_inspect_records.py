import dataclasses
import json
import pathlib
import re

import pytest
from PIL import Image

import main
from records.format import manifest as manifests
from tests.records import folders

DEMO = pathlib.Path(__file__).parents[2] / "tagger" / "demo_data"


def make(folder, *flags):
    status = main.main(["main.py", "--mode=make_records", f"--images={DEMO / 'images'}", f"--records_dir={folder}",
                        f"--captions={DEMO / 'captions.token.txt'}", "--backbone=none", "--workers=1", *flags])
    assert status == 0
    return folder


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return make(tmp_path_factory.mktemp("inspect") / "photos", "--min_count=3")


def inspect(capsys, folder, *flags):
    capsys.readouterr()
    status = main.main(["main.py", "--mode=inspect_records", f"--records_dir={folder}", *flags])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_counts_lengths_and_tags(records, tmp_path, capsys):
    status, out, _ = inspect(capsys, records, f"--sheet={tmp_path / 'sheet.png'}", "--sheet_images=1")
    assert status == 0
    manifest = json.loads((records / "manifest.json").read_text())
    for name, info in manifest["splits"].items():
        words = info["tokens"] - info["captions"]
        assert re.search(rf"^{name} +{info['examples']} +{info['captions']} +{words:,} ", out, re.MULTILINE)
    histogram = re.findall(r"^ +[\d–]+  [█ ]{50}  ([\d,]+)$", out, re.MULTILINE)
    assert sum(int(count.replace(",", "")) for count in histogram) == 235
    captions = [line.split("\t")[1].lower() for line in (DEMO / "captions.token.txt").read_text().splitlines()]
    share = sum(bool(re.search(r"\bkitchen\b", caption)) for caption in captions) / len(captions)
    assert f"kitchen {100 * share:.1f} %" in out
    assert "in all examples" in out
    (shown,) = re.findall(r"examples, as they were understood\n((?:  .*\n)+)", out)
    assert [line.split()[0] for line in shown.splitlines()] == ["train", "validation", "test"]
    assert all(re.search(r"  \S+\.jpg: \".+\" \(\+2 more\); tags: \w+", line) for line in shown.splitlines())
    assert "0 rows left out" in out


def test_what_was_left_out_is_listed_by_reason(tmp_path, capsys):
    table = tmp_path / "t.csv"
    name = sorted(path.name for path in (DEMO / "images").glob("*.jpg"))[0]
    table.write_text(f"image,caption\n{name},a dog\n{name},\n{name},...\n{name},!\n../x.jpg,a cat\n")
    make(tmp_path / "few", f"--captions={table}", "--split_fractions=train=1", "--max_rejected=100%")
    _, out, _ = inspect(capsys, tmp_path / "few")
    assert "4 rows left out, see rejected.jsonl:\n         2  caption has no words\n" in out
    assert "         1  image name leads outside --images" in out


def test_contact_sheet_depends_on_the_seed_alone(records, tmp_path, capsys):
    sheets = {}
    for name, seed, count in (("a", 1, 3), ("again", 1, 3), ("other", 2, 3), ("more", 1, 9)):
        path = tmp_path / f"{name}.png"
        status, out, _ = inspect(capsys, records, f"--sheet={path}", f"--seed={seed}", f"--sheet_images={count}")
        assert status == 0 and f"contact sheet: {path}" in out
        sheets[name] = path.read_bytes()
    assert sheets["a"] == sheets["again"] != sheets["other"]
    assert Image.open(tmp_path / "more.png").height > Image.open(tmp_path / "a.png").height


def test_the_sheet_lies_in_the_records_folder_and_verify_does_not_mind(records, capsys):
    status, out, _ = inspect(capsys, records, "--sheet_images=4")
    assert status == 0
    assert (records / "contact_sheet.png").stat().st_size > 10_000
    assert main.main(["main.py", "--mode=verify_records", f"--records_dir={records}"]) == 0


def test_one_split_and_a_limit(records, tmp_path, capsys):
    flags = (f"--sheet={tmp_path / 'sheet.png'}", "--sheet_images=1000")
    test = json.loads((records / "manifest.json").read_text())["splits"]["test"]["examples"]
    _, out, _ = inspect(capsys, records, "--split=test", *flags)
    assert f"in {test} of the 47 examples" in out
    _, out, _ = inspect(capsys, records, "--limit=2", "--top_tags=0", *flags)
    assert "in 6 of the 47 examples" in out
    assert "most frequent tags" not in out


def test_no_sheet(records, tmp_path, capsys):
    (records / "contact_sheet.png").unlink(missing_ok=True)
    status, out, _ = inspect(capsys, records, "--sheet=none")
    assert status == 0 and "contact sheet" not in out
    assert not (records / "contact_sheet.png").exists()


def test_targets_that_are_tags(tmp_path, capsys):
    make(tmp_path / "tags", "--target=tags")
    _, out, _ = inspect(capsys, tmp_path / "tags", "--sheet=none")
    assert "target tags" in out


@pytest.mark.parametrize(("flags", "named"), [
    (("--split=no_such",), "no split 'no_such'"),
    (("--limit=-1",), "--limit=-1"),
    (("--sheet={records}",), "--sheet: cannot write"),
    (("--records_dir={records}/missing",), "no such folder"),
    (("--records_dir={records}/..",), "manifest.json"),
])
def test_mistakes_are_one_line(records, capsys, flags, named):
    status, _, error = inspect(capsys, records, *(flag.format(records=records) for flag in flags))
    assert status == 1
    assert named in error.splitlines()[-1] and error.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in error


def test_a_damaged_shard_is_one_line(tmp_path, capsys):
    folder = make(tmp_path / "damaged")
    shard = next(folder.glob("*-train.tfrecord*"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    status, _, error = inspect(capsys, folder)
    assert status == 1 and "verify_records" in error.splitlines()[-1]


def test_records_without_photos_have_no_sheet(tmp_path, capsys):
    folder = folders.write(tmp_path / "bare", {"train": folders.random_split(0, [5, 4])}, feature_size=8)
    manifest = manifests.load(folder)
    manifests.save(folder, dataclasses.replace(manifest, flags={"store_images": False}))
    status, out, _ = inspect(capsys, folder)
    assert status == 0
    assert "no contact sheet: the photos are not in these records" in out
    assert "8 features per photo from resnet50" in out
    assert not (folder / "contact_sheet.png").exists()
