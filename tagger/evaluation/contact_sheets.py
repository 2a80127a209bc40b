"""Contact sheets of an evaluation: photos with what was predicted, which tags are right, and the references."""

from collections.abc import Sequence

import numpy as np
from etils import epath

from records.images.contact_sheet import BLUE, GREEN, GREY, INK, RED, Cell
from records.images.contact_sheet import draw as draw_cells
from records.input import caption_dataset
from records.input.stored_photos import stored_photos
from records.util.counted import counted
from tagger.evaluation import extremes, files
from tagger.evaluation.predictions import Predicted

# Metrics by which images are ranked: how they are called and written.
RANKINGS = {"cider": ("CIDEr-D", "{:.1f}"), "tag_f1": ("tag F1", "{:.2f}")}

_COLUMNS = 4
_REFERENCES = 5


def draw(folder: epath.Path, split: caption_dataset.Split, predicted: Sequence[Predicted], ranking: str,
         ranks: np.ndarray, sheet_images: int, worst_and_best: int) -> list[epath.Path]:
    """Writes contact_sheet.png and worst_and_best.png, or removes an earlier one that is no longer asked for.

    Args:
      folder: eval-SPLIT of the run.
      split: where the photos are.
      predicted: all images that were evaluated.
      ranking: name of the metric that says which are worst and best.
      ranks: float [images], the value of that metric for each image; NaN where it has none.
      sheet_images: photos on contact_sheet.png, evenly spaced through the split; 0 for no sheet.
      worst_and_best: photos of either kind on worst_and_best.png; 0 for no sheet. There is none either where all ranks
        are equal.

    Returns:
      The files written.
    """
    places = np.linspace(0, len(predicted) - 1, min(sheet_images, len(predicted)))
    spaced = np.unique(places.round().astype(int)).tolist()
    worst, best = extremes.worst_and_best(ranks.tolist(), worst_and_best)
    ends = [*worst, *best]
    photos = dict(stored_photos(split, {predicted[i].prediction.image for i in {*spaced, *ends}}))
    label, form = RANKINGS[ranking]
    sheets: list[tuple[str, list[int], bool, str]] = [
        (files.CONTACT_SHEET, spaced, False, f"{len(spaced)} of {counted(len(predicted), 'photo')} of {split.name}"),
        (files.WORST_AND_BEST, ends, True, f"{len(worst)} lowest, then {len(best)} highest by {label}, {split.name}")]
    written = []
    for file, chosen, ranked, title in sheets:
        if not chosen:
            (folder / file).unlink(missing_ok=True)  # an earlier evaluation's would not fit these numbers
        else:
            cells = [_cell(predicted[i], photos.get(predicted[i].prediction.image),
                           f"{label} {form.format(ranks[i])}" if ranked else "") for i in chosen]
            draw_cells(cells, _COLUMNS, folder / file, f"{title}. Green tags: in a reference")
            written.append(folder / file)
    return written


def _cell(predicted: Predicted, photo: bytes | None, note: str) -> Cell:
    prediction = predicted.prediction
    right = [tag for tag in prediction.ranked_tags if tag in prediction.all_tags]
    wrong = [tag for tag in prediction.ranked_tags if tag not in prediction.all_tags]
    lines = [(note, BLUE)] if note else []
    lines += [(predicted.text or "(no words)", INK)]
    lines += [(", ".join(right), GREEN)] if right else []
    lines += [(", ".join(wrong), RED)] if wrong else []
    lines += [(caption, GREY) for caption in predicted.captions[:_REFERENCES]]
    return Cell(photo, lines)
