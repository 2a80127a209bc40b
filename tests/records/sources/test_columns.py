import re

from records.sources import columns


def test_a_name_counts_however_it_is_written():
    for name in ("Image Name", "image_name", "imageName", " IMAGE-NAME "):
        assert columns.find([name], columns.IMAGE) == 0


def test_the_preferred_column_comes_first():
    names = ["id", "title", "caption", "file_name"]
    assert columns.find_all(names, columns.IMAGE) == [3, 0]
    assert columns.find_captions(names) == [2]
    assert columns.find(names, columns.SPLIT) is None


def test_numbered_columns_belong_together():
    assert columns.find_captions(["image", "caption", "caption_2", "width"]) == [1, 2]
    assert columns.find_captions(["tag1", "image", "tag2"]) == [0, 2]
    assert columns.find_captions(["image", "width"]) == []


def test_keywords_and_one_keyword():
    assert columns.is_keywords("Labels") and columns.is_keywords("tag_2") and not columns.is_keywords("caption")
    assert columns.is_single("label") and columns.is_single("class1") and not columns.is_single("labels")


def test_what_messages_offer_is_understood():
    images, captions = re.fullmatch(r".*image may also be called (.*), caption (.*)\)", columns.HEADER).groups()
    for offered, kind in ((images, columns.IMAGE), (captions, columns.CAPTION)):
        assert set(re.split(", | or ", offered)) <= set(kind)
