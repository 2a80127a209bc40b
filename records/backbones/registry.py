"""Backbones by the value of --backbone: networks of keras.applications, and users' own as module:function.

    encoder = load_encoder("resnet50", "imagenet")       # what can be built, trained and frozen
    backbone = load_backbone("resnet50", "imagenet")     # frozen already
    features = backbone(images)                          # float32 [B, 224, 224, 3], RGB 0..255 -> float32 [B, 2048]
"""

import difflib
import re
import sys
from collections.abc import Iterable

import tensorflow as tf
from etils import epath

from flags.choices import BACKBONE_PRECISIONS, FEATURE_VIEWS
from flags.errors import UserError
from records.backbones import keras_applications
from records.backbones.encoder import IMAGENET, Encoder
from records.backbones.frozen_encoder import FrozenEncoder
from records.util import user_code
from records.util.cpu import slow_in_bfloat16


def load_encoder(name: str, weights: str = "", image_size: int = 0) -> Encoder:
    """A backbone by name, with its weights still to be read.

    Args:
      name: a name of keras_applications.names(), or module:function of a function that returns an Encoder.
      weights: "imagenet", the path of a weights file with or without the classifier's weights, or "": imagenet for
        keras.applications, for others the weights that their function gives them.
      image_size: side in pixels of the square that it is to see; 0: what it was published for, or what its function
        says.

    Raises:
      UserError: no such backbone, the function gives something else, or its images have another size.
    """
    if ":" in name:
        return _of_user(name, weights, image_size)
    known = keras_applications.names()
    if name not in known:
        near = _nearest(name.lower(), known)
        raise UserError(f"--backbone={name} is unknown: expected one of {', '.join(near or known)}"
                        + (", or another network of keras.applications" if near else "")
                        + ", or module:function of a network of your own")
    return keras_applications.application(name, weights or IMAGENET, image_size)


_MANY = 1000  # more than there are names


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    """Up to three names like `name`, nearest first: the same but for a number, then those that share most letters."""
    matches = difflib.get_close_matches(name, list(known), _MANY, 0.5)

    def distance(other: str) -> tuple[float, float, str]:
        numbers = [int(digits[0]) if (digits := re.search(r"\d+", text)) else 0 for text in (name, other)]
        same_family = re.sub(r"\d+", "#", name, count=1) == re.sub(r"\d+", "#", other, count=1)
        return (abs(numbers[0] - numbers[1]) if same_family else float("inf"),
                -difflib.SequenceMatcher(None, other, name).ratio(), other)

    return sorted(matches, key=distance)[:3]


def recorded_weights(given: str, recorded: str) -> str:
    """The weights of a backbone that made records: `given`, the flag, or else where make_records read them.

    Raises:
      UserError: there is no such file.
    """
    weights = given or recorded
    if weights in ("", IMAGENET) or epath.Path(weights).exists():
        return weights
    if given:
        raise UserError(f"--backbone_weights={given}: no such file; give the path of the weights file")
    relative = "" if weights.startswith("/") or "://" in weights else ", relative to the folder that it ran in"
    raise UserError(f"{weights}: make_records read the backbone's weights there{relative}, as the manifest of the "
                    "records says, and there is no such file; name where it is now with --backbone_weights=PATH")


def _of_user(name: str, weights: str, image_size: int) -> Encoder:
    if weights == IMAGENET:
        raise UserError(f"--backbone_weights=imagenet: Keras has these weights for its own networks only, not for "
                        f"--backbone={name}; leave the flag out for the weights that the function sets, or give a file")
    encoder = user_code.call(name, "backbone")
    if not isinstance(encoder, Encoder):
        raise UserError(f"--backbone={name}: gave a {type(encoder).__name__}, expected a "
                        "records.backbones.encoder.Encoder (see docs/data.md)")
    if image_size not in (0, encoder.image_size):
        raise UserError(f"--image_size={image_size}: --backbone={name} sees photos of {encoder.image_size} pixels a "
                        "side, as its function says; change it there, or leave the flag out")
    encoder.name = name
    encoder.weights = weights or encoder.weights
    return encoder


def load_backbone(name: str, weights: str = "", precision: str = "float32", views: str = "one", image_size: int = 0,
                  asked_by: str = "") -> FrozenEncoder:
    """A backbone with its weights, frozen.

    Args:
      name, weights, image_size: as of load_encoder.
      precision: "bfloat16" computes the layers in bfloat16 (features off by about 1e-2, relative L2): on GPUs and on
        CPUs with AVX512-BF16 or AMX (see `slow_precision`).
      views: "one", "flip" or "crops"; see FrozenEncoder. Time grows to 2 and 4 times.
      asked_by: the flag that asks for the precision, with its value; by default --backbone_precision.

    Raises:
      UserError: no such backbone, precision or views; the weights cannot be had or are another network's.
    """
    for flag, value, known in (("backbone_precision", precision, BACKBONE_PRECISIONS),
                               ("feature_views", views, FEATURE_VIEWS)):
        if value not in known:
            raise UserError(f"--{flag}={value} is unknown: expected one of {', '.join(known)}")
    if warning := slow_precision(precision, asked_by):
        print(warning, file=sys.stderr)
    return load_encoder(name, weights, image_size).for_inference(precision=precision, views=views)


def slow_precision(precision: str, asked_by: str = "") -> str | None:
    """A line for the user when the hardware computes `precision` no faster than float32, else None.

    Args:
      asked_by: as of load_backbone.
    """
    if precision == "float32" or tf.config.list_physical_devices("GPU"):
        return None
    return slow_in_bfloat16(asked_by or f"--backbone_precision={precision}")
