"""What a bulk tagging asks about which photos, wherever they come from."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Job:
    """What is asked about which photos, and how.

    Attributes:
      shards: photos in each shard of the output.
      photos: shard number -> what tells which photo each of its photos is.
      name: that -> the name in the output.
      read: that -> the photo's content.
      compute: contents -> rows without `image`.
    """

    shards: Sequence[int]
    photos: Callable[[int], Iterator[Any]]
    name: Callable[[Any], str]
    read: Callable[[Any], Any]
    compute: Callable[[Sequence[Any]], Sequence[dict[str, Any]]]
    batch_size: int
