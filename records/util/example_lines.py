"""One example in one line for people, so that a table that was understood wrongly is seen at once."""

from collections.abc import Iterable, Sequence

_CAPTIONS, _TAGS, _CHARACTERS = 3, 8, 90
_UNKNOWN = "; <unk>: "


def example_line(split: str, key: str, captions: Sequence[str], tags: Iterable[str], unknown: Iterable[str] = ()
                 ) -> str:
    """Such as `train  dog.jpg: "A dog runs." (+4 more); tags: dog, run`.

    Args:
      unknown: words of the captions, or keywords, that the vocabulary lacks; they are listed behind the tags.
    """
    shown = ", ".join(f'"{_short(caption)}"' for caption in captions[:_CAPTIONS])
    more = f" (+{len(captions) - _CAPTIONS} more)" if len(captions) > _CAPTIONS else ""
    lacking = _listed(unknown)
    return f"  {split}  {key}: {shown}{more}; tags: {_listed(tags) or 'none'}" + (lacking and f"{_UNKNOWN}{lacking}")


def remark(lines: Iterable[str]) -> list[str]:
    """What the words at the end of example lines are; nothing where none has any."""
    return ["(words after <unk> come too rarely in train, or not at all, to be in the vocabulary)"] if any(
        _UNKNOWN in line for line in lines) else []


def _listed(words: Iterable[str]) -> str:
    names = list(dict.fromkeys(words))
    return ", ".join(names[:_TAGS]) + (", …" if len(names) > _TAGS else "")


def _short(text: str) -> str:
    return text if len(text) <= _CHARACTERS else text[:_CHARACTERS - 1] + "…"


EXAMPLES = 3
"""How many are shown."""


def choose(splits: Sequence[Sequence[str]]) -> list[str]:
    """EXAMPLES lines of the first few of each split: the first of each, then further ones of the first split."""
    firsts = [lines[0] for lines in splits if lines][:EXAMPLES]
    rest = [line for lines in splits[:1] for line in lines[1:]]
    return firsts[:1] + rest[:EXAMPLES - len(firsts)] + firsts[1:]
