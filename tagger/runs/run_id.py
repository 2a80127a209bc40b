"""Which run a file belongs to: a random name in config.json, in every checkpoint and in best.weights.h5.

Files of two runs of one shape look alike. Put into one folder, by a copy or a mistaken restore, they would be taken for
one run. Folders of before there were such names have none in any file, and go on without.
"""

import io
import secrets

import h5py
from etils import epath

from flags.errors import UserError
from records.util import regular_files, typed_json

KEY = "run_id"


def new() -> str:
    """A name that no other run has."""
    return secrets.token_hex(8)


def of_config(path: epath.PathLike) -> str | None:
    """The run's name in a config.json; None where there is no such file, or no name in it."""
    try:
        values = typed_json.loads(regular_files.read_bytes(path))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    run_id = values.get(KEY) if isinstance(values, dict) else None
    return run_id if isinstance(run_id, str) else None


def of_weights(data: bytes) -> str | None:
    """The run's name in the bytes of a weights file; None where it has none.

    Raises:
      OSError: the bytes are no HDF5 file.
    """
    with h5py.File(io.BytesIO(data), "r") as file:
        run_id = file.attrs.get(KEY)
    return run_id if isinstance(run_id, str) else None


def write_to_weights(path: str, run_id: str | None) -> None:
    """Adds the run's name to a weights file, which is a local one."""
    if run_id:
        with h5py.File(path, "r+") as file:
            file.attrs[KEY] = run_id


def check_same(path: epath.PathLike, run_id: str | None, config: epath.PathLike) -> None:
    """Raises UserError where the file at `path`, which names the run `run_id`, is of another run than config.json."""
    expected = of_config(config)
    if run_id != expected:
        raise UserError(f"{path}: is of {_named(run_id)}, {config} is of {_named(expected)}: one of the two was put "
                        "there from another run folder; restore it from a copy, or train again with --fresh")


def _named(run_id: str | None) -> str:
    return f"run {run_id[:16]}" if run_id else "a run without a name"
