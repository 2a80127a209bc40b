from tagger.evaluation.notes import notes

GOOD = {"images": 100, "target": "captions", "limit": 0, "images_without_shared_tags": 3, "captions_without_words": 0}


def test_numbers_of_many_photos_need_no_note():
    assert notes(GOOD) == []
    assert notes({"images": 100, "target": "captions"}) == []  # as written before there were notes


def test_few_photos_are_said_with_what_gives_more():
    (line,) = notes({**GOOD, "images": 1, "images_without_shared_tags": 0,
                     "way_to_hold_out_more": "name more photos for it in --split_lists"})
    assert line.startswith("Only 1 photo: below a hundred, scores mean little")
    assert line.endswith("; name more photos for it in --split_lists.")
    assert "only more photos help" in notes({**GOOD, "images": 1, "images_without_shared_tags": 0})[0]
    (line,) = notes({**GOOD, "images": 99, "limit": 99})
    assert "score more of them (--limit)" in line


def test_below_a_hundred_photos_the_level_of_chance_is_said():
    lines = notes({**GOOD, "images": 3, "images_without_shared_tags": 0, "chance_average_precision": 0.6111})
    assert lines[1].startswith("A random ranking of so few photos has a mean average precision of 0.611 already")
    assert notes({**GOOD, "chance_average_precision": 0.1}) == []


def test_an_f1_that_can_only_be_zero_and_captions_without_words():
    lines = notes({**GOOD, "images_without_shared_tags": 100, "captions_without_words": 20})
    assert "100 of 100 photos have none, so all three are 0 whatever is answered" in lines[0]
    assert lines[1].startswith("20 of 100 captions have no words") and "--batch_size" in lines[1]


def test_one_caption_for_all_photos():
    (line,) = notes({**GOOD, "distinct_captions": 1})
    assert line.startswith("Each of 100 photos got the same caption: the model hardly tells them apart; train it")
    assert "one of 2 captions" in notes({**GOOD, "distinct_captions": 2})[0]
    assert notes({**GOOD, "distinct_captions": 3}) == []
    assert len(notes({**GOOD, "distinct_captions": 1, "captions_without_words": 100})) == 1


def test_few_tags_that_count_at_5():
    (line,) = notes({**GOOD, "images_without_shared_tags": 51})
    assert line.startswith("Precision, recall and F1 at 5 count tags that two captions of a photo share")
    assert "51 of 100 photos have none, so precision and F1 are low" in line
    assert notes({**GOOD, "images_without_shared_tags": 50}) == []


def test_a_mean_over_few_tags():
    assert notes({**GOOD, "average_precision_tags": 10}) == []
    (line,) = notes({**GOOD, "average_precision_tags": 2})
    assert line.startswith("Mean average precision is over 2 tags only")


def test_scores_without_skill_are_no_merit_however_well_calibrated():
    assert notes({**GOOD, "tag_calibration_error": 0.004, "tag_skill_score": 0.2}) == []
    (line,) = notes({**GOOD, "tag_calibration_error": 0.004, "tag_skill_score": 0.01})
    assert line.startswith("Brier skill score 0.01: ") and "calibration error near 0 is then no merit" in line


def test_where_there_are_no_captions_nothing_speaks_of_them():
    text = " ".join(notes({**GOOD, "images": 2, "target": "tags", "images_without_shared_tags": 2,
                           "captions_without_words": 1}))
    assert "caption" not in text and "1 of 2 answers have no written tag" in text and "Ranked tags, which" in text


def test_more_steps_are_not_advised_where_most_came_after_the_best_epoch():
    for problem in ({"captions_without_words": 20}, {"distinct_captions": 1}):
        (line,) = notes({**GOOD, **problem, "best_epoch": 3, "epochs": 13})
        assert "its best epoch was 3 of 13" in line and "more photos do" in line and "--patience" not in line
        (line,) = notes({**GOOD, **problem, "best_epoch": 11, "epochs": 13})
        assert "--patience" in line


def test_captions_that_another_arithmetic_changed():
    compared = {**GOOD, "precision": "mixed_bfloat16", "changed_captions": 12, "compared_captions": 100}
    assert notes(compared) == ["In mixed_bfloat16: 12 of 100 captions differ from float32's."]
    (line,) = notes({**compared, "images": 3000, "compared_captions": 1000})
    assert "12 of 1,000 captions of the first 1,000 photos differ" in line
