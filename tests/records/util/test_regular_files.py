"""Pipes, devices and sockets are refused by a line and make nobody wait; every test here would hang without that."""

import os
import pathlib
import shutil
import socket
import tempfile

import pytest

import main
from records.input import shard_reader
from records.util import regular_files
from tests.records.folders import random_split, write


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_file_is_read(tmp_path):
    (tmp_path / "text").write_text("ümläut")
    (tmp_path / "link").symlink_to("text")
    assert regular_files.read_text(tmp_path / "link") == "ümläut"
    with regular_files.open_binary(str(tmp_path / "text")) as file:
        assert file.read(1) == b"\xc3"
    regular_files.check(tmp_path / "text")


def test_what_is_no_file_is_refused_by_its_kind(pipe):
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:  # its path must be short
        server.bind(f"{folder}/socket")
        for path, kind in ((pipe, "a named pipe"), ("/dev/zero", "a device"), (pipe.parent, "a folder"),
                           (f"{folder}/socket", "a socket")):
            for read in (regular_files.read_bytes, regular_files.check):
                with pytest.raises(regular_files.NotRegular, match=f"is {kind}, expected a regular file"):
                    read(path)


def test_a_file_that_is_not_there_is_for_its_reader_to_miss(tmp_path):
    regular_files.check(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        regular_files.read_bytes(tmp_path / "nothing")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write(tmp_path_factory.mktemp("regular") / "records", {"train": random_split(0, [5, 4])}, image=b"photo")


@pytest.mark.parametrize("file", ["manifest.json", "features.json", "test-train.tfrecord-00001-of-00002"])
@pytest.mark.parametrize("mode", ["verify_records", "inspect_records"])
def test_a_pipe_in_a_records_folder(records, tmp_path, capsys, file, mode):
    folder = pathlib.Path(shutil.copytree(records, tmp_path / "records"))
    (folder / file).unlink()
    os.mkfifo(folder / file)
    assert main.main(["main.py", f"--mode={mode}", f"--records_dir={folder}"]) == 1
    captured = capsys.readouterr()
    assert f"{folder / file}: " in captured.err.splitlines()[-1]
    assert "is a named pipe, expected a regular file" in captured.err.splitlines()[-1]


def test_folders_whose_names_are_no_utf8_are_read_and_shown(records, tmp_path, capsys):
    folder = shutil.copytree(records, os.path.join(tmp_path, os.fsdecode(b"caf\xe9\x1b[2J")))
    assert [example["key"] for example in shard_reader.images(shard_reader.open_split(folder, "train"))
            .as_numpy_iterator()][0] == b"train/0/0"
    assert main.main(["main.py", "--mode=verify_records", f"--records_dir={folder}"]) == 0
    assert r"caf\xe9\x1b[2J: " in capsys.readouterr().out
    os.unlink(os.path.join(folder, "features.json"))
    assert main.main(["main.py", "--mode=verify_records", f"--records_dir={folder}"]) == 1
    assert r"caf\xe9\x1b[2J/features.json: is missing" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["config.json", "manifest.json", "vocabulary.txt", "best.weights.h5"])
def test_a_pipe_in_a_run_folder(demo, tmp_path, capsys, file):
    run = shutil.copytree(demo[0] / "run", tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints", "eval-*"))
    (run / file).unlink()
    os.mkfifo(run / file)
    assert main.main(["main.py", "--mode=eval", f"--records_dir={demo[0] / 'records'}", f"--run_dir={run}"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert str(run / file) in error and "is a named pipe, expected a regular file" in error


def test_a_pipe_among_the_photos_is_a_row_left_out(tmp_path, capsys):
    from tests.records.inputs import make, write_captions, write_photos

    names = write_photos(tmp_path / "images", 5)
    os.mkfifo(tmp_path / "images" / "pipe.jpg")
    table = write_captions(tmp_path / "captions.csv", [*names, "pipe.jpg"])
    records = make(tmp_path / "images", table, tmp_path / "records", max_rejected="50%", split_fractions="train=1.0")
    assert "is a named pipe, expected a regular file" in (records / "rejected.jsonl").read_text()
