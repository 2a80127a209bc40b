"""Numbers of things in messages: `1 photo`, `2 photos`, `12,000 photos`."""


def counted(number: int, noun: str) -> str:
    """The number with separators of thousands, and the noun, whose plural is formed by an s at the end."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
