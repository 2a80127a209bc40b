"""What was left out of the records, row by row and by kind.

rejected.jsonl has one line {"image", "row", "reason"} for every input row that is in no shard, in input order; after
them, one for every name in --split_lists that no row of the table has.
A reason reads "kind: details"; kinds are what is counted.
"""

import json
from collections import Counter
from collections.abc import Mapping

from flags.errors import UserError
from records.images.files import MISSING
from records.util.counted import counted

CASE = "mind upper and lower case"  # a reason that ends so is of a name that differs from a file's in case alone
SIMILAR = "; did you mean "  # a reason with this goes on with the name of a file that is written nearly the same
NO_SPLIT = "photo is in no split list"
UNUSED_NAME = "name in a split list has no caption"
REPEATED = "caption repeats another row of the same photo"
OUTSIDE_LINK = "photo is a link that leads outside --images"
_AS_UTF8 = "save the table as UTF-8, which spreadsheets call CSV UTF-8"
# What helps, by how a reason begins; the first that fits.
_REMEDIES = (
    (MISSING, "check --images"),
    (OUTSIDE_LINK, "--follow_links takes photos that are links out of it"),
    ("image name leads outside --images", "give --images the folder that the names start from, or names relative to "
     "it"),
    ("image name is no name but the photo", "write the photos to files, or to Parquet as bytes"),
    ("image name is a URL", "download the photos first and give their file names"),
    ("object names several images", "give each photo an object of its own"),
    ("object names no image", "rename the key of the photo to image"),
    ("object has no caption", "rename the key of the caption to caption"),
    ("image name is not UTF-8", _AS_UTF8),
    ("image name", "mend the names"),
    ("caption is empty", "is another column the caption? docs/data.md lists the names of columns"),
    ("caption is missing", "is another column the caption? docs/data.md lists the names of columns"),
    ("caption has no words", "is another column the caption? docs/data.md lists the names of columns"),
    ("caption is not text", "write captions as texts"),
    ("caption file holds numbers", "write a text of words for each photo, or a table of tags"),
    ("caption is not UTF-8", _AS_UTF8),
    ("caption is too long", "raise --max_words_per_caption"),
    ("caption is a list", "write the list as JSON"),
    ("caption repeats", "name each caption once"),
    ("number of fields is wrong", "quote captions that hold the separator"),
    ("quote is opened", "double the quotes inside quoted captions"),
    ("text follows a closing quote", "double the quotes inside quoted captions"),
    ("split ", "rename the splits, or give --split_fractions or --split_lists, which go before them"),
    (NO_SPLIT, "the names in --split_lists must be those of the table"),
    (UNUSED_NAME, "the names in --split_lists must be those of the table"),
    ("line is no", "mend the lines, or name another format with --captions_format"),
    ("image_id is of no image", "give the file that has the images too"),
    ("photo cannot be read", "check the files' permissions"),
    ("photo has no caption", "give it one, or leave it"),
    ("photo has no tag", "move it into a folder that is named as its tag"),
    ("photo", "are the photos whole? copy them again"),
    ("JPEG", "are the photos whole? copy them again"),
    ("PNG", "are the photos whole? copy them again"))
_SHOWN_KINDS = 3
# Left out by choice or without loss: these say nothing about the health of the input.
_HARMLESS = (NO_SPLIT, UNUSED_NAME, REPEATED)


def line(image: str, row: str, reason: str) -> str:
    """One line of rejected.jsonl."""
    return json.dumps({"image": image, "row": row, "reason": reason}, ensure_ascii=False) + "\n"


def kind(reason: str) -> str:
    """The countable class of a reason."""
    return reason.partition(":")[0]


def remedy(reason: str) -> str:
    """What helps against a reason, in a few words."""
    return next((text for start, text in _REMEDIES if reason.startswith(start)), "mend these rows of the table")


def most_frequent(by_kind: Counter[str], first: dict[str, str]) -> str:
    """The most frequent reasons, each with its count, its first row and what helps."""
    kinds = sorted(by_kind, key=lambda name: (-by_kind[name], name))
    shown = [f"{by_kind[name]:,} {'rows' if by_kind[name] > 1 else 'row'} like {first[name]} ({remedy(name)})"
             for name in kinds[:_SHOWN_KINDS]]
    more = sum(by_kind[name] for name in kinds[_SHOWN_KINDS:])
    return "; ".join(shown) + (f"; {more:,} for other reasons" if more else "")


