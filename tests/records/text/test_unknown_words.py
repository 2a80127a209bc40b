from records.text.unknown_words import remark


def test_advice_is_only_what_can_be_followed():
    assert remark(10, 100, 2, 0) == ""
    assert "make records with a smaller --min_count, or" in remark(11, 100, 2, 0)
    assert "make records with a larger --max_words, or" in remark(11, 100, 1, 500)
    assert "only in captions that are held out" in remark(11, 100, 1, 0)
