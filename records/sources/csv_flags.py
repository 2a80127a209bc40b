"""Columns that say with 1 and 0 whether a photo has the keyword that is their name: one-hot and multi-label tables.

CelebA writes 1 and -1; Roboflow 1 and 0; CheXpert 1.0, 0.0, -1.0 where the reader was not sure, and nothing where the
report does not mention it. What is not sure, and what is not mentioned, is not set.
"""

import functools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from records.sources.base import BadField, shown
from records.sources.columns import normalised

_ON = frozenset(("true", "t", "yes", "y", "x"))
_OFF = frozenset(("false", "f", "no", "n"))
_BLANK = frozenset(("", "nan", "na", "n/a", "null", "none", "<na>", "#n/a"))  # what pandas, R and Excel write there
_ODD = 10  # one cell in so many may be neither on nor off before its column is taken for no class
_NO_CLASS = re.compile(r"(?:.*_)?id|index|unnamed:_\d+|")  # numbers of rows, which begin with 0 and 1; no name at all
# Of fast.ai (is_valid), CUB-200 (is_training_image) and others.
_SPLITS = (("validation", re.compile(r"is_val(?:id|idation)?")),
           ("test", re.compile(r"is_test(?:ing)?(?:_image|_img|_set)?")),
           ("train", re.compile(r"is_train(?:ing)?(?:_image|_img|_set)?")))


@functools.lru_cache(maxsize=1024)  # asked of every cell, and few are different
def is_on(cell: str) -> bool | None:
    """Whether a cell says that its keyword is set; None where it says neither. Blank is not set, nor is -1."""
    text = cell.strip().lower()
    if text in _ON:
        return True
    if text in _OFF or text in _BLANK:
        return False
    try:
        number = float(text.replace(",", "."))  # a German Excel writes 1,0
    except ValueError:
        return None
    return {1.0: True, 0.0: False, -1.0: False}.get(number)


@functools.lru_cache(maxsize=1024)
def is_blank(cell: str) -> bool:
    """Whether a cell holds nothing, or what programs write for nothing."""
    return cell.strip().lower() in _BLANK


class Flags(NamedTuple):
    """Positions of columns that are classes, and of those without a value so far, which may become some."""

    classes: list[int]
    blank: list[int]


def flags_of(names: Sequence[str], rows: Iterable[Sequence[str]], others: set[int | None]) -> Flags:
    """The columns that hold 1 and 0, of those that are not `others`; none where there are not two.

    A cell in ten that is neither on nor off does not make a column another one: the row is left out, by name.

    Args:
      names, rows: the header and the fields of rows of its width.
    """
    columns = [index for index, name in enumerate(names)
               if index not in others and not _NO_CLASS.fullmatch(normalised(name))]
    good, odd = dict.fromkeys(columns, 0), dict.fromkeys(columns, 0)
    for row in rows:
        for index in columns:
            if is_on(row[index]) is None:
                odd[index] += 1
            elif not is_blank(row[index]):
                good[index] += 1
    classes = [index for index in columns if good[index] and odd[index] * _ODD <= good[index]]
    blank = [index for index in columns if not good[index] and not odd[index]]
    return Flags(classes, blank) if len(classes) > 1 else Flags([], [])


def split_flags(names: Sequence[str]) -> list[tuple[int, str]]:
    """Positions of columns that say of one split whether the photo is in it, such as is_valid, with that split.

    [] where there are columns such as is_car: is_train is then about trains.
    """
    found = [(index, split) for index, name in enumerate(names) for split, form in _SPLITS
             if form.fullmatch(normalised(name))]
    others = sum(normalised(name).startswith("is_") for name in names) - len(found)
    return found if len({split for _, split in found}) == len(found) and not others else []


def split_of(flags: Sequence[tuple[int, str]], fields: Sequence[str]) -> str:
    """The split that columns of `split_flags` give; where none is set, train, or test where train alone has a column.

    Raises:
      BadField: they say nothing, or several.
    """
    named = [split for _, split in flags]
    found = []
    for index, split in flags:
        value = None if is_blank(fields[index]) else is_on(fields[index])
        if value is None:
            raise BadField(f"split's cell is neither on nor off: {shown(fields[index].strip())} for {split}; write 1 "
                           "or 0, or give --split_fractions or --split_lists")
        found += [split] * value
    if not found and (named == ["train"] or "train" not in named):
        return "test" if named == ["train"] else "train"
    if len(found) != 1:
        raise BadField(f"photo is in no split or in several: {' and '.join(found) or 'none'} of {', '.join(named)}; "
                       "set one, or give --split_fractions or --split_lists")
    return found[0]


def keywords(flags: Iterable[tuple[int, str]], fields: Sequence[str]) -> list[str] | str:
    """Names of the columns that are set, or why that cannot be told; `flags` are positions and names."""
    result = []
    for index, name in flags:
        if (value := is_on(fields[index])) is None:
            return (f"keyword's cell is neither on nor off: {shown(fields[index].strip())} in column {shown(name)}; "
                    "write 1 or 0, or delete the column if it is no keyword")
        if value:
            result.append(name)
    return result
