"""Photos below --images are read, whatever else a table names is not."""

import os

import google_crc32c
import pytest

from flags.errors import UserError
from records.images.files import MISSING, BadImage, read_image, read_unchanged


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images" / "a").mkdir(parents=True)
    (tmp_path / "images" / "a" / "b.jpg").write_bytes(b"photo")
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    return tmp_path / "images"


def test_a_photo_in_a_folder_of_the_folder(folder):
    assert read_image(str(folder), "a/b.jpg") == b"photo"
    os.symlink("a/b.jpg", folder / "inside.jpg")
    assert read_image(str(folder), "inside.jpg") == b"photo"


@pytest.mark.parametrize("name", ["../secret.jpg", "a/../../secret.jpg", "/etc/passwd", "", "a\0b", "..\\secret.jpg"])
def test_names_that_lead_outside(folder, name):
    with pytest.raises(BadImage, match="leads outside --images"):
        read_image(str(folder), name)


def test_links_that_lead_outside(folder):
    os.symlink(folder.parent / "secret.jpg", folder / "link.jpg")
    os.symlink(folder.parent, folder / "up")
    for name in ("link.jpg", "up/secret.jpg"):
        with pytest.raises(BadImage, match="leads outside --images"):
            read_image(str(folder), name)


def test_what_is_no_file(folder):
    with pytest.raises(BadImage, match=f"{MISSING}: 'nothing.jpg'"):
        read_image(str(folder), "nothing.jpg")
    os.mkfifo(folder / "pipe.jpg")
    for name in ("a", "pipe.jpg"):
        with pytest.raises(BadImage, match="photo cannot be read"):
            read_image(str(folder), name)


def test_a_photo_that_changed_since_it_was_checked(folder):
    crc32c = google_crc32c.value(b"photo")
    assert read_unchanged(str(folder), "a/b.jpg", crc32c) == b"photo"
    (folder / "a" / "b.jpg").write_bytes(b"other")
    with pytest.raises(UserError, match=r"'a/b.jpg' was good when it was checked, .*\(its bytes changed\)"):
        read_unchanged(str(folder), "a/b.jpg", crc32c)
    (folder / "a" / "b.jpg").unlink()
    with pytest.raises(UserError, match=MISSING):
        read_unchanged(str(folder), "a/b.jpg", crc32c)
