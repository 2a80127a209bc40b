import pytest

from flags.train import Train
from tagger.training.caption_task import CaptionTask
from tagger.training.pixel_task import PixelTask
from tagger.training.self_critical_task import SelfCriticalTask
from tagger.training.stages import stages_of


@pytest.mark.parametrize("flags, expected", [
    ({}, [(CaptionTask, "run")]),
    ({"init_from": "other"}, [(CaptionTask, "run")]),
    ({"self_critical_epochs": 1}, [(CaptionTask, "run/cross_entropy"), (SelfCriticalTask, "run")]),
    ({"self_critical_epochs": 1, "init_from": "other"}, [(SelfCriticalTask, "run")]),
    ({"train_backbone": "all"}, [(CaptionTask, "run/cross_entropy"), (PixelTask, "run")]),
    ({"train_backbone": "all", "trained_feature_epochs": 3, "init_from": "other"},
     [(PixelTask, "run/pixels"), (CaptionTask, "run")]),
    ({"train_backbone": "all", "trained_feature_epochs": 3, "self_critical_epochs": 1},
     [(CaptionTask, "run/cross_entropy"), (PixelTask, "run/pixels"), (CaptionTask, "run/trained_features"),
      (SelfCriticalTask, "run")])])
def test_each_stage_but_the_last_has_a_folder_below_the_run(flags, expected):
    stages = stages_of(Train(records_dir="records", run_dir="run", **flags), [])
    assert [(stage.task, stage.config.run_dir) for stage in stages] == expected
    assert [stage.new_features for stage in stages] == [any(task is PixelTask for task, _ in expected[:number])
                                                        for number in range(len(expected))]
    for stage in stages:
        assert not stage.new_model or stage.config.epochs == 3
        assert stage is stages[-1] or not stage.config.self_critical_epochs
