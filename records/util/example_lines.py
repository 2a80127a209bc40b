"""One example in one line for people, so that a table that was understood wrongly is seen at once."""

from collections.abc import Iterable, Sequence

_CAPTIONS, _TAGS, _CHARACTERS = 3, 8, 90


def example_line(split: str, key: str, captions: Sequence[str], tags: Iterable[str]) -> str:
    """Such as `train  dog.jpg: "A dog runs." (+4 more); tags: dog, run`."""
    shown = ", ".join(f'"{_short(caption)}"' for caption in captions[:_CAPTIONS])
    more = f" (+{len(captions) - _CAPTIONS} more)" if len(captions) > _CAPTIONS else ""
    names = list(dict.fromkeys(tags))
    listed = ", ".join(names[:_TAGS]) + (", …" if len(names) > _TAGS else "")
    return f"  {split}  {key}: {shown}{more}; tags: {listed or 'none'}"


def _short(text: str) -> str:
    return text if len(text) <= _CHARACTERS else text[:_CHARACTERS - 1] + "…"


EXAMPLES = 3
"""How many are shown."""


def choose(splits: Sequence[Sequence[str]]) -> list[str]:
    """EXAMPLES lines of the first few of each split: the first of each, then further ones of the first split."""
    firsts = [lines[0] for lines in splits if lines][:EXAMPLES]
    rest = [line for lines in splits[:1] for line in lines[1:]]
    return firsts[:1] + rest[:EXAMPLES - len(firsts)] + firsts[1:]
