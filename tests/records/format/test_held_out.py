from records.format.held_out import way_to_hold_out_more


def test_advice_about_few_held_out_photos_is_never_what_was_given():
    for fractions in ("", "train=0.9,validation=0.1", "train=0.75,validation=0.2,test=0.05"):
        assert "--split_fractions=train=0.6,validation=0.2,test=0.2" in way_to_hold_out_more(
            fractions, ["validation", "test"])
    assert way_to_hold_out_more("train=0.6,validation=0.2,test=0.2", ["test"]) == "only more photos help"
