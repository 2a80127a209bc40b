"""Input pipelines that give training the same batches: features, inputs, targets, in a new random order each epoch.

A contender is made once and then called with the number of an epoch; it gives an iterable (a tf.data.Dataset, if it is
iterated in a graph) of (feature, inputs, targets), or dicts of those, and is to be written as well as its library
allows. Every contender runs in a process of its own.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

END = 1
SHUFFLE = 10_000  # captions that streaming contenders mix

Epoch = Callable[[int], Iterable[Any]]


def consumer(in_graph: bool) -> Callable[[Iterable[Any]], object]:
    """What goes through all batches of an epoch: of a tf.data.Dataset in a graph, the cheapest way to iterate over one.

    Args:
      in_graph: False for a loop in Python, which takes any iterable.
    """
    if not in_graph:
        return lambda batches: sum(1 for _ in batches)
    import tensorflow as tf

    @tf.function
    def consume(dataset: tf.data.Dataset) -> tf.Tensor:
        batches = tf.constant(0)
        for _ in dataset:
            batches += 1
        return batches

    return consume


def ours(folder: Path, batch_size: int, ram_budget_mb: int) -> Epoch:
    from records.input import caption_dataset

    split = caption_dataset.open_split(folder / "records", "train")
    batches = caption_dataset.CaptionDataset(
        split, caption_dataset.InputOptions(batch_size=batch_size, ram_budget_mb=ram_budget_mb))
    return lambda epoch: batches.epoch(epoch, keys=False)  # as training asks for them


def ours_in_memory(folder: Path, batch_size: int) -> Epoch:
    return ours(folder, batch_size, 1 << 20)


def ours_streaming(folder: Path, batch_size: int) -> Epoch:
    return ours(folder, batch_size, 0)


def _tfds(folder: Path, batch_size: int, cached: bool) -> Epoch:
    import tensorflow as tf
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(str(folder / "records"))
    decoders = tfds.decode.PartialDecoding({"feature": True, "tokens": True})
    longest = int(np.load(folder / "arrays" / "lengths.npy").max())

    def examples(epoch: int) -> tf.data.Dataset:
        config = tfds.ReadConfig(shuffle_seed=epoch)
        return builder.as_dataset(split="train", shuffle_files=True, decoders=decoders, read_config=config)

    def captions(example: dict) -> tuple:
        limits = tf.where(example["tokens"] == END)[:, 0] + 1
        targets = tf.RaggedTensor.from_row_limits(tf.cast(example["tokens"], tf.int32), limits, validate=False)
        targets = targets.to_tensor(0, shape=[None, longest])
        return tf.repeat(example["feature"][None], tf.size(limits), axis=0), targets

    def trim(feature: tf.Tensor, targets: tf.Tensor) -> tuple:
        targets = targets[:, :tf.reduce_max(tf.math.count_nonzero(targets, 1))]
        return feature, tf.where(targets == END, 0, targets)[:, :-1], targets

    kept = examples(0).cache() if cached else None

    def epoch_of(epoch: int) -> tf.data.Dataset:
        read = kept if kept is not None else examples(epoch)
        rows = read.map(captions, num_parallel_calls=tf.data.AUTOTUNE).unbatch().shuffle(SHUFFLE, seed=epoch)
        return rows.batch(batch_size).map(trim, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    return epoch_of


def tfds_streaming(folder: Path, batch_size: int) -> Epoch:
    return _tfds(folder, batch_size, cached=False)


def tfds_cached(folder: Path, batch_size: int) -> Epoch:
    return _tfds(folder, batch_size, cached=True)


def _pad(targets: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    padded = np.zeros((len(targets), max(map(len, targets))), np.int32)
    for row, target in enumerate(targets):
        padded[row, :len(target)] = target
    return np.where(padded == END, 0, padded)[:, :-1], padded


def _tar_captions(samples: Iterator[dict]) -> Iterator[tuple]:
    for sample in samples:
        feature = np.frombuffer(sample["f16"], np.float16)
        tokens = np.frombuffer(sample["ids"], np.int32)
        first = 0
        for end in np.flatnonzero(tokens == END).tolist():
            yield feature, tokens[first:end + 1]
            first = end + 1


def _tar_batch(rows: list[tuple]) -> tuple:
    return np.stack([feature for feature, _ in rows]), *_pad([targets for _, targets in rows])


def _webdataset(folder: Path, batch_size: int, workers: int) -> Epoch:
    import webdataset

    tars = sorted(str(path) for path in (folder / "tars").glob("*.tar"))

    def epoch_of(epoch: int) -> Iterator:
        data = webdataset.WebDataset(tars, shardshuffle=len(tars), seed=epoch, empty_check=False)
        data = data.compose(_tar_captions).shuffle(SHUFFLE).batched(batch_size, collation_fn=_tar_batch)
        if not workers:
            return iter(data)
        return iter(webdataset.WebLoader(data, batch_size=None, num_workers=workers))

    return epoch_of


def webdataset_in_process(folder: Path, batch_size: int) -> Epoch:
    return _webdataset(folder, batch_size, 0)


def webdataset_2_workers(folder: Path, batch_size: int) -> Epoch:
    return _webdataset(folder, batch_size, 2)


class _Arrays:
    """A map-style dataset of captions over arrays in memory."""

    def __init__(self, folder: Path):
        import torch

        self.features = torch.from_numpy(np.load(folder / "arrays" / "features.npy"))
        self.tokens = torch.from_numpy(np.load(folder / "arrays" / "tokens.npy"))
        lengths = np.load(folder / "arrays" / "lengths.npy")
        self.ends = np.cumsum(lengths).tolist()
        self.lengths = lengths.tolist()

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, i: int) -> tuple:
        return self.features[i // 5], self.tokens[self.ends[i] - self.lengths[i]:self.ends[i]]


class _VectorisedArrays(_Arrays):
    """The same, taking a whole batch at once: what a PyTorch user can write who knows `__getitems__`."""

    def __init__(self, folder: Path):
        import torch

        super().__init__(folder)
        self.length = torch.tensor(self.lengths)
        self.start = torch.tensor(self.ends) - self.length

    def __getitems__(self, rows: list[int]) -> tuple:
        import torch

        at = torch.tensor(rows)
        length = self.length[at]
        column = torch.arange(int(length.max()))
        real = column < length[:, None]
        targets = torch.where(real, self.tokens[torch.where(real, self.start[at][:, None] + column, 0)], 0)
        return self.features[at // 5], torch.where(targets == END, 0, targets)[:, :-1], targets


def _stack(rows: list[tuple]) -> tuple:
    import torch

    targets = torch.nn.utils.rnn.pad_sequence([tokens for _, tokens in rows], batch_first=True)
    return torch.stack([feature for feature, _ in rows]), torch.where(targets == END, 0, targets)[:, :-1], targets


def _same(batch: tuple) -> tuple:
    return batch


def _torch(data: _Arrays, batch_size: int, workers: int, collate: Callable) -> Epoch:
    import torch

    def epoch_of(epoch: int) -> Iterator:
        return iter(torch.utils.data.DataLoader(
            data, batch_size, shuffle=True, collate_fn=collate, num_workers=workers,
            generator=torch.Generator().manual_seed(epoch)))

    return epoch_of


def torch_in_process(folder: Path, batch_size: int) -> Epoch:
    return _torch(_Arrays(folder), batch_size, 0, _stack)


def torch_2_workers(folder: Path, batch_size: int) -> Epoch:
    return _torch(_Arrays(folder), batch_size, 2, _stack)


def torch_vectorised(folder: Path, batch_size: int) -> Epoch:
    return _torch(_VectorisedArrays(folder), batch_size, 0, _same)


# What makes each, and whether it is iterated in a graph.
CONTENDERS: dict[str, tuple[Callable[[Path, int], Epoch], bool]] = {
    "this pipeline, in memory": (ours_in_memory, True),
    "this pipeline, streaming": (ours_streaming, True),
    "this pipeline, in memory, Python loop": (ours_in_memory, False),
    "TFDS as_dataset + map": (tfds_streaming, True),
    "TFDS as_dataset + cache + map": (tfds_cached, True),
    "webdataset": (webdataset_in_process, False),
    "webdataset, 2 workers": (webdataset_2_workers, False),
    "PyTorch DataLoader": (torch_in_process, False),
    "PyTorch DataLoader, 2 workers": (torch_2_workers, False),
    "PyTorch DataLoader, vectorised by hand": (torch_vectorised, False),
}
