import os

import pytest

from records.util.printable import printable


@pytest.mark.parametrize(("name", "shown"), [
    ("photo 1.jpg", "photo 1.jpg"), ("Çeşme 犬\u3000😀.jpg", "Çeşme 犬\u3000😀.jpg"), ("a\nerror: b", r"a\nerror: b"),
    ("\x1b]0;title\x07\x1b[2J", r"\x1b]0;title\x07\x1b[2J"), ("\x9b31m", r"\x9b31m"),
    ("\u202egpj.exe", r"\u202egpj.exe"),
    (os.fsdecode(b"caf\xe9.jpg"), r"caf\xe9.jpg"), ("\ud800", r"\ud800")])
def test_names_from_outside_are_one_line_that_does_nothing(name, shown):
    assert printable(name) == shown
    printable(name).encode()
