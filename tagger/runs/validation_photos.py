"""Validation photos of a run, for who has its folder alone: as long as the records are where they were.

    photos = validation_photos(run_dir, run, most=500)      # photos.images, or photos.features where none are stored
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from etils import epath

from flags.errors import UserError
from records.format import backbone_identity
from records.input.shard_reader import Split, images, open_split, reading_errors
from tagger.runs.run_dir import CONFIG_FILE, Run, load_config


class ValidationPhotos(NamedTuple):
    """The first photos of the split; one of the two lists is empty.

    Attributes:
      images: encoded.
      features: float16 [F] each, of the run's backbone.
    """

    images: list[bytes]
    features: list[np.ndarray]


def validation_photos(run_dir: epath.PathLike, run: Run, most: int) -> ValidationPhotos:
    """At most so many photos of the validation split; their features where the records hold no photos.

    A run with several stages keeps the records of a trained backbone's features, without photos, beside those that its
    first stages name. No photos at all where no records are left.
    """
    splits = list(_splits(run_dir, run))
    for split in splits:
        if split.manifest.flags.get("store_images", True):
            return ValidationPhotos([example["image"] for example in _first(split, most, read_image=True)], [])
    for split in splits:
        if split.manifest.backbone and run.manifest.backbone and (
                backbone_identity.difference(split.manifest.backbone, run.manifest.backbone) is None):
            return ValidationPhotos([], [example["feature"] for example in _first(split, most, read_image=False)])
    return ValidationPhotos([], [])


def _splits(run_dir: epath.PathLike, run: Run) -> Iterator[Split]:
    """The validation split of the records of the run, then of those of its stages."""
    stages = (load_config(path.parent) for path in sorted(epath.Path(run_dir).glob(f"*/{CONFIG_FILE}")))
    for records_dir in dict.fromkeys(config.records_dir for config in (run.config, *stages) if config):
        try:
            yield open_split(records_dir, run.config.validation_split)
        except UserError:
            continue


def _first(split: Split, most: int, read_image: bool) -> Iterator[dict]:
    with reading_errors(split.records_dir):
        yield from itertools.islice(images(split, read_image=read_image).as_numpy_iterator(), most)
