"""One Apache Beam pipeline: tasks, a step for each, and further steps for what has the same number.

    run("--runner=DaskRunner --dask_client_address=tcp://…", tasks, [read, check, write], failures, "checking photos")

The first step takes a task, those after it a number and all values that were given out with it. The last gives out
nothing: what it finds out it writes to files. So there is one chain and nothing beside it, which every runner has:
Beam's DaskRunner computes the last collection of a pipeline alone and mixes tagged outputs.
"""

import contextlib
import dataclasses
import hashlib
import io
import shlex
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from etils import epath

from flags.errors import UserError
from records.util.atomic_files import write_atomic
from records.util.progress import Progress

Step = Callable[..., Iterable[tuple[int, Any]]]

_DASK = "apache_beam.runners.dask.dask_runner.DaskRunner"
# Its GroupByKey gives out as many parts as it is given: one would leave all to one worker, and from 33 on it takes
# several rounds of some thousand tasks, each of which costs a millisecond or two.
_LEAST_PARTS, _MOST_PARTS = 16, 32
_LOOK_EVERY_S = 5.0


class StepFailed(UserError):
    """A step raised it for some of what it was given; the steps after it have gone on without."""


@dataclasses.dataclass(frozen=True)
class Watch:
    """What a pipeline has done so far, for the progress line."""

    title: str
    unit: str
    total: int
    done: Callable[[], int]


def check(beam_args: str) -> None:
    """Raises UserError where Apache Beam is not installed, or does not take these options."""
    _options(beam_args)


def _options(beam_args: str, tasks: int = 1, groups: bool = False) -> Any:
    usage = io.StringIO()
    try:
        import apache_beam  # noqa: F401
        from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions, StandardOptions

        with contextlib.redirect_stderr(usage):  # argparse would print all of it
            arguments = shlex.split(beam_args)
            if any(argument.endswith("DaskRunner") for argument in arguments):
                import apache_beam.runners.dask.dask_runner  # noqa: F401  (its options are known from then on)
            options = PipelineOptions(arguments)
            options.get_all_options()
    except ImportError as error:
        raise UserError("--runner=beam needs Apache Beam: install this package with its extra [beam], as in pip "
                        f"install '.[beam]', and for DaskRunner '.[dask]' ({error})") from error
    except (ValueError, SystemExit) as error:
        reason = (usage.getvalue().strip().splitlines() or [str(error)])[-1]
        raise UserError(f"--beam_args={beam_args}: cannot be read as pipeline options ({reason})") from error
    if _is_dask(options):
        if not any(argument.startswith(("--dask_npartitions", "--dask_partition_size")) for argument in arguments):
            # Unless told, Dask gives 128 tasks to one worker.
            parts = max(_LEAST_PARTS, min(tasks, _MOST_PARTS))
            options = PipelineOptions([*arguments, f"--dask_npartitions={parts}" if groups else
                                       "--dask_partition_size=1"])
        options.view_as(StandardOptions).runner = _DASK  # Beam knows it by its whole name alone
    options.view_as(SetupOptions).save_main_session = False
    return options


def _is_dask(options: Any) -> bool:
    from apache_beam.options.pipeline_options import StandardOptions

    return (options.view_as(StandardOptions).runner or "").endswith("DaskRunner")


@dataclasses.dataclass(frozen=True)
class _Step:
    """A step whose UserErrors are noted in a file instead of raised, as trying again would not help."""

    step: Step
    failures: str
    grouped: bool

    def __call__(self, element: Any) -> Iterator[tuple[int, Any]]:
        if element is None:
            return
        try:
            yield from self.step(*element) if self.grouped else self.step(element)
        except UserError as error:
            name = hashlib.sha256(str(error).encode(errors="replace")).hexdigest()[:16]
            write_atomic(epath.Path(self.failures) / f"{name}.failure", str(error))


def run(beam_args: str, tasks: Sequence[Any], steps: Sequence[Step], failures: epath.PathLike,
        watch: Watch | None = None) -> None:
    """Runs one pipeline to its end.

    Args:
      beam_args: pipeline options as on a command line; "" runs Beam's DirectRunner.
      tasks, steps: can be pickled.
      failures: folder, shared by all workers, where they say what went wrong.

    Raises:
      UserError: Apache Beam is not installed, an option is wrong, or the pipeline failed.
      StepFailed: a step raised a UserError, which is not tried again.
    """
    options = _options(beam_args, len(tasks), len(steps) > 1)
    import apache_beam as beam

    folder = epath.Path(failures)
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.failure"):
        path.unlink(missing_ok=True)
    everything = list(tasks)
    if _is_dask(options):
        everything += [None] * (_LEAST_PARTS - len(everything))
    try:
        pipeline = beam.Pipeline(options=options)
        # The reshuffle ends the fusion with Create: every task can go to another worker.
        values = pipeline | "tasks" >> beam.Create(everything) | "spread" >> beam.Reshuffle()
        for number, step in enumerate(steps):
            if number:
                values |= f"group {number}" >> beam.GroupByKey()
            values |= f"step {number}" >> beam.FlatMap(_Step(step, str(failures), number > 0)).with_output_types(
                tuple[int, Any])
        with _watched(watch):
            result = pipeline.run()
            try:
                result.wait_until_finish()
            finally:
                if (client := getattr(result, "client", None)) is not None:
                    client.close()  # of Dask, which would print a traceback when the cluster ends before this process
    except UserError:
        raise
    except Exception as error:  # each runner has exceptions of its own
        raise UserError(f"--runner=beam: the pipeline failed ({type(error).__name__}: {error}); the same command "
                        "keeps what it finished") from error
    if said := sorted(path.read_text() for path in folder.glob("*.failure")):
        raise StepFailed(said[0])


@contextlib.contextmanager
def _watched(watch: Watch | None) -> Iterator[None]:
    """Shows the progress of a pipeline while it runs, as far as the files tell that it writes."""
    if watch is None:
        yield
        return
    over = threading.Event()
    with Progress(watch.title, watch.total, watch.unit, watch.done()) as progress:
        def look() -> None:
            seen = watch.done()
            while not over.wait(_LOOK_EVERY_S):
                done = watch.done()
                progress.add(done - seen)
                seen = done
            progress.add(watch.done() - seen)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
