"""Good tables with random bytes changed, inserted, removed and cut: never anything but rows and UserError."""

import json
import random

import pytest

from flags.errors import UserError
from records.sources import FORMATS, BadRow, Row, open_source

_CAPTION = 'A dog, "big", isn\'t it? Ünïcode 犬'
_PHOTOS = [f"sub/photo_{index}.jpg" for index in range(6)]
TABLES = {
    "csv": "image,caption,split\r\n" + "".join(
        f'{photo},"{_CAPTION.replace(chr(34), chr(34) * 2)}",train\r\n' for photo in _PHOTOS),
    "flickr": "".join(f"{photo}#{index}\t{_CAPTION}\n" for index, photo in enumerate(_PHOTOS)),
    "jsonl": "".join(json.dumps({"image": photo, "captions": [_CAPTION, "two"]}) + "\n" for photo in _PHOTOS),
    "json": json.dumps([{"image": photo, "captions": [_CAPTION, "two"]} for photo in _PHOTOS]),
    "descriptions": "".join(f"{photo} {_CAPTION}\n" for photo in _PHOTOS),
    "coco": json.dumps({"images": [{"id": i, "file_name": photo} for i, photo in enumerate(_PHOTOS)],
                        "annotations": [{"image_id": i, "caption": _CAPTION} for i in range(len(_PHOTOS))]}, indent=1),
    "karpathy": json.dumps({"images": [{"filename": photo, "filepath": "val", "split": "val", "sentids": [0],
                                        "sentences": [{"raw": _CAPTION}]} for photo in _PHOTOS]}),
}
_INSERTED = [b"\0", b'"', b"\\", b",", b"\t", b"\n", b"\r", b"#", b"{", b"]", b"\xff", b"\xe2\x80", b"../",
             b"\xef\xbb\xbf", b"\\ud83d", b"null", b"\x85", b"\xed\xa0\x80", b"9" * 400, b'"' * 7, b"[" * 2000]


def mutated(data: bytes, dice: random.Random) -> bytes:
    result = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        place = dice.randrange(len(result) + 1)
        action = dice.randrange(5)
        if action == 0:
            result[place:place] = dice.choice(_INSERTED)
        elif action == 1:
            del result[place:place + dice.choice((1, 2, 30))]
        elif action == 2:
            result[place:place + 1] = bytes([dice.randrange(256)])
        elif action == 3:
            result[place:place] = result[dice.randrange(len(result) + 1):][:60]
        elif dice.random() < 0.2:
            del result[place:]
    return bytes(result)


def check(rows):
    for row in rows:
        assert isinstance(row, Row | BadRow)
        text = (row.image, row.caption) if isinstance(row, Row) else (row.image, row.reason)
        for part in (*text, row.where):
            part.encode()
            assert "\n" not in part and "\0" not in part
        if isinstance(row, Row):
            assert not row.image.startswith("/") and ".." not in row.image.split("/")
            assert any(map(str.isalnum, row.caption))


@pytest.mark.parametrize("form", TABLES)
@pytest.mark.parametrize("named", [True, False])
def test_mutated_tables(tmp_path, form, named):
    dice = random.Random(f"{form} {named}")
    path = tmp_path / "captions"
    for _ in range(300):
        path.write_bytes(mutated(TABLES[form].encode(), dice))
        try:
            check(open_source(str(path), form if named else "auto", ""))
        except UserError as error:
            assert "\n" not in str(error)
            assert str(path) in str(error)
    assert set(TABLES) == set(FORMATS) - {"tfds", "webdataset", "parquet", "sidecar", "folders"}
