"""The rows of one image from the fields that hold its captions: what every source of cells and objects ends in."""

from collections.abc import Iterator, Sequence

from records.images.extents import Extent
from records.sources.base import BadField, BadRow, Row, printable
from records.sources.table import Table
from records.sources.texts import texts_of


def caption_rows(table: Table, image: object, fields: Sequence[tuple[object, object]], where: str,
                 split: object = None, extent: Extent | None = None) -> Iterator[Row | BadRow]:
    """One row per caption, or the BadRow that says why there is none.

    Args:
      fields: (column, value) of each field with captions, as of `texts_of`; the first column tells captions from tags.
      where: their place in the table; of several captions each is numbered there.
      extent: where the image lies, of one inside an archive.
    """
    try:
        captions = texts_of(fields)
    except BadField as error:
        yield BadRow(where, printable(image), str(error))
        return
    if not captions:
        yield BadRow(where, printable(image), "caption is empty")
    for index, text in enumerate(captions):
        row = table.row(image, text, where if len(captions) == 1 else f"{where} caption {index}", split, fields[0][0])
        if extent is not None and isinstance(row, Row):  # dataclasses.replace takes 6 times as long
            row = Row(row.image, row.caption, row.where, row.split, row.keywords, extent)
        yield row
