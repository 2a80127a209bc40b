"""Shards written by an Apache Beam pipeline, for when one machine is too slow (--runner=beam).

    --runner=beam --beam_args='--direct_num_workers=4 --direct_running_mode=multi_processing'
    --runner=beam --beam_args='--runner=DaskRunner --dask_client_address=tcp://scheduler:8786'
    --runner=beam --beam_args='--runner=DataflowRunner --project=P --region=R --temp_location=gs://B/tmp'

Workers on other machines need --images and --records_dir on storage that they share.
"""

from collections.abc import Iterator, Sequence

from flags.errors import UserError
from records.runners import beam_pipeline
from records.runners.beam_pipeline import Watch
from records.writing import shard_writer
from records.writing.receipts import Receipt, finished
from records.writing.shard_writer import ShardJob


def write_shards(jobs: Sequence[ShardJob], beam_args: str) -> Iterator[Receipt]:
    """Writes every shard as one element of a pipeline, and yields the receipts in order.

    Args:
      beam_args: pipeline options as on a command line; "" runs Beam's DirectRunner.

    Raises:
      UserError: Apache Beam is not installed, an option is wrong, the pipeline failed, or a shard could not be
        written.
    """
    if not jobs:
        return
    watch = Watch("shards on the cluster", "shards", len(jobs), lambda: sum(job.receipt.exists() for job in jobs))
    beam_pipeline.run(beam_args, jobs, [write_shard], jobs[0].temporary_dir, watch)
    for job in jobs:
        receipt = finished(job)
        if receipt is None:
            raise UserError(f"--runner=beam: the pipeline ended without {job.file}; the same command tries it again")
        yield receipt


def write_shard(job: ShardJob) -> Iterator[tuple[int, None]]:
    """Writes a shard that is not there yet."""
    if finished(job) is None:
        shard_writer.write_shard(job)
    yield from ()
