from records.images.extents import Extent
from records.sources import BadRow, Row
from records.sources.caption_rows import caption_rows
from records.sources.table import Table

TABLE = Table("t.csv", "")


def test_each_caption_is_a_row_at_its_place():
    extent = Extent("/data/0.tar", 512, 20)
    assert list(caption_rows(TABLE, "a.jpg", [("caption", '["A dog.", "A cat."]')], "t.csv:2", "val", extent)) == [
        Row("a.jpg", "A dog.", "t.csv:2 caption 0", "validation", None, extent),
        Row("a.jpg", "A cat.", "t.csv:2 caption 1", "validation", None, extent)]


def test_the_column_tells_keywords_from_captions():
    (row,) = caption_rows(TABLE, "a.jpg", [("tags", ["dog", "red ball"])], "t.csv:2")
    assert row.keywords == ("dog", "red ball") and row.where == "t.csv:2"


def test_fields_without_a_caption_say_so():
    assert list(caption_rows(TABLE, "a\tb.jpg", [("captions", [])], "t.csv:2")) == [
        BadRow("t.csv:2", "a\\tb.jpg", "caption is empty")]
    (row,) = caption_rows(TABLE, "a.jpg", [("captions", '["A dog.", "A c')], "t.csv:3")
    assert isinstance(row, BadRow) and row.image == "a.jpg"
