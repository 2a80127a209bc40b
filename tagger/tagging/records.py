"""The photos of a records folder: their stored features where the export understands them, else their stored bytes."""

import dataclasses
import functools
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from flags.errors import UserError
from flags.tag import Tag
from records.format import manifest as manifest_lib
from records.format.backbone_identity import difference
from records.input.caption_blocks import read_blocks
from records.input.shard_reader import Split, images, reading_errors
from tagger.saved_model import backbone_info
from tagger.saved_model.loaded import SavedModel, rows
from tagger.tagging.job import Job
from tagger.tagging.photos import Unreadable, answer_photos, options_of, row

_FEATURES_BATCH = 256  # the decoder alone: 32 rows are too few to keep it busy
_AHEAD = 256  # records


@dataclasses.dataclass(frozen=True)
class _Record:
    """A photo of the records; `content`: its feature float16 [F], or its encoded image."""

    key: str
    content: np.ndarray | bytes | Unreadable


def records_job(config: Tag, saved_model: epath.Path) -> Job:
    """Every photo of a records folder, a shard of the output for a shard of the records.

    Raises:
      UserError: the folder is damaged, or has neither features that the export understands nor photos.
    """
    manifest = manifest_lib.load(config.images)
    manifest_lib.check_sizes(config.images, manifest)
    mismatch, model = _mismatch(manifest, saved_model), SavedModel(saved_model)
    if mismatch is None:
        print("The features in the records are used: the export's backbone made them.", file=sys.stderr)
        compute = functools.partial(answer_features, model, options=options_of(config))
        batch_size = max(config.batch_size, _FEATURES_BATCH)
    else:
        if not manifest.flags.get("store_images", True):
            raise UserError(f"--images={config.images}: {mismatch}, and its photos are not stored; give the folder of "
                            "the photos")
        print(f"The photos in the records are read: {mismatch}.", file=sys.stderr)
        compute = functools.partial(answer_photos, model, options=options_of(config))
        batch_size = config.batch_size
    shards = [dataclasses.replace(info, shards=(shard,)) for info in manifest.splits.values() for shard in info.shards]
    splits = [name for name, info in manifest.splits.items() for _ in info.shards]

    def photos(shard: int) -> Iterator[_Record]:
        yield from _records(Split(config.images, splits[shard], manifest, shards[shard]), mismatch is None)

    return Job([info.shards[0].examples for info in shards], photos, lambda record: record.key,
               lambda record: record.content, compute, batch_size)


def _mismatch(manifest: manifest_lib.Manifest, saved_model: epath.Path) -> str | None:
    """Why the features in the records are of no use to the export; None where they are."""
    if manifest.backbone is None:
        return "the records hold no features"
    expected = backbone_info.read(saved_model)
    if expected is None:
        return "the export does not say which backbone it has, export it again"
    different = difference(manifest.backbone, expected)
    return different and f"the {different[0]} of their features is {different[1]}, the export's {different[2]}"


def _records(split: Split, features: bool) -> Iterator[_Record]:
    if features:  # a tf.data pipeline for each shard would take longer to start than small ones to read
        for block in read_blocks(split, range(len(split.info.shards)), split.manifest.vocabulary_size, _AHEAD):
            for key, feature in zip(block.key, block.feature, strict=True):
                yield _Record(key.decode(), feature)
        return
    with reading_errors(split.records_dir):
        for example in images(split).prefetch(_AHEAD).as_numpy_iterator():
            yield _Record(example["key"].decode(), example["image"] or Unreadable("is not stored"))


def answer_features(model: SavedModel, features: Sequence[np.ndarray], options: Mapping[str, float] = {}
                    ) -> list[dict[str, Any]]:
    """Per feature, float16 [F]: caption, tags and scores, best first."""
    outputs = model.ask("features", {"features": np.stack(features).astype(np.float32)}, **options)
    return [row(answer) for answer in rows({**outputs, "valid": np.ones(len(features), bool)})]
