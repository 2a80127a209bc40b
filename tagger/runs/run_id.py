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
    """That in a config.json; None where there is no such file, or none in it."""
    try:
        values = typed_json.loads(regular_files.read_bytes(path))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    found = values.get(KEY) if isinstance(values, dict) else None
    return found if isinstance(found, str) else None


def of_weights(data: bytes) -> str | None:
    """That in the bytes of a weights file.

    Raises:
      OSError: they are no HDF5 file.
    """
    with h5py.File(io.BytesIO(data), "r") as file:
        found = file.attrs.get(KEY)
    return found if isinstance(found, str) else None


def write_to_weights(path: str, run_id: str | None) -> None:
    """Adds it to a weights file of this machine."""
    if run_id:
        with h5py.File(path, "r+") as file:
            file.attrs[KEY] = run_id


def check_same(path: epath.PathLike, found: str | None, config: epath.PathLike) -> None:
    """Raises UserError where the file at `path`, which names the run `found`, is of another run than config.json."""
    expected = of_config(config)
    if found != expected:
        raise UserError(f"{path}: is of {_named(found)}, {config} is of {_named(expected)}: one of the two was put "
                        "there from another run folder; restore it from a copy, or train again with --fresh")


def _named(run_id: str | None) -> str:
    return f"run {run_id[:16]}" if run_id else "a run without a name"
