"""What the worker processes of pass 1 find in photos and captions.

Every photo is decoded to its last byte once. Two photos are duplicates when the SHA-256 of their pixels is the
same. It is computed only where cheaper checksums (CRC-32C) agree: of the pixels, and for JPEG files, before that, of
the picture at an eighth of its size, which takes half as long to decode (records.images.validation).
"""

import google_crc32c

from flags.errors import UserError
from records.images.files import BadImage, read_image, read_unchanged, write_image
from records.images.validation import PixelHash, check_image
from records.ingest.database_tables import ImageResult, ImageTask, LookAlike
from records.text.tokenizer import tags_among, words

CRASHED = "photo crashes its decoder: the process that read it died"


def warm_up() -> None:
    """Loads the tagger's lexicon; importing this module preloads the rest."""
    tags_among(["warm"])


def check_chunk(tasks: list[ImageTask], images_dir: str, max_words: int,
                follow_links: bool = False, unpack: bool = False) -> list[ImageResult]:
    """Decodes some photos, and finds the words and tags of their captions.

    Args:
      unpack: whether photos inside archives are written to `images_dir` too.
    """
    return [_check_one(task, images_dir, max_words, follow_links, unpack) for task in tasks]


def hash_chunk(photos: list[LookAlike], images_dir: str, hashed: PixelHash,
               follow_links: bool = False) -> list[tuple[int, bytes]]:
    """The image and the hash of its pixels, of some photos that were good when they were checked."""
    result = []
    for photo in photos:
        data = read_unchanged(images_dir, photo.key, photo.file_crc32c, follow_links, photo.extent)
        result.append((photo.image, check_image(data, hashed=hashed).pixel_hash))
    return result


def _check_one(task: ImageTask, images_dir: str, max_words: int, follow_links: bool, unpack: bool) -> ImageResult:
    try:
        data = read_image(images_dir, task.key, follow_links, task.extent)
        if unpack and task.extent is not None:
            _unpack(images_dir, task.key, data)
        image = check_image(data)
    except BadImage as error:
        return ImageResult(task.image, str(error))
    texts: list[tuple[int, str, str, str | None]] = []
    for seq, caption in task.captions:
        caption_words = words(caption)
        if len(caption_words) > max_words:
            texts.append((seq, "", "", f"caption is too long: {len(caption_words):,} words, --max_words_per_caption is "
                          f"{max_words}"))
        else:
            texts.append((seq, " ".join(caption_words), " ".join(tags_among(caption_words)), None))
    in_full = image.hashed is not PixelHash.EIGHTH
    return ImageResult(task.image, None, image.height, image.width, google_crc32c.value(data),
                       None if in_full else image.pixel_hash, image.pixel_hash if in_full else None,
                       image.reencoded, len(image.storable), tuple(texts))


def _unpack(images_dir: str, name: str, data: bytes) -> None:
    try:
        write_image(images_dir, name, data)
    except OSError as error:
        raise UserError(f"--images={images_dir}: {name} of --captions cannot be written there ({error}); name another "
                        "folder, or none: photos inside archives are read where they lie") from error
