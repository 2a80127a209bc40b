from tagger.training.hints import hints


def lines(captions, batch_size, photos, updates=1000, warmup_steps=0):
    return hints(captions=captions, batch_size=batch_size, steps=-(-captions // batch_size),
                 validation_split="validation", validation_photos=photos,
                 updates=updates, warmup_steps=warmup_steps, records_flags={})


def test_a_set_that_is_large_enough_needs_no_word():
    assert lines(600, 16, 20) == []


def test_a_warm_up_that_lasts_longer_than_the_run_is_said():
    assert lines(600, 16, 20, updates=501, warmup_steps=500) == []
    [line] = lines(600, 16, 20, updates=90, warmup_steps=500)
    assert line.startswith("--warmup_steps=500: the run has 90 updates")


def test_few_steps_and_few_photos_are_said_with_what_to_change():
    assert lines(180, 64, 1) == [
        "3 steps an epoch (180 captions, --batch_size=64) teach little: give a smaller --batch_size, or more photos",
        "1 photo in validation cannot tell a better epoch from a lucky one: make_records --overwrite with "
        "--split_fractions=train=0.6,validation=0.2,test=0.2 holds out more"]
    assert "give more --patience, which is what mostly ends such a run" in lines(40, 8, 20)[0]
