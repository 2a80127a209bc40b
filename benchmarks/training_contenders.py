"""The same merge model trained in several ways: `make(batches)` gives a function that trains once on each batch.

A call is a pass over several batches, so that they share what `fit` costs to start, as those of an epoch do. All use
Adam with the same settings and dropout 0.5, and leave the weights updated after every call. `device` is "cpu" or "gpu".
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.training_data import FEATURE, VOCABULARY

Batches = list[dict[str, np.ndarray]]
Pass = Callable[[], Any]


def product(batches: Batches, device: str) -> Pass:
    """This project's step; on a GPU with the arithmetic that --precision=auto picks."""
    from tagger.training.distribution import open_devices
    from tagger.training.mixed_precision import compute_dtype

    devices = open_devices(device)
    return _product(batches, devices, compute_dtype("auto", devices.on_gpu))


def product_float32(batches: Batches, device: str) -> Pass:
    """The same in float32."""
    from tagger.training.distribution import open_devices

    return _product(batches, open_devices(device), "float32")


def product_bfloat16(batches: Batches, device: str) -> Pass:
    """The same with --precision=mixed_bfloat16."""
    from tagger.training.distribution import open_devices

    return _product(batches, open_devices(device), "bfloat16")


def _product(batches: Batches, devices: Any, dtype: str) -> Pass:
    import tensorflow as tf

    (rows,) = {len(batch["targets"]) for batch in batches}
    state, train_step = train_step_on(devices, rows, {
        "feature": tf.TensorSpec([None, FEATURE], tf.float16), "inputs": tf.TensorSpec([None, None], tf.int32),
        "targets": tf.TensorSpec([None, None], tf.int32)}, dtype)
    tensors = [{name: tf.constant(value) for name, value in batch.items()} for batch in batches]

    def train() -> None:
        for step, batch in enumerate(tensors):
            train_step.train(batch, step)
        state.sums.read()  # waits for the device

    return train


def train_step_on(devices: Any, rows: int, spec: Any, dtype: str = "float32") -> Any:
    """This project's TrainState and TrainStep as published, for batches of so many rows and these types."""
    from tagger.losses.cross_entropy import CrossEntropy, cross_entropy_value
    from tagger.modeling.lstm import recurrence_for
    from tagger.modeling.merge_model import MergeModel
    from tagger.training.optimizer import FusedAdam
    from tagger.training.train_state import TrainState
    from tagger.training.train_step import TrainStep

    model = MergeModel(VOCABULARY, compute_dtype=dtype, recurrence=recurrence_for(devices.on_gpu))
    optimizer = FusedAdam(1e-3)
    optimizer.build(model.weights)
    state = TrainState(model=model, optimizer=optimizer)
    train_step = TrainStep(state=state, objective=CrossEntropy(), validation_loss=cross_entropy_value, devices=devices,
                           seed=0, batch_rows=rows)
    train_step.compile(spec, spec)
    return state, train_step


def keras_fit(batches: Batches, device: str) -> Pass:
    """Keras layers and `fit` on padded sequences: one pass over each caption, padding masked and without weight."""
    return _keras_fit(batches, device, masked=True)


def keras_fit_unmasked(batches: Batches, device: str) -> Pass:
    """The same without the embedding's mask, with which Keras's LSTM does not take cuDNN's kernels."""
    return _keras_fit(batches, device, masked=False)


def keras_fit_mixed(batches: Batches, device: str) -> Pass:
    """The same in mixed_bfloat16."""
    import keras

    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    return _keras_fit(batches, device, masked=False)


def _keras_fit(batches: Batches, device: str, masked: bool) -> Pass:
    import keras
    import tensorflow as tf

    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    layers = keras.layers
    feature, words = keras.Input((FEATURE,)), keras.Input((None,), dtype="int32")
    image = layers.Dense(256, "relu")(feature)
    sequence = layers.Concatenate(axis=1)(
        [layers.Reshape((1, 256))(image), layers.Embedding(VOCABULARY, 256, mask_zero=masked)(words)])
    steps = layers.Dropout(0.5)(layers.LSTM(256, return_sequences=True)(sequence))
    hidden = layers.Dense(128, "relu")(layers.Add()([steps, layers.Reshape((1, 256))(image)]))
    model = keras.Model([feature, words], layers.Dense(VOCABULARY, dtype="float32")(layers.Dropout(0.5)(hidden)))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    each = [tf.data.Dataset.from_tensors((
        (b["feature"].astype(np.float32), b["inputs"]), b["targets"], (b["targets"] > 0).astype(np.float32)))
        for b in batches]
    data = functools.reduce(tf.data.Dataset.concatenate, each)
    return lambda: model.fit(data, verbose=0)


