import numpy as np
import pytest
import tensorflow as tf

from flags.errors import UserError
from tagger.modeling.tag_calibration import FILE, TagCalibration, fit

NAMES = [f"tag {i}" for i in range(30)]


def answers(photos: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a model says, which is too low, the more so the later the tag; the truth; and its probability."""
    random = np.random.default_rng(seed)
    logits = random.normal(-2, 1.5, (photos, len(NAMES)))
    probability = 1 / (1 + np.exp(-(1.5 * logits + np.linspace(-1, 1, len(NAMES)))))
    return 1 / (1 + np.exp(-logits)), random.random(probability.shape) < probability, probability


def test_scores_become_probabilities_for_each_tag():
    said, right, _ = answers(3000)
    calibration = fit(NAMES, said, right)
    new, _, probability = answers(500, seed=1)
    found = calibration.apply(tf.constant(new, tf.float32), NAMES).numpy()
    assert np.abs(found - probability).mean() < 0.01 < np.abs(new - probability).mean() / 5
    for tag in range(len(NAMES)):
        np.testing.assert_array_equal(np.argsort(found[:, tag], kind="stable"),
                                      np.argsort(new[:, tag].astype(np.float32), kind="stable"))


def test_rare_and_unknown_tags_take_what_fits_all_together():
    said, right, _ = answers(200)
    right[5:, 3] = False
    calibration = fit(NAMES, said, right)
    assert "tag 3" not in calibration.own and len(calibration.own) > 20
    slope, offset = calibration.parameters(["tag 3", "never seen"])
    assert slope[0] == slope[1] == pytest.approx(calibration.shared[0])
    assert offset[0] == offset[1] == pytest.approx(calibration.shared[1])


def test_thresholds_for_the_best_f1_and_for_a_precision():
    said, right, probability = answers(3000)
    calibration = fit(NAMES, said, right)
    scores = calibration.apply(tf.constant(said, tf.float32), NAMES).numpy()
    listed = scores >= np.sort(scores, axis=1)[:, -10:-9]

    def f1(least):
        shown = listed & (scores >= least)
        return 2 * (shown & right).sum() / (shown.sum() + right.sum())

    assert f1(calibration.best_f1) == pytest.approx(max(map(f1, np.arange(0.02, 1, 0.02))), abs=1e-3)
    least = calibration.for_precision(0.8)
    shown = listed & (scores >= least)
    assert 0.8 <= (shown & right).sum() / shown.sum() < 0.85
    assert fit(NAMES, np.full((50, len(NAMES)), 0.5), answers(50)[1]).for_precision(0.99) is None


def test_saved_and_loaded(tmp_path):
    assert TagCalibration.load(tmp_path) is None
    said, right, _ = answers(100)
    calibration = fit(NAMES, said, right)
    calibration.save(tmp_path)
    again = TagCalibration.load(tmp_path)
    assert (again.own, again.shared, again.thresholds) == (calibration.own, calibration.shared, calibration.thresholds)
    (tmp_path / FILE).write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        TagCalibration.load(tmp_path)


def test_nothing_is_learnt_where_no_tag_is_right():
    assert fit(NAMES, answers(5)[0], np.zeros((5, len(NAMES)), bool)) is None
