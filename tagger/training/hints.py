"""What to change where a training can hardly work, a line each."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from records.format.held_out import way_to_hold_out_more
from records.util.counted import counted
from tagger.evaluation.notes import is_past_its_best
from tagger.training import batch_size as batch_sizes
from tagger.training.history import Epoch, best

_FEW_STEPS, _FEW_PHOTOS = 10, 20
_MARGIN = 0.1  # nats: new weights are up to so much worse than a guess


def hints(*, captions: int, batch_size: int, steps: int, validation_split: str, validation_photos: int,
          updates: int, warmup_steps: int, records_flags: Mapping[str, Any]) -> list[str]:
    """Lines to read before the first epoch; none for a set that is large enough.

    Args:
      captions, steps: of an epoch.
      validation_photos: photos of the validation split.
      updates: of the whole run, over `warmup_steps` of which the learning rate rises.
      records_flags: of make_records, when it made the records.
    """
    lines = []
    if steps < _FEW_STEPS:
        remedy = "a smaller --batch_size" if batch_size > batch_sizes.SMALLEST else (
            "more --patience, which is what mostly ends such a run, and with it more --epochs while val_loss falls")
        lines.append(f"{counted(steps, 'step')} an epoch ({counted(captions, 'caption')}, --batch_size={batch_size}) "
                     f"teach little: give {remedy}, or more photos")
    if validation_photos < _FEW_PHOTOS:
        lines.append(f"{counted(validation_photos, 'photo')} in {validation_split} cannot tell a better epoch from a "
                     f"lucky one: {way_to_hold_out_more(records_flags, [validation_split])}")
    if 0 < updates <= warmup_steps:
        lines.append(f"--warmup_steps={warmup_steps}: the run has {counted(updates, 'update')}, so the learning rate "
                     "rises to its end and never falls; give about a tenth of them, or more --epochs")
    return lines


def past_its_best(rows: Sequence[Epoch]) -> str:
    """A line to read after these epochs of a run, where more of them would not have helped; else ""."""
    epoch = best(list(rows)).epoch
    if not is_past_its_best(epoch, len(rows)) or rows[-1].reward is not None:
        return ""
    return (f"nothing was learnt after epoch {epoch} that helps with the validation photos: more --epochs, --patience "
            "or smaller batches do not change that; more photos do, and more --dropout may")


def worse_than_guessing(rows: Sequence[Epoch], vocabulary_size: int, remedy: str) -> str:
    """A line to read after the last of these epochs, if it is the first that is; else "".

    Args:
      rows: of the whole run; their losses are compared with ln(vocabulary_size), that of a guess among all words. Not
        of the self-critical stage, which learns from rewards and sharpens what the model is sure of.
      remedy: against steps that are too large.
    """
    guess = math.log(vocabulary_size)
    if rows[-1].reward is not None or [row for row in rows if row.val_loss > guess + _MARGIN] != list(rows[-1:]):
        return ""
    row = rows[-1]
    line = (f"val_loss {row.val_loss:.4g} is above {guess:.2f}, that of a guess among all {vocabulary_size:,} words of "
            "the vocabulary: ")
    if row.loss < guess:
        return (f"{line}loss {row.loss:.4g} is below it, so the model learns the train photos by heart; give more "
                f"photos or more --dropout, or {remedy}")
    return f"{line}the model learns nothing, or its training diverges; {remedy}, and start with --fresh"
