import os

import pytest

from flags.tag import Tag
from tagger.saved_model.loaded import SavedModel
from tagger.tagging import photos
from tagger.tagging.photos import Unreadable, answer_photos, options_of, read_photo, unread_reason
from tests.tagger.saved_model import small


def test_bytes_or_the_reason(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(b"photo")
    os.mkfifo(tmp_path / "pipe.jpg")
    monkeypatch.setattr(photos, "MAX_FILE_BYTES", 5)
    (tmp_path / "large.jpg").write_bytes(b"photos")
    assert read_photo(tmp_path / "a.jpg") == b"photo"
    for name, said in (("b.jpg", "No such file"), ("pipe.jpg", "pipe"), ("large.jpg", "is larger than"),
                       ("a\0.jpg", "cannot be read")):
        unreadable = read_photo(f"{tmp_path}/{name}")
        assert isinstance(unreadable, Unreadable) and said in unreadable.reason


def test_answers_stand_where_their_photos_do(tmp_path):
    model = SavedModel(small.save(tmp_path))
    assert answer_photos(model, [Unreadable("is a pipe"), b"one", b"?!", b"two"]) == [
        {"error": "is a pipe"}, {"caption": "one", "tags": ["dog", "run"], "scores": [0.1235, 0.1]},
        {"error": "2 bytes that are no image TensorFlow can decode"},
        {"caption": "two", "tags": ["dog", "run"], "scores": [0.1235, 0.1]}]


def test_formats_that_the_model_does_not_read_are_named():
    reasons = list(map(unread_reason, [b"\0\0\0\x18ftypheic", b"\0\0\0\x20ftypavif", b"II*\0", b"\0\0\0\x18ftypisom"]))
    assert [reason.partition(",")[0] for reason in reasons[:3]] == ["HEIC", "AVIF", "TIFF"]
    assert reasons[0].endswith("convert it to JPEG or PNG, see docs/data.md")
    assert reasons[3] == "12 bytes that are no image TensorFlow can decode"


@pytest.mark.parametrize(("flags", "options"), [
    ({}, {}), ({"min_score": 0.0}, {"min_score": 0.0}), ({"top_tags": 3, "min_score": 0.5},
                                                         {"top_tags": 3, "min_score": 0.5})])
def test_options_that_a_flag_gives(flags, options):
    assert options_of(Tag(export_dir="e", **flags)) == options
