"""Tables for tests: what each holds, and what must come out of it."""

import dataclasses
import json
import sqlite3
import zipfile

import pytest

from flags.errors import UserError
from records.sources import Row, open_source

DOG, CAT = ("p1.jpg", "a red dog"), ("p2.jpg", "a white cat")
BOTH = [DOG, CAT]
KEYWORDS = [("p1.jpg", ("dog", "red ball")), ("p2.jpg", ("cat",))]


@dataclasses.dataclass
class Case:
    """One table.

    Attributes:
      data: its text or bytes, or what json.dumps takes.
      rows: (image, caption) or (image, keywords) that must come out, and nothing else but what `bad` names.
      bad: beginnings of the reasons of bad rows, in order.
      error: what the line must say, for tables that are refused as a whole.
      splits: of the rows, where they matter.
    """

    data: object
    rows: list = dataclasses.field(default_factory=list)
    bad: list[str] = dataclasses.field(default_factory=list)
    error: str = ""
    splits: list[str] | None = None
    name: str = "table"


def lines(*texts: str) -> str:
    return "".join(f"{text}\n" for text in texts)


def write(tmp_path, case):
    path = tmp_path / case.name
    if case.data == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("xl/workbook.xml", "x")
    elif case.data == "sqlite":
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE photos (image TEXT, caption TEXT)")
    elif isinstance(case.data, bytes):
        path.write_bytes(case.data)
    else:
        path.write_text(case.data if isinstance(case.data, str) else json.dumps(case.data), "utf-8")
    return str(path)


def check_read(folder, case):
    """Asserts that a table is read as its case says."""
    rows = list(open_source(write(folder, case), "auto", str(folder)))
    good = [row for row in rows if isinstance(row, Row)]
    assert [(row.image, row.caption if row.keywords is None else row.keywords) for row in good] == case.rows
    bad = [row.reason for row in rows if not isinstance(row, Row)]
    assert len(bad) == len(case.bad) and all(map(str.startswith, bad, case.bad)), bad
    if case.splits:
        assert [row.split for row in good] == case.splits


def check_refused(folder, case):
    """Asserts that a table, or every row of it, is refused as its case says."""
    path = write(folder, case)
    if case.error:
        with pytest.raises(UserError, match=case.error) as error:
            list(open_source(path, "auto", str(folder)))
        assert path in str(error.value) and "\n" not in str(error.value)
        return
    rows = list(open_source(path, "auto", str(folder)))
    assert [isinstance(row, Row) for row in rows] == [False] * len(case.bad)
    assert all(row.reason.startswith(reason) for row, reason in zip(rows, case.bad, strict=True)), rows
