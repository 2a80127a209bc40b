"""The stages of --mode=train, each a training of its own, and their flags."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from etils import epath

from flags.train import Train
from tagger.training import run_folder
from tagger.training.caption_task import CaptionTask
from tagger.training.pixel_task import PixelTask
from tagger.training.self_critical_task import SelfCriticalTask
from tagger.training.task import Task


@dataclasses.dataclass(frozen=True)
class Stage:
    """One of several trainings in a row.

    Attributes:
      task: the training.
      config: its flags; --records_dir is the command's.
      what: what is learnt, for the line before it.
      arguments: further ones of the task.
      new_model: whether it starts anew, not from the best weights of the stage before.
      new_features: whether it learns from features of the backbone that an earlier stage trained.
    """

    task: type[Task]
    config: Train
    what: str
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    new_model: bool = False
    new_features: bool = False


def stages_of(config: Train, teachers: Sequence[str]) -> list[Stage]:
    """Cross-entropy, pixels, cross-entropy anew, self-critical: what `config` asks for. The last writes the run folder
    itself, the others folders below it.

    Args:
      teachers: their run folders.
    """
    pixels, rewards = bool(config.train_backbone), bool(config.self_critical_epochs)
    anew = pixels and bool(config.trained_feature_epochs)

    def flags(folder: str, last: bool, **others: Any) -> Train:
        if not last:
            others |= {"run_dir": str(epath.Path(config.run_dir) / folder), "self_critical_epochs": 0}
        return dataclasses.replace(config, **others)

    stages = []
    if not (config.init_from and (pixels or rewards)):
        last = not pixels and not rewards
        stages.append(Stage(CaptionTask, flags(run_folder.CROSS_ENTROPY_FOLDER, last, train_backbone=""),
                             "the merge model learns the captions", {"teachers": teachers}))
    if pixels:
        stages.append(Stage(PixelTask, flags(run_folder.PIXELS_FOLDER, not anew and not rewards),
                             "the backbone learns from photos, and the merge model with it"))
    if anew:
        others = {"epochs": config.trained_feature_epochs, **({"train_backbone": ""} if rewards else {})}
        stages.append(Stage(CaptionTask, flags(run_folder.TRAINED_FEATURES_FOLDER, not rewards, **others),
                             "a new merge model learns the captions from features of the trained backbone",
                             new_model=True, new_features=True))
    if rewards:
        stages.append(Stage(SelfCriticalTask, config, "the merge model learns from scores of captions that it writes",
                             new_features=pixels))
    return stages
