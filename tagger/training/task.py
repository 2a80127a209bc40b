"""What a kind of training is: its data, its first weights, what it minimises, and how an epoch is judged.

A new kind is a subclass of `Task`, which overrides what differs from the captions of recorded features, and a stage
in tagger/train.py that makes it; trainer, step and datasets ask the task, never which one it is.
"""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from etils import epath

from flags.errors import UserError
from flags.train import Train
from records.format import joined
from records.format.backbone_identity import check_same as check_same_backbone
from records.input.caption_dataset import CaptionDataset, open_split
from records.input.options import InputOptions
from records.text.tag_vocabulary import TagVocabulary
from records.text.vocabulary import Vocabulary
from tagger.evaluation.validation_cider import ValidationCaptions
from tagger.losses.cross_entropy import Batch, Objective, cross_entropy_value
from tagger.modeling import tag_calibration
from tagger.modeling.lstm import recurrence_for
from tagger.modeling.merge_model import MergeModel
from tagger.modeling.tag_outputs import TagOutputs
from tagger.runs import run_dir
from tagger.training.batch_size import with_batch_size
from tagger.training.distributed_dataset import OrderedDataset, ShuffledDataset
from tagger.training.distribution import Devices
from tagger.training.mixed_precision import compute_dtype
from tagger.training.optimizer import FusedAdam
from tagger.training.train_state import Network


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long a task trains, and by what its epochs are judged.

    Attributes:
      epochs: at the most.
      learning_rate: of the optimizer, before plateaus and schedule lower it.
      monitor: "val_loss", where less is better, or "val_cider".
      rate_flag: the flag that gives the learning rate.
    """

    epochs: int
    learning_rate: float
    monitor: str
    rate_flag: str = "learning_rate"

    @property
    def remedy(self) -> str:
        """What to do about steps that are too large."""
        return f"lower --{self.rate_flag} (now {self.learning_rate}) or set --clip_norm=1"


class Task(abc.ABC):
    """One training: made from its flags, and asked by whoever trains.

    Attributes:
      config: the flags, as they are written into config.json. devices: where it runs.
      schedule: epochs, learning rate and monitored score.
      manifest, vocabulary, tags: of the records, the vocabulary cut to --vocabulary_size; no tags in old records.
      train_split, validation_split: opened. options: how they become batches.
      train, validation: their datasets.
      max_length: words of the longest caption of the train split.
    """

    def __init__(self, *, config: Train, devices: Devices, init_from: str = ""):
        """init_from: run folder whose best weights are the start; "" for new weights.

        Raises:
          UserError: no records that can be trained on, or a split that cannot be divided into such batches.
        """
        self.config = config = with_batch_size(config)
        self.devices, self._init_from = devices, init_from
        self.schedule = self.make_schedule()
        self.manifest = joined.load(config.records_dir)
        vocabulary = Vocabulary.load(joined.first(config.records_dir))
        if config.vocabulary_size:
            vocabulary = vocabulary.truncated(min(config.vocabulary_size, vocabulary.size))
        self.vocabulary, self.tags = vocabulary, TagVocabulary.load(joined.first(config.records_dir))
        self.train_split, self.validation_split = (
            open_split(config.records_dir, split) for split in (config.train_split, config.validation_split))
        self.options = InputOptions(
            batch_size=config.batch_size, seed=config.seed, ram_budget_mb=config.ram_budget_mb, host=devices.host,
            hosts=devices.hosts, threads=config.pipeline_threads)
        self.train, self.validation = self.make_train_dataset(), self.make_validation_dataset()
        self.max_length = run_dir.longest(self.manifest, config.train_split)

    @property
    def tag_outputs(self) -> TagOutputs:
        """Which of the model's logits speak for which tag."""
        return TagOutputs.of(self.vocabulary, self.tags)

    @property
    def compute_dtype(self) -> str:
        """What matrices are multiplied in."""
        return compute_dtype(self.config.precision, self.devices.on_gpu)

    @property
    def callback_flags(self) -> Train:
        """The flags that the published callbacks of this training are made from."""
        return self.config

    def make_schedule(self) -> Schedule:
        """From the flags."""
        return Schedule(epochs=self.config.epochs, learning_rate=self.config.learning_rate,
                        monitor=self.config.monitor)

    @abc.abstractmethod
    def make_train_dataset(self) -> ShuffledDataset:
        """The batches that are learnt; with `feature`, `inputs` and `targets` as of CaptionDataset at least."""

    def hints(self) -> list[str]:
        """What to read before the first epoch, where the set is very small."""
        return []

    def make_validation_dataset(self) -> OrderedDataset:
        """The batches that `validation_loss` is computed on."""
        return CaptionDataset(self.validation_split, self.options, vocabulary_size=self.vocabulary.size,
                              bucket_batches=self.config.bucket_batches)

    def make_model(self) -> Network:
        """The model with the weights that training starts from; in the strategy's scope. The methods below get it back.

        Raises:
          UserError: the run to start from does not fit these records.
        """
        return self.make_merge_model()

    def make_merge_model(self) -> MergeModel:
        """The merge model with the weights that its training starts from."""
        config = self.config
        model = run_dir.new_model(config, self.manifest, self.vocabulary, compute_dtype=self.compute_dtype,
                                  recurrence=recurrence_for(self.devices.on_gpu, config.xla))
        scale = self._start_from(self._init_from, model) if self._init_from else 1.0
        model.scale_output(model.inverse_temperature / scale)
        return model

    def make_optimizer(self, model: Any, updates: int) -> FusedAdam:
        """Built over the model's weights, for so many updates in the whole run; in the strategy's scope."""
        config = self.config
        optimizer = FusedAdam(self.schedule.learning_rate, config.schedule, config.warmup_steps, updates,
                              config.clip_norm, config.weight_decay)
        optimizer.build(model.weights)
        return optimizer

    @abc.abstractmethod
    def make_objective(self, model: Any) -> Objective:
        """What a step minimises; in the strategy's scope."""

    def validation_loss(self, model: Any, batch: Batch) -> tf.Tensor:
        """float32 scalar, summed over the real tokens of a validation batch, without dropout."""
        return cross_entropy_value(model, batch)

    def make_score(self, model: Any) -> Callable[[], float] | None:
        """Gives an epoch's val_cider; None where that is not monitored."""
        if self.schedule.monitor != "val_cider":
            return None
        return ValidationCaptions(model, self.vocabulary, self.validation_split, self.max_length)

    def keras_model(self, model: Any) -> keras.Model:
        """What callbacks see: a Keras model over the weights that are trained."""
        return model.to_keras(self.max_length)

    def save_weights(self, model: Any) -> None:
        """Writes the weights to the run folder, as the best so far; what was of the best before is removed first."""
        folder = epath.Path(self.config.run_dir)
        for name in (run_dir.READOUT_FILE, tag_calibration.FILE):
            (folder / name).unlink(missing_ok=True)
        run_dir.save_weights(model, self.max_length, folder / run_dir.WEIGHTS_FILE)

    def load_weights(self, model: Any) -> None:
        """Reads back what `save_weights` wrote."""
        run_dir.load_weights(model, epath.Path(self.config.run_dir) / run_dir.WEIGHTS_FILE)

    def _start_from(self, folder: str, model: MergeModel) -> float:
        """Copies the best weights of the run in `folder` into `model`; returns that run's inverse_temperature."""
        other = run_dir.load_run(folder, flag="init_from")
        if other.vocabulary.words != self.vocabulary.words:
            raise UserError(f"--init_from={folder}: has another vocabulary ({other.vocabulary.size} entries, "
                            f"these records {self.vocabulary.size}); give a run trained on the same records and "
                            "--vocabulary_size")
        check_same_backbone(other.manifest.backbone, self.manifest.backbone, f"--init_from={folder}", "these records",
                            "give a run trained on the same features")
        for weight, source in zip(model.weights, other.model.weights, strict=True):
            weight.value.assign(source.value)
        return other.model.inverse_temperature
