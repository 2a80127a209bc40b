import pathlib

import pytest

from tagger.saved_model.loaded import SavedModel
from tests.tagger.saved_model.exported import EveryTag


@pytest.fixture(scope="session")
def version(demo) -> pathlib.Path:
    """The SavedModel of the demo run."""
    return demo[0] / "export" / "1"


@pytest.fixture(scope="session")
def plain(version) -> SavedModel:
    """It, loaded."""
    return SavedModel(version)


@pytest.fixture(scope="session")
def model(plain) -> EveryTag:
    """It, asked for all of its tags."""
    return EveryTag(plain)
