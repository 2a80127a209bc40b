"""Photos in a grid with lines of text under each, as one PNG.

    draw([Cell(jpeg_bytes, [("a dog runs on grass", INK), ("dog, grass", GREY)])], columns=4, path="sheet.png",
         title="8 random examples of train")
"""

import bisect
import dataclasses
import functools
import importlib.util
import io
import itertools
import os
import warnings
from collections.abc import Iterator, Sequence

from etils import epath
from PIL import Image, ImageDraw, ImageFont, ImageOps

from records.util.atomic_files import write_atomic

INK, GREY, GREEN, RED, BLUE = "#111827", "#6b7280", "#15803d", "#b91c1c", "#1d4ed8"
_PAPER, _CARD, _BORDER, _MAT = "#f3f4f6", "#ffffff", "#e5e7eb", "#e5e7eb"
# Pixels.
_PHOTO = (300, 225)
_MARGIN, _GAP, _PADDING = 24, 16, 12
_TEXT, _TITLE, _LEADING, _PARAGRAPH = 16, 26, 21, 5
_PUNCTUATION = "\u2018\u2019\u201c\u201d\u2026"  # quotes and the ellipsis: what Pillow's font has beyond ASCII
_SPACE = 0.3  # of the size, at least: Pillow's font has less, and "a man" reads as "aman"
_MAX_TITLES = 4  # lines of the title
_MAX_LINES = 6  # of one wrapped text; longer ones end in an ellipsis
_MAX_TEXT = 2_000  # characters, more than fit

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclasses.dataclass(frozen=True)
class Cell:
    """One photo and what is written under it.

    Attributes:
      image: encoded photo, or None where there is none.
      lines: (text, colour) each; a colour is whatever Pillow takes, such as "#15803d". Long texts are wrapped.
    """

    image: bytes | None
    lines: Sequence[tuple[str, str]]


def draw(cells: Sequence[Cell], columns: int, path: epath.PathLike, title: str = "") -> None:
    """Writes the sheet as PNG. A photo that cannot be decoded becomes a box that says so.

    Args:
      cells: in reading order.
      columns: cells in a row, at least 1; fewer are used when there are fewer cells.
      path: of the PNG, on any file system that etils knows.
      title: above the photos, wrapped where they are few.
    """
    columns = max(1, min(columns, len(cells)))
    texts = [[(part, colour) for text, colour in cell.lines for part in _paragraph(text)] for cell in cells]
    card_width = _PHOTO[0] + 2 * _PADDING
    heights = []  # of each row of cards
    for start in range(0, len(cells), columns):
        text_height = max(_text_height(text) for text in texts[start:start + columns])
        heights.append(_PHOTO[1] + 3 * _PADDING + text_height)
    width = 2 * _MARGIN + columns * card_width + (columns - 1) * _GAP
    titles = list(itertools.islice(_wrapped(_drawable(title), _TITLE, width - 2 * _MARGIN), _MAX_TITLES))
    head = len(titles) * (_TITLE + _PARAGRAPH) - _PARAGRAPH + _GAP if titles else 0
    height = 2 * _MARGIN + head + sum(heights) + _GAP * max(len(heights) - 1, 0)
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for row, line in enumerate(titles):
        _write(pen, (_MARGIN, _MARGIN + row * (_TITLE + _PARAGRAPH)), line, INK, _TITLE)
    tops = itertools.accumulate(heights, lambda top, card: top + card + _GAP, initial=_MARGIN + head)
    corners = [(_MARGIN + column * (card_width + _GAP), top, card_height)
               for top, card_height in zip(tops, heights, strict=False) for column in range(columns)]
    for cell, text, (left, top, card_height) in zip(cells, texts, corners, strict=False):
        pen.rounded_rectangle((left, top, left + card_width - 1, top + card_height - 1), 8, _CARD, _BORDER)
        sheet.paste(_photo(cell.image), (left + _PADDING, top + _PADDING))
        y = top + 2 * _PADDING + _PHOTO[1]
        for part, colour in text:
            if part is None:
                y += _PARAGRAPH
            else:
                _write(pen, (left + _PADDING, y), part, colour, _TEXT)
                y += _LEADING
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    write_atomic(path, buffer.getvalue())


def _write(pen: ImageDraw.ImageDraw, corner: tuple[float, float], text: str, colour: str, size: int) -> None:
    font, (x, y) = _font(text, size), corner
    wider = _wider(font)
    for word in text.split(" ") if wider else [text]:  # scripts from right to left are written whole
        pen.text((x, y), word, colour, font)
        x += _length(f"{word} ", font)


