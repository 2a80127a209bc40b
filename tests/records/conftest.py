"""What several tests of make_records share: photos with captions, and records made of them."""

import pytest

from tests.records.inputs import make, write_captions, write_photos


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """90 photos with two captions each: (folder, table)."""
    folder = tmp_path_factory.mktemp("input")
    names = write_photos(folder / "images", 90)
    return folder / "images", write_captions(folder / "captions.csv", names)


@pytest.fixture(scope="session")
def records(photos, tmp_path_factory):
    """Records of `photos` in several shards."""
    return make(*photos, tmp_path_factory.mktemp("records") / "records", shards="train=4,validation=2")
