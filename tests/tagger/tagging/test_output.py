import hashlib
import json

import pytest

from flags.errors import UserError
from tagger.tagging.output import Output

ROWS = [{"image": "ä.jpg", "caption": "a dog", "tags": ["dog"], "scores": [0.5]}, {"image": "b.jpg", "error": "gone"}]


def test_from_the_plan_to_the_summary(tmp_path):
    output = Output(str(tmp_path / "o"), "jsonl")
    assert output.settings() is output.summary() is None
    output.begin_plan()
    output.end_plan({"shards": 1})
    assert output.settings() == {"shards": 1}
    file = output.file(0, 1)
    assert file == "tags-00000-of-00001.jsonl" and output.receipt(file) is None
    receipt = output.write(file, ROWS)
    data = (tmp_path / "o" / file).read_bytes()
    assert [json.loads(line) for line in data.decode().splitlines()] == ROWS and "ä".encode() in data
    assert (receipt.bytes, receipt.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (receipt.photos, receipt.errors) == (2, 1) and output.receipt(file) == receipt
    summary = output.complete({"shards": 1}, [receipt])
    assert output.summary() == summary and (summary["photos"], summary["errors"]) == (2, 1)
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["summary.json", file]


def test_a_shard_that_was_cut_has_no_receipt_and_another_plan_forgets_all(tmp_path):
    output = Output(str(tmp_path), "jsonl")
    output.begin_plan()
    file = output.file(0, 1)
    output.write(file, ROWS)
    (tmp_path / file).write_bytes(b"cut")
    assert output.receipt(file) is None
    output.write(file, ROWS)
    output.begin_plan()
    assert output.receipt(file) is None


def test_parquet_rows(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    output = Output(str(tmp_path), "parquet")
    output.begin_plan()
    output.write(output.file(0, 1), ROWS)
    first, second = parquet.read_table(tmp_path / output.file(0, 1)).to_pylist()
    assert first == {**ROWS[0], "error": None} and second["error"] == "gone" and second["tags"] is None


def test_one_process_at_a_time_and_damage_is_named(tmp_path):
    output = Output(str(tmp_path), "jsonl")
    with output.locked():
        with pytest.raises(UserError, match="another tagging is writing there"), output.locked():
            raise AssertionError("two have the folder")
    (tmp_path / "summary.json").write_text("{")
    with pytest.raises(UserError, match="summary.json: is damaged"):
        output.summary()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="--output=.*file: cannot be made"):
        Output(str(tmp_path / "file"), "jsonl")
