"""Ingest databases filled without photos: every name is a picture of its own."""

from pathlib import Path

from records.ingest.database import IngestDatabase
from records.ingest.database_tables import ImageResult, ImageTask
from records.ingest.splits import Splitter
from records.sources import Row
from records.text.tokenizer import tags_among, words


def checked(task: ImageTask) -> ImageResult:
    texts = ((seq, words(caption)) for seq, caption in task.captions)
    return ImageResult(task.image, None, 3, 4, 7, None, task.key.encode(), False, 100,
                       tuple((seq, " ".join(found), " ".join(tags_among(found)), None) for seq, found in texts))


def resolved(folder: Path, rows: list[Row]) -> IngestDatabase:
    database = IngestDatabase(str(folder / "index"), "inputs")
    database.ingest(rows)
    for tasks in database.unchecked(100):
        database.check([checked(task) for task in tasks])
    database.resolve(Splitter(), 0)
    return database
