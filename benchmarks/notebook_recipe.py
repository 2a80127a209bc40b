"""Baseline: the recipe of the notebook that the project started from, mistakes included.

  - ResNet50 sees pixels scaled by 1/255, though its weights expect caffe preprocessing.
  - A caption's target is `list(set(tags))`: an arbitrary order of its tags, which changes with every run (here:
    with the seed).
  - Every prefix from one word on is a row with the next word as its target, so the first word is never trained;
    generation starts from the empty prefix all the same.
  - Prefixes are padded on the left and the pads, unmasked, run through the LSTM between image and words.
  - A batch is 64 rows of the caption table; for each row it takes all captions that its image has in the batch, so
    an image with k rows there counts each of its captions k times (5 in the unshuffled first epoch). What is left
    of the table after the last full batch is not seen.
  - The vocabulary is that of all splits, uncut. One-letter words are dropped. Decoding is greedy.

Adam, batch 64, 25 epochs at most, early stopping and plateaus as published. The arithmetic differs, not the
result: the states after image and pads are computed once per image, prefixes then continue from the state that
their own number of pads leads to, and a caption that counts k times is weighted by k (with one dropout mask, not k).

Source of the recipe: github.com/rubinhazarika/CMPT733-NerdsOfAFeather, Models/ResNet50 and CaptionsToTags.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from benchmarks.quality_data import Images
from records.backbones.registry import load_encoder
from records.images.decoding import decode_and_resize
from records.util.progress import Progress

_END = "endseq"
_UNITS = 256
_PARTS = 4


def features(images: Images, weights: str, batch_size: int = 32) -> np.ndarray:
    """Pooled ResNet50 features float32 [images, 2048] of RGB pixels / 255."""
    encoder = load_encoder("resnet50", weights)
    network = encoder.build()

    @tf.function
    def extract(batch: tf.Tensor) -> tf.Tensor:
        return network(batch / 255.0, training=False)

    data = tf.data.Dataset.from_tensor_slices(images.encoded).map(
        lambda encoded: decode_and_resize(encoded, encoder.image_size), tf.data.AUTOTUNE)
    result = []
    with Progress("notebook features", len(images.keys), "images") as progress:
        for batch in data.batch(batch_size).prefetch(2):
            result.append(extract(batch).numpy())
            progress.add(len(batch))
    return np.concatenate(result)


@dataclasses.dataclass(frozen=True)
class Table:
    """The notebook's caption table.

    Attributes:
      image: int [rows], index of the row's image.
      sequences: word ids of each row, the end word last; ids start at 1, 0 is the pad.
    """

    image: np.ndarray
    sequences: list[list[int]]


def set_order(tags: Sequence[str], seed: int) -> list[str]:
    """The tags as a Python set would give them: by hash in a table of 8 or 32 slots, a new hash for every run."""
    slots = 8 if len(tags) < 5 else 32

    def slot(tag: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{seed} {tag}".encode()).digest()[:8], "big") % slots

    return sorted(dict.fromkeys(tags), key=slot)


def tables(splits: Sequence[Images], seed: int) -> tuple[list[Table], list[str]]:
    """The caption tables of the splits, and the words by id over all of them, most frequent first."""
    rows = [[[*set_order([tag for tag in tags if len(tag) > 1], seed), _END] for tags in image]
            for split in splits for image in split.tags]
    counts: dict[str, int] = {}
    for image in rows:
        for sequence in image:
            for word in sequence:
                counts[word] = counts.get(word, 0) + 1
    names = ["", *sorted(counts, key=lambda word: -counts[word])]
    index = {word: i for i, word in enumerate(names)}
    result, at = [], 0
    for split in splits:
        own = rows[at:at + len(split.keys)]
        at += len(split.keys)
        result.append(Table(np.repeat(np.arange(len(own)), [len(image) for image in own]),
                            [[index[word] for word in sequence] for image in own for sequence in image]))
    return result, names


class Model:
    """The merge model with the notebook's padding, computed piece by piece.

    Args:
      vocabulary_size: V, the pad included.
      max_length: L, the width to which the notebook pads prefixes.
    """

    def __init__(self, feature_size: int, vocabulary_size: int, max_length: int):
        layers = keras.layers
        self.max_length = max_length
        self.image_dense = layers.Dense(_UNITS, "relu")
        self.embedding = layers.Embedding(vocabulary_size, _UNITS)
        self.lstm = layers.LSTM(_UNITS, return_state=True)
        self.dropout = layers.Dropout(0.5)
        self.hidden = layers.Dense(128, "relu")
        self.output = layers.Dense(vocabulary_size)
        self.image_dense.build((None, feature_size))
        self.embedding.build((None, None))
        self.lstm.build((None, None, _UNITS))
        self.hidden.build((None, _UNITS))
        self.output.build((None, 128))
        self.optimizer = keras.optimizers.Adam(1e-3)
        self.variables = [v for layer in (self.image_dense, self.embedding, self.lstm, self.hidden, self.output)
                          for v in layer.trainable_variables]
        self.optimizer.build(self.variables)
        features, words = tf.TensorSpec([None, feature_size]), tf.TensorSpec([None, None], tf.int32)
        ids, weights = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None])
        batch = [features, ids, words, ids, ids, weights]
        self.train_step = tf.function(self._train_step, input_signature=batch)
        self.loss_sum = tf.function(self._loss_sum, input_signature=batch)
        self.next_word = tf.function(self._next_word, input_signature=[features, words, ids])

    def _logits(self, feature: tf.Tensor, image: tf.Tensor, words: tf.Tensor, length: tf.Tensor,
                training: bool) -> tf.Tensor:
        """Logits [P, V] after P prefixes.

        Args:
          feature: [B, F]. image: int32 [P], row of `feature` of each prefix.
          words: int32 [P, T], right-padded. length: int32 [P], words of each prefix, 0 … L, ascending.
        """
        projected = self.image_dense(feature)
        pad = self.embedding(tf.zeros(tf.shape(feature)[:1], tf.int32))
        zero = tf.zeros_like(projected)
        h, (_, c) = self.lstm.cell(projected, [zero, zero])
        after_pads = tf.TensorArray(tf.float32, self.max_length + 1, element_shape=[None, 2 * _UNITS])
        for pads in range(self.max_length):
            after_pads = after_pads.write(pads, tf.concat([h, c], 1))
            h, (_, c) = self.lstm.cell(pad, [h, c])
        after_pads = after_pads.write(self.max_length, tf.concat([h, c], 1)).stack()       # [L + 1, B, 2 U]
        start = tf.gather_nd(after_pads, tf.stack([self.max_length - length, image], 1))   # [P, 2 U]
        states, rows = [], tf.shape(words)[0]
        for part in range(_PARTS):  # of similar length, so that the LSTM reads little padding
            of_part = slice(rows * part // _PARTS, rows * (part + 1) // _PARTS)
            width = tf.maximum(tf.reduce_max(length[of_part]), 1)
            _, state, _ = self.lstm(
                self.embedding(words[of_part, :width]), mask=tf.sequence_mask(length[of_part], width),
                initial_state=tf.split(start[of_part], 2, 1))
            states.append(state)
        merged = self.dropout(tf.concat(states, 0), training=training) + tf.gather(projected, image)
        return self.output(self.dropout(self.hidden(merged), training=training))

    def _losses(self, batch: tuple[tf.Tensor, ...], training: bool) -> tf.Tensor:
        feature, image, words, length, target, weight = batch
        logits = self._logits(feature, image, words, length, training)
        return weight * tf.nn.sparse_softmax_cross_entropy_with_logits(target, logits)

    def _train_step(self, *batch: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(self._losses(batch, True)) / tf.reduce_sum(batch[-1])
        self.optimizer.apply(tape.gradient(loss, self.variables), self.variables)
        return loss

    def _loss_sum(self, *batch: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(self._losses(batch, False))

    def _next_word(self, feature: tf.Tensor, words: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        return tf.argmax(self._logits(feature, tf.range(tf.shape(feature)[0]), words, length, False), 1, tf.int32)

    def generate(self, feature: np.ndarray, names: list[str]) -> list[tuple[str, ...]]:
        """Greedy sequences of words, from the empty prefix."""
        words = np.zeros((len(feature), self.max_length), np.int32)
        alive = np.ones(len(feature), bool)
        for position in range(self.max_length):
            following = self.next_word(tf.constant(feature), tf.constant(words[:, :max(position, 1)]),
                                       tf.fill([len(feature)], position)).numpy()
            following = np.where(alive, following, 0)
            alive &= (following != names.index(_END)) & (following != 0)
            words[:, position] = np.where(alive, following, 0)
            if not alive.any():
                break
        return [tuple(names[i] for i in row if i) for row in words]


def batches(feature: np.ndarray, table: Table, order: np.ndarray, batch_size: int) -> Iterator[tuple]:
    """The arguments of `train_step`, one batch of table rows after the other; the uneven rest is dropped."""
    for at in range(0, len(order) // batch_size * batch_size, batch_size):
        rows = order[at:at + batch_size]
        images, place, repeats = np.unique(table.image[rows], return_inverse=True, return_counts=True)
        prefixes = [(place[i], table.sequences[row], n) for i, row in enumerate(rows)
                    for n in range(1, len(table.sequences[row]))]
        if not prefixes:
            continue
        prefixes.sort(key=lambda prefix: prefix[2])
        words = np.zeros((len(prefixes), max(n for *_, n in prefixes)), np.int32)
        for i, (_, sequence, n) in enumerate(prefixes):
            words[i, :n] = sequence[:n]
        image = np.array([image for image, *_ in prefixes], np.int32)
        yield (tf.constant(feature[images]), tf.constant(image), tf.constant(words),
               tf.constant([n for *_, n in prefixes], tf.int32),
               tf.constant([sequence[n] for _, sequence, n in prefixes], tf.int32),
               tf.constant(repeats[image].astype(np.float32)))


def train_and_predict(train: tuple[np.ndarray, Images], validation: tuple[np.ndarray, Images],
                      test: tuple[np.ndarray, Images], seed: int, epochs: int = 25,
                      batch_size: int = 64) -> tuple[list[tuple[str, ...]], float]:
    """Trains on (features, images) and generates for the test images.

    Returns:
      The generated words of each test image, and the best validation loss as the notebook counts it.
    """
    keras.utils.set_random_seed(seed)
    (train_table, validation_table), names = tables([train[1], validation[1]], seed)
    max_length = max(map(len, train_table.sequences + validation_table.sequences))
    model = Model(train[0].shape[1], len(names), max_length)
    random = np.random.default_rng(seed)
    best, since_best, since_lowered, weights = float("inf"), 0, 0, None
    order = np.arange(len(train_table.sequences))
    for epoch in range(epochs):
        with Progress(f"notebook epoch {epoch + 1}", len(order) // batch_size, "batches") as progress:
            for batch in batches(train[0], train_table, order, batch_size):
                model.train_step(*batch)
                progress.add(1)
        order = random.permutation(order)
        loss = count = 0.0
        for batch in batches(validation[0], validation_table, np.arange(len(validation_table.sequences)), batch_size):
            loss, count = loss + float(model.loss_sum(*batch)), count + float(tf.reduce_sum(batch[-1]))
        loss /= max(count, 1)
        print(f"notebook epoch {epoch + 1}: validation loss {loss:.4f}", flush=True)
        if loss < best:
            best, since_best, since_lowered = loss, 0, 0
            weights = [variable.numpy() for variable in model.variables]
        else:
            since_best, since_lowered = since_best + 1, since_lowered + 1
        if since_lowered >= 3:
            model.optimizer.learning_rate = max(float(model.optimizer.learning_rate) * 0.2, 1e-8)
            since_lowered = 0
        if since_best >= 5:
            break
    for variable, value in zip(model.variables, weights or [], strict=True):
        variable.assign(value)
    generated: list[tuple[str, ...]] = []
    for at in range(0, len(test[0]), 100):
        generated += model.generate(test[0][at:at + 100], names)
    return generated, best
