"""An export answers each photo of a batch as it answers it alone, whatever the others are."""

import os
import subprocess
import sys

import numpy as np
import pytest

from flags.export import Export
from tagger import export
from tagger.saved_model.loaded import SavedModel
from tests.conftest import ROOT
from tests.records.images.bad_images import broken
from tests.tagger.saved_model.exported import SCORE_TOLERANCE, EveryTag, photos

# In these, TensorFlow finds a whole picture: make_records refuses them for what Pillow says of their other bytes.
PICTURE_ALL_THE_SAME = {"larger_than_its_data.jpg", "ends_in_the_middle.jpg", "damaged_text_chunk.png"}


def broken_images(count: int) -> list[bytes]:
    kinds = [make() for name, make in sorted(broken().items()) if name not in PICTURE_ALL_THE_SAME]
    assert len(kinds) >= 50
    return (kinds * (count // len(kinds) + 1))[:count]


def check_against_single_answers(model: EveryTag, good: int, bad: int, batch_size: int, sampled: bool = True) -> None:
    """Broken images among good ones in batches: each answer is what the image alone gets.

    Where captions are sampled for the scores, rounding in a batch of another size may decide which word one of them
    takes, once in hundreds of photos. It is one of the 4 + 3 captions whose mean a score is, so it moves the score by
    a seventh at most. Without samples no score moves.
    """
    batch = photos(good)
    places = np.random.default_rng(0).choice(good, bad, replace=False)
    for place, data in zip(sorted(places, reverse=True), broken_images(bad), strict=True):
        batch.insert(place, data)
    singles = [model.answer([data])[0] for data in batch]
    together = [answer for start in range(0, len(batch), batch_size)
                for answer in model.answer(batch[start:start + batch_size])]
    assert sum(not answer["valid"] for answer in together) == bad
    assert [answer["valid"] for answer in together] == [single["valid"] for single in singles]
    assert [answer["caption"] for answer in together] == [single["caption"] for single in singles]
    moved = []
    for single, answer in zip(singles, together, strict=True):
        if not answer["valid"]:
            assert (answer["caption"], answer["tags"]) == ("", [])
            continue
        ours, theirs = dict(answer["tags"]), dict(single["tags"])
        last = min([*ours.values(), *theirs.values()])  # a tag in one list only stood last but for rounding
        moved.append(max(abs(ours.get(tag, last) - theirs.get(tag, last)) for tag in ours | theirs))
    assert np.mean(np.array(moved) > SCORE_TOLERANCE) <= (0.01 if sampled else 0)
    assert max(moved) <= 1 / 7


def test_sixty_photos_six_of_them_broken(model):
    check_against_single_answers(model, 54, 6, batch_size=20)


@pytest.mark.slow
def test_a_thousand_photos_fifty_of_them_broken(model):
    check_against_single_answers(model, 950, 50, batch_size=64)


@pytest.mark.slow
def test_a_thousand_photos_without_sampled_captions(demo, tmp_path):
    assert export.run(Export(run_dir=str(demo[0] / "run"), export_dir=str(tmp_path), tag_samples=0)) == 0
    check_against_single_answers(EveryTag(SavedModel(tmp_path / "1")), 950, 50, batch_size=64, sampled=False)


def test_every_kind_of_broken_image_spoils_its_own_row_only(model):
    good = photos(1)
    answers = model.answer(good + broken_images(50) + good)
    assert [answer["valid"] for answer in answers] == [True] + [False] * 50 + [True]
    assert answers[0]["caption"] == answers[-1]["caption"] != ""


@pytest.mark.parametrize("count", [0, 1, 31, 33, 100])
def test_any_number_of_images(model, count):
    data = (photos(5) * 20)[:count]
    answers = model.answer(data)
    assert len(answers) == count
    for index in range(5, count):
        assert answers[index]["caption"] == answers[index % 5]["caption"]


def test_no_images_with_onednn(demo):
    """oneDNN refuses convolutions of an empty batch, and is on in every program that does not say otherwise."""
    command = [sys.executable, "-m", "tagger.saved_model.loaded", str(demo[0] / "export" / "1")]
    result = subprocess.run(command, env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"}, cwd=ROOT, capture_output=True,
                            text=True, check=False)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_it_answers_the_same_every_time(model):
    assert model.answer(photos(4)) == model.answer(photos(4))
