import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import pytest
from PIL import Image

from flags.errors import UserError
from flags.tag import Tag
from tagger.tag import find_images, run
from tests.conftest import ROOT
from tests.records.inputs import PHOTOS

pytestmark = pytest.mark.usefixtures("loaded_once")


@pytest.fixture
def folder(tmp_path):
    """a.jpg, B.JPG, deep/c.png (a JPEG by content), notes.txt and broken.jpg."""
    (tmp_path / "deep").mkdir()
    for name, photo in zip(("a.jpg", "B.JPG", "deep/c.png"), PHOTOS, strict=False):
        shutil.copy(photo, tmp_path / name)
    (tmp_path / "notes.txt").write_text("milk, eggs")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    return tmp_path


def names(paths, folder):
    return [path.relative_to(folder).as_posix() for path in paths]


def test_folders_patterns_and_files_each_photo_once(folder):
    assert names(find_images([str(folder)]), folder) == ["B.JPG", "a.jpg", "broken.jpg", "deep/c.png"]
    assert names(find_images([str(folder / "*.jpg")]), folder) == ["a.jpg", "broken.jpg"]
    assert names(find_images([str(folder / "**" / "*.png")]), folder) == ["deep/c.png"]
    assert names(find_images([str(folder / "a.jpg"), str(folder / "?.jpg"), str(folder)]), folder)[0] == "a.jpg"
    assert len(find_images([str(folder / "a.jpg")] * 3)) == 1
    assert names(find_images([str(folder / "notes.txt")]), folder) == ["notes.txt"]  # named: tried, and reported


def test_brackets_in_a_real_name_are_no_pattern(folder):
    shutil.copy(PHOTOS[0], folder / "beach [1].jpg")
    assert names(find_images([str(folder / "beach [1].jpg")]), folder) == ["beach [1].jpg"]


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "found no IMAGE"), (["nowhere.jpg"], "nowhere.jpg: no such photo"), (["none*.jpg"], "holds no photo")])
def test_arguments_that_stand_for_nothing(arguments, message):
    with pytest.raises(UserError, match=message):
        find_images(arguments)


def test_a_table_for_people(demo, folder, capsys):
    assert run(Tag(export_dir=str(demo[0] / "export"), photos=(str(folder),), batch_size=2)) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0] == str(folder / "B.JPG")
    *tags, caption = lines[1:lines.index(str(folder / "a.jpg"))]
    assert tags and all(line.startswith("    ") and ("%" in line or "(no tags)" in line) for line in tags)
    assert caption.startswith("    ") and "%" not in caption
    assert "broken.jpg" not in captured.out
    *_, name, last = captured.err.splitlines()
    assert str(folder / "broken.jpg") in name and last == "3 photos tagged, 1 of 4 could not be read"


def test_json_for_programs(demo, folder, capsys):
    run(Tag(export_dir=str(demo[0] / "export"), photos=(str(folder),), json=True))
    answers = {pathlib.Path(answer["image"]).name: answer
               for answer in map(json.loads, capsys.readouterr().out.splitlines())}
    assert set(answers) == {"B.JPG", "a.jpg", "c.png", "broken.jpg"}
    assert set(answers["broken.jpg"]) == {"image", "error"}
    assert set(answers["a.jpg"]) == {"image", "caption", "tags"}
    scores = [tag["score"] for tag in answers["a.jpg"]["tags"]]
    assert len(scores) <= 10 and scores == sorted(scores, reverse=True)
    run(Tag(export_dir=str(demo[0] / "export"), photos=(str(folder / "a.jpg"),), json=True, min_score=0.0, top_tags=4))
    every = json.loads(capsys.readouterr().out)["tags"]
    assert len(every) == 4 and every[:len(scores)] == answers["a.jpg"]["tags"][:4]


def test_side_cars_hold_the_tags_and_photos_stay_as_they_are(demo, folder, capsys):
    before = (folder / "a.jpg").read_bytes()
    run(Tag(export_dir=str(demo[0] / "export"), photos=(str(folder),), json=True, write_xmp=True, min_score=0.0))
    answers = {pathlib.Path(answer["image"]).name: answer
               for answer in map(json.loads, capsys.readouterr().out.splitlines())}
    for name in ("B.JPG", "a.jpg", "deep/c.png"):
        text = (folder / f"{name}.xmp").read_text()
        assert all(f">{tag['tag']}</rdf:li>" in text for tag in answers[name.rpartition("/")[2]]["tags"])
    assert not (folder / "broken.jpg.xmp").exists() and (folder / "a.jpg").read_bytes() == before


