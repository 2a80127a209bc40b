"""Which photo stands for several with the same pixels, and which captions it gets."""

from records.ingest import rejections
from records.ingest.deduplication import GroupRow, held_out_first, position, resolve_group


def row(image, key, seq, caption, split=None):
    return GroupRow(image, key, seq, caption, f"t:{seq}", split, b"crc", b"sha")


def test_the_most_held_out_split_comes_first():
    assert sorted(["train", "extra", "validation", "test", "dev"], key=held_out_first) == [
        "test", "validation", "dev", "extra", "train"]


def test_the_first_photo_of_the_most_held_out_split_stands_for_all():
    rows = [row(1, "a", 0, "one", "train"), row(2, "b", 1, "two", "test"), row(3, "c", 2, "three", "test")]
    resolved = resolve_group(rows, lambda key, split: split, seed=7)
    assert resolved.images == [(2, None, None, 1), (2, "test", position("b", 7), 2), (2, None, None, 3)]
    assert resolved.left_out == []


def test_a_caption_that_is_said_again_counts_where_it_stands_first():
    rows = [row(1, "a", 5, "a dog", "train"), row(2, "b", 3, "a dog", "train"), row(2, "b", 4, "a cat", "train")]
    assert resolve_group(rows, lambda key, split: split, 0).left_out == [(f"{rejections.REPEATED}: t:3", 1, 5)]


def test_rows_in_no_split_are_left_out_and_do_not_decide():
    rows = [row(1, "a", 0, "one"), row(2, "b", 1, "two")]
    resolved = resolve_group(rows, lambda key, split: {"b": "train"}.get(key), 0)
    assert [image for *_, image in resolved.images] == [2] and resolved.left_out == [(rejections.NO_SPLIT, 1, 0)]
    assert resolve_group(rows[:1], lambda key, split: None, 0).images == []


def test_positions_depend_on_key_and_seed_alone():
    assert position("a", 0) == position("a", 0) != position("a", 1)
    assert position("a", 0).hex()[:16] == "99fa3e2e700d317f"  # records made before have this order
