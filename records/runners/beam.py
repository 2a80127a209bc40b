"""Shards written by an Apache Beam pipeline, for when one machine is too slow (--runner=beam).

    --runner=beam --beam_args='--direct_num_workers=4 --direct_running_mode=multi_processing'
    --runner=beam --beam_args='--runner=DataflowRunner --project=P --region=R --temp_location=gs://B/tmp'

Checking the photos and planning the shards stay on the machine that starts the pipeline; the long part, features,
is what is spread. Runners on other machines need --images and --records_dir on storage that they share.
"""

import contextlib
import io
import shlex
from collections.abc import Iterator, Sequence

from flags.errors import UserError
from records.util.atomic_files import write_atomic
from records.writing import shard_writer
from records.writing.shard_writer import Receipt, ShardJob


def write_shards(jobs: Sequence[ShardJob], beam_args: str) -> Iterator[Receipt]:
    """Writes every shard as one element of a pipeline, and yields the receipts in order.

    Args:
      beam_args: pipeline options as on a command line; "" runs Beam's DirectRunner.

    Raises:
      UserError: Apache Beam is not installed, an option is wrong, the pipeline failed, or a shard could not be
        written.
    """
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions
    except ImportError as error:
        raise UserError("--runner=beam needs Apache Beam: install this package with its extra [beam], "
                        f"as in pip install '.[beam]' ({error})") from error
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):  # argparse would print its whole usage
            options = PipelineOptions(shlex.split(beam_args))
            options.get_all_options()
    except (ValueError, SystemExit) as error:
        reason = (said.getvalue().strip().splitlines() or [str(error)])[-1]
        raise UserError(f"--beam_args={beam_args}: cannot be read as pipeline options ({reason})") from error
    options.view_as(SetupOptions).save_main_session = False
    for job in jobs:
        job.failure.unlink(missing_ok=True)
    try:
        with beam.Pipeline(options=options) as pipeline:
            # The reshuffle ends the fusion with Create: every shard can go to another worker.
            _ = pipeline | beam.Create(list(jobs)) | beam.Reshuffle() | beam.Map(write_or_say_why)
    except Exception as error:  # each runner has exceptions of its own
        raise UserError(f"--runner=beam: the pipeline failed ({type(error).__name__}: {error}); the same command "
                        "keeps the shards that it finished") from error
    for job in jobs:
        receipt = shard_writer.finished(job)
        if receipt is None:
            raise UserError(job.failure.read_text() if job.failure.exists() else
                            f"--runner=beam: the pipeline ended without {job.file}; the same command tries it again")
        yield receipt


def write_or_say_why(job: ShardJob) -> None:
    """Writes a shard; input that changed is noted beside the plan instead of raised, as retrying would not help."""
    try:
        if shard_writer.finished(job) is None:
            shard_writer.write_shard(job)
    except UserError as error:
        write_atomic(job.failure, str(error))
