import pytest

from records.sources.base import BadField, BadRow, Row, caption_text, image_name, make_row, reason_class, split_name


@pytest.mark.parametrize(("given", "name"), [
    ("a.jpg", "a.jpg"),
    ("  a.jpg\n", "a.jpg"),
    ("./sub//b.png", "sub/b.png"),
    ("sub\\win.jpg", "sub/win.jpg"),
    ("日本 ü (1).JPG", "日本 ü (1).JPG"),
    ("a..b/...jpg", "a..b/...jpg"),
    ("x" * 251 + ".jpg", "x" * 251 + ".jpg"),
])
def test_image_names_that_are_used(given, name):
    assert image_name(given) == name


@pytest.mark.parametrize(("given", "reason"), [
    ("", "image name is empty"),
    (" \t", "image name is empty"),
    (None, "image name is not text"),
    (1.5, "image name is not text"),
    (True, "image name is not text"),
    (["a.jpg"], "image name is not text"),
    ("../../etc/passwd", "image name leads outside --images"),
    ("sub/../../a.jpg", "image name leads outside --images"),
    ("..\\..\\a.jpg", "image name leads outside --images"),
    ("/etc/passwd", "image name leads outside --images"),
    ("\\\\server\\share\\a.jpg", "image name leads outside --images"),
    ("C:\\a.jpg", "image name leads outside --images"),
    ("c:a.jpg", "image name leads outside --images"),
    ("~/a.jpg", "image name leads outside --images"),
    ("https://example.org/a.jpg", "image name is a URL, not a file under --images"),
    ("file:///etc/passwd", "image name is a URL, not a file under --images"),
    ("sub/", "image name is a folder"),
    (".", "image name is a folder"),
    ("a\0.jpg", "image name holds a NUL byte"),
    ("a\x1b[2J.jpg", "image name holds a control character"),
    ("caf\udce9.jpg", "image name is not UTF-8"),
    ("ü" * 128, "image name is longer than a file name can be"),
    ("sub/" * 1100 + "a.jpg", "image name is longer than a file name can be"),
])
def test_image_names_that_are_refused(given, reason):
    with pytest.raises(BadField) as error:
        image_name(given)
    assert reason_class(str(error.value)) == reason


def test_captions_are_put_on_one_line():
    assert caption_text("  A dog\r\n\truns\x0b \x85on\u3000grass\u2028. ") == "A dog runs on grass ."


@pytest.mark.parametrize("given", [
    "<start> a dog runs <end>", "startseq a dog runs endseq", "<s>a dog runs</s>", "[START] a dog runs [END]",
    "<start> a dog runs <end> <end>", "a dog runs"])
def test_markers_of_a_captions_ends_are_taken_off(given):
    assert caption_text(given) == "a dog runs"


def test_a_number_is_a_name_without_its_suffix():
    assert (image_name(12), image_name(1000268201.0)) == ("12", "1000268201")


@pytest.mark.parametrize(("given", "reason"), [
    ("", "caption is empty"),
    (" \n\t\u3000", "caption is empty"),
    ("\x01\x02", "caption is empty"),
    ("...!?", "caption has no words"),
    (None, "caption is not text"),
    (3.5, "caption is not text"),
    ({"raw": "a"}, "caption is not text"),
    ("a dog\0", "caption holds a NUL byte"),
    ("caf\udce9", "caption is not UTF-8"),
    ("half \ud83d emoji", "caption is not UTF-8"),
])
def test_captions_that_are_refused(given, reason):
    with pytest.raises(BadField) as error:
        caption_text(given)
    assert reason_class(str(error.value)) == reason


def test_a_long_caption_is_kept_whole():
    assert len(caption_text("word " * 5_000).split()) == 5_000


@pytest.mark.parametrize(("given", "name"), [
    ("train", "train"), ("Val", "validation"), ("dev", "validation"), (" TEST ", "test"), ("restval", "train"),
    ("fold_2", "fold_2")])
def test_split_names(given, name):
    assert split_name(given) == name


@pytest.mark.parametrize("given", ["", None, 3, "../train", "a b", "1st", "train-00000-of-00001"])
def test_split_names_that_are_refused(given):
    with pytest.raises(BadField, match="split is no name"):
        split_name(given)


def test_make_row_says_which_field_is_bad():
    assert make_row("a.jpg", " a  dog ", "t:1", "val") == Row("a.jpg", "a dog", "t:1", "validation")
    assert make_row("a.jpg", "", "t:2") == BadRow("t:2", "a.jpg", "caption is empty")
    assert make_row("../a.jpg", "a dog", "t:3").image == "../a.jpg"
    assert make_row("a.jpg", "a dog", "t:4", "").reason.startswith("split is no name")


def test_reasons_can_be_printed_and_stored_whatever_was_found():
    row = make_row("\x1b[31m\udce9" + "x" * 10_000, "a dog", "t:1")
    assert isinstance(row, BadRow)
    assert row.reason.isprintable() and row.image.isprintable()
    assert len(row.reason) < 200 and len(row.image) <= 200
    (row.reason + row.image).encode()
