"""Backbones as a user would write them, for --backbone=tests.records.backbones.networks:NAME."""

import keras

from records.backbones.encoder import Encoder


def _small(size: int) -> keras.Model:
    return keras.Sequential([
        keras.Input((size, size, 3)), keras.layers.Conv2D(8, 7, strides=4, use_bias=False),
        keras.layers.BatchNormalization(), keras.layers.ReLU(), keras.layers.Conv2D(16, 3, strides=4),
        keras.layers.ReLU(), keras.layers.GlobalAveragePooling2D()])


def small() -> Encoder:
    """A network of one's own that sees 96 pixels and keeps 16 numbers."""
    def network() -> keras.Model:
        keras.utils.set_random_seed(5)
        return _small(96)

    return Encoder(network=network, image_size=96, preprocess=lambda images: images / 255.0, preprocessing="0..1")


def named() -> Encoder:
    """Two convolutions with names, each with a batch normalisation after it."""
    def network() -> keras.Model:
        keras.utils.set_random_seed(8)
        return keras.Sequential([
            keras.Input((96, 96, 3)), keras.layers.Conv2D(8, 7, strides=4, name="stem"),
            keras.layers.BatchNormalization(), keras.layers.ReLU(),
            keras.layers.Conv2D(16, 3, strides=4, name="block_conv"), keras.layers.BatchNormalization(),
            keras.layers.ReLU(), keras.layers.GlobalAveragePooling2D()])

    return Encoder(network=network, image_size=96, preprocess=lambda images: images / 127.5 - 1, preprocessing="-1..1")


def mobile_192() -> Encoder:
    """A published network in a size and width of its own."""
    def network() -> keras.Model:
        keras.utils.set_random_seed(6)
        return keras.applications.MobileNetV2((192, 192, 3), alpha=0.35, include_top=False, weights=None, pooling="avg")

    return Encoder(network=network, image_size=192, preprocess=keras.applications.mobilenet_v2.preprocess_input,
                   preprocessing="tf: scaled to -1..1")


def thin_299() -> Encoder:
    """InceptionV3's size and preprocessing, on a network that is quick to compute."""
    def network() -> keras.Model:
        keras.utils.set_random_seed(7)
        return _small(299)

    return Encoder(network=network, image_size=299, preprocess=keras.applications.inception_v3.preprocess_input,
                   preprocessing="tf: scaled to -1..1")


class Subclassed(keras.Model):
    """A network that Keras cannot copy layer by layer."""

    def __init__(self):
        super().__init__()
        self.convolution = keras.layers.Conv2D(6, 5, strides=5)
        self.pool = keras.layers.GlobalAveragePooling2D()

    def call(self, images):
        return self.pool(keras.ops.relu(self.convolution(images)))


def subclassed() -> Encoder:
    return Encoder(network=Subclassed, image_size=64, preprocess=lambda images: images / 255.0, preprocessing="0..1")


def nested() -> Encoder:
    """A base inside another model, as tutorials on transfer learning write it."""
    def network() -> keras.Model:
        image = keras.Input((96, 96, 3))
        return keras.Model(image, keras.layers.Dense(5, name="head")(_small(96)(image)))

    return Encoder(network=network, image_size=96, preprocess=lambda images: images / 255.0, preprocessing="0..1")


def flattened() -> Encoder:
    """A network whose last layer has a weight for every place of the image."""
    def network() -> keras.Model:
        keras.utils.set_random_seed(9)
        return keras.Sequential([
            keras.Input((96, 96, 3)), keras.layers.Conv2D(4, 7, strides=16, name="block_conv"), keras.layers.Flatten(),
            keras.layers.Dense(5)])

    return Encoder(network=network, image_size=96, preprocess=lambda images: images / 255.0, preprocessing="0..1")


def _breaking(network) -> Encoder:
    return Encoder(network=network, image_size=64, preprocess=lambda images: images, preprocessing="none")


def not_pooled() -> Encoder:
    return _breaking(lambda: keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Conv2D(3, 3)]))


def other_size() -> Encoder:
    return _breaking(lambda: _small(96))


def no_model() -> Encoder:
    return _breaking(lambda: 7)


def no_encoder() -> int:
    return 7


def failing() -> Encoder:
    raise ValueError("no such file: my.keras")


def infinite() -> Encoder:
    """A network whose features do not fit into float16."""
    def network() -> keras.Model:
        return keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Rescaling(1e6),
                                 keras.layers.GlobalAveragePooling2D()])

    return _breaking(network)
