"""Batches of images: every image once with all its captions, restartable, the same on any number of hosts."""

import collections

import numpy as np
import pytest

from flags.errors import UserError
from records.input import caption_dataset
from records.input.image_dataset import ImageDataset
from records.input.options import InputOptions
from tests.records import folders

SHARDS = folders.random_split(0, [40, 33, 50])
CAPTIONS = folders.captions_of("train", SHARDS)
IMAGES, BATCH = 123, 24


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    folder = folders.write(tmp_path_factory.mktemp("images") / "r", {"train": SHARDS})
    return caption_dataset.open_split(folder, "train")


def make(split, **options):
    return ImageDataset(split, InputOptions(**{"batch_size": BATCH, "seed": 7, "ram_budget_mb": 100, **options}))


def read(dataset):
    return list(dataset.as_numpy_iterator())


def words(targets):
    return tuple(targets[targets > 0].tolist())


def test_every_image_once_with_all_its_captions(split):
    expected = collections.defaultdict(list)
    for key, caption in CAPTIONS:
        expected[key].append(caption)
    batches = make(split)
    epoch = read(batches.epoch(0))
    assert len(epoch) == batches.steps_per_epoch == 6
    assert batches.references == max(map(len, expected.values()))
    found = {}
    for batch in epoch:
        for row, key in enumerate(batch["key"]):
            references = [words(one) for one in batch["references"][row] if one.any()]
            if key:
                assert key not in found
                found[key] = references
                assert words(batch["targets"][row]) in references
                np.testing.assert_array_equal(
                    batch["feature"][row], folders.feature(*map(int, key.decode().split("/")[1:]), 4))
            else:
                assert not references and not batch["targets"][row].any() and not batch["feature"][row].any()
    assert found == expected and len(found) == IMAGES


def test_another_caption_comes_with_an_image_in_another_epoch(split):
    batches, seen = make(split), collections.defaultdict(set)
    for epoch in range(12):
        for batch in read(batches.epoch(epoch)):
            for key, targets in zip(batch["key"], batch["targets"], strict=True):
                seen[key].add(words(targets))
    several = {key: set(caption for name, caption in CAPTIONS if name == key) for key in seen if key}
    shown = sum(len(seen[key]) for key in several) / sum(map(len, several.values()))
    assert shown > 0.85


def test_an_epoch_continued_at_any_step_gives_the_same_batches(split):
    batches = make(split)
    whole = read(batches.epoch(3))
    for start in (1, 5, 6):
        for mine, theirs in zip(read(batches.epoch(3, start)), whole[start:], strict=True):
            for name in theirs:
                np.testing.assert_array_equal(mine[name], theirs[name])
    assert [b["key"].tolist() for b in whole] != [b["key"].tolist() for b in read(batches.epoch(4))]


def test_hosts_share_the_batches_of_one(split):
    whole, *parts = (read(make(split, host=host, hosts=hosts).epoch(1)) for host, hosts in ((0, 1), (0, 2), (1, 2)))
    for batch, *shares in zip(whole, *parts, strict=True):
        for name in batch:
            np.testing.assert_array_equal(batch[name], np.concatenate([share[name] for share in shares]))


def test_a_split_that_does_not_fit_is_refused(split):
    with pytest.raises(UserError, match="--ram_budget_mb=0: training on rewards holds the split 'train' in memory"):
        make(split, ram_budget_mb=0)