def notebook(batches: Batches, device: str) -> Pass:
    """The notebook's form: a generator of every prefix as a row of its own with a one-hot target, and `fit`.

    It padded on the left, as `pad_sequences` does.
    """
    import keras
    import tensorflow as tf

    from tagger.modeling.merge_model import MergeModel

    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    longest = max(b["inputs"].shape[1] for b in batches)
    model = MergeModel(VOCABULARY).to_keras(longest)
    model.get_layer("lstm").use_cudnn = False  # whose kernels know no padding on the left
    model.compile("adam", "categorical_crossentropy")

    def generate():
        for batch in batches:
            features, prefixes, words = [], [], []
            for row, targets in enumerate(batch["targets"]):
                ids = [int(i) for i in targets[targets > 0]]
                for k, word in enumerate(ids):
                    prefix = keras.utils.pad_sequences([ids[:k]], maxlen=longest)[0]
                    features.append(batch["feature"][row])
                    prefixes.append(prefix)
                    words.append(keras.utils.to_categorical([word], num_classes=VOCABULARY)[0])
            yield (np.array(features, np.float32), np.array(prefixes)), np.array(words)

    return lambda: model.fit(generate(), verbose=0)


def pytorch(batches: Batches, device: str) -> Pass:
    """PyTorch: packed sequences, only real positions through the last layers, fused Adam."""
    return _pytorch(batches, device, packed=True)


def pytorch_keeping_memory(batches: Batches, device: str) -> Pass:
    """The same with this project's setting of the C library, which spares PyTorch's logits new pages every step too."""
    from records.util.malloc import keep_freed_memory

    keep_freed_memory()
    return _pytorch(batches, device, packed=True)


def pytorch_padded(batches: Batches, device: str) -> Pass:
    """The same with the LSTM on padded sequences, which its kernels may like better."""
    return _pytorch(batches, device, packed=False)


def pytorch_mixed(batches: Batches, device: str) -> Pass:
    """That under autocast to bfloat16."""
    return _pytorch(batches, device, packed=False, mixed=True)


def _pytorch(batches: Batches, device: str, packed: bool, mixed: bool = False) -> Pass:
    import torch
    from torch import nn
    from torch.nn import functional as fn

    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")  # TensorFloat-32, as TensorFlow has it by default
    place = torch.device("cuda" if device == "gpu" else "cpu")

    class Merge(nn.Module):
        def __init__(self):
            super().__init__()
            self.image, self.words = nn.Linear(FEATURE, 256), nn.Embedding(VOCABULARY, 256)
            self.lstm, self.hidden = nn.LSTM(256, 256, batch_first=True), nn.Linear(256, 128)
            self.output, self.dropout = nn.Linear(128, VOCABULARY), nn.Dropout(0.5)

        def forward(self, feature, inputs, real, rows, lengths):
            image = fn.relu(self.image(feature))
            sequence = torch.cat([image[:, None], self.words(inputs)], 1)
            if packed:
                runs = nn.utils.rnn.pack_padded_sequence(sequence, lengths, batch_first=True, enforce_sorted=False)
                steps = nn.utils.rnn.pad_packed_sequence(self.lstm(runs)[0], batch_first=True)[0]
            else:
                steps = self.lstm(sequence)[0]
            merged = self.dropout(steps.flatten(0, 1)[real]) + image[rows]
            return self.output(self.dropout(fn.relu(self.hidden(merged))))

    model = Merge().to(place)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, eps=1e-7, fused=True)
    tensors = []
    for batch in batches:
        targets = torch.from_numpy(batch["targets"]).long()
        mask = targets > 0
        lengths = mask.sum(1)  # packing wants them on the CPU
        rows = torch.repeat_interleave(torch.arange(len(targets)), lengths)
        # Places instead of a mask, so that no step waits for the GPU to count.
        real = mask.flatten().nonzero()[:, 0]
        tensors.append(([one.to(place) for one in (
            torch.from_numpy(batch["feature"]), torch.from_numpy(batch["inputs"]).long(), real, rows, targets[mask])],
            lengths))

    def train() -> None:
        for (feature, inputs, real, rows, targets), lengths in tensors:
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(place.type, torch.bfloat16, enabled=mixed):
                logits = model(feature.float(), inputs, real, rows, lengths)
            fn.cross_entropy(logits.float(), targets).backward()
            optimizer.step()
        if device == "gpu":
            torch.cuda.synchronize()

    return train


CONTENDERS: dict[str, Callable[[Batches, str], Pass]] = {
    "this project": product, "this project, mixed_bfloat16": product_bfloat16,
    "Keras fit": keras_fit, "notebook's form": notebook, "PyTorch": pytorch,
    "PyTorch, LSTM on padded": pytorch_padded, "PyTorch, freed memory kept": pytorch_keeping_memory}

GPU_CONTENDERS: dict[str, Callable[[Batches, str], Pass]] = {
    "this project": product, "this project, float32": product_float32,
    "Keras fit": keras_fit, "Keras fit, no mask": keras_fit_unmasked, "Keras fit, no mask, bfloat16": keras_fit_mixed,
    "notebook's form": notebook, "PyTorch": pytorch, "PyTorch, LSTM on padded": pytorch_padded,
    "PyTorch, LSTM on padded, bfloat16": pytorch_mixed}
