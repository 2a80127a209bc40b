from records.text.tag_vocabulary import TagVocabulary
from records.text.vocabulary import Vocabulary
from tagger.evaluation.predictions import frequent_tags, prediction

CAPTIONS = ("A black dog runs.", "Two dogs, running!")
TAGS = (("black", "dog", "runs"), ("dogs", "running"))


def test_frequent_tags_are_ordered_by_their_count_as_tags_then_by_name():
    counts = {"a": 9, "dog": 4, "red": 3, "cat": 3, "on": 5}
    vocabulary = Vocabulary.build(counts, {"dog": 4, "red": 3, "cat": 3, "on": 1})
    assert frequent_tags(vocabulary, None) == ("dog", "cat", "red", "on")
    assert frequent_tags(vocabulary, None, 2) == ("dog", "cat")


def test_with_a_tag_vocabulary_frequent_tags_are_its_first():
    tags = TagVocabulary(("dog", "New York"), (9, 3), (("dogs",), ("New York",)))
    assert frequent_tags(Vocabulary.build({"dogs": 9}, {}), tags, 1) == ("dog",)


def test_references_and_predictions_are_normalised_alike():
    one = prediction("x.jpg", ("a", "black", "dog", "runs"), ("dog",), (0.5,), CAPTIONS, TAGS, "captions", None)
    assert one.words == one.references[0] == ("a", "black", "dog", "runs")
    assert one.references[1] == ("two", "dogs", "running")
    assert one.caption_tags == one.reference_tags[0] == ("black", "dog", "runs")


def test_the_tags_of_a_predicted_caption_are_those_of_the_tag_vocabulary():
    tags = TagVocabulary(("dog", "run"), (9, 3), (("dogs", "dog"), ("runs", "running")))
    one = prediction("x.jpg", ("dogs", "running", "dog"), (), (), CAPTIONS, (("dog",), ()), "captions", tags)
    assert one.caption_tags == ("dog", "run") and one.reference_tags == (("dog",), ())


def test_for_target_tags_sequences_of_tags_are_compared_and_every_word_is_a_tag():
    answer = ("New York", "dog", "New York")
    one = prediction("x.jpg", answer, ("dog",), (0.5,), CAPTIONS, (("black", "New York"), ("dog",)), "tags", None)
    assert one.references == (("black", "New_York"), ("dog",))
    assert one.words == ("New_York", "dog", "New_York")
    assert one.caption_tags == ("New York", "dog") and one.all_tags == {"black", "New York", "dog"}
