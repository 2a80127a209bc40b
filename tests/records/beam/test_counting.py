"""Counts that are added up in parts, against one count of everything."""

import functools

import pytest

from records.beam import counting
from records.beam.counting import CountingJob
from records.beam.examples import Placed
from records.beam.work_folder import WorkFolder
from records.ingest.planned import Text
from records.ingest.targets import targets_of
from records.ingest.text_counts import TextCounts
from records.text.tag_vocabulary import TagRules
from tests.records.beam import in_process

TEXTS = [Text(c, c, " ".join(w for w in c.split() if w not in ("a", "on", "the")), None) for c in
         ("a dog runs on the grass", "dogs run", "a zebra", "the dog on a bench", "a bench", "running dogs")]


@pytest.mark.parametrize("least", [1, 2])
def test_parts_add_up_and_rare_words_are_only_summed(tmp_path, least):
    work, rules = WorkFolder(str(tmp_path)), TagRules("merged")
    whole = TextCounts(rules)
    for number, text in enumerate(TEXTS):
        whole.add(text)
        work.put(f"examples-train-{number}", [Placed("train", b"", ("a.jpg", 1, 1, 0, False, 9, (text,)))], {})
    job = CountingJob(work, 4, rules, least)
    in_process.run("", work.names("examples"), [functools.partial(counting.counts, job=job),
                                                functools.partial(counting.add_up, job=job)], tmp_path)
    total = TextCounts(rules)
    total.rows = len(TEXTS)
    for body in work.bodies("counts"):
        for entry in body:
            total.add_entry(entry)
    cut = work.summaries("counts").values()
    total.cut = sum(words for words, _ in cut), sum(tagged for _, tagged in cut)
    assert ("zebra" in total.words) == (least == 1)
    one, parts = (targets_of(counts, "captions", least, 0) for counts in (whole, total))
    assert (parts.vocabulary, parts.tags) == (one.vocabulary, one.tags)
