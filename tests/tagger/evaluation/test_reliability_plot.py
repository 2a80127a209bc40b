from PIL import Image

from tagger.evaluation.reliability_plot import plot_reliability


def colours(path):
    with Image.open(path) as image:
        assert image.size == (600, 600)
        return dict((colour, count) for count, colour in image.convert("RGB").getcolors(1 << 20))


def test_bins_with_more_tags_are_larger(tmp_path):
    blue = []
    for counts in ((1, 100), (100, 100)):
        plot_reliability(tmp_path / "p.png", [(0.15, 0.1, counts[0]), (0.85, 0.9, counts[1])], 0.05)
        blue.append(colours(tmp_path / "p.png")[31, 119, 180])
    assert 0 < blue[0] < blue[1]
