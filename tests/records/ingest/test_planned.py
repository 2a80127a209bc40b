import sqlite3

from records.ingest.planned import Text, planned
from records.sources import Row
from tests.records.ingest.databases import resolved

ROWS = [Row(f"{i}.jpg", f"a dog number {i} {again}", f"t:{i}", "train" if i else "test")
        for again in ("runs", "sits") for i in range(6)]


def test_keywords_that_were_told_apart_are_a_line_each():
    assert Text("", "", "", "New York\ndog").listed == ["New York", "dog"]
    assert Text("dog, cat", "", "", "").listed == Text("a dog", "", "", None).listed == []


def test_examples_have_their_captions_in_the_tables_order_and_any_place_can_be_the_first(tmp_path):
    database = resolved(tmp_path, ROWS)
    with sqlite3.connect(database.path) as db:
        examples = list(planned(db, "train"))
        assert [example.key for example in planned(db, "test")] == ["0.jpg"]
        assert list(planned(db, "train", database.position("train", 2))) == examples[2:]
    assert sorted(example.key for example in examples) == [f"{i}.jpg" for i in range(1, 6)]
    for example in examples:
        assert [text.caption.split()[-1] for text in example.captions] == ["runs", "sits"]
        assert (example.height, example.width, example.file_crc32c, example.reencode) == (3, 4, 7, False)
        assert example.captions[0].words == example.captions[0].caption
