"""--mode=report: everything about a run on one page, to read, to keep and to send.

    run_dir/report.html     one file: no network, no other file

It shows what is there: before the first eval the training alone, before the first epoch the configuration. Of a folder
that is no run but has some in it, it compares all of these.
"""

import io
import sys
from collections.abc import Collection
from importlib import metadata

from etils import epath
from PIL import Image, UnidentifiedImageError

from flags import report as report_flags
from flags.errors import UserError
from records.input import caption_dataset
from records.input.stored_photos import stored_photos
from records.util.atomic_files import write_atomic
from records.util.counted import counted
from records.util.printable import printable
from tagger.reporting import data as report_data
from tagger.reporting import page as report_page
from tagger.reporting.overview import overview
from tagger.runs.run_dir import REPORT_FILE

_PHOTO_WIDTH = 620  # twice the width of a card, for dense screens
_PACKAGES = ("tensorflow", "keras", "numpy", "pycocoevalcap", "textblob", "tensorflow-datasets")


def run(config: report_flags.Report) -> int:
    """Writes the page and prints where it is.

    Raises:
      UserError: --run_dir is no run folder, or a flag is out of range.
    """
    output = epath.Path(config.output or epath.Path(config.run_dir) / REPORT_FILE)
    if report_data.has_runs(config.run_dir):
        return _overview(config.run_dir, output)
    run_data = report_data.load(config.run_dir)
    others, unreadable = report_data.compared(run_data, config.compare)
    examples = {evaluation.split: worst_and_best(evaluation, config.examples, config.records_dir)
                for evaluation in run_data.evaluations}
    versions = {"Python": sys.version.split()[0]}
    versions |= {name: metadata.version(name) for name in _PACKAGES if _installed(name)}
    write_atomic(output, report_page.page(run_data, others, unreadable, examples, versions))
    print(f"{printable(output)} ({_size(output)}: {counted(len(run_data.history), 'epoch')}, "
          f"{counted(len(run_data.evaluations), 'evaluation')}, {counted(len(others), 'other run')})")
    return 0


def _overview(folder: str, output: epath.Path) -> int:
    """Writes the page about all runs of a folder."""
    runs, unreadable = report_data.runs_in(folder)
    if not runs:
        raise UserError(f"--run_dir={folder}: none of its folders can be read as a run ({', '.join(unreadable)}); "
                        "--mode=report of one of them says why")
    write_atomic(output, overview(epath.Path(folder).resolve().name, runs, unreadable))
    evaluations = sum(len(run.evaluations) for run in runs)
    print(f"{printable(output)} ({_size(output)}: {counted(len(runs), 'run')}, {counted(evaluations, 'evaluation')})")
    return 0


def _size(path: epath.Path) -> str:
    size = path.stat().length
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def worst_and_best(evaluation: report_data.Evaluation, count: int,
                   records_dir: str) -> tuple[list[report_page.Example], list[report_page.Example]]:
    """The `count` predictions of lowest and of highest rank, with their photos where the records are at hand.

    Args:
      records_dir: where the records are now; empty for where eval read them.
    """
    ranking, chosen = evaluation.metrics["ranking"], evaluation.worst_and_best(count)
    keys = {row["image"] for rows in chosen for row in rows}
    folder = records_dir or evaluation.metrics["records_dir"]
    try:
        shown = photos(caption_dataset.open_split(folder, evaluation.split), keys) if keys else {}
    except (UserError, OSError) as error:
        if records_dir:
            raise
        print(f"The examples are shown without photos: {printable(error)}. --records_dir names the records.",
              file=sys.stderr)
        shown = {}
    worst, best = ([report_page.Example(row, shown.get(row["image"]), ranking) for row in rows] for rows in chosen)
    return worst, best


def photos(split: caption_dataset.Split, keys: Collection[str]) -> dict[str, bytes]:
    """Small JPEGs of the photos `keys`; photos that the records do not store are left out."""
    result = {}
    for key, encoded in stored_photos(split, keys):
        try:
            photo = Image.open(io.BytesIO(encoded)).convert("RGB")
        except UnidentifiedImageError as error:
            raise UserError(f"{split.records_dir}: photo {key!r} cannot be decoded; run "
                            "--mode=verify_records") from error
        photo.thumbnail((_PHOTO_WIDTH, _PHOTO_WIDTH))
        buffer = io.BytesIO()
        photo.save(buffer, "JPEG", quality=82)
        result[key] = buffer.getvalue()
    return result
