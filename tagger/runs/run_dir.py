"""A run folder: what train writes into it and what eval, export and report read from it.

    run = load_run(run_dir)
    run.model, run.vocabulary, run.config, run.manifest

It is self-contained: config.json (the flags of train), best.weights.h5, tag_readout.h5, tag_calibration.json,
vocabulary.txt, word_counts.tsv, tags.txt, tag_forms.tsv and manifest.json (copies from the records folder, the
vocabulary cut to --vocabulary_size).
"""

import dataclasses
import errno
import json
import os
import tempfile
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from etils import epath

from flags.errors import UserError
from flags.train import Train
from records.format import manifest as manifest_lib
from records.format.layout import DATASET_INFO, FEATURES, MANIFEST, STAGING_DIR, is_shard
from records.format.manifest import Manifest
from records.text.tag_vocabulary import TagVocabulary
from records.text.vocabulary import Vocabulary
from records.util import regular_files, typed_json
from records.util.atomic_files import write_atomic
from records.util.folders import make_folder
from tagger.modeling.merge_model import MergeModel
from tagger.modeling.tag_calibration import TagCalibration
from tagger.modeling.tag_outputs import TagOutputs
from tagger.modeling.tag_readout import TagReadout
from tagger.runs import run_id, trained_backbone

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "best.weights.h5"
READOUT_FILE = "tag_readout.h5"
REPORT_FILE = "report.html"
_FORMAT = 1
_NAMED = 8  # runs of a folder that an error names


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained model with the flags, vocabulary and manifest of its run.

    Attributes:
      config: the flags it was trained with.
      model: holds the weights asked for; computes in float32, unless asked otherwise.
      vocabulary: meaning of the model's output classes.
      manifest: of the records folder it was trained on; says which backbone makes its features. After training from
        pixels that is the run's own (tagger.runs.trained_backbone).
      tags: None where those records had no tag vocabulary.
      calibration: of its answers about tags; None where there is none, or the weights are not the best ones.
    """

    config: Train
    model: MergeModel
    vocabulary: Vocabulary
    manifest: Manifest
    tags: TagVocabulary | None = None
    calibration: TagCalibration | None = None

    @property
    def max_length(self) -> int:
        """Words of the longest caption that the model was trained on."""
        return longest(self.manifest, self.config.train_split)

    @property
    def tag_outputs(self) -> TagOutputs:
        """Which of the model's logits speak for which tag."""
        return TagOutputs.of(self.vocabulary, self.tags)

    @property
    def separator(self) -> str:
        """The separator of the words of a caption; of tags of several words, a comma."""
        return tag_separator(self.manifest.target, self.tags)


def tag_separator(target: str, tags: TagVocabulary | None) -> str:
    """The separator of the words that a model writes."""
    return ", " if target == "tags" and tags is not None else " "


def longest(manifest: Manifest, split: str) -> int:
    """Words (<end> not counted) of the longest caption of a split; at least 1."""
    return max(manifest.splits[split].max_tokens - 1, 1)


def feature_size(manifest: Manifest, records_dir: str) -> int:
    """F of the records' features.

    Raises:
      UserError: the records were made without features.
    """
    if manifest.backbone is None:
        raise UserError(f"--records_dir={records_dir}: was made with --backbone=none and holds no features; "
                        "run make_records again with a backbone")
    return manifest.backbone.feature_size


def new_model(config: Train, manifest: Manifest, vocabulary: Vocabulary, **kwargs: Any) -> MergeModel:
    """The untrained model that `config` describes; further arguments as in MergeModel."""
    scale = 1 / config.self_critical_temperature if config.self_critical_epochs else 1.0
    return MergeModel(vocabulary.size, feature_size(manifest, config.records_dir), dropout=config.dropout,
                      feature_dropout=config.feature_dropout, embedding_dropout=config.embedding_dropout,
                      tag_prompt=config.tag_weight > 0, inverse_temperature=scale, seed=config.seed, **kwargs)


