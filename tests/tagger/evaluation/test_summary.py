import numpy as np

from tagger.evaluation import metrics
from tagger.evaluation.summary import definition, definitions, summary, table

VALUES = {
    "bleu_1": 61.74, "bleu_2": 42.7, "bleu_3": 28.7, "bleu_4": 18.94, "rouge_l": 45.0, "cider": 45.04,
    "tag_precision": 0.5, "tag_recall": 0.25, "tag_f1": 0.3333, "precision_at_5": 0.394, "recall_at_5": 0.424,
    "f1_at_5": 0.408, "mean_average_precision": None, "loss": 2.9101, "perplexity": 18.36, "distinct_captions": 1234,
    "distinct_words": 204, "seen_in_training": 0.095, "images": 1000, "split": "test", "weights": "best",
    "beam_width": 3, "length_penalty": 0.7, "ensemble": [], "target": "captions", "f1_at_threshold": 0.55,
    "tag_calibration_error": 0.021, "tag_skill_score": 0.386, "images_without_reference": 0}


def test_the_table_shows_every_value_beside_its_name_in_a_terminals_width():
    lines = table(VALUES).splitlines()
    assert max(map(len, lines)) <= 100
    text = " ".join(" ".join(lines).split())
    for expected in ("BLEU-1 61.7", "BLEU-4 18.9", "CIDEr-D 45.0", "F1 at 5 0.408", "loss 2.9101", "distinct 1,234",
                     "seen in training 9.5%", "mean avg. precision –", "calibration error 0.021",
                     "Brier skill score 0.386"):
        assert expected in text, expected


def test_where_photos_have_tags_and_no_captions_nothing_speaks_of_captions():
    values = {**VALUES, "target": "tags", "images_without_reference": 7}
    text = summary(values, "runs/a") + " ".join(definitions("tags").values())
    assert "caption" not in text and "BLEU" not in text
    assert "1,000 photos of test" in text and "7 of them have no reference" in text


def test_of_no_words_none_is_distinct():
    text = " ".join(table({**VALUES, "target": "tags", "captions_without_words": 1000, "distinct_captions": 1}).split())
    assert "distinct –" in text and "seen in training –" in text and "tags used –" in text


def test_the_summary_names_what_was_scored():
    text = summary({**VALUES, "ensemble": ["runs/b"]}, "runs/a")
    assert "runs/a with runs/b: 1,000 photos of test, best weights, beam 3, length penalty 0.7" in text
    assert "At 5, and in mean avg. precision, a tag is right where two captions of the photo have it" in text


def test_every_metric_is_defined():
    words = ("a", "dog")
    one = metrics.Prediction("x", words, (words,), words, words, (words, words))
    names = metrics.score(metrics.Predictions([one], ("dog",), np.ones((1, 1)))).values
    for target in ("captions", "tags"):
        assert names and all(definition(name, target) in definitions(target).values() for name in names)
