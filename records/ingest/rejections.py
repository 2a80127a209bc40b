"""What was left out of the records, row by row and by kind.

rejected.jsonl has one line {"image", "row", "reason"} for every input row that is in no shard, in input order; after
them, one for every name in --split_lists that no row of the table has.
A reason reads "kind: details"; kinds are what is counted.
"""

import json
from collections import Counter

from flags.errors import UserError
from records.images.files import MISSING

NO_SPLIT = "image is in no split list"
UNUSED_NAME = "name in a split list has no caption"
REPEATED = "caption repeats another row of the same image"
# Left out by choice or without loss: these say nothing about the health of the input.
_HARMLESS = (NO_SPLIT, UNUSED_NAME, REPEATED)


def line(image: str, row: str, reason: str) -> str:
    """One line of rejected.jsonl."""
    return json.dumps({"image": image, "row": row, "reason": reason}, ensure_ascii=False) + "\n"


def kind(reason: str) -> str:
    """The countable class of a reason."""
    return reason.partition(":")[0]


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
            others = f" (and so for {by_kind[MISSING] - 1:,} more rows)" if by_kind[MISSING] > 1 else ""
            raise UserError(f"{first[MISSING]}{others}; check --images, or pass --max_rejected=5% to leave out up to "
                            "that share of the rows")
        return
    counted = {name: count for name, count in by_kind.items() if name not in _HARMLESS}
    if sum(counted.values()) > most:
        worst = max(counted, key=lambda name: (counted[name], name))
        raise UserError(
            f"--max_rejected={max_rejected}: {sum(counted.values()):,} of {rows:,} rows cannot be used, mostly "
            f"{counted[worst]:,} with: {worst} (first: {first[worst]}); mend the input or raise the limit")
