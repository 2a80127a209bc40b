import json

import pytest

from records.format import manifest as manifests
from records.ingest.database import IngestDatabase
from records.ingest.scan import check_images, start_meanwhile
from records.ingest.splits import Splitter
from records.sources import Row
from records.util.process_pool import Workers
from tests.records.inputs import deadly_check, make, write_captions, write_photos


def test_a_photo_that_crashes_its_decoder_is_left_out(tmp_path, monkeypatch):
    names = write_photos(tmp_path / "images", 230, size=16)
    table = write_captions(tmp_path / "captions.csv", names, per_image=1)
    monkeypatch.setattr("records.ingest.scan.check_chunk", deadly_check)
    records = make(tmp_path / "images", table, tmp_path / "r", workers=2)
    (line,) = (records / "rejected.jsonl").read_text().splitlines()
    assert json.loads(line)["image"] == "photo_0007.jpg" and "crashes its decoder" in line
    assert sum(split.examples for split in manifests.load(records).splits.values()) == 229


@pytest.fixture
def workers():
    with Workers() as pool:
        yield pool


def test_duplicates_are_found_and_damaged_photos_have_reasons(tmp_path, workers):
    names = write_photos(tmp_path, 4)
    (tmp_path / "same.jpg").write_bytes((tmp_path / names[1]).read_bytes())
    (tmp_path / "damaged.jpg").write_bytes((tmp_path / names[2]).read_bytes()[:200])
    database = IngestDatabase(str(tmp_path / "index"), "inputs")
    database.ingest([Row(name, f"a dog in {name[:10]}", f"t:{name}", "train")
                     for name in (*names, "same.jpg", "damaged.jpg")])
    check_images(database, str(tmp_path), 50, workers, 1)
    assert database.image_counts() == (6, 6) and not workers.running
    database.resolve(Splitter(), 0)
    assert sorted(example.key for example in database.examples("train")) == names
    assert [(other, kept) for other, kept, _ in database.duplicates()] == [("same.jpg", names[1])]
    ((image, _, reason),) = database.rejected()
    assert image == "damaged.jpg" and reason.startswith(("photo", "JPEG"))


def test_few_rows_start_no_process_and_all_go_through(workers):
    rows = [Row("a.jpg", f"dog {i}", f"t:{i}") for i in range(99)]
    assert list(start_meanwhile(iter(rows), workers, 2)) == rows and not workers.running
