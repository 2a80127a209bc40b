"""make_records as a whole: the same bytes whatever happens on the way, every row accounted for, no picture twice."""

import collections
import json
import random
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from flags.errors import UserError
from flags.make_records import MakeRecords
from records.format import layout
from records.format import manifest as manifests
from records.images.validation import check_image
from records.make_records import run
from records.verify_records import problems
from tests.records.inputs import DEMO, PHOTOS, contents, make, write_captions, write_photos, write_table


def examples_of(folder, split=None):
    """Parsed tf.train.Examples of a records folder, in shard order."""
    files = sorted(str(path) for path in folder.glob(f"*-{split or '*'}.tfrecord-*"))
    for data in tf.data.TFRecordDataset(files).as_numpy_iterator():
        yield tf.train.Example.FromString(data).features.feature


def keys_of(folder, split=None):
    return [feature["key"].bytes_list.value[0].decode() for feature in examples_of(folder, split)]


# --- purity -----------------------------------------------------------------------------------------------------


def test_bytes_do_not_depend_on_the_number_of_workers_or_the_place(photos, records, tmp_path, monkeypatch):
    monkeypatch.setattr("records.ingest.scan._PHOTOS_PER_WORKER", 20)  # so few photos would be left to one process
    moved = shutil.copytree(photos[0], tmp_path / "elsewhere")
    table = shutil.copy(photos[1], tmp_path / "table.csv")
    with_four = make(moved, table, tmp_path / "records", shards="train=4,validation=2", workers=4)
    found = contents(with_four)
    # The manifest names the split of the work, not the place: all files are equal.
    assert found == contents(records)


def test_another_seed_gives_another_order_and_the_same_photos(photos, tmp_path):
    flags = {"split_fractions": "train=1"}
    first = make(*photos, tmp_path / "a", **flags)
    second = make(*photos, tmp_path / "b", seed=1, **flags)
    assert keys_of(first) != keys_of(second)
    assert sorted(keys_of(first)) == sorted(keys_of(second))


def test_examples_are_spread_over_shards_and_shards_are_even(records):
    manifest = manifests.load(records)
    sizes = [shard.examples for shard in manifest.splits["train"].shards]
    assert max(sizes) - min(sizes) <= 1
    keys = keys_of(records, "train")
    assert keys != sorted(keys)
    first_shard = {int(key[6:10]) for key in keys[:sizes[0]]}
    assert min(first_shard) < 30 and max(first_shard) >= 60  # from the whole table, not from one end of it


# --- every row ends somewhere -------------------------------------------------------------------------------------


def test_every_row_is_in_a_shard_or_in_rejected(tmp_path):
    images = tmp_path / "images"
    names = write_photos(images, 12)
    shutil.copy(images / names[0], images / "twin.jpg")
    (images / "broken.jpg").write_bytes((images / names[1]).read_bytes()[:500])
    (images / "empty.jpg").write_bytes(b"")
    rows = [(name, f"caption number {number} of {name}") for name in names for number in range(3)]
    rows += [("twin.jpg", "a twin of the first"), ("twin.jpg", f"caption number 0 of {names[0]}")]
    rows += [("broken.jpg", "cut short"), ("empty.jpg", "no bytes"), ("missing.jpg", "not there"),
             ("../../etc/passwd", "outside"), ("/etc/passwd", "absolute"), (names[2], ""), (names[2], "?!"),
             (names[3], "word " * 5000), (names[4], rows[12][1]), (names[5], "nul \0 byte"), ("", "nameless")]
    random.Random(0).shuffle(rows)
    records = make(images, write_table(tmp_path / "captions.csv", rows), tmp_path / "r", max_rejected="60%")
    stored = collections.Counter()
    for feature in examples_of(records):
        stored[feature["key"].bytes_list.value[0].decode()] += len(feature["captions"].bytes_list.value)
    rejected = [json.loads(line) for line in (records / "rejected.jsonl").read_text().splitlines()]
    assert sum(stored.values()) + len(rejected) == len(rows)
    assert {row["row"] for row in rejected} == {
        f"captions.csv:{number}" for number, (name, caption) in enumerate(rows, 2)
        if name in ("broken.jpg", "empty.jpg", "missing.jpg", "../../etc/passwd", "/etc/passwd", "")
        or caption in ("", "?!", "word " * 5000, "nul \0 byte")
        or (name, caption) in rows[:number - 2] or (name in ("twin.jpg", names[0]) and any(
            caption == other and owner in ("twin.jpg", names[0]) for owner, other in rows[:number - 2]))}
    manifest = manifests.load(records)
    assert manifest.rejected.total == len(rejected)
    assert sum(manifest.rejected.by_reason.values()) == len(rejected)
    assert manifest.rejected.by_reason["photo does not exist"] == 1
    assert [row["row"] for row in rejected] == sorted((row["row"] for row in rejected),
                                                      key=lambda row: int(row.split(":")[1]))


