"""Cross-entropy of captions: the published training, with teachers and tags where the flags ask for them."""

from collections.abc import Sequence

from flags.train import Train
from records.input.caption_dataset import CaptionDataset
from tagger.losses.cross_entropy import CrossEntropy, Objective
from tagger.losses.distillation import Teachers
from tagger.modeling.merge_model import MergeModel
from tagger.runs import run_dir
from tagger.training.distribution import Devices
from tagger.training.hints import hints
from tagger.training.task import Task


class CaptionTask(Task):
    """Learns the captions of the train split, one a row."""

    def __init__(self, *, config: Train, devices: Devices, init_from: str = "", teachers: Sequence[str] = ()):
        """teachers: run folders of models to learn from as well."""
        self._teachers = teachers
        super().__init__(config=config, devices=devices, init_from=init_from)

    def make_train_dataset(self) -> CaptionDataset:
        return CaptionDataset(self.train_split, self.options, vocabulary_size=self.vocabulary.size,
                              bucket_batches=self.config.bucket_batches)

    def hints(self) -> list[str]:
        updates = -(-self.train.steps_per_epoch // self.config.accumulate_steps)
        return hints(captions=self.train_split.info.captions, batch_size=self.config.batch_size,
                     steps=self.train.steps_per_epoch, validation_split=self.config.validation_split,
                     validation_photos=self.validation_split.info.examples, updates=self.schedule.epochs * updates,
                     warmup_steps=self.config.warmup_steps, records_flags=self.manifest.flags)

    def make_objective(self, model: MergeModel) -> Objective:
        models = [run_dir.load_run(folder, compute_dtype=model.compute_dtype, recurrence=model.recurrence).model
                  for folder in self._teachers]
        return CrossEntropy(self.config.label_smoothing, self.config.tag_weight, self.tag_outputs,
                            teachers=Teachers(models, self.config.teacher_weight) if models else None)
