"""Costly images get the same answers from a process of its own, which may die without harm to the server."""

import os
import pathlib
import signal

import numpy as np
import pytest

pytest.importorskip("aiohttp")

from tagger.saved_model.loaded import SavedModel  # noqa: E402
from tagger.serving.admission import Refusal  # noqa: E402
from tagger.serving.costly_images import CostlyImages  # noqa: E402
from tests.tagger.saved_model import small  # noqa: E402
from tests.tagger.serving.server import children  # noqa: E402


@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="reads /proc")
def test_the_same_answers_of_a_process_that_yields_and_may_die(tmp_path):
    small.save(tmp_path / "1")
    inputs = {"features": np.arange(12, dtype=np.float32).reshape(3, 4)}
    expected = SavedModel(tmp_path / "1").compute("features", inputs)
    others = set(children(os.getpid()))
    with CostlyImages(tmp_path / "1") as costly:
        answers = costly.compute("features", inputs)
        assert {name: value.tolist() for name, value in answers.items()} == {
            name: value.tolist() for name, value in expected.items()}
        (process,) = [pid for pid in set(children(os.getpid())) - others
                      if b"spawn_main" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]  # no resource tracker
        assert os.getpriority(os.PRIO_PROCESS, process) > os.getpriority(os.PRIO_PROCESS, 0)
        os.kill(process, signal.SIGKILL)
        with pytest.raises(Refusal, match="died at this one"):
            costly.compute("features", inputs)
        assert costly.compute("features", inputs)["caption"].tolist() == expected["caption"].tolist()
    assert process not in children(os.getpid())
