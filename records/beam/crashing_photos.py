"""Photos that take their worker down, as damaged ones can in native code, found over the tries of a cluster.

    for result in results_of_all(tasks, check, "photos-000017", work): ...

Before some photos are looked at, a file says which. Where it is found, a worker has ended there: these photos are gone
through one by one, and the one at which a worker has ended twice more is not looked at again. A worker that is taken
away in the meantime costs the same detour and no photo.
"""

import json
from collections.abc import Callable, Iterator, Sequence

from etils import epath

from records.beam.work_folder import WorkFolder
from records.ingest.database_tables import ImageResult, ImageTask
from records.ingest.scan_worker import CRASHED

_AT_ONCE = 48  # photos; a file for each of them would cost more than looking at a small one
_TRIES = 2  # of a photo alone


def results_of_all(tasks: Sequence[ImageTask], check: Callable[[Sequence[ImageTask]], Sequence[ImageResult]],
                   name: str, work: WorkFolder) -> Iterator[ImageResult]:
    """The result of every task, in order.

    Args:
      check: tasks -> their results.
      name: of the file in `work` that says what is looked at.
    """
    path = epath.Path(work.path) / f"{name}.in_flight"
    suspects, suspect, deaths = _read(path)
    for start in range(0, len(tasks), _AT_ONCE):
        some = tasks[start:start + _AT_ONCE]
        if start != suspects:
            path.write_text(json.dumps([start, -1, 0]))
            yield from check(some)
            continue
        for number, task in enumerate(some):
            tried = deaths if number == suspect else 0
            if tried >= _TRIES:
                yield ImageResult(task.image, CRASHED)
            else:
                path.write_text(json.dumps([start, number, tried + 1]))
                yield from check([task])
    path.unlink(missing_ok=True)


def _read(path: epath.Path) -> tuple[int, int, int]:
    """The first of the photos that were in flight, the one of them that was looked at alone, how often; -1 for none."""
    try:
        start, suspect, deaths = json.loads(path.read_text())
        return start, suspect, deaths
    except (FileNotFoundError, ValueError):
        return -1, -1, 0
