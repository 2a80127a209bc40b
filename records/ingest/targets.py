"""What the examples' words and tags are: both vocabularies, counted on the train split, and the ids of each row.

    targets = make_targets(database, "auto", "merged", min_count=5, max_words=0)
    tokens, tag_ids = targets.of(example.captions)
"""

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable

from flags.errors import UserError
from records.format import manifest as manifest_lib
from records.ingest.database import IngestDatabase
from records.ingest.planned import Text
from records.ingest.text_counts import PUBLISHED, TextCounts
from records.text.keywords import SpaceRule
from records.text.tag_vocabulary import TagRules, TagVocabulary
from records.text.vocabulary import END, UNK, Vocabulary

_SHOWN = 10


@dataclasses.dataclass(frozen=True, eq=False)
class Targets:
    """How the text of a row becomes numbers.

    Attributes:
      target: "captions": a caption's tokens are its words; "tags": its tags. Those of keyword rows are always tags.
      vocabulary: what token ids mean.
      tags: what tag ids mean; None with --tag_forms=published, where every row is a caption and tags are its words
        that PatternTagger calls nouns, verbs and adjectives.
      notes: what was assumed and found, for the summary.
    """

    target: str
    vocabulary: Vocabulary
    tags: TagVocabulary | None = None
    rules: TagRules = TagRules()
    notes: tuple[str, ...] = ()

    def merged(self, texts: tuple[Text, ...]) -> tuple[Text, ...]:
        """An image's rows with its keyword rows as one: tables of one label a row give a photo one list of tags."""
        keyword_rows = [text for text in texts if text.keywords is not None]
        if self.tags is None or len(keyword_rows) < 2:
            return texts
        keywords = [keyword for text in keyword_rows for keyword in self.rules.of_keywords(text.caption, text.listed)]
        whole = Text(", ".join(text.caption for text in keyword_rows), " ".join(text.words for text in keyword_rows),
                     " ".join(dict.fromkeys(tag for text in keyword_rows for tag in text.tags.split())),
                     "\n".join(dict.fromkeys(keywords)))
        return (whole, *(text for text in texts if text.keywords is None))

    def of(self, texts: Iterable[Text]) -> tuple[list[list[int]], list[list[int]] | None]:
        """Token ids of each row, each list ending with END; and its tag ids, or None without a tag vocabulary."""
        if self.tags is None:
            words = [text.words if self.target == "captions" else text.tags for text in texts]
            return [[*self.vocabulary.ids(row.split()), END] for row in words], None
        tokens, tag_ids = [], []
        for text in texts:
            folded = list(dict.fromkeys(map(self.rules.fold, self._tags_of(text))))
            if text.keywords is None and self.target == "captions":
                tokens.append([*self.vocabulary.ids(text.words.split()), END])
            else:
                tokens.append([*(self._entries.get(tag, UNK) for tag in folded), END])
            tag_ids.append([self._ids[tag] for tag in folded if tag in self._ids])
        return tokens, tag_ids

    def _tags_of(self, text: Text) -> list[str]:
        """The tags of a row, whether the tag vocabulary has them or not."""
        if text.keywords is None:
            return [tag for tag, _ in self.rules.of_words(text.tags.split())]
        return self.rules.of_keywords(text.caption, text.listed)

    def unknown(self, texts: Iterable[Text]) -> list[str]:
        """What of an image's rows the vocabularies lack, in order: words of captions, or tags where these are all."""
        result: list[str] = []
        for text in texts:
            if self.target == "captions" and (text.keywords is None or self.tags is None):
                result += [word for word in text.words.split() if word not in self._words]
            elif self.tags is None:
                result += [word for word in text.tags.split() if word not in self._words]
            else:
                result += [tag for tag in self._tags_of(text) if self.rules.fold(tag) not in self._ids]
        return result

    def save(self, records_dir: str) -> None:
        """Writes the vocabularies' files."""
        self.vocabulary.save(records_dir)
        if self.tags is not None:
            self.tags.save(records_dir)

    @functools.cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(self.vocabulary.words)

    @functools.cached_property
    def _ids(self) -> dict[str, int]:
        assert self.tags is not None
        return self.tags.ids(self.rules.fold)

    @functools.cached_property
    def _entries(self) -> dict[str, int]:
        """The entry of the vocabulary that speaks for each tag, by its folded name."""
        assert self.tags is not None
        outputs = self.tags.outputs(self.vocabulary).tolist()
        return {tag: outputs[index] for tag, index in self._ids.items()}


