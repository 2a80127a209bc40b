"""What to know of a records folder in which many words are <unk>."""

_MUCH = 0.1  # of the target words


def remark(unknown: int, words: int, min_count: int, max_words: int) -> str:
    """What the share of <unk> means and what lowers it; "" where it is no more than a tenth.

    Args:
      unknown: target words that are <unk>, of `words`.
      min_count, max_words: that the records were made with.
    """
    if unknown <= _MUCH * words:
        return ""
    flags = ["a smaller --min_count"] * (min_count > 1) + ["a larger --max_words"] * (max_words > 0)
    if flags:
        return f"which is much: make records with {' or '.join(flags)}, or a caption will often miss its main word"
    return "words that occur only in captions that are held out: more photos lower that"
