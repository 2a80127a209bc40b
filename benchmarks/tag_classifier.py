"""Baseline for tags: a multi-label classifier with one hidden layer on the records' features, plain Keras.

Every tag that at least two captions of some train images share is one sigmoid output, trained with binary
cross-entropy; tags are ranked by probability. The obvious tool when only tags are wanted.
"""

import collections
import dataclasses

import keras
import numpy as np

from benchmarks.quality_data import Images
from tagger.evaluation.metrics.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class Settings:
    """Attributes:
      min_images: train images that must have a tag for it to become an output.
      patience: epochs without a better validation loss before the best weights are restored.
    """

    hidden: int = 1024
    dropout: float = 0.5
    learning_rate: float = 1e-3
    batch_size: int = 64
    epochs: int = 60
    patience: int = 3
    min_images: int = 5


def train_and_predict(train: Images, validation: Images, test: Images, frequent: tuple[str, ...], seed: int,
                      settings: Settings = Settings()) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """Ranked tags per test image (the ten most probable), and the probabilities of `frequent` float [images, tags].

    The validation split stops the training, as it does the merge model's.
    """
    keras.utils.set_random_seed(seed)
    shared = [_shared(tags) for tags in train.tags]
    counts = collections.Counter(tag for tags in shared for tag in tags)
    names = sorted(tag for tag, count in counts.items() if count >= settings.min_images)
    column = {name: i for i, name in enumerate(names)}
    inputs = keras.Input((train.features.shape[1],))
    hidden = keras.layers.Dense(settings.hidden, "relu")(inputs)
    outputs = keras.layers.Dense(len(names), "sigmoid")(keras.layers.Dropout(settings.dropout)(hidden))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(settings.learning_rate), "binary_crossentropy")
    stop = keras.callbacks.EarlyStopping(patience=settings.patience, restore_best_weights=True)
    model.fit(train.features, _one_hot(shared, column), settings.batch_size, settings.epochs, verbose=0,
              validation_data=(validation.features, _one_hot([_shared(tags) for tags in validation.tags], column)),
              callbacks=[stop])
    probabilities = model.predict(test.features, verbose=0)
    ranked = [tuple(names[i] for i in np.argsort(-row, kind="stable")[:10]) for row in probabilities]
    scores = np.zeros((len(ranked), len(frequent)), np.float32)
    for i, tag in enumerate(frequent):
        if tag in column:
            scores[:, i] = probabilities[:, column[tag]]
    return ranked, scores


def _shared(tags: tuple[tuple[str, ...], ...]) -> frozenset[str]:
    return Prediction("", (), (), (), (), tags).shared_tags


def _one_hot(shared: list[frozenset[str]], column: dict[str, int]) -> np.ndarray:
    labels = np.zeros((len(shared), len(column)), np.float32)
    for row, tags in enumerate(shared):
        labels[row, [column[tag] for tag in tags if tag in column]] = 1
    return labels
