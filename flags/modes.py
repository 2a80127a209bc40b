"""The modes of main.py: what each is for, where its flags and its code are."""

import dataclasses
import enum
import importlib
import os
import sys
from typing import Any


class Status(enum.IntEnum):
    """Exit status of a mode, where its number alone says too little."""

    NOTHING_TO_DO = 0  # all was done before: nothing is printed that would need explaining


@dataclasses.dataclass(frozen=True)
class Mode:
    """One value of --mode.

    Attributes:
      summary: one line for --help.
      flags: "module:Dataclass" with the mode's flags; importing it imports no TensorFlow.
      code: "module:function" that takes the dataclass; imported only when the mode runs.
      example: arguments of a typical call, for --help.
      onednn: whether oneDNN's kernels are switched on where TensorFlow leaves them off, on CPUs without AVX512-VNNI:
        backbones and steps of training are faster with them there too.
      explained: whether it prints words that the glossary explains, and says so at its end.
      continues: whether the same command goes on where an earlier one was interrupted.
      continues_with: the flag with which it does so, in a mode that else does not.
    """

    summary: str
    flags: str
    code: str
    example: str
    onednn: bool = False
    explained: bool = False
    continues: bool = False
    continues_with: str = ""

    def goes_on(self, config: Any) -> bool:
        """Whether the same command goes on after an interruption; config: the mode's flags."""
        return self.continues or bool(self.continues_with and getattr(config, self.continues_with))

    def load_flags(self) -> type:
        return _load(self.flags)

    def load_code(self) -> Any:
        return _load(self.code)


def command(program: str = "") -> str:
    """How the user calls this program: `tagger` where it is installed, `python main.py` in a clone.

    Args:
      program: the first argument of the command line; "" for that of this process.
    """
    return "python main.py" if os.path.basename(program or sys.argv[0]) == "main.py" else "tagger"


def _load(path: str) -> Any:
    module, name = path.split(":")
    return getattr(importlib.import_module(module), name)


MODES = {
    "make_records": Mode(
        "convert photos and captions into checked, sharded TFRecords with features",
        "flags.make_records:MakeRecords", "records.make_records:run",
        "--images=photos --captions=captions.csv --records_dir=data/mine", onednn=True, explained=True,
        continues=True),
    "verify_records": Mode(
        "prove that every byte of a records folder is what make_records wrote",
        "flags.verify_records:VerifyRecords", "records.verify_records:run",
        "--records_dir=data/mine"),
    "inspect_records": Mode(
        "show what is in a records folder, with a contact sheet of random examples",
        "flags.inspect_records:InspectRecords", "records.inspect_records:run",
        "--records_dir=data/mine", explained=True),
    "train": Mode(
        "train the merge model; the same command continues an interrupted run",
        "flags.train:Train", "tagger.train:run",
        "--records_dir=data/mine --run_dir=runs/first", onednn=True, explained=True, continues=True),
    "eval": Mode(
        "score a trained model on a held-out split, with predictions and a contact sheet",
        "flags.eval:Eval", "tagger.evaluate:run",
        "--records_dir=data/mine --run_dir=runs/first --split=test", explained=True),
    "export": Mode(
        "write a SavedModel that takes image bytes and answers captions and tags",
        "flags.export:Export", "tagger.export:run",
        "--run_dir=runs/first --export_dir=exported", onednn=True),
    "tag": Mode(
        "caption and tag photos with nothing but an exported SavedModel",
        "flags.tag:Tag", "tagger.tag:run",
        "--export_dir=exported photos/one.jpg 'holiday/*.jpg'", onednn=True, continues_with="output"),
    "serve": Mode(
        "answer TensorFlow Serving's REST requests on this machine, with a page to drop photos on",
        "flags.serve:Serve", "tagger.serve:run",
        "--export_dir=exported --port=8501", onednn=True),
    "report": Mode(
        "write one self-contained HTML page about a run, or one that compares the runs of a folder",
        "flags.report:Report", "tagger.report:run",
        "--run_dir=runs/first"),
    "demo": Mode(
        "run the whole job on the embedded photos: make_records, train, eval, export, tag",
        "flags.demo:Demo", "tagger.demo:run",
        "--run_dir=demo_run", continues=True),
}
