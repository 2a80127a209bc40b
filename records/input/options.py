"""Options of every dataset: batch size, seed, memory and this process's place among the hosts."""

import dataclasses

from flags.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputOptions:
    """How a split becomes batches.

    Attributes:
      batch_size: rows (captions or images) of the global batch, of all hosts together.
      seed: decides every random order.
      ram_budget_mb: MiB that features and captions may take; a split that needs more is streamed. Also the most that
        tf.data's own buffers grow to.
      host: number of this process, from 0. hosts: how many processes there are.
      threads: size of the pipeline's own thread pool; 0 shares TensorFlow's.

    Raises:
      UserError: the hosts cannot share the batch evenly.
    """

    batch_size: int
    seed: int = 0
    ram_budget_mb: int = 1024
    host: int = 0
    hosts: int = 1
    threads: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.batch_size % self.hosts:
            raise UserError(f"--batch_size={self.batch_size}: {self.hosts} hosts cannot share it evenly; give a "
                            f"positive multiple of {self.hosts}")

    @property
    def rows_per_host(self) -> int:
        """b, rows of the global batch that one host reads."""
        return self.batch_size // self.hosts

    @property
    def rows(self) -> slice:
        """This host's rows of the global batch: host * b to (host + 1) * b."""
        return slice(self.host * self.rows_per_host, (self.host + 1) * self.rows_per_host)
