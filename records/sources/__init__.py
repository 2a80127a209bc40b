"""Caption tables of every format as one stream of rows.

    for row in open_source("captions.csv", captions_format="auto", images="photos"):
        if isinstance(row, BadRow): …       # one row that cannot be used, and why
        else: row.image, row.caption, row.where, row.split

A new source is one file in this package with a function `read(table) -> Iterator[Row | BadRow]`, and one line in
FORMATS below.
"""

from records.sources.base import BadRow, Row, reason_class
from records.sources.registry import (
    FORMATS,
    check_exists,
    dataset_sha256,
    detect,
    is_spooled,
    is_tableless,
    open_source,
    remarks,
    splits_in_names,
    table_files,
)

__all__ = ["FORMATS", "BadRow", "Row", "check_exists", "dataset_sha256", "detect", "is_spooled", "is_tableless",
           "open_source", "reason_class", "remarks", "splits_in_names", "table_files"]
