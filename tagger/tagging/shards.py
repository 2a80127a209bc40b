"""The shards of a bulk tagging that is planned: which photos are in them, and how they are written by any machine."""

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from etils import epath

from flags.tag import Tag
from records.format import layout
from tagger.saved_model.loaded import SavedModel
from tagger.tagging import xmp
from tagger.tagging.job import Job
from tagger.tagging.names import as_utf8, read_names
from tagger.tagging.output import Output, Receipt
from tagger.tagging.photos import Unreadable, answer_photos, options_of, read_photo
from tagger.tagging.read_ahead import answered


def is_records(images: str) -> bool:
    """Whether --images is a records folder."""
    return (epath.Path(images) / layout.MANIFEST).exists()


def job_of(config: Tag, saved_model: epath.Path, output: Output, folder: str = "") -> Job:
    """What is asked about which photos, by the plans in `output`; loads the model.

    Args:
      folder: that relative names of photos start from; "" for the working folder.

    Raises:
      UserError: records are damaged, or have neither features that the export understands nor photos.
    """
    if is_records(config.images):
        from tagger.tagging.records import records_job  # reads TFRecords, which photos in files do not need

        return records_job(config, saved_model)

    def read(name: str) -> bytes | Unreadable:
        return read_photo(name if "://" in name else os.path.join(folder, name))

    settings = output.settings()
    assert settings is not None, "there are no plans"
    return Job(settings["shards"], lambda shard: iter(read_names(output.plan(shard))), as_utf8, read,
               functools.partial(answer_photos, SavedModel(saved_model), options=options_of(config)), config.batch_size)


def write_shards(job: Job, shards: Sequence[int], output: Output, write_xmp: bool,
                 progress: Callable[[int], None]) -> Iterator[Receipt]:
    """Writes shards, one after the other, and yields the receipt of each.

    Args:
      shards: their numbers.
      progress: called with 1 after every photo.
    """
    files = {shard: output.file(shard, len(job.shards)) for shard in shards}
    for shard in shards:
        if not job.shards[shard]:  # a shard of records may be empty
            yield output.write(files[shard], [])
    photos = ((shard, photo) for shard in shards for photo in job.photos(shard))
    pending: list[dict[str, Any]] = []
    for (shard, photo), _, answer in answered(photos, job.read, job.compute, job.batch_size):
        if write_xmp and "error" not in answer:  # before the shard's receipt, so that none is missing after a kill
            xmp.write(xmp.sidecar_path(photo), answer["tags"])
        pending.append({"image": job.name(photo), **answer})
        progress(1)
        if len(pending) == job.shards[shard]:
            yield output.write(files[shard], pending)
            pending = []
