"""A shard of existing records with other features: the same examples in the same order, their photos as they are.

As in records.writing.shard_writer, a shard is written whole or not at all and leaves a receipt; it is a function of the
shard it is made from, whose hash stands in for a plan's, and of the backbone.
"""

import collections
import dataclasses
import os
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from etils import epath

from flags.errors import UserError
from records.format import layout
from records.format.example import TAG_IDS, Example, encode
from records.format.manifest import ShardInfo
from records.format.tfrecord import Damage, frame, walk
from records.util.atomic_files import AtomicOutput
from records.writing.receipts import Receipt, save_receipt
from records.writing.shard_writer import BackboneJob, load_extractor, not_finite


@dataclasses.dataclass(frozen=True)
class RewriteJob:
    """One shard to write.

    Attributes:
      source: the existing shard's path; source_sha256: its hash, in hex.
      records_dir, file: where the new one goes.
      counts: captions, tokens and longest caption of the shard; they do not change.
      store_images: whether the new examples hold their photos too.
    """

    source: str
    source_sha256: str
    records_dir: str
    file: str
    captions: int
    tokens: int
    store_images: bool
    backbone: BackboneJob

    @property
    def plan_sha256(self) -> str:
        return self.source_sha256

    @property
    def receipt(self) -> epath.Path:
        return layout.receipt_path(self.records_dir, self.file)


def rewrite_shard(job: RewriteJob, max_tokens: int, progress: Callable[[int], None]) -> Receipt:
    """Writes one shard and, when it is safely on disk, its receipt.

    Args:
      max_tokens: of the split's longest caption, for the receipt.
      progress: called with 1 after every example.

    Raises:
      UserError: the existing shard is damaged, or a feature is not finite.
    """
    examples = 0
    with AtomicOutput(os.path.join(job.records_dir, job.file), str(layout.staging_dir(job.records_dir))) as out:
        for example in _examples(job):
            out.write(frame(encode(example)))
            examples += 1
            progress(1)
    receipt = Receipt(job.source_sha256, max_tokens,
                      ShardInfo(job.file, out.bytes, out.sha256(), examples, job.captions, job.tokens))
    save_receipt(job, receipt)
    return receipt


def _examples(job: RewriteJob) -> Iterator[Example]:
    extractor = load_extractor(job.backbone)
    waiting: collections.deque[Example] = collections.deque()

    def images() -> Iterator[bytes]:
        for example in _stored(job.source):
            assert example.image is not None
            waiting.append(example)
            yield example.image

    for feature in extractor.features(images()):
        example = waiting.popleft()
        if feature is None:
            raise UserError(f"{job.source}: its photo {example.key!r} cannot be decoded; run make_records from the "
                            "photos again")
        if not np.isfinite(feature).all():
            raise UserError(not_finite(example.key, feature, job.backbone))
        yield dataclasses.replace(example, image=example.image if job.store_images else None,
                                  feature=feature.astype("<f2", copy=False).tobytes())


def _stored(path: str) -> Iterator[Example]:
    """The examples of a shard, without their features."""
    with epath.Path(path).open("rb") as file:
        try:
            for _, data in walk(file):
                yield _decode(data)
        except Damage as damage:
            raise UserError(f"{path}: {damage}; restore it from a copy, or run make_records again with --overwrite") \
                from damage


def _decode(data: bytes) -> Example:
    """What `records.format.example.encode` made, without the feature."""
    features = tf.train.Example.FromString(data).features.feature

    def texts(name: str) -> list[str]:
        return [value.decode() for value in features[name].bytes_list.value]

    tag_ids = None
    if f"{TAG_IDS}/ragged_row_lengths_0" in features:
        flat = list(features[f"{TAG_IDS}/ragged_flat_values"].int64_list.value)
        ends = np.cumsum(features[f"{TAG_IDS}/ragged_row_lengths_0"].int64_list.value, dtype=int).tolist()
        tag_ids = [flat[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return Example(
        texts("key")[0], features["image"].bytes_list.value[0], features["height"].int64_list.value[0],
        features["width"].int64_list.value[0], None, texts("captions"), texts("tags"),
        list(features["tokens"].int64_list.value), tag_ids)
