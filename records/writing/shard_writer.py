"""One shard from its plan: the unit of work of every runner, done whole or not at all.

A plan is a file of JSON lines, one per example, that says everything about a shard except what is in the image
files. A shard is a pure function of its plan, those files and the backbone, so it does not matter which process
or machine writes it, or how often it was tried before.
"""

import collections
import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from etils import epath

from flags.errors import UserError
from records.format.example import Example, encode
from records.format.layout import plan_path, receipt_path, staging_dir
from records.format.manifest import ShardInfo
from records.format.tfrecord import frame
from records.images.extents import Extent
from records.images.files import read_unchanged
from records.images.shrinking import shrink
from records.images.validation import check_image
from records.util.atomic_files import AtomicOutput
from records.util.malloc import keep_freed_memory
from records.util.tf_startup import tensorflow_starts
from records.writing.receipts import Receipt, save_receipt

if TYPE_CHECKING:
    from records.backbones.feature_extractor import Extractor


@dataclasses.dataclass(frozen=True)
class BackboneJob:
    """What a worker needs to load the backbone: see the flags of make_records."""

    name: str
    weights: str
    precision: str
    views: str = "one"
    image_size: int = 0


@dataclasses.dataclass(frozen=True)
class ShardJob:
    """One shard to write.

    Attributes:
      records_dir: where the shard goes; its plan and its receipt are in the staging folder below it.
      file: the shard's name.
      plan_sha256: hash of the plan, in hex.
      images_dir: where the photos are.
      store_images: whether examples hold them.
      backbone: None for examples without features.
      follow_links: whether photos may be links out of images_dir.
      store_size: short side in pixels that photos are shrunk to; 0 leaves them as they are.
    """

    records_dir: str
    file: str
    plan_sha256: str
    images_dir: str
    store_images: bool
    backbone: BackboneJob | None
    follow_links: bool = False
    store_size: int = 0

    @property
    def plan(self) -> epath.Path:
        return plan_path(self.records_dir, self.file)

    @property
    def temporary_dir(self) -> str:
        return os.fspath(staging_dir(self.records_dir))

    @property
    def receipt(self) -> epath.Path:
        return receipt_path(self.records_dir, self.file)


def write_shard(job: ShardJob, progress: Callable[[int], None] | None = None) -> Receipt:
    """Writes one shard and, when it is safely on disk, its receipt.

    Args:
      progress: called with 1 after every example.

    Raises:
      UserError: an image changed since it was checked, or the plan did.
    """
    examples = captions = tokens = max_tokens = 0
    with AtomicOutput(os.path.join(job.records_dir, job.file), job.temporary_dir) as out:
        for example, lengths in _examples(job):
            out.write(frame(encode(example)))
            examples += 1
            captions += len(lengths)
            tokens += sum(lengths)
            max_tokens = max(max_tokens, *lengths)
            if progress:
                progress(1)
    receipt = Receipt(job.plan_sha256, max_tokens,
                      ShardInfo(job.file, out.bytes, out.sha256(), examples, captions, tokens))
    save_receipt(job, receipt)
    return receipt


def _rows(job: ShardJob) -> Iterator[dict[str, Any]]:
    digest = hashlib.sha256()
    with job.plan.open("rb") as file:
        for line in file:
            digest.update(line)  # type: ignore[arg-type]
            yield json.loads(line)
    if digest.hexdigest() != job.plan_sha256:
        raise UserError(f"{job.plan}: changed since it was written; run make_records again with --overwrite")