def test_a_row_whose_photo_does_not_exist_stops_the_run(photos, tmp_path):
    table = write_table(tmp_path / "captions.csv", [("photo_0000.jpg", "a dog"), ("gone.jpg", "a cat")])
    with pytest.raises(UserError, match=r"captions.csv:3: photo does not exist: 'gone.jpg'.*--max_rejected"):
        make(photos[0], table, tmp_path / "r", split_fractions="train=1")
    shouted = write_table(tmp_path / "shouted.csv", [("photo_0000.jpg", "a dog"), ("PHOTO_0001.jpg", "a cat")])
    with pytest.raises(UserError, match="'PHOTO_0001.jpg'; 'photo_0001.jpg' is there, mind upper and lower case"):
        make(photos[0], shouted, tmp_path / "r", split_fractions="train=1")
    # The limit is all that changes, so what was found out is kept; and a photo that arrives is seen.
    make(photos[0], table, tmp_path / "r", split_fractions="train=1", max_rejected="50%")
    assert manifests.load(tmp_path / "r").rejected.by_reason == {"photo does not exist": 1}


def test_a_mended_photo_is_looked_at_again(photos, tmp_path):
    images = shutil.copytree(photos[0], tmp_path / "images")
    table = write_table(tmp_path / "captions.csv", [("photo_0000.jpg", "a dog"), ("late.jpg", "a cat")])
    with pytest.raises(UserError, match="late.jpg"):
        make(images, table, tmp_path / "r", split_fractions="train=1")
    shutil.copy(images / "photo_0005.jpg", images / "late.jpg")
    make(images, table, tmp_path / "r", split_fractions="train=1")
    assert sorted(keys_of(tmp_path / "r")) == ["late.jpg", "photo_0000.jpg"]


@pytest.mark.parametrize("limit", ["5%", "2", "0"])
def test_max_rejected_stops_a_run_that_is_going_wrong(photos, tmp_path, limit):
    rows = [(f"photo_{i:04}.jpg", "a dog") for i in range(40)] + [("photo_0000.jpg", "!!")] * 3
    table = write_table(tmp_path / "captions.csv", rows)
    with pytest.raises(UserError, match="3 of 43 rows cannot be used, mostly 3 with: caption has no words.*; every row "
                                        "left out is in .*/r/rejected.jsonl$"):
        make(photos[0], table, tmp_path / "r", max_rejected=limit)
    assert len((tmp_path / "r" / "rejected.jsonl").read_text().splitlines()) == 3
    assert not list((tmp_path / "r").glob("*.tfrecord-*"))
    make(photos[0], table, tmp_path / "r", max_rejected="7%")


