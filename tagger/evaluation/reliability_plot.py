"""reliability.png: of the tags listed with a score, how many are right."""

import io
from collections.abc import Sequence

from etils import epath
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from records.util.atomic_files import write_atomic


def plot_reliability(path: epath.Path, rows: Sequence[Sequence[float]], error: float) -> None:
    """Draws the table `tag_reliability` of metrics.json: in each bin of scores, the share of tags that are right.

    Args:
      rows: mean score, share that is right and number of tags of each bin.
      error: expected calibration error.
    """
    figure = Figure(figsize=(5, 5), dpi=120, layout="constrained")
    axes = figure.subplots()
    most = max(count for *_, count in rows)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--", zorder=0, label="score = share")
    axes.plot([row[0] for row in rows], [row[1] for row in rows], color="tab:blue", linewidth=1)
    axes.scatter([row[0] for row in rows], [row[1] for row in rows], s=[15 + 150 * row[2] / most for row in rows],
                 color="tab:blue", label=f"listed tags in ten bins (error {error:.3f})")
    axes.set(xlabel="score", ylabel="share that is right: a tag of any reference", xlim=(0, 1), ylim=(0, 1))
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="best")
    image = io.BytesIO()
    FigureCanvasAgg(figure).print_png(image)
    write_atomic(path, image.getvalue())
