import numpy as np
import pytest
import tensorflow as tf

from flags.errors import UserError
from records.images.augmentation import Augmentation, augment, view_numbers, whole
from records.input import shuffling
from records.input.caption_dataset import images, open_split, reading_errors
from records.input.options import InputOptions
from records.input.pixel_dataset import PixelDataset
from records.text.vocabulary import Vocabulary
from tests.records.inputs import PHOTOS, make, write_table

SIZE, BATCH = 32, 4


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Eleven photos with one to three captions each; the third has a dog on its left."""
    folder = tmp_path_factory.mktemp("pixels")
    rows = [(photo.name, f"a photo {word}") for number, photo in enumerate(PHOTOS[:11])
            for word in ("of a thing", "of two things in a row", "again")[:1 + number % 3]]
    rows.append((PHOTOS[2].name, "a dog on the left"))
    return make(PHOTOS[0].parent, write_table(folder / "captions.csv", rows), folder / "records",
                split_fractions="train=1.0", shards="train=3", min_count=1)


def dataset(records, host=0, hosts=1, seed=0, augmentation=None, batch_size=BATCH):
    vocabulary = Vocabulary.load(records)
    return PixelDataset(open_split(records, "train"),
                        InputOptions(batch_size=batch_size, seed=seed, host=host, hosts=hosts),
                        vocabulary_size=vocabulary.size, image_size=SIZE,
                        augmentation=augmentation or Augmentation(),
                        sided_ids=frozenset({vocabulary.words.index("left")}))


def batches(dataset_of, *arguments):
    return list(dataset_of.epoch(*arguments).as_numpy_iterator())


def stored(records):
    return {example["key"]: example for example in images(open_split(records, "train")).as_numpy_iterator()}


def test_every_photo_once_with_all_its_captions(records):
    examples, seen = stored(records), []
    for batch in batches(dataset(records), 0):
        assert batch["image"].shape == (BATCH, SIZE, SIZE, 3) and batch["image"].dtype == np.uint8
        for key, targets, inputs in zip(batch["key"], batch["targets"], batch["inputs"], strict=True):
            if not key:
                assert not targets.any()
                continue
            seen.append(key)
            assert targets[targets > 0].tolist() == examples[key]["tokens"].tolist()
            assert (targets[:, 0] > 0).sum() == (examples[key]["tokens"] == 1).sum()
            words = targets[:, :-1]
            assert (inputs == np.where(words == 1, 0, words)).all()
    assert sorted(seen) == sorted(examples) and len(seen) == 11


def test_a_view_is_a_function_of_seed_epoch_and_key(records):
    examples = stored(records)
    word = shuffling.word(0, 1, 2)
    for batch in batches(dataset(records), 1):
        for key, pixels in zip(batch["key"], batch["image"], strict=True):
            if key:
                expected = augment(tf.constant(examples[key]["image"]), SIZE, Augmentation(),
                                   view_numbers(word, tf.constant(key)), key != PHOTOS[2].name.encode())
                assert (pixels == expected.numpy()).all()


def test_started_in_the_middle_and_on_two_hosts_it_is_the_same(records):
    whole_epoch = batches(dataset(records), 2)
    middle = batches(dataset(records), 2, 1)
    parts = [batches(dataset(records, host, 2), 2) for host in (0, 1)]
    assert len(whole_epoch) == 3 and len(middle) == 2
    for number, batch in enumerate(whole_epoch):
        for name, value in batch.items():
            assert (np.concatenate([part[number][name] for part in parts]) == value).all()
            assert number == 0 or (middle[number - 1][name] == value).all()


def test_epochs_and_seeds_differ(records):
    def views(seed, epoch):
        return {key: pixels for batch in batches(dataset(records, seed=seed), epoch)
                for key, pixels in zip(batch["key"], batch["image"], strict=True) if key}

    first = views(0, 0)
    for other in (views(0, 1), views(1, 0)):
        assert sum((first[key] != other[key]).mean() > 0.2 for key in first) >= 10


def test_the_photo_with_a_side_in_its_captions_is_never_mirrored(records):
    mirrors = Augmentation(smallest_crop=1.0, mirror=True)
    left = PHOTOS[2].name.encode()
    turned = {left: 0, PHOTOS[1].name.encode(): 0}
    data = dataset(records, augmentation=mirrors, batch_size=11)
    still = {key: augment(tf.constant(example["image"]), SIZE, mirrors, tf.ones([7]) * 0.75, False).numpy()
             for key, example in stored(records).items()}
    for epoch in range(8):
        [batch] = batches(data, epoch)
        for key, pixels in zip(batch["key"], batch["image"], strict=True):
            if key in turned:
                turned[key] += bool((pixels != still[key]).any())
    assert turned[left] == 0 and 1 <= turned[PHOTOS[1].name.encode()] <= 7


def test_validation_sees_whole_photos_in_stored_order(records):
    examples = stored(records)
    ordered = [row for batch in dataset(records).ordered().as_numpy_iterator()
               for row in zip(batch["key"], batch["image"], strict=True)]
    assert [key for key, _ in ordered if key] == list(examples)
    for key, pixels in ordered:
        assert not key or (pixels == whole(tf.constant(examples[key]["image"]), SIZE).numpy()).all()


def test_records_without_photos_and_damaged_ones_are_refused(records, tmp_path):
    table = write_table(tmp_path / "captions.csv", [(PHOTOS[0].name, "a photo")])
    bare = make(PHOTOS[0].parent, table, tmp_path / "bare", split_fractions="train=1.0", min_count=1)
    split = open_split(bare, "train")
    data = dataset_of = PixelDataset(split, InputOptions(batch_size=1), vocabulary_size=9, image_size=SIZE)
    assert len(batches(dataset_of, 0)) == 1
    path = split.path(split.info.shards[0])
    damaged = bytearray(open(path, "rb").read())
    damaged[-30] ^= 1
    with open(path, "wb") as file:
        file.write(damaged)
    with pytest.raises(UserError, match="train.tfrecord-00000-of-00001.*checksum"), reading_errors(bare):
        batches(data, 0)
