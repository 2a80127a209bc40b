"""loss.png: training and validation loss, and validation CIDEr-D where it is monitored, the best epoch marked."""

import io

from etils import epath
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from records.util.atomic_files import write_atomic
from tagger.training import history

FILE = "loss.png"


def plot_loss(run_dir: epath.PathLike, rows: list[history.Epoch]) -> None:
    """Draws the curves of at least one epoch into run_dir/loss.png.

    With --monitor=val_cider a second panel shows it; in self-critical training the train curve is the reward and stands
    there.
    """
    epochs, best = [row.epoch for row in rows], history.best(rows)
    scored = best.val_cider is not None
    rewards = [row.reward for row in rows if row.reward is not None]
    figure = Figure(figsize=(8, 7.5 if scored else 4.5), dpi=120, layout="constrained")
    axes, *more = figure.subplots(2 if scored else 1, squeeze=False)[:, 0]
    if not rewards:
        _curve(axes, epochs, [row.loss for row in rows], "tab:blue", "train (with dropout)")
    _curve(axes, epochs, [row.val_loss for row in rows], "tab:orange", "validation")
    axes.set(ylabel="cross-entropy per token (nats)")
    starred, value, label = axes, best.val_loss, f"{best.val_loss:.3f}"
    if best.val_cider is not None:
        if rewards:
            _curve(more[0], epochs, rewards, "tab:blue", "train, sampled captions")
        _curve(more[0], epochs, [row.val_cider or 0.0 for row in rows], "tab:orange", "validation, beam search")
        more[0].set(ylabel="CIDEr-D (points)")
        starred, value, label = more[0], best.val_cider, f"{best.val_cider:.1f}"
    starred.plot([best.epoch], [value], linestyle="none", marker="*", markersize=14, color="tab:red",
                 label=f"best: {label} in epoch {best.epoch}")
    for before, row in zip(rows, rows[1:], strict=False):
        if row.learning_rate < before.learning_rate / 1.5:  # a plateau, not a schedule's small steps
            axes.axvline(row.epoch - 0.5, color="tab:green", linewidth=1, linestyle=":", zorder=0)
            axes.annotate(f"learning rate {row.learning_rate:.0e}", (row.epoch - 0.5, 1), (2, -2),
                          xycoords=("data", "axes fraction"), textcoords="offset points", rotation=90, va="top",
                          fontsize=7, color="tab:green")
    for panel in (axes, *more):
        panel.axvline(best.epoch, color="0.7", linewidth=1, linestyle="--", zorder=0)
        panel.set(xlabel="epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(axis="y", color="0.9")
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False)
    image = io.BytesIO()
    FigureCanvasAgg(figure).print_png(image)
    write_atomic(epath.Path(run_dir) / FILE, image.getvalue())


def _curve(axes: Axes, epochs: list[int], values: list[float], color: str, label: str) -> None:
    axes.plot(epochs, values, color=color, marker="o", markersize=3, label=label)
