"""Any number of photos to shards of captions and tags; the same command continues where a killed one stopped.

    from flags.tag import Tag
    run(Tag(export_dir="exported", images="photos", output="tags"))

The names are found once, sorted and written down as plans, one a shard, so that neither memory nor the place to go on
from depends on their number. A shard is a pure function of its plan, the photos and the export.
"""

import functools
import itertools
import os
import re
import sys
from typing import Any

from etils import epath

from flags.errors import UserError
from flags.tag import Tag
from records.format import layout
from records.util.counted import counted
from records.util.hashing import file_sha256
from records.util.printable import printable
from records.util.progress import Progress
from tagger.saved_model import arithmetic
from tagger.saved_model.versions import newest
from tagger.tagging import cluster
from tagger.tagging.names import Others, find_names, in_order, left_out, write_names
from tagger.tagging.output import Output, check_parquet
from tagger.tagging.photos import options_of
from tagger.tagging.shards import is_records, job_of, write_shards

_OPTIONS = ("min_score", "top_tags")  # settings that are there only where a flag gives them
_MODEL_FILES = ("saved_model.pb", "variables/variables.index")  # the second holds a checksum of every weight


def run(config: Tag) -> int:
    """Writes --output; 1 when no photo could be read.

    Raises:
      UserError: a flag does not fit, the output holds something else, or there is nothing to tag.
    """
    if "://" in config.output:
        raise UserError(f"--output={config.output}: expected a folder of this machine; copy it from there")
    if config.output_format == "parquet":
        check_parquet()
    if config.runner == "beam":
        cluster.check(config)
    saved_model = newest(config.export_dir, config.precision)
    output = Output(config.output, config.output_format)
    if config.runner == "local" and (warning := arithmetic.slow_here(saved_model)):
        print(warning, file=sys.stderr)
    with output.locked():
        settings = _settings(config, saved_model)
        if (summary := output.summary()) is not None:
            _check_same(summary, settings, config.output)
            print(f"the output folder '{printable(config.output)}' is complete, made by the same command: nothing to "
                  "do", file=sys.stderr)
        else:
            _remove_temporary(config.output)
            summary = _complete(config, settings, saved_model, output)
    unread = f"; {summary['errors']} could not be read, their rows say why" if summary["errors"] else ""
    print(f"{counted(summary['photos'], 'photo')} in {counted(len(summary['files']), 'file')} of "
          f"{printable(config.output)}{unread}")
    return 0 if summary["photos"] > summary["errors"] else 1


def _settings(config: Tag, saved_model: epath.Path) -> dict[str, Any]:
    model = [file_sha256(saved_model / file) for file in _MODEL_FILES]
    settings = {"images": config.images, "output_format": config.output_format, "shard_size": config.shard_size,
                "precision": arithmetic.read(saved_model), "model": model, "write_xmp": config.write_xmp,
                **options_of(config)}
    if is_records(config.images):
        settings["records"] = file_sha256(epath.Path(config.images) / layout.MANIFEST)
    return settings


def _check_same(actual: dict[str, Any], expected: dict[str, Any], output: str) -> None:
    actual = {"precision": "float32", **actual}  # which folders of before do not name
    for key in (*expected, *_OPTIONS):
        if actual.get(key) != expected.get(key):
            flag = {"model": "--export_dir", "records": "--images"}.get(key, f"--{key}")
            what = ("with another model or version" if key == "model" else "with other records" if key == "records" else
                    f"without {flag}" if actual.get(key) is None else f"with {flag}={actual[key]}")
            raise UserError(f"--output={output}: holds tags made {what}; give another folder, or remove this one")


def _remove_temporary(folder: str) -> None:
    """What a killed process was writing."""
    for name in os.listdir(folder):
        if re.fullmatch(r"(tags-.*|summary\.json)\.tmp-\d+", name):
            os.unlink(os.path.join(folder, name))


def _complete(config: Tag, settings: dict[str, Any], saved_model: epath.Path, output: Output) -> dict[str, Any]:
    begun = output.settings()
    if begun is not None:
        _check_same(begun, settings, config.output)
    if is_records(config.images):
        if config.write_xmp:
            raise UserError("--write_xmp: the photos of records are no files that side-cars could be beside; give "
                            "--images=FOLDER with the photos")
        if begun is None:
            output.begin_plan()
            output.end_plan(settings)
    elif begun is None:
        _plan(config, settings, output)
    job = job_of(config, saved_model, output)
    files = [output.file(shard, len(job.shards)) for shard in range(len(job.shards))]
    receipts = {file: receipt for file in files if (receipt := output.receipt(file))}
    missing = [shard for shard, file in enumerate(files) if file not in receipts]
    with Progress("tag", sum(job.shards), "photos", sum(receipt.photos for receipt in receipts.values()),
                  warms_up=config.runner == "local") as progress:
        if config.runner == "local":
            write = functools.partial(write_shards, job, missing, output, config.write_xmp, progress.add)
        else:
            write = functools.partial(cluster.write_shards, config, missing, files, output, progress.add)
        for receipt in write():
            receipts[receipt.file] = receipt
    return output.complete(settings, [receipts[file] for file in files])


def _plan(config: Tag, settings: dict[str, Any], output: Output) -> None:
    """Finds the photos and writes down which shard each goes to."""
    folder, shards, others = output.begin_plan(), list[int](), Others()
    try:
        names = in_order(find_names(config.images, others), folder)
        while shard := list(itertools.islice(names, config.shard_size)):
            write_names(output.plan(len(shards)), shard)
            shards.append(len(shard))
        if not shards:
            raise UserError(f"--images={config.images}: holds no photo; check the path")
    except UserError:
        output.drop_plan()
        raise
    if line := left_out(others):
        print(line, file=sys.stderr)
    output.end_plan({**settings, "shards": shards})
