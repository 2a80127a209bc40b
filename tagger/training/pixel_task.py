"""Training from pixels: the photos in the records go through a backbone that learns, and the merge model with it."""

import dataclasses
import functools
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from etils import epath

from flags.errors import UserError
from flags.train import Train
from records.backbones.encoder import Encoder
from records.backbones.registry import load_encoder, recorded_weights, slow_precision
from records.format.manifest import Manifest
from records.images.augmentation import Augmentation
from records.input.pixel_dataset import SIDED_WORDS, PixelDataset, check_photos
from records.text.vocabulary import SPECIALS
from tagger.evaluation.validation_cider import ValidationCaptions
from tagger.losses import from_pixels
from tagger.losses.cross_entropy import Batch, CrossEntropy, Objective
from tagger.modeling.captioner import Captioner
from tagger.modeling.merge_model import MergeModel
from tagger.modeling.tag_head import TagHead
from tagger.runs import run_dir, trained_backbone
from tagger.training.optimizer import FusedAdam
from tagger.training.task import Schedule, Task


def check_network(config: Train, manifest: Manifest) -> None:
    """Builds the backbone as `config` says, and forgets it: to be called before the stages that come first.

    Args:
      manifest: of the records.

    Raises:
      UserError: the records name no backbone or hold no photos, its weights cannot be had, it has no such layer, or it
        takes no views of that size.
    """
    encoder = _encoder(config, manifest)
    check_photos(manifest, config.records_dir)
    with tf.device("CPU"):
        captioner = Captioner(merge=MergeModel(len(SPECIALS), run_dir.feature_size(manifest, config.records_dir)),
                              encoder=encoder, first_layer=config.train_backbone)
        _check_view_size(config, encoder, captioner)


def _encoder(config: Train, manifest: Manifest) -> Encoder:
    if manifest.backbone is None:
        raise UserError(f"--train_backbone={config.train_backbone}: the records in {config.records_dir} were made with "
                        "--backbone=none, so they name no network to train; make them with a backbone")
    weights = recorded_weights(config.backbone_weights, manifest.backbone.weights)
    return load_encoder(manifest.backbone.name, weights, manifest.backbone.image_size)


def _check_view_size(config: Train, encoder: Encoder, captioner: Captioner) -> None:
    if config.view_size not in (0, encoder.image_size) and not captioner.takes(config.view_size):
        raise UserError(f"--view_size={config.view_size}: {encoder.name} takes only photos of {encoder.image_size} "
                        "pixels; leave the flag out")


class PixelTask(Task):
    """Learns the captions of the train split, a photo a row with all its captions, in a new view in every epoch."""

    def make_schedule(self) -> Schedule:
        return Schedule(epochs=self.config.pixel_epochs, learning_rate=self.config.pixel_learning_rate,
                        monitor=self.config.monitor, rate_flag="pixel_learning_rate")

    @property
    def callback_flags(self) -> Train:
        return dataclasses.replace(self.config, patience=self.config.pixel_patience or self.config.patience)

    @functools.cached_property
    def _encoder(self) -> Encoder:
        return _encoder(self.config, self.manifest)

    @functools.cached_property
    def _plain_backbone(self) -> keras.Model:
        return self._encoder.build()

    @functools.cached_property
    def _sided_ids(self) -> frozenset[int]:
        return frozenset(number for number, word in enumerate(self.vocabulary.words) if word in SIDED_WORDS)

    def _dataset(self, split: Any, image_size: int, augmentation: Augmentation | None, hosts: int = 0) -> PixelDataset:
        options = dataclasses.replace(self.options, batch_size=self.config.pixel_batch_size,
                                      **({"host": 0, "hosts": hosts} if hosts else {}))
        return PixelDataset(split, options, vocabulary_size=self.vocabulary.size,
                            image_size=image_size, augmentation=augmentation, sided_ids=self._sided_ids)

    def make_train_dataset(self) -> PixelDataset:
        config = self.config
        return self._dataset(self.train_split, config.view_size or self._encoder.image_size, Augmentation(
            config.smallest_crop, config.mirror, config.brightness, config.saturation))

    def make_validation_dataset(self, hosts: int = 0) -> PixelDataset:
        """Whole photos; those of this host, or with `hosts` 1 all of them."""
        return self._dataset(self.validation_split, self._encoder.image_size, None, hosts)

    def make_model(self) -> Captioner:
        config = self.config
        dtype = self.compute_dtype if config.backbone_precision == "auto" else config.backbone_precision
        if not self.devices.on_gpu and (warning := slow_precision(dtype)):
            print(warning, file=sys.stderr)
        merge, head = self.make_merge_model(), None
        if config.pixel_tag_weight:
            rates = self.tag_outputs.rates(self.make_train_dataset().captions)
            head = TagHead(rates=rates, feature_size=merge.feature_size)
        model = Captioner(merge=merge, encoder=self._encoder, first_layer=config.train_backbone, compute_dtype=dtype,
                          tag_head=head)
        _check_view_size(config, self._encoder, model)
        return model

    def make_optimizer(self, model: Captioner, updates: int) -> FusedAdam:
        """Adam with a learning rate of its own for the backbone."""
        share = self.config.backbone_learning_rate / self.config.pixel_learning_rate
        of_backbone = {id(weight) for weight in model.backbone_weights}
        optimizer = super().make_optimizer(model, updates)
        optimizer.shares = [share if id(weight) in of_backbone else 1.0 for weight in model.weights]
        return optimizer

    def make_objective(self, model: Captioner) -> Objective:
        config = self.config
        return from_pixels.FromPixels(
            CrossEntropy(config.label_smoothing, config.tag_weight, self.tag_outputs), config.pixel_tag_weight,
            self.tag_outputs)

    def validation_loss(self, model: Captioner, batch: Batch) -> tf.Tensor:
        return from_pixels.validation_loss(model, batch)

    def make_score(self, model: Captioner) -> Callable[[], float] | None:
        if self.schedule.monitor != "val_cider":
            return None
        compute = tf.function(model.features, autograph=False)
        whole = self.make_validation_dataset(hosts=1)  # every host scores all photos

        def features() -> np.ndarray:
            batches = (compute(batch["image"]).numpy() for batch in whole.ordered(keys=False))
            return np.concatenate(list(batches))[:self.validation_split.info.examples].astype(np.float16)

        return ValidationCaptions(model.merge, self.vocabulary, self.validation_split, self.max_length, features)

    def keras_model(self, model: Captioner) -> keras.Model:
        return super().keras_model(model.merge)

    def save_weights(self, model: Captioner) -> None:
        super().save_weights(model.merge)
        trained_backbone.save(epath.Path(self.config.run_dir), model.backbone, self._plain_backbone)

    def load_weights(self, model: Captioner) -> None:
        super().load_weights(model.merge)
        trained_backbone.load(epath.Path(self.config.run_dir), model.backbone)
