"""The tags that a model knows: id = line number in tags.txt, most frequent first. A tag may have several words.

    tags = TagVocabulary.load(records_dir)        # None where records were made without
    tags.tags[7]                                  'golden retriever'
    tags.outputs(vocabulary)                      int32 [T], the entry of vocabulary.txt whose logit speaks for each tag
    tags.of_entries(vocabulary)                   int32 [V], the tag that each entry of vocabulary.txt counts for, or -1

The network has one logit for each entry of vocabulary.txt and none of its own for tags, so that no weight is added to
the published model. A tag is spoken for by the most frequent of its forms there: `run` by `running`. A keyword that no
caption has as a word is an entry itself, whole.
"""

import dataclasses
import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from etils import epath

from flags.errors import UserError
from records.format.layout import TAG_FORMS, TAGS
from records.text import keywords
from records.text.tag_forms import MERGED, tag_of
from records.text.vocabulary import UNK, Vocabulary, read_lines
from records.util.atomic_files import write_atomic


@dataclasses.dataclass(frozen=True)
class TagRules:
    """Which tags a row has, as far as the row alone tells.

    Attributes:
      forms: "merged" or "as_written"; whether the forms of a word, and keywords that differ in case, are one tag.
      spaces: whether spaces separate the keywords of a cell.
    """

    forms: str = MERGED
    spaces: bool = False

    def fold(self, tag: str) -> str:
        """What two spellings of one tag have in common."""
        return tag.casefold() if self.forms == MERGED else tag

    def of_words(self, words: Iterable[str]) -> list[tuple[str, str]]:
        """(tag, word) for those nouns, verbs and adjectives of a caption that are a tag."""
        return [(tag, word) for word in words if (tag := tag_of(word, self.forms)) is not None]

    def of_keywords(self, cell: str, listed: Sequence[str]) -> list[str]:
        """The keywords of a row; `listed` holds them where a list told them apart, else `cell` is taken apart."""
        return keywords.whole(listed) if listed else keywords.split(cell, self.spaces)


class TagCounter:
    """Counts the tags of the train split's rows; made into a vocabulary by `TagVocabulary.build`."""

    def __init__(self, rules: TagRules):
        self.rules = rules
        self.rows: Counter[str] = Counter()  # by folded tag
        self._words: dict[str, Counter[str]] = defaultdict(Counter)  # of each, the words of captions that count for it
        self._bases: dict[str, str] = {}
        self._spellings: dict[str, Counter[str]] = defaultdict(Counter)  # and its spellings as a keyword

    def add_caption(self, words: Iterable[str]) -> None:
        """The nouns, verbs and adjectives of one caption, each once."""
        found = self.rules.of_words(words)
        for tag, word in found:
            folded = self.rules.fold(tag)
            self._words[folded][word] += 1
            self._bases[folded] = min(tag, self._bases.get(folded, tag))
        self.rows.update({self.rules.fold(tag) for tag, _ in found})

    def add_keywords(self, found: Iterable[str]) -> None:
        """The keywords of one row."""
        by_tag = {self.rules.fold(keyword): keyword for keyword in found}
        for folded, keyword in by_tag.items():
            self._spellings[folded][keyword] += 1
        self.rows.update(list(by_tag))

    def counts(self) -> Iterator[tuple[str, str, str, int]]:
        """All that was counted, as (kind, folded tag, form, count); `add_counts` of several counters is their sum."""
        for folded, count in self.rows.items():
            yield "rows", folded, "", count
        for folded, base in self._bases.items():
            yield "base", folded, base, 0
        for kind, forms in (("word", self._words), ("spelling", self._spellings)):
            for folded, counter in forms.items():
                for form, count in counter.items():
                    yield kind, folded, form, count

    def add_counts(self, kind: str, folded: str, form: str, count: int) -> None:
        """Adds one of what `counts` gave."""
        if kind == "rows":
            self.rows[folded] += count
        elif kind == "base":
            self._bases[folded] = min(form, self._bases.get(folded, form))
        else:
            (self._words if kind == "word" else self._spellings)[folded][form] += count

    def name(self, folded: str) -> str:
        """The tag as it is shown: its most frequent spelling as a keyword, else its base form."""
        spellings = self._spellings.get(folded)
        return _ordered(spellings)[0] if spellings else self._bases[folded]

    def forms(self, folded: str) -> tuple[str, ...]:
        """The words of captions that count for it, most frequent first; of what is only a keyword, its name."""
        return tuple(_ordered(self._words[folded])) if folded in self._words else (self.name(folded),)

    def keyword_rows(self) -> dict[str, int]:
        """Of each tag that is a keyword, by its folded name, the rows that have it as one."""
        return {folded: sum(spellings.values()) for folded, spellings in self._spellings.items()}


