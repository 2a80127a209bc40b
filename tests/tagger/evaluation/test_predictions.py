from records.text.vocabulary import Vocabulary
from tagger.evaluation.predictions import frequent_tags, prediction

CAPTIONS = ("A black dog runs.", "Two dogs, running!")
TAGS = ("black dog runs", "dogs running")


def test_frequent_tags_are_ordered_by_their_count_as_tags_then_by_name():
    counts = {"a": 9, "dog": 4, "red": 3, "cat": 3, "on": 5}
    vocabulary = Vocabulary.build(counts, {"dog": 4, "red": 3, "cat": 3, "on": 1})
    assert frequent_tags(vocabulary) == ("dog", "cat", "red", "on")
    assert frequent_tags(vocabulary, 2) == ("dog", "cat")


def test_references_and_predictions_are_normalised_alike():
    one = prediction("x.jpg", "a black dog runs", ("dog",), CAPTIONS, TAGS, "captions")
    assert one.words == one.references[0] == ("a", "black", "dog", "runs")
    assert one.references[1] == ("two", "dogs", "running")
    assert one.caption_tags == one.reference_tags[0] == ("black", "dog", "runs")


def test_for_target_tags_sequences_of_tags_are_compared_and_every_word_is_a_tag():
    one = prediction("x.jpg", "dog runs dog", ("dog",), CAPTIONS, TAGS, "tags")
    assert one.references == (("black", "dog", "runs"), ("dogs", "running"))
    assert one.words == ("dog", "runs", "dog")
    assert one.caption_tags == ("dog", "runs")
