"""Names from outside, made fit for a terminal.

A file name may hold anything but "/" and a zero byte: line breaks that forge a line of output, escape sequences that
move the cursor or rename the window, bytes that are no UTF-8.
"""

import unicodedata


def printable(text: object) -> str:
    r"""`text` on one line, with control and format characters, and bytes that are no UTF-8, as escapes: '\x1b'."""
    return "".join(character if character.isprintable() else _escaped(character) for character in str(text))


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte of a file name that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(character) == "Zs":  # spaces of other widths than ASCII's
        return character
    return character.encode("unicode_escape").decode("ascii")