def _wider(font: _Font) -> float:
    """Pixels by which a space of a font is too narrow."""
    return max(round(_SPACE * getattr(font, "size", 0)) - font.getlength(" "), 0)


def _length(text: str, font: _Font) -> float:
    """Pixels that `_write` needs for a text."""
    return font.getlength(text) + _wider(font) * text.count(" ")


def _photo(data: bytes | None) -> Image.Image:
    """The photo letterboxed to _PHOTO."""
    box = Image.new("RGB", _PHOTO, _MAT)
    if data:
        try:
            photo = _decoded(data)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # all that Pillow's decoders raise
            return _note(box, "photo cannot be decoded")
        box.paste(photo, ((_PHOTO[0] - photo.width) // 2, (_PHOTO[1] - photo.height) // 2))
        return box
    return _note(box, "photo is not stored")


def _decoded(data: bytes) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large photos and odd metadata; neither matters here
        photo: Image.Image = Image.open(io.BytesIO(data))
        photo.draft("RGB", (2 * _PHOTO[0], 2 * _PHOTO[1]))  # a large JPEG is decoded at a fraction of its size
        photo = ImageOps.exif_transpose(photo)
        if photo.mode in ("RGBA", "LA", "PA", "P"):
            photo = photo.convert("RGBA")
            photo = Image.alpha_composite(Image.new("RGBA", photo.size, _CARD), photo)
        return ImageOps.contain(photo.convert("RGB"), _PHOTO, Image.Resampling.LANCZOS)


def _note(box: Image.Image, text: str) -> Image.Image:
    ImageDraw.Draw(box).text((_PHOTO[0] // 2, _PHOTO[1] // 2), text, GREY, _font(text, _TEXT), anchor="mm")
    return box


def _paragraph(text: str) -> Iterator[str | None]:
    """The lines of a wrapped text, then None for the gap after it."""
    lines = list(itertools.islice(_wrapped(_drawable(text), _TEXT, _PHOTO[0]), _MAX_LINES + 1))
    if len(lines) > _MAX_LINES:
        lines = [*lines[:_MAX_LINES - 1], _fitted(lines[_MAX_LINES - 1] + " …", _TEXT, _PHOTO[0])]
    yield from lines
    yield None


def _wrapped(text: str, size: int, width: int) -> Iterator[str]:
    """The lines of `text` in a column of `width` pixels."""
    font, line = _font(text, size), ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if _length(joined, font) <= width:
            line = joined
            continue
        if line:
            yield line
        line = word
        while _length(line, font) > width:  # one word wider than the column: a URL, or a script without spaces
            cut = max(1, _prefix(line, font, width))
            yield line[:cut]
            line = line[cut:]
    if line:
        yield line


def _prefix(text: str, font: _Font, width: float) -> int:
    """How many of the first characters fit into `width` pixels."""
    return bisect.bisect_right(range(1, len(text) + 1), width, key=lambda count: _length(text[:count], font))


def _fitted(text: str, size: int, width: int) -> str:
    """`text` on one line, cut with an ellipsis where it is wider than `width`."""
    text = _drawable(text)
    font = _font(text, size)
    if _length(text, font) <= width:
        return text
    cut = _prefix(text, font, width - _length("…", font))
    return text[:cut].rstrip(" …") + "…"


def _text_height(text: Sequence[tuple[str | None, str]]) -> int:
    return sum(_PARAGRAPH if part is None else _LEADING for part, _ in text)


def _drawable(text: str) -> str:
    """At most _MAX_TEXT characters, without those that a line cannot hold: breaks, controls, lone surrogates."""
    return "".join(c if c.isprintable() else "\ufffd" if 0xD800 <= ord(c) <= 0xDFFF else " " for c in text[:_MAX_TEXT])


def _font(text: str, size: int) -> _Font:
    return _plain_font(size) if all(c.isascii() or c in _PUNCTUATION for c in text) else _wide_font(size)


@functools.cache
def _plain_font(size: int) -> _Font:
    return ImageFont.load_default(size)  # comes inside Pillow


@functools.cache
def _wide_font(size: int) -> _Font:
    """DejaVu Sans, which matplotlib carries along: accented letters, Greek, Cyrillic, Arabic and more."""
    found = importlib.util.find_spec("matplotlib")
    folders = found.submodule_search_locations if found else None
    path = os.path.join(folders[0], "mpl-data", "fonts", "ttf", "DejaVuSans.ttf") if folders else ""
    return ImageFont.truetype(path, size) if os.path.exists(path) else _plain_font(size)
