import dataclasses
import json
import os

import pytest

from flags.errors import UserError
from flags.make_records import MakeRecords
from records.format import layout
from records.format.manifest import Rejected
from records.ingest.plan import Plan, listed_images, read_plan, shard_counts
from records.ingest.staging import StagingFolder
from tests.records.inputs import make


def flags(**given):
    return MakeRecords(**{"images": "photos", "captions": "t.csv", "records_dir": "r", **given})


def test_shards_of_each_split():
    assert shard_counts(flags(shards="train=4,test=1")) == {"train": 4, "test": 1}
    assert shard_counts(flags()) == {}


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "many", str(layout.MOST_SHARDS + 1)])
def test_no_number_of_shards(number):
    with pytest.raises(UserError, match="--shards: train=.*, expected a number from 1 to"):
        shard_counts(flags(shards=f"train={number}"))


def test_names_are_completed_by_the_files_of_a_folder_of_this_machine():
    assert listed_images(flags()) == os.path.abspath("photos")
    assert listed_images(flags(captions="parquet:a.parquet")) == listed_images(flags(images="gs://a/b")) == ""


def test_a_plan_is_read_as_it_was_made(tmp_path):
    state = StagingFolder(str(tmp_path))
    state.start({})
    assert read_plan(state) is None
    plan = Plan({"train": {"a": "0" * 64}}, {"train": 7}, "captions", 9, True, ["note"], 1, 8, Rejected(1, {"bad": 1}))
    (state.remote / layout.PLAN).write_text(json.dumps(dataclasses.asdict(plan)))
    assert read_plan(state) == plan


@pytest.mark.parametrize(("shards", "said"), [("train=91", "is more than its"), ("extra=2", "there is no such split")])
def test_more_shards_than_examples_and_shards_of_no_split(photos, tmp_path, shards, said):
    with pytest.raises(UserError, match=f"--shards: .*{said}"):
        make(*photos, tmp_path / "r", shards=shards)