def test_an_image_that_changes_under_way_is_not_stored(photos, tmp_path):
    """Pass 1 has seen it; before pass 2 reads it again, another photo takes its place."""
    from records import make_records

    images = shutil.copytree(photos[0], tmp_path / "images")
    original = make_records._write_shards

    def change_first(*arguments):
        shutil.copy(images / "photo_0001.jpg", images / "photo_0000.jpg")
        return original(*arguments)

    make_records._write_shards = change_first
    try:
        with pytest.raises(UserError, match="'photo_0000.jpg' was good when it was checked, and is not what it was"):
            make(images, photos[1], tmp_path / "r")
    finally:
        make_records._write_shards = original
    assert not (tmp_path / "r" / layout.MANIFEST).exists()


# --- one picture, one split ---------------------------------------------------------------------------------------


def test_a_picture_under_two_names_is_one_example_in_the_held_out_split(tmp_path):
    images = tmp_path / "images"
    names = write_photos(images, 6)
    with Image.open(images / names[0]) as photo:
        photo.save(images / "same_pixels.png")  # another format
    shutil.copy(images / names[1], images / "copy.jpg")
    rows = [(name, f"caption of {name}") for name in [*names, "same_pixels.png", "copy.jpg"]]
    table = write_table(tmp_path / "captions.csv", rows)
    lists = {"train": [*names[:4], "copy.jpg"], "validation": [names[4]], "test": [names[5], "same_pixels.png"]}
    for split, listed in lists.items():
        (tmp_path / split).write_text("\n".join(listed))
    records = make(images, table, tmp_path / "r",
                   split_lists=",".join(f"{split}={tmp_path / split}" for split in lists))
    assert sorted(keys_of(records, "test")) == sorted([names[5], "same_pixels.png"])
    assert sorted(keys_of(records, "train")) == names[1:4]
    captions = {feature["key"].bytes_list.value[0].decode(): [c.decode() for c in feature["captions"].bytes_list.value]
                for feature in examples_of(records)}
    assert captions["same_pixels.png"] == [f"caption of {names[0]}", "caption of same_pixels.png"]
    assert captions[names[1]] == [f"caption of {names[1]}", "caption of copy.jpg"]
    assert [json.loads(line) for line in (records / "duplicates.jsonl").read_text().splitlines()] == [
        {"image": names[0], "kept_as": "same_pixels.png", "split": "test"},
        {"image": "copy.jpg", "kept_as": names[1], "split": "train"}]
    assert manifests.load(records).duplicates_merged == 2