def save_description(config: Train, manifest: Manifest, vocabulary: Vocabulary, tags: TagVocabulary | None) -> None:
    """Writes everything but the weights; config.json last, so that a folder that has one is complete.

    A run that is continued keeps its name (tagger.runs.run_id); a new run gets a new name.
    """
    folder = make_folder(config.run_dir, "run_dir")
    vocabulary.save(folder)
    if tags is not None:
        tags.save(folder)
    manifest_lib.save(folder, manifest)
    path = folder / CONFIG_FILE
    name = run_id.of_config(path) if path.exists() else run_id.new()
    body = {"format": _FORMAT, **({run_id.KEY: name} if name else {}), **dataclasses.asdict(config)}
    write_atomic(path, json.dumps(body, indent=1) + "\n")


def load_config(run_dir: epath.PathLike) -> Train | None:
    """The flags of the run in a folder; None where there is no run.

    Raises:
      UserError: config.json is not what train writes.
    """
    path = epath.Path(run_dir) / CONFIG_FILE
    try:
        return _config(typed_json.loads(regular_files.read_bytes(path)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, UserError) as error:
        raise UserError(f"{path}: is no description of a run ({error}); restore it, or train again with --fresh") \
            from error


def no_run(run_dir: epath.PathLike, flag: str = "run_dir") -> UserError:
    """What to say of a folder without a run: that there is none, which runs are in it, or what it is else."""
    folder, what = epath.Path(run_dir), f"--{flag}={os.fspath(run_dir)}"
    if not folder.exists():
        return UserError(f"{what}: no such folder; --mode=train makes one")
    if not folder.is_dir():
        return UserError(f"{what}: is a file; give a folder that train wrote")
    if holds_records(folder):
        return UserError(f"{what}: is a folder that make_records wrote; give one that train wrote")
    names = sorted(path.name for path in folder.iterdir())
    if runs := runs_in(folder, names):
        first = next(name for name in names if (folder / name / CONFIG_FILE).exists())
        return UserError(f"{what}: is no run, but has some in it: {runs}; give one of them, such as {folder / first}")
    return UserError(f"{what}: has no {CONFIG_FILE}, so it is no folder that train wrote; run --mode=train first")


def holds_records(folder: epath.Path) -> bool:
    """Whether make_records writes, or has written, into a folder; a run has a copy of the manifest and of words too."""
    return any(path.name in (DATASET_INFO, FEATURES, STAGING_DIR) or is_shard(path.name) for path in folder.iterdir())


def runs_in(folder: epath.Path, names: Sequence[str]) -> str:
    """Which of these folders below a folder are runs, for a message; "" where none is."""
    runs = [name for name in names if (folder / name / CONFIG_FILE).exists()]
    more = f" and {len(runs) - _NAMED:,} more" if len(runs) > _NAMED else ""
    return ", ".join(runs[:_NAMED]) + more


def _config(values: Any) -> Train:
    if not isinstance(values, dict) or values.get("format") != _FORMAT:
        raise ValueError(f"expected a JSON object of format {_FORMAT}")
    flags = {name: value for name, value in values.items() if name not in ("format", run_id.KEY)}
    config, faults = typed_json.read(Train, flags, "it")
    if faults:
        raise ValueError(faults[0])
    return cast(Train, config)


def load_manifest(run_dir: epath.PathLike) -> Manifest:
    """The manifest of the records that a run was trained on.

    Raises:
      UserError: the run's copy of it is missing or damaged.
    """
    path = epath.Path(run_dir) / MANIFEST
    try:
        return manifest_lib.from_json(regular_files.read_bytes(path))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: is missing or damaged ({error}); restore it by copying the records folder's") \
            from error


def load_run(run_dir: epath.PathLike, weights: str = "best", flag: str = "run_dir", **kwargs: Any) -> Run:
    """Loads a trained model.

    Args:
      weights: "best" for the weights of the best epoch, or the path of another weights file of this model.
      flag: the flag that named the folder, for messages.
      kwargs: how the model computes, as in MergeModel.

    Raises:
      UserError: the folder is no run folder, has no weights yet, or the weights do not fit the model.
    """
    folder = epath.Path(run_dir)
    config = load_config(folder)
    if config is None:
        raise no_run(folder, flag)
    manifest = load_manifest(folder)
    manifest = dataclasses.replace(manifest, backbone=trained_backbone.trained(folder, manifest.backbone))
    vocabulary = Vocabulary.load(folder)
    model = new_model(config, manifest, vocabulary, **kwargs)
    load_weights(model, folder / WEIGHTS_FILE if weights == "best" else epath.Path(weights))
    run = Run(config, model, vocabulary, manifest, TagVocabulary.load(folder),
              TagCalibration.load(folder) if weights == "best" else None)
    if weights == "best":
        model.tag_readout = _load_readout(folder, model.feature_size, run.tag_outputs.size)
    return run


def load_weights(model: MergeModel, path: epath.Path) -> None:
    """Reads a weights file of `MergeModel.to_keras` into `model`.

    Raises:
      UserError: it is missing, unreadable, of another shape, the best weights of another run, or holds numbers that are
        not finite.
    """
    if not path.exists():
        raise UserError(f"{path}: no such weights file; train writes it at the end of its first epoch")
    try:
        data = regular_files.read_bytes(path)
        name = run_id.of_weights(data)
        with tempfile.TemporaryDirectory() as folder:
            local = os.path.join(folder, WEIGHTS_FILE)  # Keras reads HDF5 from local files only
            epath.Path(local).write_bytes(data)
            model.to_keras(1).load_weights(local)
    except Exception as error:  # h5py and Keras raise whatever they meet inside the file
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise  # the disk for temporary files, not the file
        raise UserError(f"{path}: cannot be read as weights of this model ({error}); train again, or give the "
                        "weights file of this run") from error
    for weight in model.weights:
        bad = int((~np.isfinite(weight.numpy())).sum())
        if bad:
            raise UserError(f"{path}: {bad:,} of the {weight.path} weights are NaN or infinite; train again, with a "
                            "lower --learning_rate or --clip_norm=1, or give the weights file of another run")
    if path.name == WEIGHTS_FILE and (path.parent / CONFIG_FILE).exists():  # what train left there, no file of a user
        run_id.check_same(path, name, path.parent / CONFIG_FILE)


def save_weights(model: MergeModel, max_length: int, path: epath.Path) -> None:
    """Writes the weights file of `MergeModel.to_keras`, whole or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, WEIGHTS_FILE)
        model.to_keras(max_length).save_weights(local)
        run_id.write_to_weights(local, run_id.of_config(path.parent / CONFIG_FILE))
        write_atomic(path, epath.Path(local).read_bytes())


def save_readout(readout: TagReadout, run_dir: epath.PathLike) -> None:
    """Writes tag_readout.h5, whole or not at all."""
    folder = epath.Path(run_dir)
    name = run_id.of_config(folder / CONFIG_FILE)
    write_atomic(folder / READOUT_FILE, readout.to_bytes({run_id.KEY: name} if name else {}))


def _load_readout(folder: epath.Path, feature_size: int, tags: int) -> TagReadout | None:
    """What `save_readout` wrote; None where there is none, as in runs of before and without --tag_weight.

    Raises:
      UserError: it is damaged or of another run.
    """
    path = folder / READOUT_FILE
    try:
        data = regular_files.read_bytes(path)
        readout, name = TagReadout.from_bytes(data, feature_size, tags), run_id.of_weights(data)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: is damaged ({error}); delete it, and the same train command makes it anew") from error
    run_id.check_same(path, name, folder / CONFIG_FILE)
    return readout
