"""Photos and caption tables that tests of make_records share, and the mode itself as a function."""

import csv
import hashlib
import os
import pathlib
import signal

from PIL import Image, ImageEnhance, ImageOps

from flags.make_records import MakeRecords
from records.ingest.scan_worker import check_chunk
from records.make_records import run

DEMO = pathlib.Path(__file__).parents[2] / "tagger" / "demo_data"
PHOTOS = sorted((DEMO / "images").glob("*.jpg"))
WORDS = "a dog runs on the green grass while two small children watch from an old red bench".split()


def write_photos(folder: pathlib.Path, count: int, size: int = 48) -> list[str]:
    """`count` different small JPEGs made from the embedded photos: resized, mirrored, brightened."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for index in range(count):
        with Image.open(PHOTOS[index % len(PHOTOS)]) as photo:
            small = photo.convert("RGB").resize((size, size - index % 5))
        if index // len(PHOTOS) % 2:
            small = ImageOps.mirror(small)
        small = ImageEnhance.Brightness(small).enhance(1 - index // len(PHOTOS) * 0.03)
        names.append(f"photo_{index:04}.jpg")
        small.save(folder / names[-1], quality=80)
    return names


def write_captions(path: pathlib.Path, names: list[str], per_image: int = 2) -> pathlib.Path:
    """A CSV table with `per_image` captions of every name; no two captions of an image are the same."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "caption"])
        for index, name in enumerate(names):
            for number in range(per_image):
                start = (index * 7 + number) % 9
                writer.writerow([name, " ".join(WORDS[start:start + 4 + index % 5])])
    return path


def write_table(path: pathlib.Path, rows: list[tuple[str, str]]) -> pathlib.Path:
    """A CSV table of (image, caption) rows."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "caption"), *rows])
    return path


def make(images: pathlib.Path, captions: pathlib.Path, records_dir: pathlib.Path, **flags: object) -> pathlib.Path:
    """Runs make_records in this process, without features unless asked for; returns the records folder."""
    run(MakeRecords(**{"images": str(images), "captions": str(captions), "records_dir": str(records_dir),
                       "backbone": "none", "name": "photos", "workers": 1, **flags}))
    return records_dir


def contents(folder: pathlib.Path) -> dict[str, str]:
    """Hash of every file in a folder, by path inside it."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def deadly_check(tasks, images_dir, max_words, **flags):
    """check_chunk with a decoder that takes its process down on one photo, as native code can."""
    if any(task.key == "photo_0007.jpg" for task in tasks):
        os.kill(os.getpid(), signal.SIGKILL)
    return check_chunk(tasks, images_dir, max_words, **flags)
