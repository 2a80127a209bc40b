"""What becomes of a duplicate group, photos with the same pixels: which of them stands for all, where, with what.

Most groups are of one photo. The example that stands for a group is in the most held-out split of its photos.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from records.ingest import rejections


class GroupRow(NamedTuple):
    """One usable row, as in records.ingest.database_tables; those of a duplicate group have pixel_crc32c
    and pixel_sha256 in common.
    """

    image: int
    key: str
    seq: int
    caption: str
    place: str
    split: str | None
    pixel_crc32c: bytes | None
    pixel_sha256: bytes | None


class ResolvedGroup(NamedTuple):
    """What becomes of a duplicate group.

    Attributes:
      images: (example, split, position, image) of each image that has a row in a split; example is the image that
        stands for the group, split and position are set on that one alone.
      left_out: (reason, image, seq) of rows that are in no example.
    """

    images: list[tuple[int, str | None, bytes | None, int]]
    left_out: list[tuple[str, int, int]]


def position(key: str, seed: int) -> bytes:
    """Where an example stands among all of its split: examples are ordered by this hash."""
    return hashlib.sha256(f"order/{seed}/{key}".encode()).digest()


def held_out_first(split: str) -> tuple[int, str]:
    """Sort key of splits: a group that is in several is kept in the first, so that train never sees it."""
    return {"test": 0, "validation": 1, "train": 3}.get(split, 2), split


def resolve_group(rows: Sequence[GroupRow], split_of: Callable[[str, str | None], str | None],
                  seed: int) -> ResolvedGroup:
    """Gives the rows of one duplicate group, of one image or of several with equal pixels, to one example.

    It is the first image, in the table's order, of those that are in the most held-out of the group's splits. Of
    equal captions the first counts.

    Args:
      split_of: the split of an image, from its key and from the split that a row gives it; None: in no split.
    """
    images: dict[int, tuple[tuple[int, str], int, str]] = {}  # of each, the most held-out split of its rows
    left_out: list[tuple[str, int, int]] = []
    captions: list[GroupRow] = []
    for row in rows:
        split = split_of(row.key, row.split)
        if split is None:
            left_out.append((rejections.NO_SPLIT, row.image, row.seq))
            continue
        captions.append(row)
        named = held_out_first(split), row.image, row.key
        images[row.image] = min(images.get(row.image, named), named)
    if not captions:
        return ResolvedGroup([], left_out)
    (_, kept_in), example, key = min(images.values())
    seen: dict[str, str] = {}
    for row in sorted(captions, key=lambda row: row.seq) if len(images) > 1 else captions:
        if row.caption in seen:
            left_out.append((f"{rejections.REPEATED}: {seen[row.caption]}", row.image, row.seq))
        else:
            seen[row.caption] = row.place
    return ResolvedGroup([(example, kept_in, position(key, seed), image) if image == example else
                     (example, None, None, image) for image in images], left_out)
