import numpy as np
import pytest

from flags.errors import UserError
from flags.train import Train
from records.format import manifest as manifests
from records.input.shard_reader import open_split
from records.text.vocabulary import SPECIALS, Vocabulary
from tagger.modeling.tag_calibration import TagCalibration
from tagger.runs import run_dir
from tagger.training.calibrate_tags import calibrate
from tests.records import folders

SHARDS = [[[[3, 4], [5]], [[3]], [[4, 6]], [[3, 7]]]]


def run_with_words(folder, letter):
    """An untrained run, and its validation split, whose photos have the tags t3, t4, …; words are LETTER3, …."""
    records = folders.write(folder / "records", {"train": SHARDS, "validation": SHARDS}, vocabulary_size=8)
    words = [f"{letter}{i}" for i in range(len(SPECIALS), 8)]
    vocabulary = Vocabulary((*SPECIALS, *words), (0, 0, 0, *[5] * 5), (0, 0, 0, *[3] * 5))
    config, manifest = Train(records_dir=str(records), run_dir=str(folder / "run")), manifests.load(records)
    run_dir.save_description(config, manifest, vocabulary, None)
    model = run_dir.new_model(config, manifest, vocabulary)
    run_dir.save_weights(model, 5, folder / "run" / run_dir.WEIGHTS_FILE)
    return str(folder / "run"), open_split(records, "validation")


def test_what_was_learnt_is_in_the_run_folder_and_frequent_tags_score_more(tmp_path):
    folder, split = run_with_words(tmp_path, "t")
    calibration = calibrate(folder, split)
    scores, same = (one.apply([[0.5] * 2], ["t3", "t7"]).numpy()[0]
                    for one in (calibration, TagCalibration.load(folder)))
    np.testing.assert_allclose(scores, same, rtol=1e-4)
    assert scores[0] >= scores[1] and all(0 < score < 1 for score in scores)


def test_where_no_photo_has_a_tag_of_the_run_nothing_is_learnt(tmp_path):
    folder, split = run_with_words(tmp_path, "w")
    assert calibrate(folder, split) is None and TagCalibration.load(folder) is None
    with pytest.raises(UserError, match="is no run, but has some in it: run"):
        calibrate(str(tmp_path), split)
