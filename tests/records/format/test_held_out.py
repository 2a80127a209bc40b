from records.format.held_out import way_to_hold_out_more


def test_advice_about_few_held_out_photos_is_never_what_was_given():
    for fractions in ("", "train=0.9,validation=0.1", "train=0.75,validation=0.2,test=0.05"):
        assert "--split_fractions=train=0.6,validation=0.2,test=0.2" in way_to_hold_out_more(
            {"split_fractions": fractions, "split_lists": ""}, ["validation", "test"])
    given = {"split_fractions": "train=0.6,validation=0.2,test=0.2"}
    assert way_to_hold_out_more(given, ["test"]) == "only more photos help"


def test_splits_of_the_table_are_not_to_be_drawn_anew():
    assert way_to_hold_out_more({"split_fractions": "", "own_splits": True}, ["test"]).startswith("only more photos in")


def test_lists_are_made_longer():
    """--split_fractions beside --split_lists would be refused."""
    advice = way_to_hold_out_more({"split_lists": "train=a.txt,test=b.txt", "split_fractions": ""}, ["test"])
    assert advice == "name more photos for it in --split_lists"
