"""loss.png: training and validation loss over epochs, the best epoch marked."""

import io

from etils import epath
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from records.files import write_atomic
from tagger import history

FILE = "loss.png"


def plot_loss(run_dir: epath.PathLike, rows: list[history.Epoch]) -> None:
    """Draws the curves of at least one epoch into run_dir/loss.png."""
    epochs = [row.epoch for row in rows]
    best = history.best(rows)
    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(epochs, [row.loss for row in rows], color="tab:blue", marker="o", markersize=3,
              label="train (with dropout)")
    axes.plot(epochs, [row.val_loss for row in rows], color="tab:orange", marker="o", markersize=3, label="validation")
    axes.axvline(best.epoch, color="0.7", linewidth=1, linestyle="--", zorder=0)
    axes.plot([best.epoch], [best.val_loss], linestyle="none", marker="*", markersize=14, color="tab:red",
              label=f"best: {best.val_loss:.3f} in epoch {best.epoch}")
    for before, row in zip(rows, rows[1:], strict=False):
        if row.learning_rate < before.learning_rate / 1.5:  # a plateau, not a schedule's small steps
            axes.axvline(row.epoch - 0.5, color="tab:green", linewidth=1, linestyle=":", zorder=0)
            axes.annotate(f"learning rate {row.learning_rate:.0e}", (row.epoch - 0.5, 1), (2, -2),
                          xycoords=("data", "axes fraction"), textcoords="offset points", rotation=90, va="top",
                          fontsize=7, color="tab:green")
    axes.set(xlabel="epoch", ylabel="cross-entropy per token (nats)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    image = io.BytesIO()
    FigureCanvasAgg(figure).print_png(image)
    write_atomic(epath.Path(run_dir) / FILE, image.getvalue())
