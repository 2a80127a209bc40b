"""The rows of a source, for tests."""

from records.sources import BadRow, open_source


def read(captions, images, **options):
    """The rows, and (place, reason) of the bad ones."""
    rows = list(open_source(captions, "auto", str(images), **options))
    return ([row for row in rows if not isinstance(row, BadRow)],
            [(row.where, row.reason) for row in rows if isinstance(row, BadRow)])
