"""Where a step's time goes: each piece of this project's step alone, on the shapes of one batch."""

import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks.training_data import FEATURE, VOCABULARY, flop


def median_ms(call: Callable[[], object], repeats: int = 9) -> float:
    """Median time of a call in ms, after one that is not counted."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def matmul_rate() -> float:
    """FLOP per ms of a large square float32 product in TensorFlow."""
    import tensorflow as tf

    a = tf.random.stateless_normal([2048, 2048], [0, 0])
    multiply = tf.function(lambda: tf.matmul(a, a))
    return 2 * 2048 ** 3 / median_ms(multiply)


def pieces(batch: dict[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    """{piece: (ms, FLOP)}, forward and backward; "whole step" is the real one, not the sum."""
    import tensorflow as tf

    from benchmarks.training_contenders import product
    from tagger.losses.fused_softmax import softmax_loss
    from tagger.modeling.lstm import packed_lstm
    from tagger.modeling.merge_model import MergeModel, embed
    from tagger.modeling.packed_sequence import pack
    from tagger.modeling.stateless_dropout import drop, random_bytes
    from tagger.training.optimizer import FusedAdam

    model = MergeModel(VOCABULARY)
    rows, targets = len(batch["targets"]), tf.constant(batch["targets"])
    tokens = int((batch["targets"] > 0).sum())
    packing = pack(targets > 0)
    flat = tf.gather(tf.reshape(targets, [-1]), packing.index)
    wide, narrow = (tf.random.stateless_normal([tokens, width], [width, 1]) for width in (256, 128))
    words = flat[rows:]
    distinct, number = tf.unique(words)  # as MergeModel has them multiplied
    read_once = tf.random.stateless_normal([rows + len(distinct), 256], [256, 1])
    place = tf.concat([tf.range(rows), rows + number], axis=0)

    def with_gradient(function, *inputs):
        @tf.function
        def run():
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                value = tf.reduce_sum(function(*inputs))
            return tape.gradient(value, inputs)

        return run

    output = [tf.constant(w) for w in model.output_weights()]
    lstm = [tf.constant(w.numpy()) for w in model.lstm.weights]
    table = tf.constant(model.word_embedding.embeddings.numpy())
    image = [tf.constant(w.numpy()) for w in model.image_dense.weights]
    hidden = [tf.constant(w.numpy()) for w in model.hidden_dense.weights]
    feature = tf.constant(batch["feature"].astype(np.float32))
    optimizer = FusedAdam(1e-3)
    optimizer.build(model.weights)
    gradients = [tf.random.stateless_normal(w.shape, [0, i]) for i, w in enumerate(model.weights)]
    positions = batch["targets"].shape[1]

    @tf.function
    def dropout():
        noise = random_bytes(tf.constant([0, 1]), 0, rows, positions * 384)
        noise = tf.gather(tf.reshape(noise, [-1, 384]), packing.index)
        return drop(wide, noise[:, :256], 0.5), drop(narrow, noise[:, 256:], 0.5)

    update = tf.function(optimizer.update)
    step = product([batch], "cpu")
    calls: dict[str, tuple[Callable[[], object], float]] = {
        "softmax layer and loss": (with_gradient(lambda h, k, b: softmax_loss(h, k, b, flat), narrow, *output),
                                   6 * tokens * 128 * VOCABULARY),
        "LSTM": (with_gradient(lambda x, *w: packed_lstm(x, place, packing.sizes, *w), read_once, *lstm),
                 6 * 256 * 1024 * (tokens + len(distinct))),
        "Adam": (lambda: update(gradients), 0),
        "word embedding": (with_gradient(lambda t: embed(t, distinct), table), 0),
        "hidden layer": (with_gradient(lambda x, k, b: tf.nn.relu(x @ k + b), wide, *hidden), 6 * tokens * 256 * 128),
        "image layer": (with_gradient(lambda k, b: tf.nn.relu(feature @ k + b), *image), 4 * rows * FEATURE * 256),
        "dropout": (dropout, 0),
        "packing": (tf.function(lambda: pack(targets > 0).index), 0),
        "whole step": (step, flop(batch))}
    return {name: (median_ms(call), work) for name, (call, work) in calls.items()}
