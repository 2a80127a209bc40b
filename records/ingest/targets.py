"""What the examples' words and tags are: both vocabularies, counted on the train split, and the ids of each row.

    targets = make_targets(database, "auto", "merged", min_count=5, max_words=0)
    tokens, tag_ids = targets.of(example.captions)
"""

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable

from flags.errors import UserError
from records.ingest.database import IngestDatabase
from records.ingest.planned import Text
from records.text.keywords import SpaceRule
from records.text.tag_vocabulary import TagCounter, TagRules, TagVocabulary
from records.text.vocabulary import END, UNK, Vocabulary

PUBLISHED = "published"
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
            if text.keywords is None:
                folded = [self.rules.fold(tag) for tag, _ in self.rules.of_words(text.tags.split())]
            else:
                folded = list(map(self.rules.fold, self.rules.of_keywords(text.caption, text.listed)))
            folded = list(dict.fromkeys(folded))
            if text.keywords is None and self.target == "captions":
                tokens.append([*self.vocabulary.ids(text.words.split()), END])
            else:
                tokens.append([*(self._entries.get(tag, UNK) for tag in folded), END])
            tag_ids.append([self._ids[tag] for tag in folded if tag in self._ids])
        return tokens, tag_ids

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
    """Counts the train split of an ingest database whose duplicate groups are resolved.

    Args:
      target: "captions", "tags", or "auto" for tags where the train split has keywords only.

    Raises:
      UserError: the train split has no caption, or for target "tags" no tag.
    """
    if tag_forms == PUBLISHED:
        target = "captions" if target == "auto" else target
        words, tagged = database.count_words("train")
        _check_not_empty(words, target)
        counted = words if target == "captions" else tagged
        return Targets(target, Vocabulary.build(counted, tagged, min_count, max_words))
    space_rule = SpaceRule()
    for cell in database.keyword_cells():
        space_rule.add(cell)
    rules = TagRules(tag_forms, space_rule.spaces)
    counter, words, tagged, keyword_rows = TagCounter(rules), Counter[str](), Counter[str](), 0
    rows = 0
    for text in database.texts("train"):
        rows += 1
        if text.keywords is None:
            counter.add_caption(text.tags.split())
            words.update(text.words.split())
            tagged.update(text.tags.split())
        else:
            counter.add_keywords(rules.of_keywords(text.caption, text.listed))
            keyword_rows += 1
    if target == "auto":
        target = "tags" if keyword_rows == rows else "captions"
    if target == "tags":
        words = tagged = Counter({counter.name(folded): count for folded, count in counter.rows.items()})
    else:
        for folded, count in counter.keyword_rows().items():
            entry = counter.forms(folded)[0]
            words[entry] += count
            tagged[entry] += count
    _check_not_empty(words, target)
    vocabulary = Vocabulary.build(words, tagged, min_count, max_words)
    tags = TagVocabulary.build(counter, vocabulary, min_count, whole=target == "tags")
    return Targets(target, vocabulary, tags, rules, _notes(tags, keyword_rows, rows, space_rule))


def _check_not_empty(counted: Iterable, target: str) -> None:
    if not any(True for _ in counted):
        raise UserError(
            "no caption of the train split has a word to learn; is the right column read? docs/data.md names them"
            if target == "captions" else
            "no row of the train split has a tag: nouns, verbs and adjectives are looked for in captions, and every "
            "keyword of a column called tags or labels counts; pass --target=captions, or call the column tags")


def _notes(tags: TagVocabulary, keyword_rows: int, rows: int, rule: SpaceRule) -> tuple[str, ...]:
    shown = ", ".join(tags.tags[:_SHOWN]) + (", …" if tags.size > _SHOWN else "")
    notes = [f"tags: {tags.size:,}" + (f" ({shown})" if shown else "")]
    if keyword_rows:
        between = ("a comma, semicolon or bar stands between them" if rule.separated else
                   "taken to be separated by spaces, as no cell has a comma, semicolon or bar and their words come "
                   "again in other cells" if rule.spaces else
                   "each cell without a comma, semicolon or bar is one keyword")
        notes.append(f"keywords: {keyword_rows:,} of {rows:,} rows of train; {between}")
    return tuple(notes)
