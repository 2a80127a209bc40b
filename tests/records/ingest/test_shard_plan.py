"""Plans of shards: however many processes write them, and from the index alone."""

import json

import pytest

from records.format.layout import plan_path
from records.ingest.plan import _write_plans
from records.ingest.splits import Splitter
from records.ingest.targets import make_targets
from records.sources import Row
from records.util.process_pool import Workers
from tests.records.ingest.test_database import resolved


@pytest.mark.parametrize("target", ["captions", "tags"])
def test_plans_do_not_depend_on_how_many_processes_write_them(tmp_path, target):
    rows = [Row(f"{number:03}", f"word {number}", f"t:{number}", "train" if number % 4 else "test")
            for number in range(100)]
    database = resolved(tmp_path, rows, {}, Splitter())
    targets = make_targets(database, target, "merged", 1, 0)
    found = {}
    for count in (0, 1, 3):
        with Workers() as workers:
            workers.start(count, dict)
            (tmp_path / f"{count}" / ".make_records").mkdir(parents=True)
            hashes = _write_plans(database, targets, str(tmp_path / f"{count}"), "photos",
                                  {"train": 17, "test": 1}, workers)
        found[count] = hashes
        assert list(hashes) == ["train", "test"] and [len(files) for files in hashes.values()] == [17, 1]
        keys = [json.loads(line)["key"] for file in hashes["train"]
                for line in plan_path(tmp_path / f"{count}", file).read_text().splitlines()]
        assert keys == [example.key for example in database.examples("train")]
    assert found[0] == found[1] == found[3]
    line = json.loads(plan_path(tmp_path / "0", "photos-test.tfrecord-00000-of-00001").read_text().splitlines()[0])
    words = line["captions"] if target == "captions" else line["tags"]
    assert line["tokens"] == [[*targets.vocabulary.ids(text.split()), 1] for text in words]
    assert [[targets.tags.tags[tag] for tag in tags] for tags in line["tag_ids"]] == [["word"]]