def remedy_for_all_missing(reason: str) -> str:
    """What helps where no photo exists, by the reason of the first."""
    what = "give --images the folder that the table's names start from"
    return f"correct the names in the table, or {what}" if _names_a_file(reason) else what


def check_usable(rows: int, by_kind: Counter[str], first: dict[str, str], examples: Mapping[str, int],
                 flag: str) -> None:
    """Stops a run without a photo to train on, and says why there is none.

    Args:
      rows, by_kind, first: as in `check_limit`.
      examples: of every split that has any.
      flag: the flag that the splits come from; "" for the table itself.

    Raises:
      UserError: no row can be used, or none is in train.
    """
    left_out = sum(by_kind.values()) - by_kind[UNUSED_NAME]
    why = most_frequent(by_kind, first)
    if not examples:
        if by_kind[MISSING] == left_out:
            names = "the only row names a photo that is" if rows == 1 else f"all {rows:,} rows name photos that are"
            raise UserError(f"{names} not in --images, first {first[MISSING]}; "
                            f"{remedy_for_all_missing(first[MISSING])}")
        every = "the only row is" if rows == 1 else f"all {rows:,} rows are"
        raise UserError(f"no usable caption: {every} left out: {why}")
    if "train" not in examples:
        found = ", ".join(f"{split} has {count:,}" for split, count in examples.items())
        source = {"": "the table's own splits name no train; rename one of them or give --split_fractions",
                  "split_fractions": "give train a share in --split_fractions",
                  "split_lists": "give a list for train in --split_lists with names of the table"}[flag]
        others = f"; {left_out:,} of {rows:,} rows are left out: {why}" if by_kind else ""
        raise UserError(f"the train split is empty: of the photos, {found}; {source}{others}")


def _names_a_file(reason: str) -> bool:
    """Whether the reason for a missing photo names the file that was probably meant."""
    return reason.endswith(CASE) or SIMILAR in reason


def notes(rows: int, by_kind: Counter[str], first: dict[str, str]) -> list[str]:
    """Lines for the summary: what most rows were lost for, and links that a flag would take."""
    left_out = sum(by_kind.values()) - by_kind[UNUSED_NAME]
    if left_out * 2 > rows:
        return [f"more than half of the rows are left out, {left_out:,} of {rows:,}: {most_frequent(by_kind, first)}"]
    if by_kind[OUTSIDE_LINK]:
        number = by_kind[OUTSIDE_LINK]
        return [f"{counted(number, 'row')} {'is' if number == 1 else 'are'} left out like {first[OUTSIDE_LINK]}: "
                f"{remedy(OUTSIDE_LINK)}"]
    return []


def limit(text: str | None, rows: int) -> int | None:
    """--max_rejected as a number of rows; None where it was not given.

    Raises:
      UserError: it is neither a percentage nor a count.
    """
    if text is None:
        return None
    number = text.strip().removesuffix("%")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    percent = text.strip().endswith("%")
    if not 0 <= value <= (100 if percent else float("inf")) or (not percent and value != int(value)):
        raise UserError(f"--max_rejected={text}: expected a share such as 5% or a number of rows such as 20")
    return int(rows * value / 100) if percent else int(value)


def check_limit(max_rejected: str | None, rows: int, by_kind: Counter[str], first: dict[str, str]) -> None:
    """Stops a run that would leave out more than it may.

    Args:
      max_rejected: the flag.
      rows: input rows, usable or not.
      by_kind: rejected rows by kind.
      first: by kind, the first such row and its reason, to show.

    Raises:
      UserError: more rows are rejected than --max_rejected, or, when that is not given, the photo of a row does
        not exist.
    """
    most = limit(max_rejected, rows)
    if most is None:
        if by_kind[MISSING]:
            others = f" (and so for {counted(by_kind[MISSING] - 1, 'more row')})" if by_kind[MISSING] > 1 else ""
            count = sum(number for name, number in by_kind.items() if name not in _HARMLESS)
            what = "correct the name in the table" if _names_a_file(first[MISSING]) else "check --images"
            raise UserError(f"{first[MISSING]}{others}; {what}, or pass --max_rejected={count} or a share such as 5% "
                            "to leave out up to so many rows")
        return
    counts = {name: count for name, count in by_kind.items() if name not in _HARMLESS}
    if sum(counts.values()) > most:
        worst = max(counts, key=lambda name: (counts[name], name))
        raise UserError(
            f"--max_rejected={max_rejected}: {sum(counts.values()):,} of {rows:,} rows cannot be used, mostly "
            f"{counts[worst]:,} with: {worst} (first: {first[worst]}; {remedy(worst)}); mend the input or raise the "
            "limit")