def _examples(job: ShardJob) -> Iterator[tuple[Example, list[int]]]:
    """Examples in plan order, each with the number of tokens of every caption."""
    rows = _rows(job)
    if job.backbone is None:
        for row in rows:
            yield _example(row, *_stored(job, row), None) if job.store_images else _example(
                row, None, row["height"], row["width"], None)
        return
    extractor = load_extractor(job.backbone)
    waiting: collections.deque[tuple[dict[str, Any], bytes, int, int]] = collections.deque()

    def images() -> Iterator[bytes]:
        for row in rows:
            image, height, width = _stored(job, row)
            waiting.append((row, image, height, width))
            yield image

    for feature in extractor.features(images()):
        row, image, height, width = waiting.popleft()
        if feature is None:  # Pillow reads some damaged files that TensorFlow does not: store the pixels it found
            image = check_image(image, reencode=True).storable
            (feature,) = extractor.features([image])
            if feature is None:
                raise UserError(f"photo {row['key']!r} cannot be decoded by TensorFlow; remove its rows from "
                                "--captions")
        if not np.isfinite(feature).all():
            raise UserError(not_finite(row["key"], feature, job.backbone))
        yield _example(row, image if job.store_images else None, height, width,
                       feature.astype("<f2", copy=False).tobytes())
    if waiting:
        raise RuntimeError(f"{job.file}: the backbone gave no feature for {len(waiting)} photos")


def not_finite(key: str, feature: np.ndarray, backbone: BackboneJob) -> str:
    """What to say of a feature that one NaN or infinity makes worthless, as it would a model that learns from it."""
    where = f"photo {key!r}: its feature by --backbone={backbone.name} --backbone_precision={backbone.precision}"
    if np.isnan(feature).any():
        remedy = "the weights are broken or the arithmetic overflows: give other --backbone_weights"
        remedy += "" if backbone.precision == "float32" else " or --backbone_precision=float32"
        return f"{where} holds {np.isnan(feature).sum():,} NaN of {feature.size:,} numbers; {remedy}"
    return (f"{where} holds {np.isinf(feature).sum():,} of {feature.size:,} numbers beyond the 65,504 of float16, in "
            "which features are stored; give weights whose features are smaller, or normalise them in the network")


def _stored(job: ShardJob, row: dict[str, Any]) -> tuple[bytes, int, int]:
    """The photo as it is stored and seen by the backbone, its height and its width."""
    extent = Extent(*row["extent"]) if "extent" in row else None
    data = read_unchanged(job.images_dir, row["key"], row["file_crc32c"], job.follow_links, extent)
    data = check_image(data).storable if row["reencode"] else data
    if job.store_size and min(row["height"], row["width"]) > job.store_size:
        return shrink(data, job.store_size)
    return data, row["height"], row["width"]


def _example(row: dict[str, Any], image: bytes | None, height: int, width: int, feature: bytes | None
             ) -> tuple[Example, list[int]]:
    example = Example(row["key"], image, height, width, feature, row["captions"], row["tags"],
                      [token for caption in row["tokens"] for token in caption], row.get("tag_ids"))
    return example, [len(caption) for caption in row["tokens"]]


def load_extractor(backbone: BackboneJob) -> "Extractor":
    """Loaded once per process, however many shards it writes, and again when the weights file is another."""
    try:
        status = os.stat(backbone.weights)
    except OSError:  # none, a name, or on storage of its own
        return _extractor(backbone, ())
    return _extractor(backbone, (status.st_ino, status.st_mtime_ns, status.st_size))


@functools.lru_cache(maxsize=2)
def _extractor(backbone: BackboneJob, version: tuple[int, ...]) -> "Extractor":
    # cuDNN's kernels by their shapes alone: where they are timed first, the choice may differ from process to process,
    # and with it the last bits of a feature. Memory as it is needed: workers of this process may share its GPU.
    os.environ.setdefault("TF_CUDNN_USE_AUTOTUNE", "0")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with tensorflow_starts():
        from records.backbones.feature_extractor import Extractor
        from records.backbones.registry import load_backbone

    keep_freed_memory()  # every batch of pixels takes as much as the last
    return Extractor(load_backbone(backbone.name, backbone.weights, backbone.precision, backbone.views,
                                   backbone.image_size))
