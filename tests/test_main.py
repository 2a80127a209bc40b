"""The command line: help, modes, and one clear line for each kind of bad input."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest
from absl import flags as absl_flags

import main
from flags import flag_files
from flags.errors import UserError
from flags.modes import MODES, Mode
from flags.spec import define, read
from tests.conftest import ROOT

DEMO = ROOT / "tagger" / "demo_data"


def test_help_lists_every_mode_and_imports_no_tensorflow():
    code = ("import sys, main; status = main.main(['main.py', '--help']); "
            "heavy = [m for m in ('tensorflow', 'keras', 'numpy') if m in sys.modules]; assert not heavy, heavy; "
            "sys.exit(status)")
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    for name, mode in MODES.items():
        assert sum(name in line and mode.summary in line for line in result.stdout.splitlines()) == 1


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_explains_its_flags(mode):
    code = f"import sys, main; status = main.main(['main.py', '--mode={mode}', '--help']); " \
           "assert 'tensorflow' not in sys.modules; sys.exit(status)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    assert MODES[mode].summary in result.stdout and "--" in result.stdout
    assert f"python main.py --mode={mode} {MODES[mode].example}\n" in result.stdout


@pytest.mark.parametrize("mode", MODES)
def test_the_example_of_a_mode_is_one_that_it_takes(mode):
    config_class, values = MODES[mode].load_flags(), absl_flags.FlagValues()
    define(config_class, values)
    arguments = values(["main.py", *shlex.split(MODES[mode].example)])[1:]
    assert read(config_class, values, arguments)


def test_help_of_tag_says_where_photos_go(main_process):
    out = main_process("--mode=tag", "--help").stdout
    assert "--mode=tag --export_dir=… [--flag=value …] IMAGE…" in out and "IMAGE: Photos" in out


def test_glossary_explains_what_eval_and_train_print(main_process, demo):
    result = main_process("--glossary")
    assert result.returncode == 0 and max(map(len, result.stdout.splitlines())) <= 100
    terms = [line.partition(":")[0] for line in result.stdout.splitlines() if not line.startswith(" ")]
    shown = demo[1] + (demo[0] / "run" / "eval-test" / "metrics.json").read_text()
    for word in ("perplexity", "CIDEr-D", "ROUGE-L", "mean avg. precision", "distinct", "beam", "length penalty",
                 "nats", "teacher-forced", "pooled", "reliability"):
        assert word in shown and any(word in term for term in terms), word


def test_commands_are_shown_as_this_one_was_typed(demo, capsys):
    assert "$ python main.py --mode=train --records_dir=" in demo[1] and "$ tagger" not in demo[1]
    assert main.main(["/usr/local/bin/tagger", "--help"]) == 0
    assert "    tagger --mode=MODE --help\n" in capsys.readouterr().out


def test_pictures_are_photos_in_what_is_printed(demo):
    """`image` is the word of flags, columns and fields alone."""
    printed = re.sub(r"\S*/\S*|--\S+|`[^`]*`", "", demo[1])
    assert "photos" in printed and not re.search(r"\bimages?\b", printed, re.I)


def test_version(main_process):
    result = main_process("--version")
    assert result.returncode == 0 and re.fullmatch(r"tagger \S+, TensorFlow 2\.\d+\.\d+\n", result.stdout), result


def _one_line(result, *expected):
    assert result.returncode == 1, result.stdout + result.stderr
    *progress, line = result.stderr.strip().splitlines()
    assert line.startswith("error: "), result.stderr
    assert all(" in " in done and "/s)" in done for done in progress), result.stderr  # steps that were finished before
    for text in expected:
        assert text in line, line


def _make_records(command, tmp_path, **flags):
    given = {"images": DEMO / "images", "captions": DEMO / "captions.token.txt", "records_dir": tmp_path / "records",
             "backbone": "none", **flags}
    return command("--mode=make_records", *(f"--{name}={value}" for name, value in given.items()))


def test_no_mode(main_process):
    _one_line(main_process(), "--mode is required", "make_records", "train")


def test_mode_without_its_flag(main_process):
    _one_line(main_process("train", "--records_dir=x"), "--mode is required", "write --mode=train")


def test_a_mistyped_mode_flag_is_named(capsys):
    assert main.main(["main.py", "--mod=train", "--records_dir=x"]) == 1
    assert "did you mean --mode for --mod=train?" in capsys.readouterr().err


def test_unknown_mode(main_process):
    _one_line(main_process("--mode=trian"), "--mode=trian", "make_records", "did you mean --mode=train?")


def test_unknown_flag(main_process):
    _one_line(main_process("--mode=verify_records", "--recordsdir=x"), "recordsdir", "--help")


@pytest.mark.parametrize("typed, own", [("--lr=1e-3", "learning_rate"), ("--num-epochs=3", "epochs")])
def test_a_flag_as_other_programs_call_it(capsys, typed, own):
    assert main.main(["main.py", "--mode=train", typed]) == 1
    assert f"Did you mean: {own} ?" in capsys.readouterr().err


def test_missing_required_flag(main_process):
    _one_line(main_process("--mode=verify_records"), "--records_dir is required")


def test_missing_image_folder(main_process, tmp_path):
    _one_line(_make_records(main_process, tmp_path, images=tmp_path / "nowhere"), "--images", "nowhere")


def test_missing_caption_file(main_here, tmp_path):
    _one_line(_make_records(main_here, tmp_path, captions=tmp_path / "nowhere.csv"), "--captions", "nowhere.csv")


def test_empty_caption_file(main_here, tmp_path):
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    _one_line(_make_records(main_here, tmp_path, captions=empty), "empty.csv")


def test_caption_of_a_photo_that_does_not_exist(main_here, tmp_path):
    table = tmp_path / "captions.csv"
    table.write_text("image,caption\n000000000790.jpg,a photo\nghost.jpg,a photo that is not there\n")
    _one_line(_make_records(main_here, tmp_path, captions=table), "captions.csv:3", "ghost.jpg")


def test_unreadable_weights_file(main_here, tmp_path):
    weights = tmp_path / "broken.weights.h5"
    weights.write_bytes(b"these are no weights")
    _one_line(_make_records(main_here, tmp_path, backbone="mobilenet_v2", backbone_weights=weights),
              "broken.weights.h5", "mobilenet_v2")


@pytest.mark.parametrize("arguments", [
    ["--mode=verify_records"], ["--mode=inspect_records"], ["--mode=train", "--run_dir=RUN"],
])
def test_folder_that_holds_no_records(main_here, tmp_path, arguments):
    arguments = [a.replace("RUN", str(tmp_path / "run")) for a in arguments]
    _one_line(main_here(*arguments, f"--records_dir={tmp_path}"), str(tmp_path), "make_records")


@pytest.mark.parametrize("mode", ["eval", "export"])
def test_folder_that_holds_no_run(main_here, tmp_path, demo, mode):
    records = [f"--records_dir={demo[0] / 'records'}", "--split=test"] if mode == "eval" else [
        f"--export_dir={tmp_path / 'export'}"]
    _one_line(main_here(f"--mode={mode}", f"--run_dir={tmp_path}", *records), str(tmp_path), "train")


def test_tag_without_an_export(main_here, tmp_path):
    _one_line(main_here("--mode=tag", f"--export_dir={tmp_path}", DEMO / "images" / "000000000790.jpg"),
              str(tmp_path), "export")


def test_flagfile_gives_mode_and_flags(main_process, tmp_path):
    flagfile = tmp_path / "verify.flags"
    flagfile.write_text(f"--mode=verify_records\n--records_dir={tmp_path / 'nothing'}\n")
    _one_line(main_process(f"--flagfile={flagfile}"), "nothing")


def test_one_flagfile_serves_several_modes(main_process, tmp_path):
    flagfile = tmp_path / "job.flags"
    flagfile.write_text(f"--records_dir={tmp_path / 'nothing'}\n--epochs=3\n--noxla\n--beam_width=5\n")
    _one_line(main_process("--mode=verify_records", f"--flagfile={flagfile}"), "nothing", "make_records")


def test_a_flag_in_a_flagfile_that_no_mode_knows_is_refused(main_process, tmp_path):
    flagfile = tmp_path / "job.flags"
    flagfile.write_text("--records_dir=x\n--epochz=3\n")
    _one_line(main_process("--mode=verify_records", f"--flagfile={flagfile}"), "epochz")


@pytest.mark.parametrize("mode", ["make_records", "train", "eval", "export"])
@pytest.mark.parametrize("flagfile", sorted((ROOT / "configs").glob("*.flags")), ids=lambda path: path.name)
def test_the_flag_files_that_come_along_hold_known_flags(mode, flagfile):
    config = MODES[mode].load_flags()
    lines, _ = flag_files.split([f"--flagfile={flagfile}"])
    values = main._base_flags()
    define(config, values)
    assert values(["main.py", *flag_files.of_mode(lines, config)])


def test_the_command_line_wins_over_a_flag_file_wherever_it_stands(main_process, tmp_path):
    flagfile = tmp_path / "job.flags"
    flagfile.write_text("--mode=verify_records\n--records_dir=of_the_file\n")
    _one_line(main_process("--records_dir=of_the_line", "--flagfile", flagfile), "--records_dir=of_the_line")


def test_a_flag_file_that_is_not_there(main_process, tmp_path):
    _one_line(main_process("--mode=train", f"--flagfile={tmp_path / 'job.flags'}"), "job.flags: cannot be read")


def test_json_that_describes_no_run_is_no_flag_file(main_process, tmp_path):
    other = tmp_path / "config.json"
    other.write_text("[1, 2]")
    _one_line(main_process("--mode=train", f"--flagfile={other}"), str(other), "not the config.json of a run")


def test_demo_leaves_everything_behind(demo):
    folder, output = demo
    for path in ("records/manifest.json", "run/history.csv", "run/loss.png", "run/best.weights.h5",
                 "run/tag_readout.h5", "run/eval-test/contact_sheet.png"):
        assert (folder / path).stat().st_size > 0
    metrics = json.loads((folder / "run/eval-test/metrics.json").read_text())
    assert metrics["images"] > 0 and metrics["loss"] > 0
    assert "contact_sheet.png" in output and "resnet50" in output


@pytest.mark.parametrize(("flags", "line"), [
    ("--mode=make_records --records_dir=x --captions=x --images=x",
     "the same command continues where this one stopped"),
    ("--mode=tag --export_dir=x --images=x --output=x", "the same command continues where this one stopped"),
    ("--mode=tag --export_dir=x x.jpg", "the same command starts over"),
    ("--mode=verify_records --records_dir=x", "the same command starts over")])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_ends_with_the_line_of_ctrl_c(monkeypatch, capsys, flags, line, number):
    monkeypatch.setattr(Mode, "load_code", lambda _: lambda _: os.kill(os.getpid(), number))
    before = signal.getsignal(signal.SIGTERM)
    assert main.main(["main.py", *flags.split()]) == 128 + number
    assert capsys.readouterr().err == f"\ninterrupted; {line}\n"
    assert signal.getsignal(signal.SIGTERM) == before


def test_names_in_an_error_cannot_write_to_the_terminal(monkeypatch, capsys):
    def refuse(_):
        raise UserError("\x1b[2Jx\udcff: no\nsuch photo")

    monkeypatch.setattr(Mode, "load_code", lambda _: refuse)
    assert main.main(["main.py", "--mode=verify_records", "--records_dir=x"]) == 1
    assert capsys.readouterr().err == "error: \\x1b[2Jx\\xff: no such photo\n"


def test_a_full_disk_under_the_output_is_one_line():
    with open("/dev/full", "w") as full:
        result = subprocess.run([sys.executable, "main.py", "--help"], cwd=ROOT, text=True, stdout=full,
                                stderr=subprocess.PIPE, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("error: a file could not be read or written: No space left on device; ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(("mode", "flags", "told"), [
    ("export", ["--export_dir=BASE/x[1]"], "x[1]: TensorFlow takes [ and"),
    ("export", ["--export_dir=BASE/file"], "file: is a file; give a folder"),
    ("export", ["--export_dir=BASE/file/below"], "file/below: cannot be made (Not a directory)"),
    ("export", ["--export_dir=/proc/none"], "/proc/none: cannot be made ("),
    ("train", ["--records_dir=RECORDS", "--run_dir=BASE/file"], "--run_dir=BASE/file: is a file; give a folder"),
    ("train", ["--records_dir=RECORDS", "--run_dir=BASE/file/x"], "file/x: cannot be made (Not a directory)")])
def test_a_folder_that_cannot_be_made_is_one_line(demo, tmp_path, capsys, mode, flags, told):
    (tmp_path / "file").write_text("")
    names = {"BASE": str(tmp_path), "RECORDS": str(demo[0] / "records")}
    flags = [flag.replace("BASE", names["BASE"]).replace("RECORDS", names["RECORDS"]) for flag in flags]
    flags += [f"--run_dir={demo[0] / 'run'}"] * (mode == "export")
    assert main.main(["main.py", f"--mode={mode}", *flags]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ") and told.replace("BASE", str(tmp_path)) in error
