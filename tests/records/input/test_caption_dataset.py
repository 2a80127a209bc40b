"""Batches of captions: exact, restartable, the same on any number of hosts; held in memory and streamed."""

import collections

import numpy as np
import pytest

from flags.errors import UserError
from records.input import caption_dataset, streaming
from tests.records import folders

SHARDS = folders.random_split(0, [60, 64, 70, 50, 55, 65])
CAPTIONS = folders.captions_of("train", SHARDS)
BATCH = 48
MODES = {"memory": 100, "stream": 0}


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    folder = folders.write(tmp_path_factory.mktemp("pipeline") / "r", {"train": SHARDS})
    return caption_dataset.open_split(folder, "train")


@pytest.fixture(params=MODES)
def ram_budget_mb(request, monkeypatch):
    monkeypatch.setattr(streaming, "_BLOCK_RECORDS", 60)  # many blocks and chunks in an epoch, as in a large split
    monkeypatch.setattr(streaming, "_CHUNK_ROWS", 3 * BATCH)
    monkeypatch.setattr(streaming, "_CHUNK_STEPS", 3)
    return MODES[request.param]


def make(split, ram_budget_mb, vocabulary_size=None, bucket_batches=16, **options):
    chosen = {"batch_size": BATCH, "seed": 7, "ram_budget_mb": ram_budget_mb, **options}
    return caption_dataset.CaptionDataset(
        split, caption_dataset.InputOptions(**chosen), vocabulary_size=vocabulary_size, bucket_batches=bucket_batches)


def read(dataset):
    return list(dataset.as_numpy_iterator())


def rows(batches):
    """(key, targets without padding) of every row that is not empty."""
    return [(key, tuple(targets[targets > 0].tolist())) for batch in batches
            for key, targets in zip(batch["key"], batch["targets"], strict=True) if key]


def assert_same(left, right):
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_every_caption_once_per_epoch_with_its_feature(split, ram_budget_mb):
    batches = make(split, ram_budget_mb)
    assert batches.in_memory == (ram_budget_mb > 0)
    epoch = read(batches.epoch(0))
    assert len(epoch) == batches.steps_per_epoch
    assert collections.Counter(rows(epoch)) == collections.Counter(CAPTIONS)
    assert batches.captions == len(CAPTIONS)
    assert batches.tokens == sum(int((batch["targets"] > 0).sum()) for batch in epoch)
    for batch in epoch:
        for key, feature in zip(batch["key"], batch["feature"], strict=True):
            expected = folders.feature(*map(int, key.decode().split("/")[1:]), 4) if key else np.zeros(4)
            np.testing.assert_array_equal(feature, expected)


def test_keys_can_be_left_out(split, ram_budget_mb):
    batches = make(split, ram_budget_mb)
    for with_keys, without in ((batches.epoch(2, 3), batches.epoch(2, 3, keys=False)),
                               (batches.ordered(), batches.ordered(keys=False))):
        named = read(with_keys)
        for batch in named:
            del batch["key"]
        assert_same(read(without), named)


def test_form_of_a_batch(split, ram_budget_mb):
    dataset = make(split, ram_budget_mb).epoch(0)
    assert {name: (spec.dtype.name, spec.shape.as_list()) for name, spec in dataset.element_spec.items()} == {
        "feature": ("float16", [BATCH, 4]), "inputs": ("int32", [BATCH, None]),
        "targets": ("int32", [BATCH, None]), "key": ("string", [BATCH])}
    words = 0
    for batch in read(dataset):
        inputs, targets = batch["inputs"], batch["targets"]
        assert inputs.shape[1] == targets.shape[1] - 1 == (targets > 0).sum(1).max() - 1
        lengths = (targets > 0).sum(1)
        words += (lengths == 1).sum()
        for row in range(BATCH):
            assert (targets[row, :lengths[row]] > 0).all()  # right-padded
            assert list(inputs[row, :max(lengths[row] - 1, 0)]) == list(targets[row, :max(lengths[row] - 1, 0)])
            assert not inputs[row, max(lengths[row] - 1, 0):].any()
            assert lengths[row] == 0 or targets[row, lengths[row] - 1] == 1
        empty = batch["key"] == b""
        assert not targets[empty].any() and not batch["feature"][empty].any()
    assert words == sum(len(targets) == 1 for _, targets in CAPTIONS) > 0  # captions without a word: only <end>


def test_an_epoch_continued_at_any_step_gives_the_same_batches(split, ram_budget_mb):
    batches = make(split, ram_budget_mb)
    whole = read(batches.epoch(3))
    for start in (1, 3, 10, batches.steps_per_epoch - 1, batches.steps_per_epoch):
        assert_same(read(batches.epoch(3, start)), whole[start:])


