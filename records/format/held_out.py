"""What to do where the splits that are held out from training have few photos."""

from collections.abc import Mapping, Sequence
from typing import Any

from flags.spec import pairs

# Among the flags of a manifest, no flag itself: set where the table, or the names of several, gave photos their splits.
OWN_SPLITS = "own_splits"
_MORE = {"validation": 0.2, "test": 0.2}


def way_to_hold_out_more(flags: Mapping[str, Any], few: Sequence[str]) -> str:
    """What gives the splits `few` more photos: longer lists, other fractions, or nothing but more photos.

    Args:
      flags: of make_records, or of a manifest: --split_lists, --split_fractions and `own_splits` count.
    """
    if flags.get("split_lists"):
        return f"name more photos for {'it' if len(few) == 1 else 'them'} in --split_lists"
    if flags.get(OWN_SPLITS):
        return "only more photos in the table help, as the splits are its own"
    fractions = pairs(flags.get("split_fractions") or "", "split_fractions")
    if any(float(fractions.get(split, 0)) < share for split, share in _MORE.items() if split in few):
        advice = ",".join(f"{split}={share:g}" for split, share in (("train", 0.6), *_MORE.items()))
        return f"make_records --overwrite with --split_fractions={advice} holds out more"
    return "only more photos help"
