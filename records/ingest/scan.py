"""Pass 1's look at every photo: whether it can be used, which others have the same pixels, and what its captions say.

What the worker processes do is in records.ingest.scan_worker, which imports little: they start the sooner.
"""

import functools
import itertools
import sys
import time
from collections.abc import Iterable, Iterator

from records.images.validation import PixelHash
from records.ingest.database import IngestDatabase
from records.ingest.database_tables import ImageResult, ImageTask
from records.ingest.scan_worker import CRASHED, check_chunk, hash_chunk, warm_up
from records.sources import BadRow, Row
from records.util.process_pool import WorkerDied, Workers, worth
from records.util.progress import Progress

_CHUNK = 48  # photos a worker checks at a time
_CAPTIONS = 5  # of a photo, about
# A transaction for every chunk would cost more than what it stores; a kill loses what is not stored.
_STORED_AT_ONCE, _STORED_EVERY_S = 256, 0.2
_PHOTOS_PER_WORKER = 100  # it takes about as long to start one


def start_meanwhile(rows: Iterable[Row | BadRow], workers: Workers, most: int) -> Iterator[Row | BadRow]:
    """The same rows; once there are enough of them for `check_images` to use processes, these start importing."""
    count = worth(sys.maxsize, most)
    for number, row in enumerate(rows):
        if number == count * _PHOTOS_PER_WORKER * _CAPTIONS:
            workers.start(count, warm_up)
        yield row


def check_images(database: IngestDatabase, images_dir: str, max_words: int, workers: Workers, most: int,
                 follow_links: bool = False, unpack: bool = False) -> None:
    """Checks every photo of the ingest database that was not checked yet.

    Args:
      max_words: captions with more are left out.
      most: processes to use at most; 0: one per CPU.
      follow_links: whether photos may be links out of `images_dir`.
      unpack: whether photos inside archives are written to `images_dir` too.

    Raises:
      UserError: a photo changed meanwhile.
      WorkerDied: a worker was killed, and not by a photo that it looked at first.
    """
    total, checked = database.image_counts()
    check = functools.partial(check_chunk, images_dir=images_dir, max_words=max_words,
                              follow_links=follow_links, unpack=unpack)
    count = workers.running or worth((total - checked) // _PHOTOS_PER_WORKER, most)
    with Progress("checking photos", total=total, unit="photos", initial=checked) as progress:
        def check_some(tasks: Iterable[list[ImageTask]], count: int) -> bool:
            waiting: list[ImageResult] = []
            stored, alive = time.monotonic(), True
            try:
                for results in workers.map(check, tasks, count):
                    waiting += results
                    progress.add(len(results))
                    if len(waiting) >= _STORED_AT_ONCE or time.monotonic() - stored > _STORED_EVERY_S:
                        database.check(waiting)
                        waiting, stored = [], time.monotonic()
            except WorkerDied:
                alive = False
            database.check(waiting)
            return alive

        while not check_some(database.unchecked(_CHUNK), count):
            # A photo took its process down, as damaged ones can in native code. It is one of those that were in
            # flight: go through these one by one, and look at the first without a result in a process of its own.
            if not check_some(itertools.islice(database.unchecked(1), 4 * count * _CHUNK), 1):
                (task,) = next(database.unchecked(1))
                if not check_some([[task]], 1):
                    crash = ImageResult(task.image, CRASHED)
                    database.check([crash])
                    progress.add(1)
    for hashed in (PixelHash.CRC32C, PixelHash.SHA256):
        tell_apart = functools.partial(hash_chunk, images_dir=images_dir, hashed=hashed,
                                       follow_links=follow_links)
        for hashes in workers.map(tell_apart, database.look_alikes(hashed, _CHUNK), count):
            database.tell_apart(hashed, hashes)
