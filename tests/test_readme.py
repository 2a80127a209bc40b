"""The README is true: its commands run as they stand, and its error lines are those that users see."""

import dataclasses
import importlib.util
import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading

import pytest

import main
from flags import flag_files
from flags.modes import MODES
from flags.spec import define
from records.format import manifest
from tests.conftest import ROOT, run_main
from tests.tagger.serving.server import open_url

README = (ROOT / "README.md").read_text()
DEMO = ROOT / "tagger" / "demo_data"
EMBEDDED = [f"--backbone_weights={DEMO / 'mobilenet_v2_notop_float16.weights.h5'}", "--backbone=mobilenet_v2"]
_BLOCKS = re.findall(r"^    (\S.*)$", README, re.M)
COMMANDS = [shlex.split(line, comments=True) for line in _BLOCKS if line.startswith("tagger ")]
# Rows of "When something is wrong" that have an error line: its text, in which … stands for anything.
LINES = re.findall(r"^\|[^|]*\| `(error: [^`]*)` \|", README, re.M)


def _matches(line: str, message: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, line.split("…"))) + ("" if line.endswith("…") else "$"), message,
                        re.S) is not None


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_flag_in_the_readme_exists(command):
    values = main._base_flags()
    mode = next(word for word in command if word.startswith("--mode=")).removeprefix("--mode=")
    define(MODES[mode].load_flags(), values)
    assert values([word for word in command if not word.startswith("--flagfile=")])


def test_flags_named_in_the_text_exist():
    known = {name for mode in MODES.values() for name in flag_files.names(mode.load_flags())}
    known |= {"flagfile", "logdir", *main._base_flags()}  # logdir is tensorboard's
    assert set(re.findall(r"--([a-z_]+)", README)) <= known


def test_links_lead_to_files():
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)\)", README)
    assert len(targets) > 5
    for target in targets:
        assert (ROOT / target).exists(), target


def test_make_targets_and_benchmarks_exist():
    makefile = (ROOT / "Makefile").read_text()
    commands = [line for line in _BLOCKS if line.startswith("make ")]
    assert commands
    for line in commands:
        assert re.search(rf"^{line.split()[1]}:", makefile, re.M), line
    first, others = re.search(r"`python -m benchmarks\.(\w+)`, ((?:`\w+`[,.\s]*)+)", README).groups()
    for name in (first, *re.findall(r"\w+", others)):
        assert importlib.util.find_spec(f"benchmarks.{name}"), name


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """A user's folder: photos/, and captions.csv with some rows each."""
    folder = tmp_path_factory.mktemp("walk")
    (folder / "photos").mkdir()
    names = sorted(path.name for path in (DEMO / "images").iterdir())
    called = dict(zip(names, ["one.jpg", "two.jpg", *names[2:]], strict=True))
    for name, new in called.items():
        shutil.copy(DEMO / "images" / name, folder / "photos" / new)
    rows = [line.split("\t") for line in (DEMO / "captions.token.txt").read_text().splitlines()]
    (folder / "captions.csv").write_text("image,caption\n" + "".join(
        f"{called[image.partition('#')[0]]},{json.dumps(caption)}\n" for image, caption in rows))
    return folder


@pytest.mark.slow
def test_the_walk(walk):
    """All commands, in order and as they stand; only the backbone is the embedded one."""
    for command in COMMANDS:
        arguments = command[1:]
        if "--mode=make_records" in arguments:
            arguments += EMBEDDED
        if "--mode=serve" in arguments:
            _serve(walk, [*arguments, "--port=0"])
            continue
        result = subprocess.run([sys.executable, str(ROOT / "main.py"), *arguments], cwd=walk, text=True,
                                capture_output=True, check=False)
        assert result.returncode == 0, (command, result.stderr)
    left = re.findall(r"^\| (.*) \| `--(\w+)`(/eval-SPLIT)? \|$", README, re.M)
    folders = {"records_dir": "data/mine", "run_dir": "runs/first", "export_dir": "exported"}
    assert len(left) == 4
    for files, flag, inner in left:
        for name in re.findall(r"`([^`]+)`", files):
            assert (walk / folders[flag] / ("eval-test" if inner else "") / name).exists(), name
    assert (walk / "exported/1/saved_model.pb").exists()
    assert (walk / "tags.png").stat().st_size > 0
    for file in ("history.csv", "vocabulary.txt"):
        assert (walk / "runs/again" / file).read_bytes() == (walk / "runs/first" / file).read_bytes()


