"""Captions with the lengths and word frequencies of real ones, as batches of word ids."""

import collections
import gzip
from pathlib import Path

import numpy as np

VOCABULARY, FEATURE = 19_222, 2048  # of the published model
MAX_WORDS = 39


def captions(path: str, count: int) -> list[list[int]]:
    """Word ids (<end> not included) of `count` captions: of a Flickr token file, or synthetic without one.

    Synthetic ones have Flickr30k's mean and spread of lengths (12.3 and 5.2 words) and word frequencies by Zipf's law.
    """
    rng = np.random.default_rng(0)
    if not path:
        lengths = np.clip(np.round(rng.lognormal(np.log(11.4), 0.4, count)), 3, MAX_WORDS).astype(int)
        return [(3 + np.minimum(rng.zipf(1.2, n), VOCABULARY - 3) - 1).tolist() for n in lengths]
    from records.text.tokenizer import words

    data = Path(path).read_bytes()
    lines = (gzip.decompress(data) if path.endswith(".gz") else data).decode().splitlines()
    texts = [words(line.split("\t")[1])[:MAX_WORDS] for line in lines]
    ranked = [word for word, _ in collections.Counter(word for text in texts for word in text).most_common()]
    ids = {word: min(place + 3, VOCABULARY - 1) for place, word in enumerate(ranked)}
    chosen = rng.permutation(len(texts))[:count]
    return [[ids[word] for word in texts[i]] for i in chosen]


def batches(path: str, batch_size: int, count: int) -> list[dict[str, np.ndarray]]:
    """`count` batches: feature float16 [B, F], inputs int32 [B, T], targets int32 [B, T + 1], right-padded.

    In random order, not sorted by length: every contender gets the same padding to deal with.
    """
    rng, texts = np.random.default_rng(1), captions(path, batch_size * count)
    result = []
    for start in range(0, batch_size * count, batch_size):
        rows = texts[start:start + batch_size]
        longest = max(map(len, rows))
        inputs, targets = np.zeros((batch_size, longest), np.int32), np.zeros((batch_size, longest + 1), np.int32)
        for row, ids in enumerate(rows):
            inputs[row, :len(ids)] = targets[row, :len(ids)] = ids
            targets[row, len(ids)] = 1
        feature = np.maximum(rng.normal(0.4, 0.5, (batch_size, FEATURE)), 0).astype(np.float16)
        result.append({"feature": feature, "inputs": inputs, "targets": targets})
    return result


def flop(batch: dict[str, np.ndarray], units: int = 256, hidden: int = 128) -> float:
    """Multiplications and additions of matrix products at real positions, forward and both gradients.

    The image's input needs no gradient. This project multiplies a word that several positions read once, and so needs
    less of the LSTM's; the number is that of a step which does not.
    """
    rows, tokens = len(batch["targets"]), int((batch["targets"] > 0).sum())
    image = 2 * 2 * rows * FEATURE * units
    lstm = 3 * 2 * tokens * units * 4 * units + 3 * 2 * (tokens - rows) * units * 4 * units
    return image + lstm + 3 * 2 * tokens * (units * hidden + hidden * VOCABULARY)
