"""The words that a model knows: id = line number in vocabulary.txt, most frequent first.

    vocabulary = Vocabulary.build(counter, tag_counter, min_count=5, max_words=None)
    vocabulary.ids(["a", "dog"])          [3, 17]
    vocabulary.decode([3, 17, END, 9])    ["a", "dog"]

Words are ordered by (count descending, word ascending), so that every smaller vocabulary is a prefix of a larger one.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from etils import epath

from flags.errors import UserError
from records.format.layout import VOCABULARY, WORD_COUNTS
from records.util import regular_files
from records.util.atomic_files import write_atomic

PAD, END, UNK = 0, 1, 2
SPECIALS = ("<pad>", "<end>", "<unk>")  # no word of records.text.tokenizer holds a "<"


@dataclasses.dataclass(frozen=True, eq=True)
class Vocabulary:
    """An immutable list of words with their counts in the train split.

    Attributes:
      words: every word, the three specials first; the index is the id.
      counts: how often each word is a target word in train; of <unk>, how many target words were cut off.
      tag_counts: how often TextBlob called the word a noun, verb or adjective; parallel to counts.
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]
    tag_counts: tuple[int, ...]

    @classmethod
    def build(cls, counter: Mapping[str, int], tag_counter: Mapping[str, int], min_count: int = 1,
              max_words: int | None = None, cut: tuple[int, int] = (0, 0)) -> "Vocabulary":
        """Orders the counted words and cuts those rarer than `min_count` or beyond `max_words`.

        Args:
          counter: word -> occurrences as a target word in the train split.
          tag_counter: word -> occurrences where the tagger called it a tag.
          min_count: rarest word that is kept.
          max_words: most words kept, the specials not counted; None or 0 keeps all.
          cut: occurrences of words that `counter` was spared, and how many of them the tagger called tags.
        """
        ordered = sorted(counter, key=lambda word: (-counter[word], word))
        kept = [word for word in ordered if counter[word] >= min_count][:max_words or None]
        everything = cls(
            SPECIALS + tuple(ordered),
            (0, 0, cut[0]) + tuple(counter[word] for word in ordered),
            (0, 0, cut[1]) + tuple(tag_counter.get(word, 0) for word in ordered))
        return everything.truncated(len(SPECIALS) + len(kept))

    def truncated(self, size: int) -> "Vocabulary":
        """The vocabulary of the first `size` entries (specials included); the rest is counted under <unk>.

        Raises:
          ValueError: `size` is smaller than the number of specials.
        """
        if size < len(SPECIALS):
            raise ValueError(f"size={size}: a vocabulary holds at least the {len(SPECIALS)} specials")

        def cut(values: tuple[int, ...]) -> tuple[int, ...]:
            return (*values[:UNK], values[UNK] + sum(values[size:]), *values[UNK + 1:size])

        return Vocabulary(self.words[:size], cut(self.counts), cut(self.tag_counts))

    @property
    def size(self) -> int:
        """Number of ids, specials included."""
        return len(self.words)

    @functools.cached_property
    def _id_of(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words)}

    @functools.cached_property
    def is_tag(self) -> np.ndarray:
        """bool [size]: the tagger called at least half of the word's occurrences a noun, verb or adjective."""
        counts, tagged = np.array(self.counts, np.int64), np.array(self.tag_counts, np.int64)
        result = (counts > 0) & (tagged * 2 >= counts)
        result[:len(SPECIALS)] = False
        result.setflags(write=False)
        return result

    def ids(self, words: Iterable[str]) -> list[int]:
        """The id of each word, UNK for those not in the vocabulary. No END is added."""
        id_of = self._id_of
        return [id_of.get(word, UNK) for word in words]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The words of `ids` up to the first END or PAD.

        Raises:
          IndexError: an id is outside the vocabulary.
        """
        result = []
        for index in ids:
            if index in (PAD, END):
                break
            if index < 0:
                raise IndexError(f"word id {index} is negative")
            result.append(self.words[index])
        return result

    def save(self, folder: epath.PathLike) -> None:
        """Writes vocabulary.txt (a word a line) and word_counts.tsv (word, count, tag count)."""
        path = epath.Path(folder)
        write_atomic(path / VOCABULARY, "".join(f"{word}\n" for word in self.words))
        write_atomic(path / WORD_COUNTS, "".join(
            f"{word}\t{count}\t{tagged}\n"
            for word, count, tagged in zip(self.words, self.counts, self.tag_counts, strict=True)))

    @classmethod
    def load(cls, folder: epath.PathLike) -> "Vocabulary":
        """Reads what `save` wrote.

        Raises:
          UserError: a file is missing or damaged, or the two files disagree.
        """
        path = epath.Path(folder)
        words = tuple(read_lines(path / VOCABULARY))
        if words[:len(SPECIALS)] != SPECIALS:
            raise UserError(f"{path / VOCABULARY}: starts with {', '.join(words[:3]) or 'nothing'}, expected "
                            f"{', '.join(SPECIALS)}; run make_records again or restore the file")
        if len(set(words)) != len(words):
            raise UserError(f"{path / VOCABULARY}: a word is listed twice; run make_records again or restore it")
        counts, tag_counts = [], []
        rows = read_lines(path / WORD_COUNTS)
        for number, row in enumerate(rows, 1):
            word, count, tagged = _count_row(row, f"{path / WORD_COUNTS}:{number}")
            if number > len(words) or word != words[number - 1]:
                raise UserError(f"{path / WORD_COUNTS}:{number}: word {word!r} is not line {number} of "
                                f"{VOCABULARY}; the two files belong to different runs of make_records")
            counts.append(count)
            tag_counts.append(tagged)
        if len(rows) != len(words):
            raise UserError(f"{path / WORD_COUNTS}: {len(rows)} lines, expected {len(words)} like {VOCABULARY}; "
                            "run make_records again or restore it")
        return cls(words, tuple(counts), tuple(tag_counts))


def _count_row(row: str, where: str) -> tuple[str, int, int]:
    try:
        word, count, tagged = row.split("\t")
        return word, int(count), int(tagged)
    except ValueError as error:
        raise UserError(f"{where}: found {row[:80]!r}, expected word, count and tag count separated by tabs; "
                        "run make_records again or restore the file") from error


def read_lines(path: epath.Path) -> Sequence[str]:
    """The lines of a text file, without the last line end.

    Raises:
      UserError: it cannot be read.
    """
    try:
        if not path.exists():  # object stores raise errors of their own kind
            raise FileNotFoundError("no such file")
        text = regular_files.read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a vocabulary ({error}); is this a records folder or a run "
                        "folder that make_records or train finished?") from error
    return text.removesuffix("\n").split("\n") if text else []
