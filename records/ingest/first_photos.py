"""A wrong --images, noticed before the backbone's weights are fetched: are the first photos of the table there?"""

import itertools

from flags.errors import UserError
from flags.make_records import MakeRecords
from records.images.files import MISSING
from records.ingest import rejections, similar_names
from records.ingest.splits import Splitter
from records.sources import Row, is_spooled, is_tableless, open_source, table_files
from records.sources.names import FileNames
from records.util.counted import counted

_PHOTOS, _ROWS = 20, 1000


def check(config: MakeRecords, splitter: Splitter) -> None:
    """Looks for the first photos that the first table names and that some split takes.

    Pass 1 looks for every photo. Where rows of photos that do not exist may be left out (--max_rejected), or photos
    come with the captions, nothing is looked for here.

    Raises:
      UserError: none of them exists; or the table cannot be read.
    """
    source = (config.captions, config.captions_format)
    if config.max_rejected is not None or is_spooled(*source) or is_tableless(*source):
        return
    rows = open_source(table_files(config.captions)[0], config.captions_format, config.images)
    first: dict[str, Row] = {}
    count = 0
    for row in itertools.islice(rows, _ROWS):
        if isinstance(row, Row) and splitter.split_of(row.image, row.split, config.seed) is not None:
            first.setdefault(row.image, row)
            count += 1
        if len(first) == _PHOTOS:
            break
    files = FileNames(config.images)
    if not first or any(map(files.exists, first)):
        return
    missing = ((name, row.where, f"{MISSING}: {name!r}") for name, row in first.items())
    _, where, reason = next(similar_names.with_hints(missing, config.images))
    which = f"all of the first {counted(count, 'row')} name photos" if count > 1 else "the first row names a photo"
    raise UserError(f"{which} that {'are' if count > 1 else 'is'} not in --images, first {where}: {reason}; "
                    f"{rejections.remedy_for_all_missing(reason)}")
