"""What every caption source yields, and the checks that all of them share."""

import dataclasses
import functools
import os
import re

from records.images.extents import Extent
from records.text.keywords import SEPARATORS

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # Unicode category Cc
_DRIVE = re.compile(r"[A-Za-z]:")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BASE64 = re.compile(r"data:image/|(?:/9j/|iVBORw0KGgo|R0lGOD|UklGR)[\w+/=]{60}")  # JPEG, PNG, GIF, WebP
_STRAY = re.compile("[\ud800-\udfff]")  # what stands for a byte that is no UTF-8
_NAME_BYTES = 255  # of one path component, the limit of every common file system
_PATH_BYTES = 4095


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One caption of one image.

    Attributes:
      image: the image's path under --images, with "/" between its parts; never absolute, never with "..".
      caption: UTF-8 text on one line, runs of white space collapsed; has at least one word.
      where: the row in the table, as "captions.csv:17".
      split: the split that the table itself gives the image ("train", "validation", "test", …), or None.
      keywords: None where the text is a caption. Where it is of a column of keywords: the keywords, each of one word or
        several; () where the text is one cell, whose separators only the whole column tells (records.text.keywords).
      extent: where the image's bytes lie, of one inside an archive; None for a file under --images.
    """

    image: str
    caption: str
    where: str
    split: str | None = None
    keywords: tuple[str, ...] | None = None
    extent: Extent | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class BadRow:
    """One row that cannot be used.

    Attributes:
      where: the row in the table, as "captions.csv:17".
      image: the image it names as far as that is known, else "".
      reason: what is wrong, in words for rejected.jsonl; the part before the first ":" is the same for every row
        with the same fault, so that faults can be counted.
    """

    where: str
    image: str
    reason: str


class BadField(ValueError):
    """A field of a row that cannot be used; str() is the reason."""


def reason_class(reason: str) -> str:
    """The countable part of a reason: 'caption has no words: "!!!"' counts as 'caption has no words'."""
    return reason.partition(":")[0]


def image_name(text: object, images: str = "") -> str:
    """The image name of a table as a safe relative path.

    Args:
      text: the name; a whole number is an id without its suffix (records.sources.names completes it).
      images: folder of the photos; an absolute name that lies inside it is taken relative to it.

    Raises:
      BadField: it is empty, leads outside --images, or could be no file's name.
    """
    if isinstance(text, int | float) and not isinstance(text, bool) and text == text // 1:
        text = str(int(text))
    if not isinstance(text, str):
        raise BadField(f"image name is not text: {shown(text)}")
    return _clean_name(text, images)


@functools.lru_cache(maxsize=64)  # the captions of an image mostly follow one another
def _clean_name(text: str, images: str) -> str:
    name = text.strip()
    if not name:
        raise BadField("image name is empty")
    _check_characters(name, "image name")
    if _CONTROL.search(name):
        raise BadField(f"image name holds a control character: {shown(name)}")
    if _BASE64.match(name):
        raise BadField(f"image name is no name but the photo itself in base64: {shown(name)}")
    if _URL.match(name):
        raise BadField(f"image name is a URL, not a file under --images: {shown(name)}")
    if name.startswith("/") and images and "://" not in images:
        name = _inside(name, images)
    name = name.replace("\\", "/")
    if name.startswith(("/", "~")) or _DRIVE.match(name):
        raise BadField(f"image name leads outside --images: {shown(name)}")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BadField(f"image name leads outside --images: {shown(name)}")
    if not parts or name.endswith("/"):
        raise BadField(f"image name is a folder: {shown(name)}")
    if any(len(part.encode()) > _NAME_BYTES for part in parts) or len(name.encode()) > _PATH_BYTES:
        raise BadField(f"image name is longer than a file name can be: {len(name.encode()):,} bytes in {shown(name)}")
    return "/".join(parts)


def _inside(name: str, images: str) -> str:
    """An absolute name relative to the folder of the photos, where it begins with that folder; else as it is."""
    for root in (os.path.abspath(images), os.path.realpath(images)):
        if name.startswith(root.rstrip("/") + "/"):
            return name[len(root.rstrip("/")) + 1:]
    return name


_MISSING = frozenset(("nan", "null", "<na>", "#n/a"))  # what pandas, R and Excel write where there is no value
_NO_CAPTION = frozenset(("none", "n/a"))  # a keyword may be called that

# What sequence models are fed with before the first and after the last word, stored with the caption by tutorials.
_START = re.compile(r"(?:<(?:start|s|bos|sos)>|\[(?:start|bos|cls)\]|startseq\b)\s*", re.IGNORECASE)
_END = re.compile(r"(?:<(?:end|/s|eos)>|\[(?:end|eos|sep)\]|(?<![^\W_])endseq)\Z", re.IGNORECASE)
_END_CHARACTERS, _ENDS = 10, 4  # characters that tell a marker; markers that padding may repeat


def _without_markers(text: str) -> str:
    if start := _START.match(text):
        text = text[start.end():]
    for _ in range(_ENDS):
        bare = text.rstrip(" .")
        if not (end := _END.search(bare, max(len(bare) - _END_CHARACTERS, 0))):
            break
        text = bare[:end.start()].rstrip()
    return text


def caption_text(text: object) -> str:
    """A caption on one line, runs of white space and control characters collapsed to one space.

    Markers of a caption's start and end (`<start>`, `<end>`, `startseq`, `endseq`, …) are taken off.

    Raises:
      BadField: it is no text, empty, wrongly encoded, or has no word.
    """
    if not isinstance(text, str):
        raise BadField(f"caption is not text: {shown(text)}")
    _check_characters(text, "caption")
    text = " ".join(_CONTROL.sub(" ", text).split())
    if text.startswith(("<", "[", "s", "S")) or text.endswith((">", "]", "q", "Q", ".")):
        text = _without_markers(text)
    if not text:
        raise BadField("caption is empty")
    if len(text) < 5 and text.lower() in _MISSING:
        raise BadField(f"caption is missing: {shown(text)} stands for none")
    if not any(map(str.isalnum, text)):  # as records.text.tokenizer.words has it, without making the list
        raise BadField(f"caption has no words: {shown(text)}")
    return text


def _check_characters(text: str, what: str) -> None:
    if "\0" in text:
        raise BadField(f"{what} holds a NUL byte: {shown(text)}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            byte = ord(text[error.start]) - 0xDC00  # what the surrogateescape error handler makes of a stray byte
            found = f"byte 0x{byte:02X}" if 0x80 <= byte <= 0xFF else "half of a surrogate pair"
            raise BadField(f"{what} is not UTF-8: {found} in {shown(_STRAY.sub('�', text))}") from error


def make_row(image: object, caption: object, where: str, split: object = None, images: str = "") -> Row | BadRow:
    """A Row from raw fields, or the BadRow that says which of them cannot be used; `images` as in `image_name`."""
    if isinstance(caption, str) and len(caption) < 9 and caption.strip().lower() in _NO_CAPTION:
        return BadRow(where, printable(image), f"caption is missing: {shown(caption.strip())} stands for none")
    return _row(image, caption, where, split, images)


def _row(image: object, caption: object, where: str, split: object, images: str) -> Row | BadRow:
    try:
        name = image_name(image, images)
    except BadField as error:
        return BadRow(where, printable(image), str(error))
    try:
        return Row(name, caption_text(caption), where, None if split is None else known_split(split))
    except BadField as error:
        return BadRow(where, name, str(error))


def make_keyword_row(image: object, value: object, where: str, split: object = None, single: bool = False,
                     images: str = "") -> Row | BadRow:
    """Like `make_row`, for a cell of keywords or a list of them.

    Args:
      value: text, or a list whose entries are the keywords.
      single: the column's name is that of one keyword (`label`, not `labels`): a space is then part of it.
    """
    if not isinstance(value, list):
        row = _row(image, str(value) if type(value) in (int, float) else value, where, split, images)
        if isinstance(row, BadRow):
            return row
        whole = single and not SEPARATORS.search(row.caption)
        return dataclasses.replace(row, keywords=(row.caption,) if whole else ())
    try:
        keywords = tuple(dict.fromkeys(caption_text(str(entry) if type(entry) in (int, float) else entry)
                                       for entry in value if entry != ""))
    except BadField as error:
        return BadRow(where, printable(image), str(error))
    row = _row(image, ", ".join(keywords), where, split, images)
    return row if isinstance(row, BadRow) else dataclasses.replace(row, keywords=keywords)


_SPLIT_NAMES = {"val": "validation", "valid": "validation", "dev": "validation", "training": "train",
                "testing": "test", "eval": "validation",
                "restval": "train"}  # Karpathy's name for COCO validation photos that are trained on
_KNOWN = ("train", "validation", "test")
# With a year, a number or a suffix: train2017, val_2014, test-dev, minival, trainval.
_SPLIT_FORMS = ((re.compile(r"(?:mini|sub)?train(?:ing)?(?:[_-]?val)?(?:[ _-]?(?:set|split|data|\d++))*+"), "train"),
                (re.compile(r"(?:mini)?(?:validation|valid|val|dev|eval)(?:[ _-]?(?:set|split|data|\d++))*+"),
                 "validation"),
                (re.compile(r"test(?:ing)?(?:[ _-]?(?:dev|std|set|split|data|\d++))*+"), "test"),
                (re.compile(r"public[ _-]?test"), "validation"), (re.compile(r"private[ _-]?test"), "test"))  # Kaggle
_SPLIT = re.compile(r"[a-z][a-z0-9_]*")


def split_name(text: object) -> str:
    """A split's name as records folders spell it: lower case, val and dev as validation.

    Raises:
      BadField: no letters, digits and underscores starting with a letter.
    """
    name = text.strip().lower() if isinstance(text, str) else ""
    name = _SPLIT_NAMES.get(name, name)
    if not _SPLIT.fullmatch(name):
        raise BadField(f"split is no name: {shown(text)}")
    return name


@functools.lru_cache(maxsize=64)
def _known_form(text: str) -> str | None:
    name = text.strip().lower()
    name = _SPLIT_NAMES.get(name, name)
    return next((split for form, split in _SPLIT_FORMS if form.fullmatch(name)), None)


def known_split(text: object) -> str:
    """train, validation or test, from what tables call them: val, dev, train2017, val2014, trainval, test-dev, ….

    Raises:
      BadField: it is none of them.
    """
    name = _known_form(text) if isinstance(text, str) else None
    if name is None:
        split_name(text)
        raise BadField(f"split {shown(text)} is unknown: expected {', '.join(_KNOWN)} (or val, dev, train2017 "
                       "and the like)")
    return name


def is_split(value: object) -> bool:
    """Whether a value is one that `known_split` knows."""
    return isinstance(value, str) and _known_form(value) is not None


def printable(value: object, length: int = 200) -> str:
    """Any value as text that can be printed, encoded and stored, shortened to `length` characters."""
    text = value if isinstance(value, str) else "" if value is None else repr(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:length + 1])
    return text if len(text) <= length else text[:length - 1] + "…"


def shown(value: object) -> str:
    """`printable`, in quotes and short enough for a reason."""
    return f'"{printable(value, 60)}"'
