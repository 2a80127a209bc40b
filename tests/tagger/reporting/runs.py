"""Run folders for reports, written without a training."""

import json
from pathlib import Path

from flags.train import Train
from records.format import manifest as manifests
from records.text.vocabulary import Vocabulary
from tagger.evaluation import files
from tagger.runs import run_dir
from tagger.training import history
from tests.records import folders

METRICS = {"images": 2, "limit": 0, "target": "captions", "split": "test", "weights": "best", "beam_width": 3,
           "length_penalty": 0.7, "ranking": "cider", "records_dir": "nowhere", "loss": 2.5, "bleu_4": 18.94,
           "cider": 45.0, "tag_f1": 0.333}
ROWS = [{"image": f"{name}.jpg", "caption": f"a {name}", "tags": [name, "grass"], "references": [f"One {name}."],
         "reference_tags": [[name]], "cider": score} for name, score in (("dog", 61.5), ("cat", 3.25))]


def write(folder: Path, **metrics: object) -> Path:
    """A run of two epochs with an evaluation on test, whose metrics may be others."""
    records = folders.write(folder.parent / f"records of {folder.name}", {"train": folders.random_split(0, [3])},
                            vocabulary_size=6)
    config = Train(records_dir=str(records), run_dir=str(folder), dropout=0.25)
    run_dir.save_description(config, manifests.load(records), Vocabulary.build({"a": 3, "b": 2, "c": 1}, {}), None)
    history.write(folder, [history.Epoch(1, 3.0, 2.75, 0.001), history.Epoch(2, 2.5, 2.875, 0.001)],
                  [history.Throughput(1, 61.0, 4000.0, 400.0, 25.0, 0.01)])
    evaluation = files.folder_of(folder, "test")
    evaluation.mkdir()
    (evaluation / files.PREDICTIONS).write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (evaluation / files.METRICS).write_text(json.dumps({**METRICS, **metrics}))
    return folder
