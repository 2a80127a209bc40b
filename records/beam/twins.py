"""The second pipeline: which photos have the same pixels, by the hashes of records.ingest.scan_worker, cheapest first.

    photos-B ──► by size and picture at an eighth ──► by CRC-32C of the pixels ──► by bucket B ──► twins-B

A photo goes on only as long as another may be the same picture, and of it no more than its name and hashes.
"""

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from records.beam.grouping import gathered, spread, stable_hash
from records.beam.rows import Bucket
from records.beam.work_folder import WorkFolder
from records.images.extents import Extent
from records.images.validation import PixelHash
from records.ingest.database_tables import LookAlike
from records.ingest.scan_worker import hash_chunk


@dataclasses.dataclass(frozen=True)
class TwinsJob:
    """What the steps of this pipeline have to know.

    Attributes:
      sizes: the file with (height, width) of all photos that have no hash of an eighth, named after its content.
    """

    work: WorkFolder
    sizes: str
    buckets: int
    images_dir: str
    follow_links: bool


class _Candidate(NamedTuple):
    """A photo that may have twins: `bucket` is where it lies, `pixels` its pixel_crc32c where that is known."""

    height: int
    width: int
    eighth: bytes | None
    pixels: bytes | None
    key: str
    file_crc32c: int
    bucket: int
    extent: Extent | None


@functools.cache
def _sizes(work: WorkFolder, name: str) -> frozenset[tuple[int, int]]:
    return frozenset(work.get(name))


def candidates(name: str, job: TwinsJob) -> Iterator[tuple[int, Any]]:
    """The usable photos of a bucket, by the cheapest hash that there is of each."""
    bucket: Bucket = job.work.get(name)
    number = int(name.rpartition("-")[2])
    found = [_Candidate(r.height, r.width, r.eighth_crc32c, r.pixel_crc32c, photo.key, r.file_crc32c, number,
                        photo.extent)
             for photo in bucket.photos if (r := photo.result).reason is None]
    by_hash = ((_by_pixels(c) if c.pixels else stable_hash(repr(c[:3])), c) for c in found)
    yield from spread(number, by_hash, job.buckets)


def same_eighths(group: int, values: Iterable[Any], job: TwinsJob) -> Iterator[tuple[int, Any]]:
    """Hashes all pixels of JPEG files that look like another photo; what is hashed already goes on as it is."""
    by_look = defaultdict(list)
    for candidate in gathered(values):
        by_look[candidate[:4]].append(candidate)
    found = []
    for (height, width, _, pixels), alike in by_look.items():
        if pixels is not None:
            found += alike
        elif len(alike) > 1 or (height, width) in _sizes(job.work, job.sizes):
            found += [c._replace(pixels=_hash(c, PixelHash.CRC32C, job)) for c in alike]
    yield from spread(group, ((_by_pixels(candidate), candidate) for candidate in found), job.buckets)


def same_pixels(group: int, values: Iterable[Any], job: TwinsJob) -> Iterator[tuple[int, Any]]:
    """Compares photos of one CRC-32C by SHA-256; gives the bucket of each twin its name and that of its group."""
    by_pixels = defaultdict(list)
    for candidate in gathered(values):
        by_pixels[candidate.pixels].append(candidate)
    members = defaultdict(list)
    for pixels, alike in by_pixels.items():
        if len(alike) < 2:
            continue
        by_hash = defaultdict(list)
        for candidate in alike:
            by_hash[_hash(candidate, PixelHash.SHA256, job)].append(candidate)
        for digest, twins in by_hash.items():
            for twin in twins if len(twins) > 1 else ():
                members[twin.bucket].append((twin.key, pixels + digest))
    for bucket, twins in members.items():
        yield bucket, (group, twins)


def write_twins(bucket: int, values: Iterable[Any], job: TwinsJob) -> Iterator[tuple[int, Any]]:
    """Writes twins-BUCKET: of each photo of the bucket that has twins, the name of their group."""
    job.work.put(f"twins-{bucket:06d}", dict(gathered(values)), {})
    yield from ()


def _by_pixels(candidate: _Candidate) -> int:
    assert candidate.pixels is not None
    return stable_hash(candidate.pixels)


def _hash(candidate: _Candidate, kind: PixelHash, job: TwinsJob) -> bytes:
    photo = LookAlike(0, candidate.key, candidate.file_crc32c, candidate.extent)
    ((_, digest),) = hash_chunk([photo], job.images_dir, kind, job.follow_links)
    return digest
