import pytest
from PIL import Image

from tagger.training import loss_plot
from tagger.training.history import Epoch

ROWS = [Epoch(1, 5.1, 4.9, 0.001), Epoch(2, 4.5, 4.4, 0.001), Epoch(3, 4.25, 4.4, 0.0002)]
SCORED = [Epoch(1, -0.4, 2.9, 1e-4, 45.5), Epoch(2, -0.5, 3.1, 1e-4, 47.25)]


def test_plot_is_a_picture_with_curves_and_a_star(tmp_path):
    loss_plot.plot_loss(tmp_path, ROWS)
    with Image.open(tmp_path / "loss.png") as image:
        assert image.size == (960, 540)
        colors = {color for _, color in image.convert("RGB").getcolors(1 << 20)}
    assert {(31, 119, 180), (255, 127, 14), (214, 39, 40)} <= colors  # train, validation, best


@pytest.mark.parametrize(("rows", "height"), [(SCORED, 900), (SCORED[:1], 900), (ROWS[:1], 540)])
def test_a_score_has_a_panel_more(tmp_path, rows, height):
    loss_plot.plot_loss(tmp_path, rows)
    with Image.open(tmp_path / "loss.png") as image:
        assert image.size == (960, height)
