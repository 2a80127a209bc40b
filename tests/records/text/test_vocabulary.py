from collections import Counter

import pytest

from flags.errors import UserError
from records.text.vocabulary import END, PAD, UNK, Vocabulary

COUNTS = Counter({"a": 9, "dog": 5, "cat": 5, "runs": 4, "on": 3, "zebra": 1})
TAGGED = Counter({"dog": 5, "cat": 5, "runs": 2, "on": 1, "zebra": 1})


def build(**cut):
    return Vocabulary.build(COUNTS, TAGGED, **cut)


def test_words_are_ordered_by_count_then_alphabet_after_the_specials():
    vocabulary = build()
    assert vocabulary.words == ("<pad>", "<end>", "<unk>", "a", "cat", "dog", "runs", "on", "zebra")
    assert vocabulary.size == 9
    assert vocabulary.counts == (0, 0, 0, 9, 5, 5, 4, 3, 1)


@pytest.mark.parametrize("cut", [{"min_count": 4}, {"max_words": 4}, {"min_count": 2, "max_words": 4}])
def test_a_smaller_vocabulary_is_a_prefix_and_counts_the_rest_as_unknown(cut):
    small = build(**cut)
    assert small.words == build().words[:7]
    assert small.counts[UNK] == 3 + 1
    assert small.tag_counts[UNK] == 1 + 1
    assert small == build().truncated(7)


def test_truncating_twice_is_truncating_once():
    assert build().truncated(7).truncated(5) == build().truncated(5)


def test_vocabulary_cannot_lose_its_specials():
    with pytest.raises(ValueError, match="size=2"):
        build().truncated(2)


def test_ids_and_decode():
    vocabulary = build()
    ids = vocabulary.ids(["a", "dog", "flies", "on"])
    assert ids == [3, 5, UNK, 7]
    assert vocabulary.decode([*ids, END, 3, 3]) == ["a", "dog", "<unk>", "on"]
    assert vocabulary.decode([3, PAD, 5]) == ["a"]
    assert vocabulary.decode([]) == []
    for wrong in ([99], [-1]):
        with pytest.raises(IndexError):
            vocabulary.decode(wrong)


def test_is_tag_asks_for_at_least_half_of_the_occurrences():
    vocabulary = build()
    assert [word for word, tag in zip(vocabulary.words, vocabulary.is_tag, strict=True) if tag] == [
        "cat", "dog", "runs", "zebra"]
    assert not build(min_count=10).is_tag.any()


def test_save_and_load(tmp_path):
    vocabulary = Vocabulary.build(Counter({"naïve": 2, "犬": 1, "dog's": 1}), Counter({"犬": 1}))
    vocabulary.save(tmp_path)
    assert Vocabulary.load(tmp_path) == vocabulary
    assert (tmp_path / "vocabulary.txt").read_text("utf-8") == "<pad>\n<end>\n<unk>\nnaïve\ndog's\n犬\n"
    assert (tmp_path / "word_counts.tsv").read_text("utf-8").splitlines()[3] == "naïve\t2\t0"


def _edit(path, old, new):
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")


@pytest.mark.parametrize(("damage", "named"), [
    (lambda folder: (folder / "vocabulary.txt").unlink(), "vocabulary.txt"),
    (lambda folder: (folder / "word_counts.tsv").unlink(), "word_counts.tsv"),
    (lambda folder: (folder / "vocabulary.txt").write_text(""), "vocabulary.txt"),
    (lambda folder: (folder / "vocabulary.txt").write_bytes(b"\xff\xfe\x00"), "vocabulary.txt"),
    (lambda folder: _edit(folder / "vocabulary.txt", "<end>\n", ""), "<pad>, <unk>, a"),
    (lambda folder: _edit(folder / "vocabulary.txt", "cat", "dog"), "listed twice"),
    (lambda folder: _edit(folder / "vocabulary.txt", "cat", "cow"), "word_counts.tsv:5: word 'cat'"),
    (lambda folder: _edit(folder / "word_counts.tsv", "cat\t5\t5", "cat\tfive\t5"), "word_counts.tsv:5"),
    (lambda folder: _edit(folder / "word_counts.tsv", "cat\t5\t5", "cat\t5"), "word_counts.tsv:5"),
    (lambda folder: _edit(folder / "word_counts.tsv", "zebra\t1\t1\n", ""), "8 lines, expected 9"),
    (lambda folder: _edit(folder / "vocabulary.txt", "zebra\n", ""), "word_counts.tsv:9"),
])
def test_a_damaged_vocabulary_is_refused_in_one_line(tmp_path, damage, named):
    build().save(tmp_path)
    damage(tmp_path)
    with pytest.raises(UserError) as error:
        Vocabulary.load(tmp_path)
    assert named in str(error.value)
    assert "\n" not in str(error.value)
