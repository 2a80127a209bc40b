"""Checkpoints: everything a run needs to go on as if it had never stopped.

One file per checkpoint, checkpoints/step-00000123.npz: arrays by name, and a JSON text. Every value is read on one
device's copy and assigned to all, so that a checkpoint knows nothing of the number of devices that wrote it. Files
appear whole or not at all; zip's checksums tell whether one has been damaged since, and the one before is the spare.
"""

import io
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from etils import epath

from flags.errors import UserError
from records.util import regular_files, typed_json
from records.util.atomic_files import write_atomic
from tagger.runs import run_id
from tagger.runs.run_dir import CONFIG_FILE

FOLDER = "checkpoints"
_STATE = "state.json"

Variables = Mapping[str, tf.Variable | keras.Variable]


class Checkpoints:
    """The checkpoints of one run folder."""

    def __init__(self, run_dir: epath.PathLike, keep: int):
        """keep: newest ones that `save` leaves, at least 1."""
        self._folder = epath.Path(run_dir) / FOLDER
        self._config = epath.Path(run_dir) / CONFIG_FILE
        self._keep = max(keep, 1)

    def steps(self) -> list[int]:
        """Step numbers of the checkpoints there are, ascending."""
        if not self._folder.exists():
            return []
        found = (re.fullmatch(r"step-(\d{8,})\.npz", path.name) for path in self._folder.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def save(self, step: int, variables: Variables, state: Mapping[str, Any]) -> bool:
        """Writes a checkpoint and removes the oldest; says so and goes on when the disk is full.

        Args:
          step: steps made in the whole run.
          variables: by name.
          state: anything JSON can express exactly.

        Returns:
          Whether it was written.
        """
        name = run_id.of_config(self._config)
        state = {**state, run_id.KEY: name} if name else state
        arrays = {name: np.asarray(variable.numpy()) for name, variable in variables.items()}
        data = io.BytesIO()
        np.savez(data, allow_pickle=False, **arrays, **{_STATE: np.frombuffer(json.dumps(state).encode(), np.uint8)})
        path = self._path(step)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data.getvalue())
        except (OSError, tf.errors.OpError) as error:
            before = self.steps()
            kept = f"the one at step {before[-1]} stays" if before else "there is none before it"
            _say(f"warning: checkpoint at step {step} could not be written ({error}); {kept}, training goes on")
            return False
        for old in self.steps()[:-self._keep]:
            self._path(old).unlink(missing_ok=True)
        return True

    def restore(self, variables: Variables, check: Callable[[Mapping[str, Any]], None] = lambda _: None
                ) -> tuple[int, dict[str, Any]] | None:
        """Assigns the newest checkpoint that is whole to `variables`.

        Args:
          check: raises ValueError for a state that is none; the checkpoint then counts as damaged.

        Returns:
          (step, state) as they were saved; None where there is no checkpoint.

        Raises:
          UserError: there are checkpoints, and none of them is whole, or the newest that is is of another run.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                arrays, state = self._read(step, variables)
                name = state.pop(run_id.KEY, None)
                check(state)
            # RuntimeError: zipfile's, of damaged bytes that say "encrypted" or name a compression unknown to it.
            # OpError: TensorFlow's, of a file on storage such as gs://.
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error,
                    RuntimeError, tf.errors.OpError) as error:
                _say(f"warning: {self._path(step)} is damaged ({error}); going back to the one before")
                continue
            run_id.check_same(self._path(step), name if isinstance(name, str) else None, self._config)
            for name, variable in variables.items():
                variable.assign(arrays[name])
            return step, state
        if steps:
            raise UserError(f"{self._folder}: none of its {len(steps)} checkpoints can be read; restore one from a "
                            "copy, or start over with --fresh")
        return None

    def remove_all(self) -> None:
        """Deletes every checkpoint."""
        if self._folder.exists():
            self._folder.rmtree()

    def _read(self, step: int, variables: Variables) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and state; everything is read and compared before anything is assigned."""
        with np.load(io.BytesIO(regular_files.read_bytes(self._path(step))), allow_pickle=False) as file:
            arrays = {name: file[name] for name in variables}
            state = typed_json.loads(file[_STATE].tobytes(), infinite=True)  # a best loss of before the first epoch
        if not isinstance(state, dict):
            raise ValueError("its state is no JSON object")
        for name, variable in variables.items():
            if arrays[name].shape != tuple(variable.shape):
                raise ValueError(f"{name} has shape {arrays[name].shape}, expected {tuple(variable.shape)}")
        return arrays, state

    def _path(self, step: int) -> epath.Path:
        return self._folder / f"step-{step:08d}.npz"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
