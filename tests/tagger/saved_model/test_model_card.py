import dataclasses
import json

import pytest

from tagger.saved_model.model_card import Facts, readme

FACTS = Facts(version=3, created_with="TensorFlow 2.21", target="captions", backbone="resnet50", preprocessing="caffe",
              image_size=224, feature_size=2048, vocabulary_size=7654, top_tags=5, beam_width=3, length_penalty=0.7,
              max_length=17, block_repeats="adjacent", tag_samples=4, tag_prompt=False, min_score=0.25,
              calibrated=False, calibration_photos=None, stored_as="float16", precision="float32", changed_captions="",
              ensemble=2)
ANSWER = {"caption": "a “dog” runs", "tags": [["dog", 0.123456], ["run", 0.1]], "valid": True}


def test_facts_and_the_answer_are_in_it():
    text = readme(FACTS, ANSWER)
    line = next(line for line in text.splitlines() if line.startswith('    {"predictions"'))
    assert json.loads(line) == {"predictions": [
        {"caption": "a “dog” runs", "tags": ["dog", "run"], "tag_scores": [0.1235, 0.1], "valid": True}]}
    for expected in ("7,654 words", "resnet50, 2,048 numbers; caffe", "224 x 224", "| float16 |", "[batch, 5]",
                     "[batch, 2048]", 'load("3")', "1 to 17"):
        assert expected in text, expected
    assert '"max_length": 12, "min_score": 0.5, "top_tags": 5}}' in text
    assert "{facts" not in text and "{{" not in text


def test_the_request_keeps_to_the_ranges_of_the_table():
    text = readme(dataclasses.replace(FACTS, max_length=11, top_tags=3), ANSWER)
    assert "1 to 11 |" in text and '"max_length": 11, "min_score": 0.5, "top_tags": 3}}' in text


@pytest.mark.parametrize(("photos", "line"), [
    (None, "validation split: of the tags with a score of 0.7 to 0.8 about three quarters are right."),
    (100, "validation split of 100 photos: of the tags with a score of 0.7 to 0.8 about three quarters are right."),
    (3, "validation split of 3 photos: too few for more than a rough guess")])
def test_what_a_calibration_promises_depends_on_its_photos(photos, line):
    assert line in readme(dataclasses.replace(FACTS, calibrated=True, calibration_photos=photos), ANSWER)


@pytest.mark.parametrize(("tag_prompt", "origin"), [(True, "which the model was trained to answer"),
                                                    (False, "4 sampled ones")])
def test_where_scores_come_from(tag_prompt, origin):
    assert origin in readme(dataclasses.replace(FACTS, tag_prompt=tag_prompt), ANSWER)
