import pytest

from flags.errors import UserError
from records.ingest.planned import Text
from records.ingest.targets import make_targets
from records.sources import Row
from records.text.vocabulary import END, UNK
from tests.records.ingest.databases import resolved

CAPTIONS = [Row("a.jpg", "Two dogs run", "t:1", "train"), Row("b.jpg", "A dog runs on grass", "t:2", "train"),
            Row("c.jpg", "a zebra", "t:3", "test")]
KEYWORDS = [Row("a.jpg", "dog, New York", "t:1", "train", ()), Row("b.jpg", "dog, grass", "t:2", "train", ())]


def test_captions_and_merged_tags_of_train_alone(tmp_path):
    targets = make_targets(resolved(tmp_path, CAPTIONS), "auto", "merged", 1, 0)
    assert targets.target == "captions" and "zebra" not in targets.vocabulary.words
    assert {"dog", "run", "grass"} <= {tag.lower() for tag in targets.tags.tags}
    (tokens,), (tags,) = targets.of([Text("A dog runs", "a dog runs", "dog runs", None)])
    assert targets.vocabulary.decode(tokens) == ["a", "dog", "runs"] and tokens[-1] == END
    assert [targets.tags.tags[tag] for tag in tags] == ["dog", "run"]
    assert any(note.startswith(f"tags: {targets.tags.size}") for note in targets.notes)


def test_published_forms_have_no_tag_vocabulary(tmp_path):
    targets = make_targets(resolved(tmp_path, CAPTIONS), "auto", "published", 1, 0)
    assert targets.tags is None
    tokens, tags = targets.of([Text("a zebra runs", "a zebra runs", "zebra runs", None)])
    assert tags is None and tokens == [[*targets.vocabulary.ids(["a"]), UNK, *targets.vocabulary.ids(["runs"]), END]]


def test_keywords_alone_are_learnt_as_tags(tmp_path):
    targets = make_targets(resolved(tmp_path, KEYWORDS), "auto", "merged", 1, 0)
    assert targets.target == "tags" and targets.tags.tags[0] == "dog" and "New York" in targets.tags.tags
    (tokens,), _ = targets.of([Text("grass, dog", "", "", "")])
    assert targets.vocabulary.decode(tokens) == ["grass", "dog"]
    assert any("a comma, semicolon or bar stands between them" in note for note in targets.notes)


@pytest.mark.parametrize(("target", "said"), [("captions", "no caption of the train split has a word"),
                                              ("tags", "no row of the train split has a tag")])
def test_nothing_to_learn(tmp_path, target, said):
    with pytest.raises(UserError, match=said):
        make_targets(resolved(tmp_path, CAPTIONS[2:]), target, "merged", 1, 0)
