"""The photos of some examples of a split, for pictures that people look at."""

from collections.abc import Collection, Iterator

from records.input.shard_reader import Split, images, reading_errors


def stored_photos(split: Split, keys: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Yields (key, encoded photo) of the examples in `keys`, in stored order; examples without a photo are left out.

    Reads no further than the last of them.

    Raises:
      UserError: a shard is cut or changed.
    """
    waiting = set(keys)
    if not waiting:
        return
    with reading_errors(split.records_dir):
        for example in images(split).as_numpy_iterator():
            key = example["key"].decode()
            if key in waiting:
                waiting.remove(key)
                if example["image"]:
                    yield key, example["image"]
                if not waiting:
                    return
