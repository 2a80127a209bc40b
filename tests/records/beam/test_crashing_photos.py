"""A photo that kills its worker, over the tries of a cluster; here an exception that nothing catches is the death."""

import json

import pytest

from records.beam import rows
from tests.records.beam import in_process
from tests.records.inputs import contents, make, write_captions, write_photos


class Killed(BaseException):
    pass


@pytest.fixture
def photos(tmp_path, monkeypatch):
    in_process.install(monkeypatch)
    monkeypatch.setattr("records.beam.crashing_photos._AT_ONCE", 5)
    names = write_photos(tmp_path / "images", 20)
    return tmp_path / "images", write_captions(tmp_path / "captions.csv", names)


def dying(monkeypatch, deaths):
    """Has workers die at a photo so many times; returns what they looked at."""
    seen, check, left = [], rows.check_chunk, [deaths]

    def deadly(tasks, *rest):
        seen.append([task.key for task in tasks])
        if left[0] and any(task.key == "photo_0007.jpg" for task in tasks):
            left[0] -= 1
            raise Killed
        return check(tasks, *rest)

    monkeypatch.setattr(rows, "check_chunk", deadly)
    return seen


def tries(photos, records_dir):
    """Runs the same command until it ends well; how often it was killed."""
    for number in range(9):
        try:
            make(*photos, records_dir, runner="beam")
            return number
        except Killed:
            pass
    raise AssertionError("never ended")


def test_a_photo_that_kills_its_worker_is_left_out_and_no_other(photos, tmp_path, monkeypatch):
    seen = dying(monkeypatch, 99)
    assert tries(photos, tmp_path / "r") == 3  # with others, and twice alone
    assert sum(keys == ["photo_0007.jpg"] for keys in seen) == 2
    rejected = [json.loads(line) for line in (tmp_path / "r" / "rejected.jsonl").read_text().splitlines()]
    assert {(row["image"], row["reason"]) for row in rejected} == {
        ("photo_0007.jpg", "photo crashes its decoder: the process that read it died")}


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_worker_that_is_taken_away_costs_no_photo(photos, tmp_path, monkeypatch, deaths):
    dying(monkeypatch, deaths)
    assert tries(photos, tmp_path / "r") == deaths
    monkeypatch.undo()
    assert contents(tmp_path / "r") == contents(make(*photos, tmp_path / "local"))
