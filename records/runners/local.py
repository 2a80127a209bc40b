"""Shards written on this machine (--runner=local): one after the other, or several at a time in worker processes."""

from collections.abc import Callable, Iterator, Sequence

from records.util import gpus as gpus_lib
from records.util.process_pool import Workers, worth
from records.writing import shard_writer
from records.writing.receipts import Receipt
from records.writing.shard_writer import ShardJob

_EXAMPLES_PER_WORKER = 2000  # it takes about as long to start one


def write_shards(jobs: Sequence[ShardJob], examples: int, workers: Workers, most: int,
                 progress: Callable[[int], None], gpus: Sequence[str] | None = None) -> Iterator[Receipt]:
    """Writes every shard, and yields the receipts in order.

    With a backbone it is this process that writes, as the network's own threads use every CPU; on a machine with
    several GPUs one process for each of them, which sees no other, and takes a shard whenever it has written one.

    Args:
      examples: in all of these shards.
      workers: processes that are used when they are running already, or when the work is worth starting them.
      most: processes to start at most; 0: one per CPU, or with a backbone one per GPU.
      progress: called with a number of examples whenever so many more are written.
      gpus: names of the GPUs, as of records.util.gpus; None for those of this machine.

    Raises:
      UserError: an image changed since it was checked, or a plan did.
      WorkerDied: a worker was killed.
    """
    environments: list[dict[str, str]] = []
    if any(job.backbone for job in jobs):
        workers.close()
        names = gpus_lib.gpus() if gpus is None else gpus
        used = list(names)[:min(len(jobs), most or len(names))]
        environments = [gpus_lib.environment(name) for name in used]
        count = len(environments) if len(environments) > 1 else 0
    else:
        count = workers.running or worth(examples // _EXAMPLES_PER_WORKER, most)
    if not count:
        for job in jobs:
            yield shard_writer.write_shard(job, progress)
        return
    for receipt in workers.map(shard_writer.write_shard, jobs, count, environments):
        progress(receipt.shard.examples)
        yield receipt
