"""The folder of a bulk tagging: its shards, its receipts and its summary.

    tags-00000-of-00005.jsonl     one row a photo: image, caption, tags, scores; or image and error
    summary.json                  written last: what is in the shards, and what they were made from
    .tag/                         while it is not complete: settings.json, plans/, done/SHARD.json
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flags.errors import UserError
from records.util.atomic_files import write_atomic
from records.util.folders import missing_folders, remove_if_empty

SUMMARY = "summary.json"
_STATE, _SETTINGS, _PLANS, _DONE = ".tag", "settings.json", "plans", "done"
FORMATS = ("jsonl", "parquet")


@dataclasses.dataclass(frozen=True)
class Receipt:
    """One written shard; `photos` are its rows, `errors` those of them without an answer."""

    file: str
    bytes: int
    sha256: str
    photos: int
    errors: int


class Output:
    """The folder.

    Args:
      path: the folder, as given by --output.
      format: "jsonl" or "parquet".

    Attributes:
      state: folder in it for what is needed as long as it is not complete.

    Raises:
      UserError: it is no folder, or one that cannot be made.
    """

    def __init__(self, path: str, format: str):
        self.path, self._format = path, format
        self.state = os.path.join(path, _STATE)
        self._missing = missing_folders(path)
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            raise UserError(f"--output={path}: cannot be made ({error.strerror}); name another folder") from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for one process at a time on this machine.

        Raises:
          UserError: another one has it.
        """
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                yield
            finally:
                remove_if_empty(self._missing)
        except BlockingIOError:
            raise UserError(f"--output={self.path}: another tagging is writing there; wait for it, or end it") from None
        finally:
            os.close(handle)

    def summary(self) -> dict[str, Any] | None:
        """Of a complete folder; None where it is not complete."""
        return self._read(os.path.join(self.path, SUMMARY))

    def settings(self) -> dict[str, Any] | None:
        """What an unfinished tagging was started with, its number of shards included; None where there is none."""
        return self._read(os.path.join(self.state, _SETTINGS))

    def _read(self, path: str) -> dict[str, Any] | None:
        try:
            with open(path, encoding="utf-8") as file:
                value = json.load(file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: is damaged ({error}); remove --output={self.path} and start again") from error
        return value if isinstance(value, dict) else None

    def begin_plan(self) -> str:
        """An empty folder for plans; what another, interrupted planning left is removed."""
        shutil.rmtree(self.state, ignore_errors=True)
        os.makedirs(os.path.join(self.state, _PLANS))
        os.makedirs(os.path.join(self.state, _DONE))
        return os.path.join(self.state, _PLANS)

    def drop_plan(self) -> None:
        """Removes plans that are not complete."""
        shutil.rmtree(self.state, ignore_errors=True)

    def end_plan(self, settings: Mapping[str, Any]) -> None:
        """Notes that the plans are complete."""
        write_atomic(os.path.join(self.state, _SETTINGS), json.dumps(settings))

    def plan(self, shard: int) -> str:
        """Where the plan of a shard is."""
        return os.path.join(self.state, _PLANS, f"{shard:05d}")

    def file(self, shard: int, shards: int) -> str:
        """The name of a shard."""
        return f"tags-{shard:05d}-of-{shards:05d}.{self._format}"

    def receipt(self, file: str) -> Receipt | None:
        """Of a shard that was written and is still there."""
        body = self._read(os.path.join(self.state, _DONE, f"{file}.json"))
        try:
            receipt = Receipt(**body) if body else None
            return receipt if receipt and os.path.getsize(os.path.join(self.path, file)) == receipt.bytes else None
        except (OSError, TypeError):
            return None

    def write(self, file: str, rows: Sequence[Mapping[str, Any]]) -> Receipt:
        """Writes a shard and, when it is safely on disk, its receipt."""
        data = _jsonl(rows) if self._format == "jsonl" else _parquet(rows)
        receipt = Receipt(file, len(data), hashlib.sha256(data).hexdigest(), len(rows),
                          sum("error" in row for row in rows))
        write_atomic(os.path.join(self.path, file), data)
        write_atomic(os.path.join(self.state, _DONE, f"{file}.json"), json.dumps(dataclasses.asdict(receipt)))
        return receipt

    def complete(self, settings: Mapping[str, Any], receipts: Sequence[Receipt]) -> dict[str, Any]:
        """Writes the summary and removes what is no longer needed."""
        summary = {**settings, "photos": sum(receipt.photos for receipt in receipts),
                   "errors": sum(receipt.errors for receipt in receipts),
                   "files": [dataclasses.asdict(receipt) for receipt in receipts]}
        write_atomic(os.path.join(self.path, SUMMARY), json.dumps(summary, indent=1) + "\n")
        shutil.rmtree(self.state)
        return summary


def _jsonl(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def check_parquet() -> None:
    """Raises UserError where Parquet cannot be written."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as missing:
        raise UserError("--output_format=parquet needs pyarrow, which is an optional extra: pip install "
                        "'tagger[parquet]' (or pip install pyarrow)") from missing


def _parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("image", pa.string()), ("caption", pa.string()), ("tags", pa.list_(pa.string())),
                        ("scores", pa.list_(pa.float32())), ("error", pa.string())])
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema), buffer)
    return buffer.getvalue().to_pybytes()