def make_targets(database: IngestDatabase, target: str, tag_forms: str, min_count: int, max_words: int) -> Targets:
    """Counts the train split of an ingest database whose duplicate groups are resolved; see `targets_of`."""
    space_rule = SpaceRule()
    if tag_forms == PUBLISHED:
        counts = TextCounts(TagRules(tag_forms))
        counts.words, counts.tagged = database.count_words("train")
        return targets_of(counts, target, min_count, max_words)
    for cell in database.keyword_cells():
        space_rule.add(cell)
    counts = TextCounts(TagRules(tag_forms, space_rule.spaces))
    for text in database.texts("train"):
        counts.add(text)
    return targets_of(counts, target, min_count, max_words, space_rule.separated)


def make_same_targets(other: str, target: str, tag_forms: str, cells: Iterable[str]) -> Targets:
    """The vocabularies of other records, for --vocabulary.

    Args:
      other: a records folder.
      cells: those of this table that hold keywords nobody has told apart.

    Raises:
      UserError: there are no such records, or they have another target or other forms of tags.
    """
    manifest = manifest_lib.load(other)
    forms = manifest.flags.get("tag_forms", PUBLISHED)
    for flag, value, given in (("target", manifest.target, target if target != "auto" else manifest.target),
                               ("tag_forms", forms, tag_forms)):
        if given != value:
            raise UserError(f"--{flag}={given} with --vocabulary={other}: these records were made with "
                            f"--{flag}={value}; give that")
    rule = SpaceRule()
    for cell in cells:
        rule.add(cell)
    vocabulary, tags = Vocabulary.load(other), TagVocabulary.load(other)
    return Targets(manifest.target, vocabulary, tags, TagRules(forms, rule.spaces),
                   (f"words and tags: those of {other}",))


def targets_of(counts: TextCounts, target: str, min_count: int, max_words: int, separated: bool = False) -> Targets:
    """Both vocabularies, of what the rows of the train split say.

    Args:
      target: "captions", "tags", or "auto" for tags where the train split has keywords only.
      separated: whether a cell of keywords has another separator than a space.

    Raises:
      UserError: the train split has no caption, or for target "tags" no tag.
    """
    words, tagged, tags = counts.words, counts.tagged, counts.tags
    if counts.rules.forms == PUBLISHED:
        target = "captions" if target == "auto" else target
        _check_not_empty(counts, words, target)
        return Targets(target, Vocabulary.build(words if target == "captions" else tagged, tagged, min_count, max_words,
                                                counts.cut))
    if target == "auto":
        target = "tags" if counts.keyword_rows == counts.rows else "captions"
    if target == "tags":
        words = tagged = Counter({tags.name(folded): count for folded, count in tags.rows.items()})
    else:
        for folded, count in tags.keyword_rows().items():
            entry = tags.forms(folded)[0]
            words[entry] += count
            tagged[entry] += count
    _check_not_empty(counts, words, target)
    vocabulary = Vocabulary.build(words, tagged, min_count, max_words, counts.cut)
    vocabulary_of_tags = TagVocabulary.build(tags, vocabulary, min_count, whole=target == "tags")
    return Targets(target, vocabulary, vocabulary_of_tags, counts.rules,
                   _notes(vocabulary_of_tags, counts, separated))


def _check_not_empty(counts: TextCounts, words: Counter[str], target: str) -> None:
    if not words and not counts.cut[0]:
        raise UserError(
            "no caption of the train split has a word to learn; is the right column read? docs/data.md names them"
            if target == "captions" else
            "no row of the train split has a tag: nouns, verbs and adjectives are looked for in captions, and every "
            "keyword of a column called tags or labels counts; pass --target=captions, or call the column tags")


def _notes(tags: TagVocabulary, counts: TextCounts, separated: bool) -> tuple[str, ...]:
    shown = ", ".join(tags.tags[:_SHOWN]) + (", …" if tags.size > _SHOWN else "")
    notes = [f"tags: {tags.size:,}" + (f" ({shown})" if shown else "")]
    if counts.keyword_rows:
        between = ("a comma, semicolon or bar stands between them" if separated else
                   "taken to be separated by spaces, as no cell has a comma, semicolon or bar and their words come "
                   "again in other cells" if counts.rules.spaces else
                   "each cell without a comma, semicolon or bar is one keyword")
        notes.append(f"keywords: {counts.keyword_rows:,} of {counts.rows:,} rows of train; {between}")
    return tuple(notes)
