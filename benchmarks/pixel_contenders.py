"""Photos for training a backbone, and steps on them, as each library's users would write them.

Pipelines: `make(folder, size)` reads the photos of folder/photos (folder/records for this project's) and gives a
function of the epoch's number to an iterable of batches of BATCH random views, uint8 or float32 [BATCH, S, S, 3] or
channels first: a crop of half the area or more, its sides 3:4 to 4:3, mirrored half of the time.

Steps: `make(batch)` gives a function that makes one training step of ResNet50 from conv4 on, frozen batch
normalisations, with the merge model on all captions of the photos, Adam.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

BATCH, SIZE, SMALLEST, RATIO = 32, 224, 0.5, (3 / 4, 4 / 3)
VOCABULARY = 2539
Epoch = Callable[[int], Iterable[Any]]
Step = Callable[[], Any]


def ours(folder: Path) -> Epoch:
    from records.images.augmentation import Augmentation
    from records.input.options import InputOptions
    from records.input.pixel_dataset import PixelDataset
    from records.input.shard_reader import open_split

    photos = PixelDataset(open_split(folder / "records", "train"), InputOptions(batch_size=BATCH),
                          vocabulary_size=VOCABULARY, image_size=SIZE, augmentation=Augmentation(SMALLEST))
    return lambda epoch: photos.epoch(epoch, keys=False)


def torchvision_loader(folder: Path) -> Epoch:
    """DataLoader with 2 workers, and torchvision's transforms on Pillow images: the form of its training reference."""
    import torch
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    views = v2.Compose([v2.RandomResizedCrop(SIZE, scale=(SMALLEST, 1), ratio=RATIO), v2.RandomHorizontalFlip(),
                        v2.PILToTensor()])
    photos = ImageFolder(folder / "photos", views)

    def epoch_of(epoch: int) -> Iterator:
        return iter(torch.utils.data.DataLoader(photos, BATCH, shuffle=True, num_workers=2,
                                                generator=torch.Generator().manual_seed(epoch)))

    return epoch_of