def _serve(folder, arguments):
    process = subprocess.Popen([sys.executable, str(ROOT / "main.py"), *arguments], cwd=folder, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    watchdog = threading.Timer(300, process.kill)
    watchdog.start()
    try:
        address = next(found[1] for line in process.stdout if (found := re.search(r"page: +(http://\S+)", line)))
        assert b"<html" in open_url(address, timeout=60).read()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        watchdog.cancel()


@pytest.mark.slow
def test_the_installation(tmp_path):
    """The first two commands, in a copy of the sources; packages that are here already are taken from here."""
    clone = tmp_path / "clone"
    shutil.copytree(ROOT, clone, ignore=shutil.ignore_patterns(".*", "*.egg-info", "build", "__pycache__"))
    here = next(path for path in sys.path if path.endswith("site-packages"))
    venv, install = next(line for line in _BLOCKS if "-m venv" in line).partition("#")[0].split("&&")
    activate = next(line for line in _BLOCKS if line.endswith("bin/activate"))
    script = f"""{venv.replace("python3", sys.executable)}
        echo {here} > "$(echo .venv/lib/python*/site-packages)/here.pth"
        {install} --quiet --no-deps --force-reinstall
        {activate}
        cd /
        tagger --help"""
    result = subprocess.run(["bash", "-e", "-c", script], cwd=clone, text=True, capture_output=True, check=False)
    assert result.returncode == 0 and "tagger --mode=MODE" in result.stdout, result.stderr


def _records(command, walk, *flags, **environment):
    """make_records of the walk without features, which takes a second."""
    return command("--mode=make_records", f"--images={walk / 'photos'}", f"--captions={walk / 'captions.csv'}",
                   f"--records_dir={walk / 'plain'}", *(flags or ["--backbone=none"]), **environment)


def _no_internet(command, walk, demo):
    nowhere = "http://127.0.0.1:9"  # read when Keras and urllib are imported
    return _records(run_main, walk, "--backbone=resnet50", KERAS_HOME=str(walk), https_proxy=nowhere,
                    HTTPS_PROXY=nowhere)


def _no_photos(command, walk, demo):
    (walk / "empty").mkdir()
    return _records(command, walk, f"--images={walk / 'empty'}", "--backbone=none")


def _missing_photos(command, walk, demo):
    folder = walk / "some"
    shutil.copytree(walk / "photos", folder)
    (folder / "one.jpg").unlink()
    return _records(command, walk, f"--images={folder}", "--backbone=none")


def _other_records(command, walk, demo):
    assert _records(command, walk).returncode == 0
    return _records(command, walk, "--backbone=none", "--min_count=3")


def _other_run(command, walk, demo):
    return command("--mode=train", f"--records_dir={demo[0] / 'records'}", f"--run_dir={demo[0] / 'run'}",
                   "--batch_size=128")


def _interrupted(command, walk, demo):
    unfinished = walk / "unfinished"
    shutil.copytree(demo[0] / "records", unfinished)
    (unfinished / "manifest.json").unlink()
    (unfinished / ".make_records").mkdir()
    return command("--mode=train", f"--records_dir={unfinished}", f"--run_dir={walk / 'none'}")


def _damaged(command, walk, demo):
    damaged = walk / "damaged"
    shutil.copytree(demo[0] / "records", damaged)
    shard = next(damaged.glob("*-train.tfrecord-*"))
    shard.write_bytes(shard.read_bytes()[:-100])
    return command("--mode=train", f"--records_dir={damaged}", f"--run_dir={walk / 'none'}")


def _no_gpu(command, walk, demo):
    return run_main("--mode=train", f"--records_dir={demo[0] / 'records'}", f"--run_dir={walk / 'none'}",
                    "--devices=gpu:0", CUDA_VISIBLE_DEVICES="-1")


def _memory(command, walk, demo):
    return command("--mode=train", f"--records_dir={demo[0] / 'records'}", f"--run_dir={walk / 'memory'}",
                   "--callbacks=tests.tagger.training.run:FillMemory")


def _explodes(command, walk, demo):
    return command("--mode=train", f"--records_dir={demo[0] / 'records'}", f"--run_dir={walk / 'exploded'}",
                   "--learning_rate=1e30")


def _moved(command, walk, demo):
    run = walk / "moved"
    shutil.copytree(demo[0] / "run", run)
    found = manifest.load(demo[0] / "records")
    gone = dataclasses.replace(found.backbone, weights=str(walk / "gone.weights.h5"))
    manifest.save(run, dataclasses.replace(found, backbone=gone))
    return command("--mode=export", f"--run_dir={run}", f"--export_dir={walk / 'none'}")


def _port(command, walk, demo):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        return run_main("--mode=serve", f"--export_dir={demo[0] / 'export'}", f"--port={taken.getsockname()[1]}")


_CAUSES = (_no_internet, _no_photos, _missing_photos, _other_records, _other_run, _interrupted, _damaged, _no_gpu,
           _memory, _explodes, _moved, _port)


def test_every_error_line_has_its_cause():
    assert len(LINES) == len(_CAUSES)


@pytest.mark.parametrize("line, cause", list(zip(LINES, _CAUSES, strict=False)),
                         ids=[cause.__name__ for cause in _CAUSES])
def test_error_lines_are_those_that_users_see(line, cause, walk, demo, main_here):
    result = cause(main_here, walk, demo)
    assert result.returncode == 1 and "Traceback" not in result.stderr, result.stderr
    assert _matches(line, result.stderr.strip().splitlines()[-1]), result.stderr
