"""Bulk tagging as a user runs it, with the demo's export."""

import collections
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

from flags.errors import UserError
from flags.tag import Tag
from tagger.saved_model import arithmetic
from tagger.tag import run
from tests.conftest import ROOT
from tests.records.inputs import PHOTOS

pytestmark = pytest.mark.usefixtures("loaded_once")
KILLS = 3


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """90 photos under as many names in three folders, a damaged one, a named pipe and a text file."""
    folder = tmp_path_factory.mktemp("photos")
    for part in ("a", "b", "c"):
        (folder / part).mkdir()
        for photo in PHOTOS[:30]:
            (folder / part / photo.name).symlink_to(photo)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    (folder / "notes.txt").write_text("milk, eggs")
    os.mkfifo(folder / "pipe.jpg")
    return folder


def tag(demo, images, output, **flags):
    return run(Tag(export_dir=str(demo[0] / "export"), images=str(images), output=str(output), **flags))


def contents(output):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in pathlib.Path(output).iterdir()}


def rows(output):
    return [json.loads(line) for path in sorted(pathlib.Path(output).glob("tags-*.jsonl"))
            for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def undisturbed(demo, photos, tmp_path_factory):
    output = tmp_path_factory.mktemp("tags") / "output"
    assert tag(demo, photos, output, shard_size=4, batch_size=3) == 0
    return output


def test_every_photo_once_with_its_answer_or_the_reason(undisturbed, photos):
    answers = rows(undisturbed)
    assert [answer["image"] for answer in answers] == sorted(map(str, photos.rglob("*.jpg")))
    errors = {pathlib.Path(answer["image"]).name: answer["error"] for answer in answers if "error" in answer}
    assert set(errors) == {"broken.jpg", "pipe.jpg"} and errors["pipe.jpg"].startswith("is a named pipe")
    good = [answer for answer in answers if "error" not in answer]
    assert all(set(answer) == {"image", "caption", "tags", "scores"} for answer in good)
    assert all(len(answer["tags"]) <= 10 and answer["scores"] == sorted(answer["scores"], reverse=True)
               for answer in good)


def test_the_summary_says_what_is_there(undisturbed):
    summary = json.loads((undisturbed / "summary.json").read_text())
    assert (summary["photos"], summary["errors"], len(summary["files"])) == (92, 2, 23)
    assert summary["precision"] == "float32"
    assert {file["file"]: file["sha256"] for file in summary["files"]}.items() <= contents(undisturbed).items()
    assert set(contents(undisturbed)) == {"summary.json", *(file["file"] for file in summary["files"])}


def test_a_list_and_the_positional_form_say_the_same(demo, photos, tmp_path, capsys):
    names = sorted(map(str, (photos / "a").iterdir()))[:4]
    (tmp_path / "list.txt").write_text("\n".join([*names[::-1], names[0]]))  # a name twice
    assert tag(demo, tmp_path / "list.txt", tmp_path / "output", batch_size=4) == 0
    answers = rows(tmp_path / "output")
    assert [answer["image"] for answer in answers] == names
    run(Tag(export_dir=str(demo[0] / "export"), photos=tuple(names), batch_size=4, json=True))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [(line["caption"], [tag["tag"] for tag in line["tags"]]) for line in lines] == [
        (answer["caption"], answer["tags"]) for answer in answers]


def test_parquet_holds_the_same(demo, undisturbed, photos, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert tag(demo, photos / "b" / "*0*.jpg", tmp_path / "output", output_format="parquet", batch_size=3) == 0
    (file,) = (tmp_path / "output").glob("*.parquet")
    expected = {row["image"]: row for row in rows(undisturbed)}
    table = parquet.read_table(file).to_pylist()
    assert table
    for row in table:
        same = expected[row["image"]]
        assert (row["caption"], row["tags"], row["error"]) == (same["caption"], same["tags"], None)
        assert row["scores"] == pytest.approx(same["scores"], abs=1e-3)


def test_a_complete_folder_is_left_alone_and_another_job_is_refused(demo, undisturbed, photos, tmp_path, capsys):
    before = {path.name: path.stat().st_mtime_ns for path in undisturbed.iterdir()}
    assert tag(demo, photos, undisturbed, shard_size=4, batch_size=3) == 0
    assert f"the output folder '{undisturbed}' is complete" in capsys.readouterr().err
    assert before == {path.name: path.stat().st_mtime_ns for path in undisturbed.iterdir()}
    with pytest.raises(UserError, match="--shard_size=4; give another folder"):
        tag(demo, photos, undisturbed, shard_size=5)
    with pytest.raises(UserError, match="holds tags made without --min_score; give another folder"):
        tag(demo, photos, undisturbed, shard_size=4, min_score=0.5)
    with pytest.raises(UserError, match="--images="):
        tag(demo, photos / "a", undisturbed, shard_size=4)
    with pytest.raises(UserError, match="--precision=mixed_bfloat16: no version in"):
        tag(demo, photos, undisturbed, shard_size=4, precision="mixed_bfloat16")
    shutil.copytree(demo[0] / "export" / "1", tmp_path / "export" / "1")
    arithmetic.write(tmp_path / "export" / "1", "mixed_bfloat16")
    with pytest.raises(UserError, match="holds tags made with --precision=float32; give another folder"):
        run(Tag(export_dir=str(tmp_path / "export"), images=str(photos), output=str(undisturbed), shard_size=4))
    arithmetic.write(tmp_path / "export" / "1", "float32")
    with open(tmp_path / "export" / "1" / "saved_model.pb", "ab") as file:
        file.write(b"\0")
    with pytest.raises(UserError, match="another model or version"):
        run(Tag(export_dir=str(tmp_path / "export"), images=str(photos), output=str(undisturbed), shard_size=4))


def killed_until_done(demo, photos, output, kills, shards):
    """Starts the command, kills it after some more shards, as often as asked for; then lets it end."""
    command = [sys.executable, "main.py", "--mode=tag", f"--export_dir={demo[0] / 'export'}", f"--images={photos}",
               f"--output={output}", "--shard_size=4", "--batch_size=3"]
    for kill in range(kills):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        enough = (kill + 1) * shards // (kills + 1)
        while len(list(output.glob("tags-*"))) < enough and process.poll() is None:
            time.sleep(0.002)
        assert process.poll() is None, process.stdout.read()
        process.kill()
        process.wait()
        assert not (output / "summary.json").exists()
    assert tag(demo, photos, output, shard_size=4, batch_size=3) == 0


def test_killed_and_started_again_it_writes_what_an_undisturbed_one_does(demo, photos, undisturbed, tmp_path):
    killed_until_done(demo, photos, tmp_path / "output", KILLS, shards=23)
    assert contents(tmp_path / "output") == contents(undisturbed)
    assert max(collections.Counter(row["image"] for row in rows(tmp_path / "output")).values()) == 1


@pytest.mark.slow
def test_killed_ten_times(demo, photos, undisturbed, tmp_path):
    killed_until_done(demo, photos, tmp_path / "output", 10, shards=23)
    assert contents(tmp_path / "output") == contents(undisturbed)


def test_records_with_features_and_their_photos_get_the_same_captions(demo, tmp_path, capsys):
    """Without the note of its backbone, as in exports of before, an export reads the photos."""
    assert tag(demo, demo[0] / "records", tmp_path / "features") == 0
    assert "features in the records are used" in capsys.readouterr().err
    shutil.copytree(demo[0] / "export" / "1", tmp_path / "export")
    (tmp_path / "export" / "assets.extra" / "backbone.json").unlink()
    assert run(Tag(export_dir=str(tmp_path / "export"), images=str(demo[0] / "records"),
                   output=str(tmp_path / "pixels"))) == 0
    assert "photos in the records are read: the export does not say" in capsys.readouterr().err
    from_features, from_pixels = rows(tmp_path / "features"), rows(tmp_path / "pixels")
    assert len(from_features) == 47 == len({row["image"] for row in from_features})
    assert [(row["image"], row["caption"]) for row in from_features] == [
        (row["image"], row["caption"]) for row in from_pixels]


@pytest.mark.parametrize(("flags", "message"), [
    ({"images": "a"}, "belong together"), ({"output": "a"}, "belong together"),
    ({"images": "a", "output": "b", "photos": ("c.jpg",)}, "belong together"),
    ({"images": "a", "output": "b", "json": True}, "--json and --sheet are for IMAGE"),
    ({"images": "a", "output": "b", "shard_size": 0}, "--shard_size=0"),
    ({"images": "a", "output": "gs://b"}, "folder of this machine")])
def test_flags_that_do_not_fit(flags, message):
    with pytest.raises(UserError, match=message):
        run(Tag(export_dir="anywhere", **flags))


def test_nothing_to_tag(demo, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no photo"):
        tag(demo, tmp_path / "empty", tmp_path / "output")
    assert not (tmp_path / "output").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        tag(demo, tmp_path / "empty", tmp_path / "file")
