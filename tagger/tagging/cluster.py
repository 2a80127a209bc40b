"""Shards of a bulk tagging written by an Apache Beam pipeline (--runner=beam): each worker loads the model once."""

import dataclasses
import functools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from flags.errors import UserError
from flags.tag import Tag
from records.runners import beam_pipeline
from records.runners.beam_pipeline import Watch
from records.util.absolute_paths import absolute
from tagger.saved_model.versions import newest
from tagger.tagging.job import Job
from tagger.tagging.output import Output, Receipt


def check(config: Tag) -> None:
    """Raises UserError where the flags ask for what a cluster cannot do, or Apache Beam is not installed."""
    if config.write_xmp:
        raise UserError("--write_xmp with --runner=beam: only --runner=local writes side-cars; drop one of them")
    beam_pipeline.check(config.beam_args)


def write_shards(config: Tag, shards: Sequence[int], files: Sequence[str], output: Output,
                 progress: Callable[[int], None]) -> Iterator[Receipt]:
    """Writes shards as elements of a pipeline, and yields the receipts in order.

    Args:
      shards: numbers of those to write.
      files: the names of all.

    Raises:
      UserError: the pipeline failed, or a shard could not be written.
    """
    if not shards:
        return
    watch = Watch("shards on the cluster", "shards", len(shards),
                  lambda: sum(output.receipt(files[shard]) is not None for shard in shards))
    config_anywhere = dataclasses.replace(config, export_dir=absolute(config.export_dir),
                                          images=absolute(config.images), output=absolute(config.output))
    step = functools.partial(write_shard, config=config_anywhere, folder=os.getcwd(),
                             plan=json.dumps(output.settings()))
    beam_pipeline.run(config.beam_args, shards, [step], output.state, watch)
    for shard in shards:
        receipt = output.receipt(files[shard])
        if receipt is None:
            raise UserError(f"--runner=beam: the pipeline ended without {files[shard]}; the same command tries it "
                            "again")
        progress(receipt.photos)
        yield receipt


def write_shard(shard: int, config: Tag, folder: str, plan: str) -> Iterator[tuple[int, Any]]:
    """Writes a shard that is not there yet.

    Args:
      folder: that relative names of photos start from.
      plan: the settings of the whole; with others, or another model, it is another job.
    """
    from tagger.tagging import shards  # imported only here: the others need no TensorFlow

    output = Output(config.output, config.output_format)
    job = _job(config, folder, plan)
    if output.receipt(output.file(shard, len(job.shards))) is None:
        list(shards.write_shards(job, [shard], output, False, lambda count: None))
    yield from ()


@functools.lru_cache(maxsize=1)
def _job(config: Tag, folder: str, plan: str) -> Job:
    from tagger.tagging.shards import job_of

    saved_model = newest(config.export_dir, config.precision)
    return job_of(config, saved_model, Output(config.output, config.output_format), folder)
