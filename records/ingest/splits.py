"""Which split an image goes to: from list files, from fractions, or from the caption table itself.

    splitter = Splitter.from_flags(split_lists="", split_fractions="train=0.85,validation=0.15")
    splitter.split_of("1000268201.jpg", row_split=None, seed=0)    "train"

By fractions an image's split depends on its name and the seed alone, so adding images moves none of the others.
"""

import dataclasses
import errno
import functools
import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence

from etils import epath

from flags.errors import UserError
from flags.spec import pairs
from records.sources.base import BadField, image_name, split_name
from records.sources.names import FileNames
from records.util import regular_files
from records.util.counted import counted

DEFAULT_FRACTIONS = {"train": 0.8, "validation": 0.1, "test": 0.1}
_ORDER = ("train", "validation", "test")
_RANGE = 2**64
_FAR = 0.2  # of a split's expected number
_TABLES_SHOWN = 4
_FEW = 100  # photos, of which a tenth may come out as none
_NEEDS = {"validation": "train needs validation to tell its best epoch", "test": "eval needs test, or another --split"}


@dataclasses.dataclass(frozen=True)
class Splitter:
    """Maps an image's key to the name of its split.

    Attributes:
      listed: key -> split from --split_lists, or None.
      fractions: split -> fraction from --split_fractions, or None.
    """

    listed: Mapping[str, str] | None = None
    fractions: Mapping[str, float] | None = None

    @classmethod
    def from_flags(cls, split_lists: str | None, split_fractions: str | None, images: str = "") -> "Splitter":
        """Reads --split_lists=train=FILE,… or --split_fractions=train=0.85,…; at most one of them is given.

        Args:
          images: folder by whose files the names in the lists are completed, as those of the table are.

        Raises:
          UserError: both are given, a file cannot be read or names an image of another list too, fractions that
            are no numbers or do not sum to 1.
        """
        if split_lists and split_fractions:
            raise UserError("--split_lists and --split_fractions are both given; give one of them")
        if split_lists:
            return cls(listed=_read_lists(split_lists, images))
        if split_fractions:
            return cls(fractions=_read_fractions(split_fractions))
        return cls()

    def split_of(self, key: str, row_split: str | None, seed: int) -> str | None:
        """The split of the image `key`, or None when --split_lists is given and no list names it.

        Args:
          key: the image's name in the caption table.
          row_split: the split that the caption table gives it, which counts when no flag says otherwise.
          seed: another seed gives another partition by fractions.
        """
        if self.listed is not None:
            return self.listed.get(key)
        if self.fractions is None and row_split is not None:
            return row_split
        digest = hashlib.blake2b(f"split/{seed}/{key}".encode(), digest_size=8).digest()
        point = int.from_bytes(digest, "big") / _RANGE
        for name, bound in self._bounds:
            if point < bound:
                return name
        return self._bounds[-1][0]  # the fractions sum to 1 up to rounding

    @functools.cached_property
    def _bounds(self) -> list[tuple[str, float]]:
        """Each split with the end of its part of 0..1."""
        fractions = {name: share for name, share in (self.fractions or DEFAULT_FRACTIONS).items() if share > 0}
        # In one order whatever order they were written in, so that equal flags mean equal splits.
        ordered = sorted(fractions, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
        return list(zip(ordered, itertools.accumulate(fractions[name] for name in ordered), strict=True))


def origin(split_lists: str, split_fractions: str, seed: int, own_splits: bool, named: Mapping[str, str | None]) -> str:
    """A line that says where the splits come from.

    Args:
      split_lists, split_fractions, seed: the flags.
      own_splits: whether the table, or the names of several, gave photos their splits.
      named: the split that each table's name says, by its base name.
    """
    if split_lists:
        return "splits: those of --split_lists"
    by_name = f"by the photos' names and --seed={seed}"
    if split_fractions:
        return f"splits: --split_fractions={split_fractions}, {by_name}"
    if own_splits and len(set(named.values())) > 1 and None not in named.values():
        return "splits: those that the tables are named after, " + ", ".join(
            f"{file}: {split}" for file, split in itertools.islice(named.items(), _TABLES_SHOWN)) + (
            ", …" if len(named) > _TABLES_SHOWN else "")
    if own_splits:
        return "splits: those that the table gives"
    shares = ",".join(f"{name}={share:g}" for name, share in DEFAULT_FRACTIONS.items())
    alone = next((f". {file} is one table alone, whose name is not taken for a split: give that of another split too, "
                  "or --split_fractions" for file, split in named.items() if split), "") if len(named) == 1 else ""
    return f"splits: {shares} {by_name}, as the table gives none{alone}"


def without_photos(split_fractions: str, split_lists: str, counts: Mapping[str, int], own_splits: bool = False
                   ) -> list[str]:
    """The splits that --split_fractions asks for and that no photo came into.

    Without the flag, and without lists, those of the default, as long as photos are so few that chance may leave one
    empty, or the table has splits of its own.

    Args:
      counts: examples of every split that has any.
      own_splits: whether the table gave photos their splits.
    """
    default = {} if split_lists or sum(counts.values()) >= _FEW and not own_splits else DEFAULT_FRACTIONS
    fractions = _read_fractions(split_fractions) if split_fractions else default
    return [split for split, share in fractions.items() if share and split not in counts]


def way_to_fill(empty: Sequence[str], own_splits: bool = False) -> str:
    """What splits without photos are needed for, and what gives them some; `own_splits` as above."""
    needs = [need for split, need in _NEEDS.items() if split in empty]
    if own_splits:
        return f"{' and '.join(needs)}; the splits are the table's own"
    return (f"{' and '.join(needs) or 'they stay empty'}: add photos, draw anew with --overwrite and another "
            "--seed, or say which are held out with --split_lists=train=FILE,validation=FILE,test=FILE, a name a line")


def note_on_fractions(split_fractions: str, counts: Mapping[str, int]) -> list[str]:
    """A line where splits by fractions came out far from them, as they do where photos are few; else none.

    Args:
      split_fractions: the flag; "" for the default.
      counts: examples of every split that has any.
    """
    fractions = _read_fractions(split_fractions) if split_fractions else DEFAULT_FRACTIONS
    total = sum(counts.values())
    differences = [(abs(counts.get(split, 0) - share * total), share * total) for split, share in fractions.items()]
    if not any(difference >= max(1, _FAR * expected) for difference, expected in differences):
        return []
    came = ", ".join(f"{split} has {counts.get(split, 0):,} (by its share {share * total:.3g})"
                     for split, share in fractions.items())
    return [f"of {counted(total, 'photo')}, {came}: a photo's name and --seed alone decide, so that photos added later "
            "move none. Another --seed draws anew, --split_lists gives exact numbers"]


def _flag_split(name: str, flag: str) -> str:
    try:
        return split_name(name)
    except BadField as error:
        raise UserError(f"--{flag}: {error}; expected a name such as train, validation or test") from error


def _read_fractions(text: str) -> dict[str, float]:
    result: dict[str, float] = {}
    for name, value in pairs(text, "split_fractions").items():
        split = _flag_split(name, "split_fractions")
        try:
            fraction = float(value)
        except ValueError:
            fraction = -1.0
        if not 0 <= fraction <= 1:
            raise UserError(f"--split_fractions: {name}={value}, expected a number from 0 to 1, as train=0.85")
        if split in result:
            raise UserError(f"--split_fractions: {split} is given twice; give it once")
        result[split] = fraction
    if abs(sum(result.values()) - 1) > 1e-6:
        raise UserError(f"--split_fractions: they sum to {sum(result.values()):g}, expected 1, "
                        "as train=0.85,validation=0.15")
    return result


def _read_lists(text: str, images: str) -> dict[str, str]:
    result: dict[str, str] = {}
    for key, file, number, split in listed_names(text, images):
        if result.setdefault(key, split) != split:
            raise UserError(in_two_lists(key, file, number, result[key]))
    return result


def in_two_lists(key: str, file: str, line: int, other: str) -> str:
    """What to say of an image that another split's list names too."""
    return (f"--split_lists: {file}:{line}: {key} is in the list of {other} too; a photo belongs to one split, "
            "remove it from one of the lists")


def listed_names(split_lists: str, images: str = "") -> Iterator[tuple[str, str, int, str]]:
    """(key, file, line, split) of every image name in the files of --split_lists, in order; `images` as above.

    Raises:
      UserError: a file cannot be read, names no image, or something that is no name.
    """
    names = FileNames(images)
    for name, file in pairs(split_lists, "split_lists").items():
        split = _flag_split(name, "split_lists")
        try:
            if not epath.Path(file).exists():  # object stores raise errors of their own kind
                raise FileNotFoundError(errno.ENOENT, "no such file")
            lines = regular_files.read_bytes(file).decode("utf-8-sig").split("\n")
        except OSError as error:
            raise UserError(f"--split_lists: cannot read {file} ({error.strerror or error}); "
                            "expected a text file with one image name a line") from error
        except UnicodeDecodeError as error:
            raise UserError(f"--split_lists: {file} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
        if not any(line.strip() for line in lines):
            raise UserError(f"--split_lists: {file} names no image; expected one image name a line")
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield names.complete(image_name(line, images)), file, number, split
            except BadField as error:
                raise UserError(f"--split_lists: {file}:{number}: {error}") from error
