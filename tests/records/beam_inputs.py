"""A table with all that pass 1 has to find out: captions and keywords, twins in several splits, bad rows and photos."""

import csv
import pathlib
import random
import shutil

from PIL import Image

from tests.records.inputs import WORDS, write_photos

KEYWORDS = ["dog", "Dog", "golden retriever", "green grass", "bench", "New York", "children"]


def write_inputs(folder: pathlib.Path, count: int) -> tuple[pathlib.Path, pathlib.Path]:
    """`count` photos and some more, with two rows and more of each, about one in twenty of them bad."""
    choose = random.Random(7)
    images = folder / "images"
    names = write_photos(images, count)
    for number in range(0, count, 9):  # twins: the same file, and the same pixels in another format
        shutil.copy(images / names[number], images / f"twin_{number}.jpg")
        with Image.open(images / names[number]) as photo:
            photo.save(images / f"twin_{number}.png")
        names += [f"twin_{number}.jpg", f"twin_{number}.png"]
    for number in range(0, count, 20):
        (images / f"cut_{number}.jpg").write_bytes((images / names[number]).read_bytes()[:400])
        names.append(f"cut_{number}.jpg")
    choose.shuffle(names)
    table = folder / "captions.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "caption", "split"])
        for number, name in enumerate(names):
            split = ("train", "train", "train", "val", "test")[number % 5]
            for _ in range(choose.randint(1, 3)):
                start = choose.randrange(9)
                caption = " ".join(WORDS[start:start + choose.randint(2, 7)])
                writer.writerow([name, choose.choice(["", "?!", caption.replace(" ", "\n", 1)])
                                 if choose.random() < 0.05 else caption, split])
            if number % 31 == 0:
                file.write(f'{name},"a quote never closed\r\n')
                writer.writerow([f"../{name}", "outside", split])
                writer.writerow([f"absent_{number}.jpg", "no file", split])
    return images, table


def write_keywords(folder: pathlib.Path, count: int, separator: str = ", ") -> tuple[pathlib.Path, pathlib.Path]:
    """Photos with a cell of keywords each."""
    choose = random.Random(8)
    names = write_photos(folder / "images", count)
    table = folder / "keywords.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "tags"])
        for name in names:
            words = KEYWORDS if separator.strip() else [word for word in KEYWORDS if " " not in word]
            writer.writerow([name, separator.join(choose.sample(words, choose.randint(1, 3)))])
    return folder / "images", table
