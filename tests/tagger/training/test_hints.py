import pytest

from tagger.training.hints import hints, past_its_best, worse_than_guessing
from tagger.training.history import Epoch


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


@pytest.mark.parametrize(("val_losses", "says"), [
    ([5, 4, 3, *[3.5] * 10], "nothing was learnt after epoch 3"), ([5, 4, 3, 3.5, 3.5, 3.5], "after epoch 3"),
    ([5, 4, 3, 2, 3, 3, 3], ""), ([3, 4, 4], ""), ([3, 4, 4, 4], "after epoch 1"), ([5, 4, 3], "")])
def test_where_more_epochs_would_not_have_helped_more_photos_are_named(val_losses, says):
    line = past_its_best([Epoch(number, 2.0, loss, 0.1) for number, loss in enumerate(val_losses, 1)])
    assert says in line and ("more photos do" in line) == bool(says)
    assert not past_its_best([Epoch(number, -0.5, loss, 0.1) for number, loss in enumerate(val_losses, 1)])  # rewards


@pytest.mark.parametrize(("losses", "says"), [
    ([(7.0, 6.9)], ""), ([(7.0, 6.95)], ""),  # ln(1000) = 6.91, and new weights are a little worse
    ([(900.0, 80.0)], "learns nothing, or its training diverges; lower it, and start with --fresh"),
    ([(9.0, 6.0), (900.0, 80.0)], "diverges"),
    ([(900.0, 80.0), (900.0, 90.0)], ""),  # said after the first
    ([(-0.3, 7.5)], ""),  # of rewards
    ([(2.0, 6.5), (1.0, 7.5)], "learns the train photos by heart; give more photos or more --dropout, or lower it")])
def test_a_validation_loss_above_that_of_a_guess_is_said_once(losses, says):
    rows = [Epoch(number, loss, val_loss, 0.1) for number, (loss, val_loss) in enumerate(losses, 1)]
    line = worse_than_guessing(rows, 1000, "lower it")
    assert says in line and bool(line) == bool(says)
    assert not line or f"val_loss {losses[-1][1]:g} is above 6.91, that of a guess among all 1,000 words" in line
