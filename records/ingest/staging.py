"""The staging folder: where make_records keeps its work until the records are complete."""

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from etils import epath

from flags.errors import UserError
from records.format import layout
from records.util.atomic_files import write_atomic
from records.util.folder_lock import locked
from records.util.folders import missing_folders, remove_if_empty


class StagingFolder:
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

    @property
    def photos(self) -> str:
        """The folder for photos that a source brings along."""
        return os.path.join(self.local, "photos")

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
        own = layout.OTHER_FILES + layout.TAG_FILES + (layout.MANIFEST,)  # the records folder has users' files too
        for folder in filter(os.path.isdir, (self.local, self.photos, os.fspath(self.remote.parent))):
            for entry in os.scandir(folder):
                name = re.sub(r"\.tmp-\d+$", "", entry.name)
                if name != entry.name and (folder != os.fspath(self.remote.parent) or name in own):
                    os.unlink(entry.path)

    def forget_settings(self) -> None:
        """Lets the next run have other flags; what is known of rows and photos stays."""
        (self.remote / layout.SETTINGS).unlink(missing_ok=True)

    def remove(self) -> None:
        """Removes all of it: the work is done, or to be done anew."""
        for folder in {epath.Path(self.local), self.remote}:
            if folder.exists():
                folder.rmtree()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for one make_records at a time on this machine.

        Raises:
          UserError: another process holds it.
        """
        missing = missing_folders(self.remote.parent)
        with contextlib.ExitStack() as lock:
            try:
                lock.enter_context(locked(os.fspath(self.remote.parent)))
                lock.callback(remove_if_empty, missing)
            except BlockingIOError as error:
                raise UserError(f"--records_dir={self.remote.parent}: another make_records is writing there ({error}); "
                                "wait for it, or end it") from None
            yield


def remove_records(records_dir: str) -> None:
    """Removes what make_records wrote, the manifest first, so that no reader takes the rest for complete."""
    folder = epath.Path(records_dir)
    (folder / layout.MANIFEST).unlink(missing_ok=True)
    for path in list(folder.iterdir()):
        if layout.is_shard(path.name) or path.name in layout.OTHER_FILES + layout.TAG_FILES:
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
