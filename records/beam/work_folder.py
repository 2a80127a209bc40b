"""What the workers of a cluster leave for each other: files on storage that all of them share.

    work.put("photos-00017", photos, {"rows": 240})      # the summary is written last: with it the file is complete
    work.get("photos-00017"), work.summaries("photos")

A worker that is tried again writes the same bytes again. The one who starts the pipelines reads summaries alone.
"""

import dataclasses
import json
import os
import pickle
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from etils import epath

from records.util.atomic_files import write_atomic

_SUMMARY = ".json"
_READS_AT_ONCE = 32  # asked one by one, the answers of an object store about thousands of files take minutes


@dataclasses.dataclass(frozen=True)
class WorkFolder:
    """A folder, local or remote, of files with a name, a body and a summary."""

    path: str

    def put(self, name: str, body: object, summary: object) -> None:
        """Writes a file; `summary` is what json takes."""
        write_atomic(os.path.join(self.path, name), pickle.dumps(body, protocol=5))
        write_atomic(os.path.join(self.path, name + _SUMMARY), json.dumps(summary))

    def get(self, name: str) -> Any:
        """The body of a complete file."""
        return pickle.loads(epath.Path(self.path, name).read_bytes())

    def summary(self, name: str) -> Any:
        """The summary of a file; None where it is not complete."""
        try:
            return json.loads(epath.Path(self.path, name + _SUMMARY).read_text())
        except FileNotFoundError:
            return None

    def names(self, kind: str) -> list[str]:
        """The complete files that are called KIND-…, sorted."""
        return sorted(path.name.removesuffix(_SUMMARY) for path in epath.Path(self.path).glob(f"{kind}-*{_SUMMARY}"))

    def summaries(self, kind: str) -> dict[str, Any]:
        """The summaries of the complete files that are called KIND-…, by name."""
        names = self.names(kind)
        with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
            return dict(zip(names, pool.map(self.summary, names), strict=True))

    def bodies(self, kind: str) -> Iterator[Any]:
        """The bodies of the complete files that are called KIND-…, one after the other."""
        return map(self.get, self.names(kind))

    def remove(self, kinds: Iterable[str]) -> None:
        """Removes all files that are called KIND-…, of any of the kinds."""
        for kind in kinds:
            for path in sorted(epath.Path(self.path).glob(f"{kind}-*"), reverse=True):  # summaries first
                path.unlink(missing_ok=True)
