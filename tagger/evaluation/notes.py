"""What to know of an evaluation's numbers before they are believed, a line each; for the terminal and the report."""

from collections.abc import Mapping
from typing import Any

from records.util.counted import counted

_FEW_PHOTOS = 100


def notes(values: Mapping[str, Any]) -> list[str]:
    """Lines about metrics.json; none where the numbers can be taken as they are.

    Args:
      values: of metrics.json; what an older one lacks gives no line.
    """
    images, of_tags, lines = values["images"], values["target"] == "tags", []
    if images < _FEW_PHOTOS:
        remedy = ("score more of them (--limit)" if values.get("limit") else
                  "hold out more (make_records --split_fractions)")
        lines.append(f"Only {counted(images, 'photo')}: below a hundred, scores mean little, as every photo moves "
                     f"them; {remedy}.")
    if values.get("images_without_shared_tags") == images:
        lines.append("Precision, recall and F1 at 5 can only be 0 here: " + (
            "no photo has a tag of tags.txt." if of_tags else
            "no photo has a tag that two of its captions share, or its only caption has."))
    if empty := values.get("captions_without_words"):
        what = "answers have no tag" if of_tags else "captions have no words"
        lines.append(f"{empty:,} of {images:,} {what}: the model has learnt too little; train it for more steps (a "
                     "smaller --batch_size, more --epochs and --patience), or on more photos.")
    return lines
