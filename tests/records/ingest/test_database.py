"""The ingest database: rows, duplicate groups and splits, without any image file."""

import contextlib
import sqlite3

import pytest

from records.images.validation import PixelHash
from records.ingest import rejections
from records.ingest.database import IngestDatabase
from records.ingest.database_tables import ImageResult
from records.ingest.planned import planned
from records.ingest.splits import Splitter
from records.sources import BadRow, Row


def checked(task, picture, jpeg=False):
    """A usable image whose pixels are named `picture`."""
    eighth, pixels = (picture, None) if jpeg else (None, picture)
    return ImageResult(task.image, None, 3, 4, 7, eighth, pixels, False, 100,
                       tuple((seq, caption, caption.split()[0], None) for seq, caption in task.captions))


def resolved(path, rows, pictures, splitter, inputs="inputs", seed=0):
    database = IngestDatabase(str(path / "index"), inputs)
    database.ingest(rows)
    for tasks in database.unchecked(2):
        database.check([checked(task, pictures.get(task.key, task.key.encode())) for task in tasks])
    for photos in database.look_alikes(PixelHash.SHA256, 2):
        database.tell_apart(PixelHash.SHA256, [(photo.image, pictures[photo.key] + b", exactly") for photo in photos])
    database.resolve(splitter, seed)
    return database


def found(database):
    return {split: sorted((example.key, [text.caption for text in example.captions])
                          for example in database.examples(split)) for split in database.split_counts()}


def test_rows_of_an_image_meet_wherever_they_stand_in_the_table(tmp_path):
    rows = [Row("a", "a one", "t:1"), Row("b", "b one", "t:2"), BadRow("t:3", "x", "bad: row"),
            Row("a", "a two", "t:4"), Row("a", "a one", "t:5")]
    database = resolved(tmp_path, rows, {}, Splitter(listed={"a": "train", "b": "train"}))
    assert found(database) == {"train": [("a", ["a one", "a two"]), ("b", ["b one"])]}
    assert list(database.rejected()) == [("x", "t:3", "bad: row"), ("a", "t:5", f"{rejections.REPEATED}: t:1")]
    assert database.row_count() == 5


@pytest.mark.parametrize(("splits", "kept"), [
    ({"a": "train", "b": "test", "c": "validation"}, ("test", "b")),
    ({"a": "train", "b": "validation", "c": "train"}, ("validation", "b")),
    ({"a": "train", "b": "extra", "c": "train"}, ("extra", "b")),
    ({"a": "train", "b": "train", "c": "train"}, ("train", "a"))])
def test_a_picture_under_three_names_goes_to_the_most_held_out_split(tmp_path, splits, kept):
    rows = [Row(name, f"{name} says", f"t:{name}") for name in "abc"]
    database = resolved(tmp_path, rows, dict.fromkeys("abc", b"same"), Splitter(listed=splits))
    split, name = kept
    assert found(database) == {split: [(name, ["a says", "b says", "c says"])]}
    assert list(database.duplicates()) == [(other, name, split) for other in "abc" if other != name]
    assert list(database.rejected()) == []


def test_captions_of_a_picture_under_two_names_keep_the_order_of_the_table(tmp_path):
    rows = [Row("a", "one", "t:1"), Row("b", "two", "t:2"), Row("a", "three", "t:3"), Row("b", "one", "t:4"),
            Row("c", "other", "t:5"), Row("b", "four", "t:6"), Row("a", "two", "t:7")]
    database = resolved(tmp_path, rows, dict.fromkeys("ab", b"same"), Splitter(listed=dict.fromkeys("abc", "train")))
    assert found(database) == {"train": [("a", ["one", "two", "three", "four"]), ("c", ["other"])]}
    assert list(database.rejected()) == [("b", "t:4", f"{rejections.REPEATED}: t:1"),
                                      ("a", "t:7", f"{rejections.REPEATED}: t:2")]


def test_examples_can_be_read_from_any_position_on(tmp_path):
    rows = [Row(f"{number}", "says", f"t:{number}", "train") for number in range(20)]
    database = resolved(tmp_path, rows, {}, Splitter())
    everything = list(database.examples("train"))
    with contextlib.closing(sqlite3.connect(database.path)) as db:
        for number in range(20):
            assert list(planned(db, "train", database.position("train", number))) == everything[number:]


def test_more_rows_than_are_stored_or_resolved_at_once(tmp_path):
    rows = [Row(f"{number % 700}", f"says {number}", f"t:{number}", "train") for number in range(1400)]
    rows += [Row(f"{number}", "says 5", f"u:{number}", "train") for number in range(0, 700, 7)]
    database = resolved(tmp_path, rows, {}, Splitter())
    expected = {f"{number}": [f"says {number}", f"says {number + 700}"] + ["says 5"] * (number % 7 == 0)
                for number in range(700)}
    assert found(database) == {"train": sorted(expected.items())}
    assert database.row_count() == 1500 and database.image_counts() == (700, 700)
    words, tags = database.count_words("train")
    assert words["says"] == 1500 and words["5"] == 101 and tags["says"] == 1500


