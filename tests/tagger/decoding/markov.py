"""A tiny language model whose captions can all be listed: what the searches are held against."""

import itertools

import numpy as np
import tensorflow as tf

from records.text.vocabulary import END, Vocabulary

WORDS = ("a", "dog", "runs")
SIZE = 3 + len(WORDS)


class Markov:
    """p(next | last word, photo): a table of logits plus what the photo's feature [2] adds."""

    def __init__(self, seed: int):
        generator = np.random.default_rng(seed)
        self.table = generator.normal(size=[SIZE, SIZE]).astype(np.float32)
        self.image = generator.normal(size=[2, SIZE]).astype(np.float32)

    def prefill(self, feature):
        image = tf.cast(feature, tf.float32) @ self.image
        return tf.nn.softmax(image + self.table[0]), (image,)

    def decode_step(self, state, word):
        return tf.nn.softmax(state[0] + tf.gather(self.table, word)), state

    def p(self, feature: np.ndarray, words: tuple[int, ...]) -> np.ndarray:
        """float64 [V]: the next word's probabilities after `words`."""
        logits = (feature @ self.image + self.table[words[-1] if words else 0]).astype(np.float64)
        return np.exp(logits) / np.exp(logits).sum()

    def captions(self, feature: np.ndarray, longest: int) -> dict[tuple[int, ...], float]:
        """Log probability, <end> included, of every caption of at most `longest` words."""
        result = {}
        for length in range(longest + 1):
            for words in itertools.product(range(3, SIZE), repeat=length):
                steps = [self.p(feature, words[:t])[w] for t, w in enumerate((*words, END))]
                result[words] = float(np.log(steps).sum())
        return result


def vocabulary() -> Vocabulary:
    """The words of the model; "a" is no tag, the others are."""
    return Vocabulary.build({"a": 9, "dog": 8, "runs": 7}, {"dog": 8, "runs": 7})


def features(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=[count, 2]).astype(np.float32)


def caption(tokens: np.ndarray) -> tuple[int, ...]:
    return tuple(int(token) for token in tokens if token)
