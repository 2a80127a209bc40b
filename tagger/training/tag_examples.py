"""Photos of a split with their tags, for what is learnt about tags when training ends."""

import itertools
from collections.abc import Iterator

import numpy as np

from records.input import shard_reader
from records.input.shard_reader import Split
from tagger.evaluation.predictions import reference_tags
from tagger.runs.run_dir import Run


def tag_batches(run: Run, split: Split, most_photos: int, batch_size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The first photos of a split, in batches.

    Yields:
      Features float16 [n, F], and float32 [n, T], the share of a photo's captions that have each tag of the run.

    Raises:
      UserError: the split cannot be read.
    """
    places = {name: index for index, name in enumerate(run.tag_outputs.names)}
    examples = itertools.islice(shard_reader.images(split, read_image=False).as_numpy_iterator(), most_photos)
    with shard_reader.reading_errors(split.records_dir):
        while batch := list(itertools.islice(examples, batch_size)):
            shares = np.zeros((len(batch), len(places)), np.float32)
            for row, example in zip(shares, batch, strict=True):
                captions = reference_tags(example, run.tags)
                for tags in captions:
                    row[[places[tag] for tag in set(tags) if tag in places]] += 1 / len(captions)
            yield np.stack([example["feature"] for example in batch]), shares
