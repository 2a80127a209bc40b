import functools
import os
import pathlib
from collections.abc import Callable, Iterator

import pytest

from tagger import tag
from tagger.saved_model.loaded import SavedModel
from tagger.tagging import records, shards
from tests.tagger.saved_model.exported import EveryTag


@pytest.fixture(scope="session")
def version(demo) -> pathlib.Path:
    """The SavedModel of the demo run."""
    return demo[0] / "export" / "1"


@pytest.fixture(scope="session")
def load() -> Callable[[os.PathLike], SavedModel]:
    """Loads an export where this process has not loaded it yet, which takes longer than most tests."""
    cached = functools.cache(SavedModel)
    return lambda path: cached(os.fspath(path))


@pytest.fixture(scope="session")
def plain(version, load) -> SavedModel:
    """The demo's SavedModel, loaded."""
    return load(version)


@pytest.fixture(scope="module")
def loaded_once(load) -> Iterator[None]:
    """--mode=tag in this process takes what is loaded already."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (tag, shards, records):
            patch.setattr(module, "SavedModel", load)
        yield


@pytest.fixture(scope="session")
def model(plain) -> EveryTag:
    """It, asked for all of its tags."""
    return EveryTag(plain)
