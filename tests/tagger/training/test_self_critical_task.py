import dataclasses

import pytest

from flags.errors import UserError
from tagger.losses.self_critical import SelfCritical
from tagger.training.distribution import open_devices
from tagger.training.self_critical_task import SelfCriticalTask


def test_rewards(task_config):
    task = SelfCriticalTask(config=task_config, devices=open_devices("cpu"))
    assert (task.schedule.epochs, task.schedule.learning_rate, task.schedule.monitor) == (2, 5e-5, "val_cider")
    assert task.train.steps_per_epoch == 3  # of 168 photos
    model = task.make_model()
    assert model.inverse_temperature == 2.0
    objective = task.make_objective(model)
    assert isinstance(objective, SelfCritical)
    assert (objective.samples, objective.supervised.tag_weight, objective.supervised.caption_weight) == (5, 0.1, 0.0)
    assert task.make_score(model)() >= 0


def test_rewards_need_the_split_in_memory(task_config):
    with pytest.raises(UserError, match="--ram_budget_mb=0: training on rewards holds the split 'train' in memory"):
        SelfCriticalTask(config=dataclasses.replace(task_config, ram_budget_mb=0), devices=open_devices("cpu"))