def keras_directory(folder: Path) -> Epoch:
    """image_dataset_from_directory at a seventh more than the size, then crops of the whole batch at once."""
    import keras
    import tensorflow as tf

    data = keras.utils.image_dataset_from_directory(
        str(folder / "photos"), labels=None, batch_size=BATCH, image_size=(256, 256), shuffle=True, seed=0,
        verbose=False)

    def views(images: tf.Tensor) -> tf.Tensor:
        count = tf.shape(images)[0]
        share = tf.random.uniform([count], SMALLEST, 1)
        stretch = tf.exp(tf.random.uniform([count], np.log(RATIO[0]) / 2, np.log(RATIO[1]) / 2))
        height, width = (tf.minimum(tf.sqrt(share) * factor, 1) for factor in (stretch, 1 / stretch))
        top, left = (tf.random.uniform([count]) * (1 - side) for side in (height, width))
        right = left + width
        mirror = tf.random.uniform([count]) < 0.5
        boxes = tf.stack([top, tf.where(mirror, right, left), top + height, tf.where(mirror, left, right)], axis=1)
        return tf.cast(tf.image.crop_and_resize(images, boxes, tf.range(count), [SIZE, SIZE]) + 0.5, tf.uint8)

    data = data.map(views, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    return lambda epoch: data


def libjpeg_turbo(folder: Path) -> Epoch:
    """No pipeline: every photo decoded whole, on two threads, from files that are in memory already."""
    from concurrent.futures import ThreadPoolExecutor

    import simplejpeg

    files = [path.read_bytes() for path in sorted((folder / "photos").rglob("*.jpg"))]

    def epoch_of(epoch: int) -> Iterator:
        with ThreadPoolExecutor(2) as threads:
            yield from threads.map(lambda data: simplejpeg.decode_jpeg(data).shape, files)

    return epoch_of


PIPELINES: dict[str, tuple[Callable[[Path], Epoch], bool]] = {  # and whether it is a tf.data.Dataset
    "this pipeline": (ours, True), "torchvision DataLoader, 2 workers": (torchvision_loader, False),
    "image_dataset_from_directory": (keras_directory, True), "libjpeg-turbo alone": (libjpeg_turbo, False)}

Batch = dict[str, np.ndarray]


def step_batch(captions: int = 5) -> Batch:
    """image uint8 [BATCH, SIZE, SIZE, 3]; inputs, targets int32 [BATCH, captions, T(+1)] of Flickr8k's lengths."""
    random = np.random.default_rng(0)
    lengths = np.clip(random.normal(10.8, 3.7, (BATCH, captions)).round(), 3, 30).astype(int)
    targets = np.zeros((BATCH, captions, lengths.max() + 1), np.int32)
    words = 3 + random.zipf(1.3, targets.shape) % (VOCABULARY - 3)
    places = np.arange(targets.shape[2])
    targets[:] = np.where(places < lengths[..., None], words, places == lengths[..., None])
    inputs = np.where(targets == 1, 0, targets)[:, :, :-1]
    return {"image": random.integers(0, 256, (BATCH, SIZE, SIZE, 3)).astype(np.uint8), "inputs": inputs,
            "targets": targets}


def our_step(batch: Batch, weights: str, precision: str) -> Step:
    import tensorflow as tf

    from records.backbones.keras_applications import application
    from tagger.losses.cross_entropy import CrossEntropy
    from tagger.losses.from_pixels import FromPixels, validation_loss
    from tagger.modeling.captioner import Captioner
    from tagger.modeling.merge_model import MergeModel
    from tagger.training.distribution import open_devices
    from tagger.training.optimizer import FusedAdam
    from tagger.training.train_state import TrainState
    from tagger.training.train_step import TrainStep

    model = Captioner(merge=MergeModel(VOCABULARY), encoder=application("resnet50", weights),
                      first_layer="conv4_block1", compute_dtype=precision)
    optimizer = FusedAdam(1e-4)
    optimizer.build(model.weights)
    state = TrainState(model=model, optimizer=optimizer)
    step = TrainStep(state=state, objective=FromPixels(CrossEntropy()), validation_loss=validation_loss,
                     devices=open_devices("cpu"), seed=0, batch_rows=BATCH)
    tensors = {name: tf.constant(value) for name, value in batch.items()}
    spec = {name: tf.TensorSpec([None, *value.shape[1:]], value.dtype) for name, value in tensors.items()}
    step.compile(spec, spec)

    def train() -> None:
        step.train(tensors, 0)
        state.sums.read()

    return train


def keras_fit(batch: Batch, weights: str, precision: str) -> Step:
    """The network of keras.applications in front of Keras layers, trained by `fit`; a photo's captions share it."""
    import keras
    import tensorflow as tf

    keras.mixed_precision.set_global_policy("float32" if precision == "float32" else f"mixed_{precision}")
    layers, captions = keras.layers, batch["targets"].shape[1]
    backbone = keras.applications.ResNet50(weights=weights or None, include_top=False, pooling="avg")
    first = [layer.name for layer in backbone.layers].index("conv4_block1_1_conv")
    for number, layer in enumerate(backbone.layers):
        layer.trainable = number >= first and not isinstance(layer, layers.BatchNormalization)
    pixels, words = keras.Input((SIZE, SIZE, 3)), keras.Input((captions, None), dtype="int32")
    feature = layers.RepeatVector(captions)(backbone(pixels, training=False))
    image = layers.TimeDistributed(layers.Dense(256, "relu"))(feature)
    sequence = layers.Concatenate(axis=2)([layers.Reshape((captions, 1, 256))(image), layers.Embedding(
        VOCABULARY, 256)(words)])
    steps = layers.TimeDistributed(layers.LSTM(256, return_sequences=True))(sequence)
    merged = layers.Add()([layers.Dropout(0.5)(steps), layers.Reshape((captions, 1, 256))(image)])
    hidden = layers.Dropout(0.5)(layers.Dense(128, "relu")(merged))
    model = keras.Model([pixels, words], layers.Dense(VOCABULARY, dtype="float32")(hidden))
    model.compile(keras.optimizers.Adam(1e-4), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    caffe = batch["image"][..., ::-1].astype(np.float32) - np.array([103.939, 116.779, 123.68], np.float32)
    data = tf.data.Dataset.from_tensors((
        (caffe, batch["inputs"]), batch["targets"], (batch["targets"] > 0).astype(np.float32))).repeat(4).cache()
    return lambda: model.fit(data, verbose=0)


def pytorch(batch: Batch, weights: str, precision: str) -> Step:
    """torchvision's ResNet50, channels last, the merge model on packed sequences, bfloat16 by autocast."""
    import torch
    import torchvision
    from torch import nn
    from torch.nn import functional as fn

    backbone = torchvision.models.resnet50(weights=None).to(memory_format=torch.channels_last).eval()
    backbone.fc = nn.Identity()
    for name, weight in backbone.named_parameters():
        weight.requires_grad = name.startswith(("layer3", "layer4")) and "bn" not in name and "downsample.1" not in name
    image, words = nn.Linear(2048, 256), nn.Embedding(VOCABULARY, 256)
    lstm, hidden = nn.LSTM(256, 256, batch_first=True), nn.Linear(256, 128)
    output, dropout = nn.Linear(128, VOCABULARY), nn.Dropout(0.5)
    parts = nn.ModuleList([backbone, image, words, lstm, hidden, output])
    optimizer = torch.optim.Adam([p for p in parts.parameters() if p.requires_grad], 1e-4, fused=True)
    pixels = torch.from_numpy(batch["image"]).permute(0, 3, 1, 2)
    targets = torch.from_numpy(batch["targets"]).flatten(0, 1).long()
    inputs = torch.from_numpy(batch["inputs"]).flatten(0, 1).long()
    mask = targets > 0
    lengths = mask.sum(1)
    rows = torch.repeat_interleave(torch.arange(len(targets)), lengths)
    mean = torch.tensor([103.939, 116.779, 123.68])[:, None, None]

    def train() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            views = (pixels.float() - mean).contiguous(memory_format=torch.channels_last)
            feature = backbone(views)
        projected = fn.relu(image(feature.float())).repeat_interleave(batch["targets"].shape[1], 0)
        sequence = torch.cat([projected[:, None], words(inputs)], 1)
        runs = nn.utils.rnn.pack_padded_sequence(sequence, lengths, batch_first=True, enforce_sorted=False)
        steps = nn.utils.rnn.pad_packed_sequence(lstm(runs)[0], batch_first=True)[0]
        merged = dropout(steps[mask]) + projected[rows]
        fn.cross_entropy(output(dropout(fn.relu(hidden(merged)))), targets[mask]).backward()
        optimizer.step()

    return train


def pytorch_keeping_memory(batch: Batch, weights: str, precision: str) -> Step:
    """The same with this project's setting of the C library, which spares it new pages every step."""
    from records.util.malloc import keep_freed_memory

    keep_freed_memory()
    return pytorch(batch, weights, precision)


# The function, and how many steps a call makes.
STEPS: dict[str, tuple[Callable[[Batch, str, str], Step], int]] = {
    f"{name}, {precision}": (functools.partial(make, precision=precision), steps)
    for precision in ("float32", "bfloat16")
    for name, make, steps in (("this project", our_step, 1), ("Keras fit", keras_fit, 4), ("PyTorch", pytorch, 1),
                              ("PyTorch, freed memory kept", pytorch_keeping_memory, 1))}
