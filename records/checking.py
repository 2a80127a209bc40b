"""Pass 1's look at every photo: whether it can be used, which others are the same picture, and what its captions say.

Every photo is decoded to its last byte once. Two photos are the same picture when the SHA-256 of their pixels is the
same. It is computed only where cheaper checksums (CRC-32C) agree: of the pixels, and for JPEG files, before that, of
the picture at an eighth of its size, which takes half as long to decode (records.images.PixelHash).
"""

import functools
import itertools
import time
from collections.abc import Iterable

import google_crc32c

from records.image_files import BadImage, read_image, read_unchanged
from records.images import PixelHash, check_image
from records.index import Index
from records.index_tables import ImageResult, ImageTask, LookAlike
from records.parallel import WorkerDied, Workers, worth
from records.progress import Progress
from records.text import tags_among, words

_CHUNK = 16  # photos a worker checks at a time
_STORED_EVERY_S = 0.2  # what a kill may lose; a transaction for every chunk would cost more than what it stores
_PHOTOS_PER_WORKER = 100  # it takes about as long to start one


def check_images(index: Index, images_dir: str, max_words: int, workers: Workers, most: int) -> None:
    """Checks every photo of the index that was not checked yet.

    Args:
      max_words: captions with more are left out.
      most: processes to use at most; 0: one per CPU.

    Raises:
      UserError: a photo changed meanwhile.
      WorkerDied: a worker was killed, and not by a photo that it looked at first.
    """
    total, checked = index.image_counts()
    check = functools.partial(check_chunk, images_dir=images_dir, max_words=max_words)
    count = worth((total - checked) // _PHOTOS_PER_WORKER, most)
    with Progress("checking photos", total=total, unit="photos", initial=checked) as progress:
        def check_some(tasks: Iterable[list[ImageTask]], count: int) -> bool:
            found: list[ImageResult] = []
            stored = time.monotonic()
            try:
                for results in workers.map(check, tasks, count):
                    found += results
                    progress.add(len(results))
                    if time.monotonic() - stored > _STORED_EVERY_S:
                        index.check(found)
                        found, stored = [], time.monotonic()
                return True
            except WorkerDied:
                return False
            finally:
                index.check(found)

        while not check_some(index.unchecked(_CHUNK), count):
            # A photo took its process down, as damaged ones can in native code. It is one of those that were in
            # flight: go through these one by one, and look at the first without a result in a process of its own.
            if not check_some(itertools.islice(index.unchecked(1), 4 * count * _CHUNK), 1):
                (task,) = next(index.unchecked(1))
                if not check_some([[task]], 1):
                    index.check([ImageResult(task.image, "image crashes its decoder: the process that read it died")])
                    progress.add(1)
    for hashed in (PixelHash.CRC32C, PixelHash.SHA256):
        tell_apart = functools.partial(hash_chunk, images_dir=images_dir, hashed=hashed)
        wanted = f"pixel_{hashed.value}"
        for hashes in workers.map(tell_apart, index.look_alikes(wanted, _CHUNK), count):
            index.tell_apart(wanted, hashes)


def check_chunk(tasks: list[ImageTask], images_dir: str, max_words: int) -> list[ImageResult]:
    """Decodes some photos, and finds the words and tags of their captions."""
    return [_check_one(task, images_dir, max_words) for task in tasks]


def hash_chunk(photos: list[LookAlike], images_dir: str, hashed: PixelHash) -> list[tuple[int, bytes]]:
    """The image and the hash of its pixels, of some photos that were good when they were checked."""
    result = []
    for photo in photos:
        data = read_unchanged(images_dir, photo.key, photo.file_crc32c)
        result.append((photo.image, check_image(data, hashed=hashed).pixel_hash))
    return result


def _check_one(task: ImageTask, images_dir: str, max_words: int) -> ImageResult:
    try:
        data = read_image(images_dir, task.key)
        image = check_image(data)
    except BadImage as error:
        return ImageResult(task.image, str(error))
    texts: list[tuple[int, str, str, str | None]] = []
    for seq, caption in task.captions:
        found = words(caption)
        if len(found) > max_words:
            texts.append((seq, "", "", f"caption is too long: {len(found):,} words, --max_words_per_caption is "
                          f"{max_words}"))
        else:
            texts.append((seq, " ".join(found), " ".join(tags_among(found)), None))
    in_full = image.hashed is not PixelHash.EIGHTH
    return ImageResult(task.image, None, image.height, image.width, google_crc32c.value(data),
                       None if in_full else image.pixel_hash, image.pixel_hash if in_full else None,
                       image.reencoded, len(image.storable), tuple(texts))