def test_photos_whose_checksums_agree_by_chance_are_told_apart(tmp_path):
    database = IngestDatabase(str(tmp_path / "index"), "inputs")
    database.ingest([Row(name, f"{name} says", f"t:{name}", "train") for name in "abcde"])
    (tasks,) = database.unchecked(5)
    database.check([checked(task, b"alone" if task.key == "e" else b"same") for task in tasks])
    exact = dict(zip("abcd", (b"one", b"two", b"one", b"two"), strict=True))
    photos = [photo for chunk in database.look_alikes(PixelHash.SHA256, 3) for photo in chunk]
    assert [photo.key for photo in photos] == list("abcd")
    database.tell_apart(PixelHash.SHA256, [(photo.image, exact[photo.key]) for photo in photos])
    assert list(database.look_alikes(PixelHash.SHA256, 3)) == []
    database.resolve(Splitter(), 0)
    assert found(database) == {"train": [("a", ["a says", "c says"]), ("b", ["b says", "d says"]), ("e", ["e says"])]}
    assert list(database.duplicates()) == [("c", "a", "train"), ("d", "b", "train")]


def test_jpeg_files_are_decoded_in_full_only_where_another_image_may_be_the_same(tmp_path):
    def tell_apart(kind):
        photos = [photo for chunk in database.look_alikes(kind, 2) for photo in chunk]
        database.tell_apart(kind, [(photo.image, pictures[photo.key]) for photo in photos])
        assert list(database.look_alikes(kind, 2)) == []
        return "".join(photo.key for photo in photos)

    pictures = dict(zip("abcde", (b"one", b"one", b"two", b"three", b"two"), strict=True))
    eighths = {"a": b"light", "b": b"light", "c": b"dark", "d": b"light"}
    for images, in_full, exactly in (("abcd", "abd", "ab"), ("abcde", "abcd", "abce"), ("cd", "", "")):
        (tmp_path / images).mkdir()
        database = IngestDatabase(str(tmp_path / images / "index"), "inputs")
        database.ingest([Row(name, f"{name} says", f"t:{name}", "train") for name in images])
        database.check([checked(task, eighths.get(task.key, pictures[task.key]), jpeg=task.key in eighths)
                     for tasks in database.unchecked(5) for task in tasks])
        assert (tell_apart(PixelHash.CRC32C), tell_apart(PixelHash.SHA256)) == (in_full, exactly)
        database.resolve(Splitter(), 0)
        merged = {name: pictures[name] for name in images}
        assert len(found(database)["train"]) == len(set(merged.values()))


def test_a_row_that_is_in_no_list_does_not_come_in_by_its_twin(tmp_path):
    rows = [Row("a", "a says", "t:1"), Row("b", "b says", "t:2")]
    database = resolved(tmp_path, rows, dict.fromkeys("ab", b"same"), Splitter(listed={"a": "train"}))
    assert found(database) == {"train": [("a", ["a says"])]}
    assert list(database.rejected()) == [("b", "t:2", rejections.NO_SPLIT)]
    assert list(database.duplicates()) == []


def test_an_image_whose_rows_name_two_splits_is_held_out(tmp_path):
    rows = [Row("a", "one", "t:1", "train"), Row("a", "two", "t:2", "test")]
    assert found(resolved(tmp_path, rows, {}, Splitter())) == {"test": [("a", ["one", "two"])]}


def test_the_order_depends_on_key_and_seed_alone(tmp_path):
    rows = [Row(f"{number:03}", "says", f"t:{number}", "train") for number in range(200)]
    orders = []
    for place, (part, seed) in enumerate([(rows, 0), (rows[::-1], 0), (rows[50:150], 0), (rows, 1)]):
        (tmp_path / str(place)).mkdir()
        database = resolved(tmp_path / str(place), part, {}, Splitter(), seed=seed)
        orders.append([example.key for example in database.examples("train")])
    assert orders[0] == orders[1] != orders[3]
    assert orders[2] == [key for key in orders[0] if 50 <= int(key) < 150]
    assert orders[0] != sorted(orders[0])


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    rows = [Row(f"{number}", "says", f"t:{number}", "train") for number in range(10)]
    database = IngestDatabase(str(tmp_path / "index"), "inputs")
    database.ingest(rows)
    database.check([checked(task, task.key.encode()) for task in next(database.unchecked(4))])
    database.close()
    again = IngestDatabase(str(tmp_path / "index"), "inputs")
    again.ingest(iter(lambda: pytest.fail("the table is read already"), None))
    assert again.image_counts() == (10, 4)
    assert [task.key for tasks in again.unchecked(100) for task in tasks] == [f"{number}" for number in range(4, 10)]
    again.close()
    assert IngestDatabase(str(tmp_path / "index"), "other inputs").image_counts() == (0, 0)


def test_images_that_could_not_be_used_are_looked_at_again_and_good_ones_not(tmp_path):
    rows = [Row("good", "says", "t:1", "train"), Row("bad", "says", "t:2", "train")]
    database = IngestDatabase(str(tmp_path / "index"), "inputs")
    database.ingest(rows)
    good, bad = next(database.unchecked(2))
    database.check([checked(good, b"good"), ImageResult(bad.image, "JPEG data is corrupt: x")])
    database.resolve(Splitter(), 0)
    assert list(database.rejected()) == [("bad", "t:2", "JPEG data is corrupt: x")]
    database.forget_bad()
    ((task,),) = database.unchecked(5)
    assert task.key == "bad"
    database.check([checked(task, b"bad")])
    database.resolve(Splitter(), 0)
    assert list(database.rejected()) == [] and found(database) == {"train": [("bad", ["says"]), ("good", ["says"])]}
