"""What the first rows of a separated table leave open, told by later ones: its column of splits, classes seldom set.

Tables sorted by split hold one alone in their first rows. A column is taken for that of splits by its values, not by
its name, so it must hold two; a table that is all `train` has nothing to say of splits.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

from records.sources import columns
from records.sources.base import is_split, known_split, printable
from records.sources.csv_flags import flags_of, is_blank, is_on
from records.sources.csv_layout import Layout

_ROWS = 1000  # by which columns are judged
_SHOWN = 40  # columns that the summary names
_ODD = 10  # one cell in so many may be no split's name


def settled(layout: Layout, rows: Iterable[Sequence[str]], with_splits: bool) -> Layout:
    """The layout with its column of splits and its classes as all rows tell, of which no more are read than needed.

    Args:
      rows: the fields of each row that fits the layout, from the first one on.
      with_splits: whether splits of the table's own count.
    """
    if not with_splits:
        layout = dataclasses.replace(layout, split_flags=())
    others = {layout.image, *(index for fields in (layout.texts, layout.marks, layout.flags) for index, _ in fields)}
    candidates = [index for index, name in enumerate(layout.names)
                  if index not in others and not columns.is_keywords(name)]
    if not with_splits or layout.split is not None or layout.split_flags:
        candidates = []
    undecided = list(layout.undecided)
    if not candidates and not undecided:
        return layout
    stream = iter(rows)
    first = list(itertools.islice(stream, _ROWS))
    split, open_splits = _split_of(candidates, first)
    flags = list(layout.flags)
    for row in itertools.chain(first, stream):
        if not undecided and not open_splits:
            break
        for index in [index for index in undecided if not is_blank(row[index])]:
            undecided.remove(index)
            if is_on(row[index]) is not None:
                flags.append((index, layout.names[index].strip()))
        for index in [index for index, name in open_splits.items()
                      if not is_split(row[index]) or known_split(row[index]) != name]:
            del open_splits[index]
            if is_split(row[index]):
                split, open_splits = index, {}
                break
    return dataclasses.replace(layout, split=layout.split if split is None else split, flags=tuple(sorted(flags)),
                               undecided=(), alone=tuple(open_splits.items()))


def together(layouts: Sequence[Layout]) -> list[Layout]:
    """The layouts of several tables that are read as one: `train` throughout one of them is a split beside others.

    So it is where the column of that name is one of splits in another table, or holds another split throughout it.
    """
    taken = {columns.compact(layout.names[layout.split]) for layout in layouts
             if layout.split is not None and layout.names}
    splits: dict[str, set[str]] = {}
    for layout in layouts:
        for index, split in layout.alone:
            splits.setdefault(columns.compact(layout.names[index]), set()).add(split)
    taken |= {name for name, alone in splits.items() if len(alone) > 1}
    return [dataclasses.replace(layout, split=next((
        index for index, _ in layout.alone if columns.compact(layout.names[index]) in taken), layout.split))
        for layout in layouts]


def _split_of(candidates: Sequence[int], rows: Sequence[Sequence[str]]) -> tuple[int | None, dict[int, str]]:
    """The column of splits; where there is none, columns that hold the name of one split alone, with it."""
    alone: dict[int, str] = {}
    for index in candidates:
        values = [known_split(row[index]) for row in rows if is_split(row[index])]
        if not values or (len(rows) - len(values)) * _ODD > len(rows):
            continue
        if len(set(values)) > 1:
            return index, {}
        if len(values) == len(rows):
            alone[index] = values[0]
    return None, alone


def remarks(layout: Layout, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines for the summary where columns were told by their values: the classes, what is none, and the splits.

    Args:
      rows: as of `settled`.
    """
    if layout.texts and layout.names:
        read = {layout.image, layout.split, *(index for fields in (layout.texts, layout.marks, layout.split_flags)
                                              for index, _ in fields)}
        if classes := flags_of(layout.names, itertools.islice(rows, _ROWS), read).classes:
            yield (f"columns of 1 and 0 are not read, as {layout.names[layout.texts[0][0]].strip()} is: "
                   f"{_listed([layout.names[index].strip() for index in classes])}")
    if layout.flags:
        used = {layout.image, layout.split, *(index for index, _ in (*layout.flags, *layout.split_flags))}
        rest = [column.strip() for index, column in enumerate(layout.names) if index not in used and column.strip()]
        yield (f"keywords are the columns {_listed([column for _, column in layout.flags])}; "
               + (f"no keywords, as they hold more than 1 and 0, or nothing: {_listed(rest)}" if rest else "no other"))
    if layout.split is not None and layout.names and columns.find([layout.names[layout.split]], columns.SPLIT) is None:
        yield f"splits are those of the column {printable(layout.names[layout.split].strip(), 60)}"

    if layout.split_flags:
        yield f"splits are those of {_listed([layout.names[index].strip() for index, _ in layout.split_flags])}"


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(printable(name, 60) for name in names[:_SHOWN])
    return text + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
