"""The batch that broke a training: which images it held."""

import json

from etils import epath

from records.util.atomic_files import write_atomic

FILE = "bad_batch.json"


def describe(run_dir: epath.PathLike, epoch: int, step: int, keys: list[str], write: bool) -> str:
    """Names the images of a batch, the first of them in words, all in bad_batch.json.

    Args:
      epoch, step: of the batch, from 0.
      keys: of its images.
      write: whether this host writes the file.
    """
    path = epath.Path(run_dir) / FILE
    if write:
        write_atomic(path, json.dumps({"epoch": epoch + 1, "step": step + 1, "images": keys}, indent=1) + "\n")
    more = " …" if len(keys) > 5 else ""
    all_of_it = "the only photo" if len(keys) == 1 else f"all {len(keys)} photos"
    return f"{', '.join(keys[:5])}{more} ({all_of_it} of the batch: {path})"
