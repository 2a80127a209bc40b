"""The modes of main.py: what each is for, where its flags and its code are."""

import dataclasses
import importlib
from typing import Any


@dataclasses.dataclass(frozen=True)
class Mode:
    """One value of --mode.

    Attributes:
      summary: one line for --help.
      flags: "module:Dataclass" with the mode's flags; importing it imports no TensorFlow.
      code: "module:function" that takes the dataclass; imported only when the mode runs.
      convolves: whether the time goes into a backbone, which oneDNN's kernels speed up on CPUs for which TensorFlow
        leaves them off.
    """

    summary: str
    flags: str
    code: str
    convolves: bool = False

    def load_flags(self) -> type:
        return _load(self.flags)

    def load_code(self) -> Any:
        return _load(self.code)


def _load(path: str) -> Any:
    module, name = path.split(":")
    return getattr(importlib.import_module(module), name)


MODES = {
    "make_records": Mode(
        "convert photos and captions into checked, sharded TFRecords with image features",
        "flags.make_records:MakeRecords", "records.make_records:run", convolves=True),
    "verify_records": Mode(
        "prove that every byte of a records folder is what make_records wrote",
        "flags.verify_records:VerifyRecords", "records.verify_records:run"),
    "inspect_records": Mode(
        "show what is in a records folder, with a contact sheet of random examples",
        "flags.inspect_records:InspectRecords", "records.inspect_records:run"),
    "train": Mode(
        "train the merge model; the same command continues an interrupted run",
        "flags.train:Train", "tagger.train:run"),
    "eval": Mode(
        "score a trained model on a held-out split, with predictions and a contact sheet",
        "flags.eval:Eval", "tagger.evaluate:run"),
    "export": Mode(
        "write a SavedModel that takes image bytes and answers captions and tags",
        "flags.export:Export", "tagger.export:run", convolves=True),
    "tag": Mode(
        "caption and tag photos with nothing but an exported SavedModel",
        "flags.tag:Tag", "tagger.tag:run", convolves=True),
    "serve": Mode(
        "answer TensorFlow Serving's REST requests on this machine, with a page to drop photos on",
        "flags.serve:Serve", "tagger.serve:run", convolves=True),
    "report": Mode(
        "write one self-contained HTML page about a run",
        "flags.report:Report", "tagger.report:run"),
    "demo": Mode(
        "run the whole job on the embedded photos: make_records, train, eval, export, tag",
        "flags.demo:Demo", "tagger.demo:run"),
}
