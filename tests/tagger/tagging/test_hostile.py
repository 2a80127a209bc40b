"""Images that cost much, tagged in bulk by a process of its own, whose memory is watched."""

import json
import os
import subprocess
import sys

import pytest

from records.images.limits import MAX_MEMORY_BYTES
from tests.conftest import ROOT
from tests.records.inputs import PHOTOS
from tests.tagger.serving.attack import KINDS

BATCHES = 2  # computed at a time, each with one large photo at a time


def tag(export, images, output):
    """Most memory of the process, in bytes."""
    process = subprocess.Popen([sys.executable, "main.py", "--mode=tag", f"--export_dir={export}", f"--images={images}",
                                f"--output={output}"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, errors
    return usage.ru_maxrss * 1024


@pytest.mark.slow
def test_200_hostile_images_of_twelve_kinds_among_photos(demo, tmp_path):
    for folder in ("quiet", "hostile"):
        (tmp_path / folder).mkdir()
        for number in range(40):
            (tmp_path / folder / f"{number:03d}-photo.jpg").symlink_to(PHOTOS[number % 12])
    assert len(KINDS) == 12
    for name, make in KINDS.items():
        (tmp_path / name).write_bytes(make())
    for number in range(200):
        name = list(KINDS)[number % 12]
        (tmp_path / "hostile" / f"{number:03d}-{name}").symlink_to(tmp_path / name)
    quiet, beset = (tag(demo[0] / "export", tmp_path / folder, tmp_path / f"{folder}-tags")
                    for folder in ("quiet", "hostile"))
    print(f"\nmost memory: {quiet / 1e6:.0f} MB with 40 photos, {beset / 1e6:.0f} MB with 200 hostile ones beside them")
    assert beset - quiet < BATCHES * MAX_MEMORY_BYTES
    answers = {}
    for folder in ("quiet", "hostile"):
        (file,) = (tmp_path / f"{folder}-tags").glob("*.jsonl")
        answers[folder] = {row.pop("image").rpartition("/")[2]: row for row in map(json.loads, open(file))}
    assert len(answers["hostile"]) == 240
    assert all(answers["hostile"][name]["caption"] == row["caption"] for name, row in answers["quiet"].items())