def test_pictures_with_equal_checksums_are_two_pictures(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    other = pixels.copy()
    # CRC-32C is linear: it does not notice its own polynomial, 33 bits, added to what it is of.
    other.reshape(-1)[90:95] ^= np.frombuffer((1 | 0x82F63B78 << 1).to_bytes(5, "little"), np.uint8)
    for name, picture in (("a.png", pixels), ("b.png", other), ("c.png", pixels)):
        Image.fromarray(picture).save(images / name)
    hashes = [check_image((images / name).read_bytes()).pixel_hash for name in ("a.png", "b.png", "c.png")]
    assert len(set(hashes)) == 1
    table = write_table(tmp_path / "captions.csv", [(f"{name}.png", f"this is {name}") for name in "abc"])
    records = make(images, table, tmp_path / "r", split_fractions="train=1")
    assert sorted(keys_of(records)) == ["a.png", "b.png"]
    assert manifests.load(records).duplicates_merged == 1


def test_photos_in_no_list_and_names_of_no_photo_are_listed(photos, tmp_path):
    (tmp_path / "train.txt").write_text("\n".join(f"photo_{i:04}.jpg" for i in range(80)) + "\n\nnowhere.jpg\n")
    records = make(*photos, tmp_path / "r", split_lists=f"train={tmp_path / 'train.txt'}", max_rejected="0")
    assert manifests.load(records).rejected.by_reason == {"photo is in no split list": 20,
                                                          "name in a split list has no caption": 1}
    assert json.loads((records / "rejected.jsonl").read_text().splitlines()[-1]) == {
        "image": "nowhere.jpg", "row": "train.txt:82", "reason": "name in a split list has no caption"}
    assert len(keys_of(records)) == 80


# --- vocabulary, tokens, tags -------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["captions", "tags"])
def test_tokens_are_the_target_words_of_the_train_vocabulary(photos, tmp_path, target):
    records = make(*photos, tmp_path / "r", target=target, min_count=3, tag_forms="published")
    words = (records / "vocabulary.txt").read_text().splitlines()
    assert words[:3] == ["<pad>", "<end>", "<unk>"]
    counted = collections.Counter()
    for split in ("train", "validation", "test"):
        for feature in examples_of(records, split):
            captions = [c.decode() for c in feature["captions"].bytes_list.value]
            tags = [t.decode() for t in feature["tags"].bytes_list.value]
            said = captions if target == "captions" else tags
            tokens, found = list(feature["tokens"].int64_list.value), []
            for text in said:
                end = tokens.index(1)
                found.append(tokens[:end])
                del tokens[:end + 1]
                assert [words[i] if i > 2 else None for i in found[-1]] == [
                    w if w in words else None for w in text.split()]
            assert tokens == [] and len(tags) == len(captions)
            if split == "train":
                counted.update(word for text in said for word in text.split())
    assert words[3:] == [w for w, n in sorted(counted.items(), key=lambda item: (-item[1], item[0])) if n >= 3]


@pytest.mark.parametrize(("table", "tags"), [
    ("image,labels\n{0},0 16\n{1},7\n{2},16\n", {0: ["0", "16"], 1: ["7"], 2: ["16"]}),
    ("image,tags\n{0},outdoors\n{1},dog outside\n", {0: ["outdoors"], 1: ["dog outside"]}),
    ("filename,label\n{0},golden retriever\n{1},dog\n", {0: ["golden retriever"], 1: ["dog"]}),
    ("filename,label\n{0},dog\n{1},dog\n{0},New York\n", {0: ["dog", "New York"], 1: ["dog"]}),
    ("image,keywords\n{0},New York; dog_park\n{1},new york\n{2},New York\n",
     {0: ["New York", "dog_park"], 1: ["New York"], 2: ["New York"]})])
def test_keywords_are_tags_as_they_are(photos, tmp_path, table, tags):
    """Numbers, several words and underscores; the target is tags without being asked for."""
    names = sorted(path.name for path in photos[0].iterdir())
    (tmp_path / "t.csv").write_text(table.format(*names))
    records = make(photos[0], tmp_path / "t.csv", tmp_path / "r", split_fractions="train=1")
    assert manifests.load(records).target == "tags" and problems(records) == []
    names_of = (records / "tags.txt").read_text().splitlines()
    assert (records / "vocabulary.txt").read_text().splitlines()[3:] == names_of
    rows = tfds.as_numpy(tfds.builder_from_directory(str(records)).as_dataset(split="train"))
    found = {row["key"].decode(): row for row in rows}
    for number, expected in tags.items():
        row = found[names[number]]
        assert [[names_of[tag] for tag in tags] for tags in row["tag_ids"].to_list()] == [expected]
        assert [names_of[token - 3] for token in row["tokens"][:-1]] == expected


def test_the_words_of_captions_count_for_tags(photos, tmp_path):
    """The stored ids are the forms of tag_forms.tsv, in the captions' order; everything else is as without them."""
    names = sorted(path.name for path in photos[0].iterdir())[:2]
    (tmp_path / "t.csv").write_text("image,caption\n" + "".join(
        f"{name},{caption}\n" for name, caption in zip(
            [names[0], names[0], names[1]], ["Two dogs are running", "A dog runs to a man", "is in the"], strict=True)))
    with_tags, without = (make(photos[0], tmp_path / "t.csv", tmp_path / forms, split_fractions="train=1",
                               tag_forms=forms) for forms in ("merged", "published"))
    assert (with_tags / "tag_forms.tsv").read_text() == "dog\t2\tdog\tdogs\nrun\t2\trunning\truns\nman\t1\tman\n"
    tags = {feature["key"].bytes_list.value[0].decode(): (
        list(feature["tag_ids/ragged_flat_values"].int64_list.value),
        list(feature["tag_ids/ragged_row_lengths_0"].int64_list.value)) for feature in examples_of(with_tags)}
    assert tags == {names[0]: ([0, 1, 0, 1, 2], [2, 3]), names[1]: ([], [0])}
    for file in ("vocabulary.txt", "word_counts.tsv"):
        assert (with_tags / file).read_bytes() == (without / file).read_bytes()
    for one, other in zip(examples_of(with_tags), examples_of(without), strict=True):
        assert {name: value for name, value in one.items() if not name.startswith("tag_ids/")} == dict(other.items())
    assert not (without / "tags.txt").exists() and problems(without) == []


# --- readers ------------------------------------------------------------------------------------------------------


def test_tensorflow_datasets_reads_the_folder_without_code(records, photos):
    builder = tfds.builder_from_directory(str(records))
    manifest = manifests.load(records)
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {
        name: split.examples for name, split in manifest.splits.items()}
    config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    rows = list(tfds.as_numpy(builder.as_dataset(split="train", read_config=config)))
    assert [row["key"].decode() for row in rows] == keys_of(records, "train")
    for row in rows[:5]:
        with Image.open(photos[0] / row["key"].decode()) as photo:
            assert row["image"].shape == (photo.height, photo.width, 3) == (row["height"], row["width"], 3)
        assert len(row["captions"]) == len(row["tags"]) == list(row["tokens"]).count(1) == 2
    tenth = list(tfds.as_numpy(builder.as_dataset(split="train[:10%]", read_config=config)))
    assert [row["key"] for row in tenth] == [row["key"] for row in rows[:round(len(rows) / 10)]]
    both = list(tfds.as_numpy(builder.as_dataset(split="validation+test")))
    assert len(both) == manifest.splits["validation"].examples + manifest.splits["test"].examples


def test_features_are_stored_and_the_same_every_time(tmp_path):
    """With the embedded backbone: readers see them, two runs agree to the bit, other batches to a rounding."""
    names = [path.name for path in PHOTOS[:10]]
    table = write_captions(tmp_path / "captions.csv", names)
    flags = {"backbone": "mobilenet_v2", "split_fractions": "train=1",
             "backbone_weights": str(DEMO / "mobilenet_v2_notop_float16.weights.h5")}
    first, again = (make(DEMO / "images", table, tmp_path / name, **flags) for name in "ab")
    assert contents(first) == contents(again)
    assert manifests.load(first).backbone.feature_size == 1280
    without_images = make(DEMO / "images", table, tmp_path / "c", shards="train=2", store_images=False, **flags)
    stored = {}
    for folder in (first, without_images):
        rows = list(tfds.as_numpy(tfds.builder_from_directory(str(folder)).as_dataset(split="train")))
        assert len(rows) == 10 and all(("image" in row) == (folder == first) for row in rows)
        stored[folder] = {row["key"]: row["feature"] for row in rows}
    for key, feature in stored[first].items():
        assert feature.dtype == np.float16 and feature.shape == (1280,) and feature.any()
        np.testing.assert_allclose(stored[without_images][key].astype(float), feature.astype(float), atol=2e-3)


def test_records_can_be_made_from_records(records, tmp_path):
    """Through the tfds source, which brings its photos along: no --images."""
    again = tmp_path / "again"
    run(MakeRecords(captions=f"tfds:{records}", records_dir=str(again), backbone="none", name="photos", workers=1,
                    shards="train=4,validation=2"))
    first, second = manifests.load(records), manifests.load(again)
    assert {name: (split.examples, split.captions, split.tokens) for name, split in second.splits.items()} == {
        name: (split.examples, split.captions, split.tokens) for name, split in first.splits.items()}
    images = [{f["image"].bytes_list.value[0] for f in examples_of(folder)} for folder in (records, again)]
    assert images[0] == images[1]
    assert problems(again) == [] and not (again / layout.STAGING_DIR).exists()
