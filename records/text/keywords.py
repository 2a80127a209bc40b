"""The keywords of a cell: what stands between them, and when a space does.

    split("golden retriever, New York", spaces=False)      ['golden retriever', 'New York']
    split("0 16", spaces=True)                             ['0', '16']

A keyword stays as it is written: its case, its spaces and underscores. Only white space and quotes around it go.
"""

import re
from collections.abc import Iterable, Iterator

SEPARATORS = re.compile(r"[,;|]")
"""What stands between the keywords of one cell."""

_AROUND = " \t\"'“”‘’"
_RESERVED = ("<pad>", "<end>", "<unk>")  # records.text.vocabulary


def split(cell: str, spaces: bool) -> list[str]:
    """The keywords of a cell, in order, each once; those without a letter or digit are left out.

    Args:
      spaces: whether spaces separate where the cell has no comma, semicolon or bar.
    """
    parts = SEPARATORS.split(cell) if not spaces or SEPARATORS.search(cell) else cell.split()
    return whole(parts)


def whole(keywords: Iterable[str]) -> list[str]:
    """Keywords that are told apart already, cleaned likewise."""
    cleaned = (part.strip(_AROUND) for part in keywords)
    cleaned = (part.strip("<>") if part in _RESERVED else part for part in cleaned)
    return list(dict.fromkeys(part for part in cleaned if any(map(str.isalnum, part))))


class SpaceRule:
    """Decides, from all cells of a column, whether spaces separate its keywords.

    They do where no cell has a separator, and most words of the cells with several come again in a cell that reads
    otherwise: `0 16` and `16`, `dog cat` and `dog`. Where cells are repeated as a whole (`golden retriever`), or
    nothing is, a cell is one keyword.
    """

    def __init__(self) -> None:
        self.separated = False
        self._first: dict[str, str] = {}  # the cell that each word was seen in first
        self._again: set[str] = set()  # words seen in a cell that reads otherwise
        self._of_several: set[str] = set()  # words of cells with several

    def add(self, cell: str) -> None:
        """Looks at one cell."""
        self.separated = self.separated or SEPARATORS.search(cell) is not None
        words = cell.split()
        if len(words) > 1:
            self._of_several.update(words)
        self._again.update(word for word in words if self._first.setdefault(word, cell) != cell)

    def entries(self) -> Iterator[tuple[str, str, bool, bool]]:
        """What is known of each word: the cell it was seen in first, whether in another too, and whether in one of
        several words. `add_entry` with those of other cells makes it the rule of all.
        """
        for word, cell in self._first.items():
            yield word, cell, word in self._again, word in self._of_several

    def add_entry(self, word: str, cell: str, again: bool, of_several: bool) -> None:
        """Adds what was found in other cells."""
        if again or self._first.setdefault(word, cell) != cell:
            self._again.add(word)
            self._first.setdefault(word, cell)
        if of_several:
            self._of_several.add(word)

    @property
    def tally(self) -> tuple[int, int]:
        """Words of cells with several, and how many of these are in another cell too; tallies of other words add up."""
        return len(self._of_several), len(self._of_several & self._again)

    @property
    def spaces(self) -> bool:
        return not self.separated and are_separated(*self.tally)


def are_separated(of_several: int, again: int) -> bool:
    """Whether spaces separate keywords, by a tally of all words."""
    return of_several > 0 and 2 * again >= of_several
