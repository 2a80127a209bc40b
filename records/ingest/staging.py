"""What a records folder was started with, so that a restart continues the same work or refuses.

Everything that shapes the bytes is a setting: flags, contents of the input files, versions of the programs. The
settings are in .make_records/settings.json while make_records works, and in the manifest afterwards.
"""

import fcntl
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from typing import Any

from etils import epath

from flags.errors import UserError
from flags.make_records import MakeRecords
from flags.spec import pairs
from records.format import layout
from records.sources import is_spooled
from records.util.atomic_files import write_atomic

_VERSIONS = ("pillow", "textblob")  # they shape re-encoded images, and tags
_INDEXED = ("captions_sha256", "captions_format", "max_words_per_caption", *_VERSIONS)
# A setting that is no flag of its own, as messages should name it.
_SAID = {"captions_sha256": "--captions (the content of the table)", "split_lists": "--split_lists (the content of "
         "a list)", "backbone_weights_sha256": "--backbone_weights (the weights' values)", "pillow": "the installed "
         "version of pillow", "textblob": "the installed version of textblob", "tensorflow": "the installed version of "
         "tensorflow"}


def dataset_name(config: MakeRecords) -> str:
    """--name, or the last part of --records_dir, as TensorFlow Datasets accepts it.

    Raises:
      UserError: --name holds other characters than letters, digits and underscores.
    """
    if config.name:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", config.name):
            raise UserError(f"--name={config.name}: expected letters, digits and underscores, starting with a letter")
        return config.name
    last = os.path.basename(os.path.abspath(config.records_dir).rstrip("/"))
    name = re.sub(r"[^A-Za-z0-9]+", "_", last).strip("_").lower()
    return name if name[:1].isalpha() else f"records_{name}".rstrip("_")


def settings_of(config: MakeRecords, name: str, weights_sha256: str | None) -> dict[str, Any]:
    """Everything that shapes the records' bytes, by flag name.

    Args:
      weights_sha256: of the backbone; None without one.
    """
    lists = {split: _sha256(file, "split_lists") for split, file in pairs(config.split_lists, "split_lists").items()}
    spooled = is_spooled(config.captions, config.captions_format)
    settings: dict[str, Any] = {
        "captions_sha256": config.captions if spooled else _sha256(config.captions, "captions"),
        "captions_format": config.captions_format, "target": config.target,
        "split_lists": lists or None, "split_fractions": config.split_fractions, "shards": config.shards,
        "name": name, "min_count": config.min_count, "max_words": config.max_words,
        "max_words_per_caption": config.max_words_per_caption, "store_images": config.store_images,
        "seed": config.seed, "backbone": config.backbone, **{name: metadata.version(name) for name in _VERSIONS},
    }
    if weights_sha256 is not None:
        settings |= {"backbone_weights_sha256": weights_sha256, "backbone_precision": config.backbone_precision,
                     "feature_views": config.feature_views,
                     "tensorflow": metadata.version("tensorflow")}
    return settings


def index_inputs(settings: Mapping[str, Any], images_dir: str) -> str:
    """The settings that what is known of single rows and photos depends on, in words."""
    return json.dumps({"images": images_dir, **{name: settings[name] for name in _INDEXED}}, sort_keys=True)


def _sha256(file: str, flag: str) -> str:
    digest = hashlib.sha256()
    try:
        with epath.Path(file).open("rb") as stream:
            while part := stream.read(1 << 20):
                digest.update(part)  # type: ignore[arg-type]
    except FileNotFoundError:
        raise UserError(f"--{flag}: {file} does not exist; give the path of a file") from None
    except OSError as error:
        raise UserError(f"--{flag}: {file} cannot be read ({error.strerror or error}); "
                        "give the path of a file") from error
    return digest.hexdigest()


def check_same(found: Mapping[str, Any], wanted: Mapping[str, Any], records_dir: str, what: str) -> None:
    """Raises UserError that names the first setting that differs."""
    for name in sorted(set(found) | set(wanted)):
        if found.get(name) != wanted.get(name):
            said = _SAID.get(name, f"--{name}")
            raise UserError(f"--records_dir={records_dir}: holds {what} made with another value of {said}: "
                            f"{found.get(name)!r} there, {wanted.get(name)!r} now; give that value, or another folder, "
                            "or --overwrite to make the records anew")


class State:
    """.make_records of a records folder, and this machine's part of it.

    Attributes:
      remote: that folder itself, where runners on other machines find plans and leave receipts.
      local: a folder of this machine: the same one, or one under the system's temporary folder for gs:// and the like.
    """

    def __init__(self, records_dir: str):
        self.remote = layout.staging_dir(records_dir)
        self.local = os.fspath(self.remote)
        if "://" in records_dir:  # SQLite needs a file of this machine
            self.local = os.path.join(tempfile.gettempdir(),
                                      "make_records-" + hashlib.sha256(records_dir.encode()).hexdigest()[:16])

    def settings(self) -> dict[str, Any] | None:
        """What an unfinished run was started with; None when there is none."""
        try:
            return json.loads((self.remote / layout.SETTINGS).read_text())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def start(self, settings: Mapping[str, Any]) -> None:
        """Makes the folders and notes the settings; stale temporary files of a killed run are removed."""
        os.makedirs(self.local, exist_ok=True)
        self.remote.mkdir(parents=True, exist_ok=True)
        write_atomic(self.remote / layout.SETTINGS, json.dumps(settings))
        for entry in os.scandir(self.local):
            if re.search(r"\.tmp-\d+$", entry.name):
                os.unlink(entry.path)

    def forget_settings(self) -> None:
        """Lets the next run have other flags; what is known of rows and photos stays."""
        (self.remote / layout.SETTINGS).unlink(missing_ok=True)

    def remove(self) -> None:
        """Removes all of it: the work is done, or to be done anew."""
        for folder in {epath.Path(self.local), self.remote}:
            if folder.exists():
                folder.rmtree()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for one make_records at a time on this machine.

        Raises:
          UserError: another process holds it.
        """
        # A folder is locked, not a file in it: to remove a lock file without a race is impossible.
        folder = self.local + "-lock" if "://" in os.fspath(self.remote) else os.path.dirname(self.local)
        os.makedirs(folder, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise UserError(f"--records_dir={self.remote.parent}: another make_records is writing there; wait for it, "
                            "or end it") from None
        finally:
            os.close(handle)


def remove_records(records_dir: str) -> None:
    """Removes what make_records wrote, the manifest first, so that no reader takes the rest for complete."""
    folder = epath.Path(records_dir)
    (folder / layout.MANIFEST).unlink(missing_ok=True)
    for path in list(folder.iterdir()):
        if layout.is_shard(path.name) or path.name in layout.OTHER_FILES:
            path.unlink()


def check_unclaimed(records_dir: str) -> None:
    """Raises UserError where files that make_records did not write would be mistaken for records."""
    folder = epath.Path(records_dir)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"--records_dir={records_dir}: is a file; give a folder")
    for path in folder.iterdir():
        if path.name != layout.REJECTED and (layout.is_shard(path.name) or path.name in layout.OTHER_FILES):
            raise UserError(f"--records_dir={records_dir}: holds {path.name} without a {layout.MANIFEST}; give another "
                            "folder, or --overwrite to remove it")
