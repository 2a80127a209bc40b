"""What the rows of the train split say, counted: all that both vocabularies are made of.

    counts = TextCounts(TagRules("merged", spaces=False))
    for text in database.texts("train"): counts.add(text)

Counts of some rows and of others add up, entry by entry, to the counts of all: on a cluster each part of the rows is
counted where it is, and each word is added up where its hash says (records.beam.counting).
"""

from collections import Counter
from collections.abc import Iterator

from records.ingest.planned import Text
from records.text.tag_vocabulary import TagCounter, TagRules

PUBLISHED = "published"
Entry = tuple[str, str, str, int]  # kind, folded tag or "", word or keyword, count


class TextCounts:
    """The counts of some rows.

    Attributes:
      words: by word, how often captions have it.
      tagged: of these, how often the tagger called it a noun, verb or adjective.
      tags: by tag, and by its forms; empty where the forms are "published", which know no tags beside words.
      rows, keyword_rows: how many there are, and how many of them hold keywords.
      cut: occurrences of words left out for being rare, and how many of these were tagged.
    """

    def __init__(self, rules: TagRules):
        self.rules = rules
        self.words, self.tagged = Counter[str](), Counter[str]()
        self.tags = TagCounter(rules)
        self.rows = self.keyword_rows = 0
        self.cut = 0, 0

    def add(self, text: Text) -> None:
        """Counts one row."""
        self.rows += 1
        self.keyword_rows += text.keywords is not None
        if text.keywords is None or self.rules.forms == PUBLISHED:
            self.words.update(text.words.split())
            self.tagged.update(text.tags.split())
        if self.rules.forms == PUBLISHED:
            return
        if text.keywords is None:
            self.tags.add_caption(text.tags.split())
        else:
            self.tags.add_keywords(self.rules.of_keywords(text.caption, text.listed))

    def entries(self) -> Iterator[Entry]:
        """All counts but those of rows, one by one."""
        for kind, counter in (("words", self.words), ("tagged", self.tagged)):
            for word, count in counter.items():
                yield kind, "", word, count
        yield from self.tags.counts()

    def add_entry(self, entry: Entry) -> None:
        """Adds one count of other rows."""
        kind, folded, form, count = entry
        if kind in ("words", "tagged"):
            (self.words if kind == "words" else self.tagged)[form] += count
        else:
            self.tags.add_counts(kind, folded, form, count)
