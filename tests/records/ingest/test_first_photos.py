import pytest

from flags.errors import UserError
from flags.make_records import MakeRecords
from records.ingest import first_photos
from records.ingest.splits import Splitter
from tests.records.inputs import make, write_table


def _check(images, captions, splitter=None, **flags):
    config = MakeRecords(images=str(images), captions=str(captions), records_dir="r", **flags)
    first_photos.check(config, splitter or Splitter())


def test_a_wrong_folder_of_photos_is_found_before_weights_are_read(photos, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "broken.h5").write_bytes(b"no weights")
    flags = {"backbone": "mobilenet_v2", "backbone_weights": str(tmp_path / "broken.h5")}
    with pytest.raises(UserError, match=r"^all of the first \d+ rows name photos .*captions.csv:2: .*does not exist: "):
        make(tmp_path / "elsewhere", photos[1], tmp_path / "r", **flags)
    with pytest.raises(UserError, match="broken.h5"):
        make(photos[0], photos[1], tmp_path / "r", **flags)


def test_names_that_differ_in_case_alone_are_shown(photos, tmp_path):
    table = write_table(tmp_path / "t.csv", [("PHOTO_0000.jpg", "a dog")])
    with pytest.raises(UserError, match="'photo_0000.jpg' is there, mind upper and lower case; correct the names"):
        _check(photos[0], table)


def test_what_pass_1_may_leave_out_is_not_refused(photos, tmp_path):
    table = write_table(tmp_path / "t.csv", [("gone.jpg", "a dog"), ("photo_0000.jpg", "a cat")])
    _check(photos[0], table)  # one is there
    gone = write_table(tmp_path / "gone.csv", [("gone.jpg", "a dog")])
    _check(photos[0], gone, max_rejected="50%")
    _check(photos[0], gone, Splitter(listed={"photo_0000.jpg": "train"}))
    _check(photos[0], "sidecar")