@pytest.mark.parametrize("hosts", [2, 3])
def test_hosts_share_the_batches_of_one(split, ram_budget_mb, hosts):
    whole = read(make(split, ram_budget_mb).epoch(1))
    parts = [read(make(split, ram_budget_mb, host=host, hosts=hosts).epoch(1)) for host in range(hosts)]
    for batch, *shares in zip(whole, *parts, strict=True):
        assert {len(share["key"]) for share in shares} == {BATCH // hosts}
        for name in ("key", "feature"):
            np.testing.assert_array_equal(batch[name], np.concatenate([share[name] for share in shares]))
        for name in ("inputs", "targets"):  # a host that streams knows the longest caption of its own rows only
            width = batch[name].shape[1]
            padded = [np.pad(share[name], ((0, 0), (0, width - share[name].shape[1]))) for share in shares]
            np.testing.assert_array_equal(batch[name], np.concatenate(padded))
            assert ram_budget_mb == 0 or {share[name].shape[1] for share in shares} == {width}
    if ram_budget_mb == 0:  # each host read its own shards only
        shards = [{key.split(b"/")[1] for key, _ in rows(part)} for part in parts]
        assert sum(map(len, shards)) == len(set.union(*shards)) == len(SHARDS)


def test_orders_differ_by_seed_and_epoch_and_repeat(split, ram_budget_mb):
    first, second, again = (make(split, ram_budget_mb, seed=seed) for seed in (0, 1, 1))
    epochs = [rows(read(dataset)) for dataset in (first.epoch(0), first.epoch(1), second.epoch(0), again.epoch(0))]
    assert epochs[2] == epochs[3]
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_neighbours_are_of_different_images_and_about_equally_long(split, ram_budget_mb, monkeypatch):
    monkeypatch.undo()
    epoch = read(make(split, ram_budget_mb).epoch(0))
    order = [key for key, _ in rows(epoch)]
    neighbours = sum(a == b for a, b in zip(order, order[1:], strict=False)) / len(order)
    assert neighbours < 0.1  # 0.7 in stored order
    lengths = [(batch["targets"] > 0).sum(1)[batch["key"] != b""] for batch in epoch]
    padding = 1 - sum(length.sum() for length in lengths) / sum(batch["targets"].size for batch in epoch)
    assert padding < 0.4  # 0.47 without regard to length
    means = [length.mean() for length in lengths]
    assert abs(np.corrcoef(np.arange(len(means)), means)[0, 1]) < 0.4


def test_validation_has_every_caption_once_in_a_fixed_order(split, ram_budget_mb):
    batches = make(split, ram_budget_mb, seed=1)
    ordered = read(batches.ordered())
    assert len(ordered) == batches.steps_per_epoch
    if batches.in_memory:
        assert rows(ordered) == CAPTIONS
    assert collections.Counter(rows(ordered)) == collections.Counter(CAPTIONS)
    assert_same(ordered, read(make(split, ram_budget_mb, seed=2).ordered()))


def test_streaming_spreads_empty_rows_over_the_epoch(split):
    batches = make(split, 0)
    empty = [int((batch["key"] == b"").sum()) for batch in read(batches.epoch(0))]
    assert sum(empty) == batches.steps_per_epoch * BATCH - len(CAPTIONS)
    assert max(empty) - min(empty) <= 6  # each of six partitions gives as many rows in every step, or one less


def test_rare_words_become_unknown(split, ram_budget_mb):
    epoch = read(make(split, ram_budget_mb, vocabulary_size=50).epoch(0))
    expected = collections.Counter((key, tuple(2 if i >= 50 else i for i in targets)) for key, targets in CAPTIONS)
    assert collections.Counter(rows(epoch)) == expected


def test_a_batch_larger_than_the_split(tmp_path):
    shards = [[[[5, 6], []]], [[[7]]]]
    split = caption_dataset.open_split(folders.write(tmp_path / "r", {"train": shards}), "train")
    for ram_budget_mb in MODES.values():
        (batch,) = read(make(split, ram_budget_mb, batch_size=8, threads=2).epoch(0))
        assert collections.Counter(rows([batch])) == collections.Counter(folders.captions_of("train", shards))
        assert (batch["key"] == b"").sum() == 5


def test_a_split_of_empty_captions_only(tmp_path):
    split = caption_dataset.open_split(folders.write(tmp_path / "r", {"train": [[[[]], [[]]]]}), "train")
    for ram_budget_mb in MODES.values():
        (batch,) = read(make(split, ram_budget_mb, batch_size=2).epoch(0))
        assert batch["inputs"].shape == (2, 0) and batch["targets"].tolist() == [[1], [1]]


@pytest.mark.parametrize("ram_budget", MODES.values())
def test_a_shard_cut_after_it_was_opened_fails(tmp_path, ram_budget):
    folder = folders.write(tmp_path / "r", {"train": SHARDS})
    batches = make(caption_dataset.open_split(folder, "train"), ram_budget)
    path = folder / "test-train.tfrecord-00003-of-00006"
    path.write_bytes(b"")  # a cut between records: TensorFlow alone would read it without an error
    with pytest.raises(UserError, match="00003-of-00006: has fewer records than the 50"), \
            caption_dataset.reading_errors(folder):
        read(batches.epoch(0))


def test_what_cannot_be_divided_says_what_to_change(tmp_path, split):
    with pytest.raises(UserError, match="--batch_size=48: 5 hosts cannot share it"):
        make(split, 100, hosts=5)
    with pytest.raises(UserError, match="6 shards of train make 6 reader partitions at --batch_size=48, which 4 hosts"):
        make(split, 0, hosts=4)
    bare = caption_dataset.open_split(folders.write(tmp_path / "r", {"train": SHARDS}, feature_size=None), "train")
    with pytest.raises(UserError, match="--backbone=none"):
        make(bare, 100)
