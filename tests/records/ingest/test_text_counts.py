from records.ingest.planned import Text
from records.ingest.text_counts import TextCounts
from records.text.tag_vocabulary import TagRules

ROWS = [Text("A dog runs", "a dog runs", "dog runs", None), Text("Dog, New York", "dog new york", "dog york", ""),
        Text("dogs", "dogs", "dogs", None)]


def test_entries_of_some_rows_and_of_others_are_those_of_all():
    whole, total = TextCounts(TagRules("merged")), TextCounts(TagRules("merged"))
    for row in ROWS:
        whole.add(row)
        part = TextCounts(TagRules("merged"))
        part.add(row)
        for entry in part.entries():
            total.add_entry(entry)
    assert sorted(total.entries()) == sorted(whole.entries())
    assert whole.words == {"a": 1, "dog": 1, "dogs": 1, "runs": 1} and (whole.rows, whole.keyword_rows) == (3, 1)
    assert whole.tags.rows["dog"] == 3 and whole.tags.name("dog") == "Dog"


def test_published_forms_take_every_row_as_a_caption():
    counts = TextCounts(TagRules("published"))
    for row in ROWS:
        counts.add(row)
    assert counts.words["york"] == counts.tagged["york"] == 1 and not counts.tags.rows