def test_a_sheet_to_show(demo, folder):
    sheets = [folder / "sheets" / name for name in ("two.png", "again.png", "none.png")]
    sheets[0].parent.mkdir()
    for sheet in sheets[:2]:
        assert run(Tag(export_dir=str(demo[0] / "export"), photos=(str(folder / "*.jpg"),), sheet=str(sheet))) == 0
    assert sheets[0].read_bytes() == sheets[1].read_bytes()
    with Image.open(sheets[0]) as image:
        assert image.format == "PNG" and image.width > 300  # at least one photo's card
    run(Tag(export_dir=str(demo[0] / "export"), photos=(str(folder / "broken.jpg"),), sheet=str(sheets[2])))
    assert not sheets[2].exists()


def test_names_from_outside_are_fit_for_a_terminal(demo, folder, capsys):
    """A name with an escape sequence, one with a line break, and one that is no UTF-8."""
    names = [b"title\x1b]0;owned\x07.jpg", b"line\nbreak.jpg", b"latin-\xe9.jpg"]
    for name in names:
        shutil.copy(PHOTOS[0], os.fsencode(folder) + b"/" + name)
    (folder / "broken\x1b[2J.jpg").write_bytes(b"")
    assert run(Tag(export_dir=str(demo[0] / "export"), photos=(str(folder),))) == 0
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err
    lines = captured.out.splitlines()
    for name in (r"title\x1b]0;owned\x07.jpg", r"line\nbreak.jpg", r"latin-\xe9.jpg"):
        assert str(folder / name) in lines
    assert r"broken\x1b[2J.jpg" in captured.err
    latin = os.fsdecode(os.fsencode(folder) + b"/" + names[2])
    run(Tag(export_dir=str(demo[0] / "export"), photos=(latin,), json=True))
    assert json.loads(capsys.readouterr().out)["image"].endswith(r"latin-\xe9.jpg")


def test_pipes_and_sockets_are_reported_and_not_waited_for(demo, folder, capsys):
    os.mkfifo(folder / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(folder)  # a socket's path may have 108 characters
        listening.bind("socket.jpg")
        os.chdir(here)
        assert run(Tag(export_dir=str(demo[0] / "export"), photos=(str(folder), "/dev/zero"))) == 0
    errors = capsys.readouterr().err
    assert "pipe.jpg: is a named pipe" in errors and "socket.jpg: is a socket" in errors
    assert "/dev/zero: is a device" in errors


@pytest.mark.parametrize("sheet", ["nowhere/sheet.png", "."])
def test_a_sheet_that_cannot_be_written_is_said_before_the_work(demo, folder, sheet):
    with pytest.raises(UserError, match="--sheet=.*name a PNG"):
        run(Tag(export_dir=str(demo[0] / "export"), photos=(str(folder),), sheet=str(folder / sheet)))


def test_exit_1_when_none_could_be_read(demo, folder, capsys):
    assert run(Tag(export_dir=str(demo[0] / "export"), photos=(str(folder / "broken.jpg"),))) == 1


def test_the_saved_model_is_all_it_needs(demo):
    arguments = ["main.py", "--mode=tag", f"--export_dir={demo[0] / 'export'}", str(PHOTOS[0])]
    program = (f"import sys, main\nstatus = main.main({arguments})\n"
               "print([m for m in sys.modules if m.startswith(('tagger.', 'records.')) or m == 'h5py'])\n"
               "sys.exit(status)")
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    loaded = result.stdout.splitlines()[-1]
    for module in ("tagger.modeling.merge_model", "tagger.decoding.decoder", "records.backbones.registry",
                   "records.images.decoding", "records.format.manifest"):
        assert f"'{module}'" not in loaded
    assert "'tagger.saved_model.loaded'" in loaded


def test_another_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        run(Tag(export_dir=str(tmp_path / "none"), photos=(str(PHOTOS[0]),)))
