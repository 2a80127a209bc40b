"""What to do where the splits that are held out from training have few photos."""

from collections.abc import Sequence

from flags.spec import pairs

_MORE = {"validation": 0.2, "test": 0.2}


def way_to_hold_out_more(split_fractions: str, few: Sequence[str]) -> str:
    """What gives the splits `few` more photos: other fractions than `split_fractions`, or nothing but more photos."""
    fractions = pairs(split_fractions, "split_fractions")
    if any(float(fractions.get(split, 0)) < share for split, share in _MORE.items() if split in few):
        advice = ",".join(f"{split}={share:g}" for split, share in (("train", 0.6), *_MORE.items()))
        return f"make_records --overwrite with --split_fractions={advice} holds out more"
    return "only more photos help"