def _ordered(counter: Counter[str]) -> list[str]:
    return sorted(counter, key=lambda form: (-counter[form], form))


@dataclasses.dataclass(frozen=True, eq=True)
class TagVocabulary:
    """An immutable list of tags.

    Attributes:
      tags: each tag; the index is its id.
      counts: rows (captions, or keyword rows) of the train split that have it.
      forms: entries of vocabulary.txt that count for it, most frequent first; at least one.
    """

    tags: tuple[str, ...]
    counts: tuple[int, ...]
    forms: tuple[tuple[str, ...], ...]

    @classmethod
    def build(cls, counter: TagCounter, vocabulary: Vocabulary, min_count: int, whole: bool) -> "TagVocabulary":
        """The counted tags that are frequent enough and have an entry in the vocabulary.

        Args:
          whole: whether the vocabulary's entries are the tags themselves (--target=tags), not the words of captions.
        """
        known = set(vocabulary.words)
        rows = []
        for folded, count in counter.rows.items():
            name = counter.name(folded)
            forms = tuple(form for form in ((name,) if whole else counter.forms(folded)) if form in known)
            if forms and count >= min_count:
                rows.append((-count, name, forms))
        rows.sort()
        return cls(tuple(name for _, name, _ in rows), tuple(-count for count, _, _ in rows),
                   tuple(forms for *_, forms in rows))

    @property
    def size(self) -> int:
        """T, the number of tags."""
        return len(self.tags)

    def ids(self, fold: Callable[[str], str]) -> dict[str, int]:
        """The id of each tag, by its name folded."""
        return {fold(tag): index for index, tag in enumerate(self.tags)}

    def outputs(self, vocabulary: Vocabulary) -> np.ndarray:
        """int32 [T]: the entry of the vocabulary whose logit speaks for each tag; UNK where it was cut off."""
        id_of = {word: index for index, word in enumerate(vocabulary.words)}
        return np.array([next((id_of[form] for form in forms if form in id_of), UNK) for forms in self.forms],
                        np.int32)

    def of_entries(self, vocabulary: Vocabulary) -> np.ndarray:
        """int32 [V]: the tag that each entry of the vocabulary counts for; -1 for none."""
        tag_of_form = self.of_forms
        return np.array([tag_of_form.get(word, -1) for word in vocabulary.words], np.int32)

    @functools.cached_property
    def of_forms(self) -> dict[str, int]:
        """The tag that each form counts for; of two, the one that has it as its name."""
        found = sorted((form == self.tags[index], index, form) for index, forms in enumerate(self.forms)
                       for form in forms)
        return {form: index for _, index, form in found}

    def names(self, words: Iterable[str]) -> tuple[str, ...]:
        """The tags that entries of the vocabulary count for, in their order, each once."""
        found = (self.of_forms.get(word) for word in words)
        return tuple(dict.fromkeys(self.tags[tag] for tag in found if tag is not None))

    def save(self, folder: epath.PathLike) -> None:
        """Writes tags.txt (a tag a line) and tag_forms.tsv (tag, count and its forms)."""
        path = epath.Path(folder)
        write_atomic(path / TAGS, "".join(f"{tag}\n" for tag in self.tags))
        write_atomic(path / TAG_FORMS, "".join(
            "\t".join((tag, str(count), *forms)) + "\n"
            for tag, count, forms in zip(self.tags, self.counts, self.forms, strict=True)))

    @classmethod
    def load(cls, folder: epath.PathLike) -> "TagVocabulary | None":
        """Reads what `save` wrote; None where there is no tags.txt, as in records made before there were any.

        Raises:
          UserError: a file is missing or damaged, or the two disagree.
        """
        path = epath.Path(folder)
        if not (path / TAGS).exists():
            return None
        tags = tuple(read_lines(path / TAGS))
        rows = [line.split("\t") for line in read_lines(path / TAG_FORMS)]
        for number, (row, tag) in enumerate(zip(rows, tags, strict=False), 1):
            if len(row) < 3 or row[0] != tag or not row[1].isdecimal():
                raise UserError(f"{path / TAG_FORMS}:{number}: expected {tag!r}, its count and its forms; run "
                                "make_records again or restore the file")
        if len(rows) != len(tags):
            raise UserError(f"{path / TAG_FORMS}: {len(rows)} lines, expected {len(tags)} like {TAGS}; "
                            "run make_records again or restore it")
        return cls(tags, tuple(int(row[1]) for row in rows), tuple(tuple(row[2:]) for row in rows))
