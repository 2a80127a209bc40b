import pytest

from tests.records.inputs import write_photos


@pytest.fixture(scope="session")
def small_photos(tmp_path_factory):
    """40 different small JPEGs, as bytes."""
    folder = tmp_path_factory.mktemp("photos")
    return [(folder / name).read_bytes() for name in write_photos(folder, 40)]
