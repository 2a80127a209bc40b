"""What to know of an evaluation's numbers before they are believed, a line each; for the terminal and the report."""

from collections.abc import Mapping
from typing import Any

from records.util.counted import counted

FEW_PHOTOS, _FEW_TAGS = 100, 10
_PHOTOS_AN_ANSWER = 50  # as few different answers say nothing of a photo
_EPOCHS_PAST = 3
_LITTLE_SKILL = 0.05  # Flickr8k's 6,000 photos give 0.39


def is_past_its_best(best_epoch: int, epochs: int) -> bool:
    """Whether most epochs, and three at the least, came after the best one: more steps then cannot help."""
    return epochs - best_epoch >= max(_EPOCHS_PAST, best_epoch)


def notes(values: Mapping[str, Any]) -> list[str]:
    """Lines about metrics.json; none where the numbers can be taken as they are.

    Args:
      values: of metrics.json; what an older one lacks gives no line.
    """
    images, of_tags, lines = values["images"], values["target"] == "tags", []
    if images < FEW_PHOTOS:
        remedy = ("score more of them (--limit)" if values.get("limit") else
                  values.get("way_to_hold_out_more") or "only more photos help")
        lines.append(f"Only {counted(images, 'photo')}: below a hundred, scores mean little, as every photo moves "
                     f"them; {remedy}.")
        if (chance := values.get("chance_average_precision")) is not None:
            lines.append(f"A random ranking of so few photos has a mean average precision of {chance:.3f} already, and "
                         "the Brier skill score compares with how often tags occur among the others of them, which is "
                         "easy to beat.")
    untagged = values.get("images_without_shared_tags") or 0
    if 2 * untagged > images:
        counting = "tags of tags.txt" if of_tags else "tags that two captions of a photo share, or its only caption has"
        lines.append(f"Precision, recall and F1 at 5 count {counting}: {untagged:,} of {images:,} photos have none, so "
                     f"{'all three are 0' if untagged == images else 'precision and F1 are low'} whatever is answered.")
    averaged = values.get("average_precision_tags") or 0
    if 0 < averaged < _FEW_TAGS:
        lines.append(f"Mean average precision is over {counted(averaged, 'tag')} only, which so few photos have: below "
                     "ten it says nothing.")
    skill = values.get("tag_skill_score")
    if skill is not None and skill < _LITTLE_SKILL:
        lines.append(f"Brier skill score {skill:.2f}: scores of tags tell hardly more than how often each tag occurs. "
                     "A calibration error near 0 is then no merit, as such scores have it too.")
    if compared := values.get("compared_captions"):
        what = "answers" if of_tags else "captions"
        of_photos = "" if compared == images else f" of the first {compared:,} photos"
        lines.append(f"In {values['precision']}: {values['changed_captions']:,} of {compared:,} {what}{of_photos} "
                     "differ from float32's.")
    if empty := values.get("captions_without_words"):
        what = "answers have no written tag" if of_tags else "captions have no words"
        ranked = " Ranked tags, which tag shows, are not written: theirs are the numbers that count." if of_tags else ""
        lines.append(f"{empty:,} of {images:,} {what}: the model has learnt too little to write; {_remedy(values)}."
                     + ranked)
    distinct = values.get("distinct_captions") or images
    if distinct < images and distinct <= max(1, images // _PHOTOS_AN_ANSWER) and empty != images:
        one, many = ("list of tags", "lists of tags") if of_tags else ("caption", "captions")
        same = f"the same {one}" if distinct == 1 else f"one of {distinct} {many}"
        lines.append(f"Each of {images:,} photos got {same}: the model hardly tells them apart; "
                     f"{_remedy(values)}. See in vocabulary.txt, too, that --min_count of make_records left the words "
                     "that do.")
    return lines


def _remedy(values: Mapping[str, Any]) -> str:
    """Against a model that learnt too little."""
    best_epoch, epochs = values.get("best_epoch") or 0, values.get("epochs") or 0
    if best_epoch and is_past_its_best(best_epoch, epochs):
        return f"its best epoch was {best_epoch} of {epochs}, so that more steps do not help, but more photos do"
    return ("train it for more steps (a smaller --batch_size, more --epochs and --patience), or on more photos")
