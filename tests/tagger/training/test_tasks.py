"""What the kinds of training ask for, on the tests' records."""

import dataclasses

import pytest

from flags.errors import UserError
from flags.train import Train
from tagger.losses.cross_entropy import CrossEntropy
from tagger.losses.self_critical import SelfCritical
from tagger.training.caption_task import CaptionTask
from tagger.training.distribution import open_devices
from tagger.training.self_critical_task import SelfCriticalTask
from tests.tagger.training.run import write_records


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    return Train(records_dir=str(write_records(folder / "records")), run_dir=str(folder / "run"), batch_size=62,
                 epochs=7, label_smoothing=0.1, tag_weight=0.5, self_critical_epochs=2, vocabulary_size=50)


def test_captions(config):
    task = CaptionTask(config=config, devices=open_devices("cpu"))
    assert (task.schedule.epochs, task.schedule.learning_rate, task.schedule.monitor) == (7, 1e-3, "val_loss")
    assert task.train.steps_per_epoch == 10  # of 601 captions
    model = task.make_model()
    assert model.vocabulary_size == task.vocabulary.size == 50
    assert task.make_score(model) is None
    objective = task.make_objective(model)
    assert isinstance(objective, CrossEntropy)
    assert (objective.label_smoothing, objective.tag_weight, objective.teachers) == (0.1, 0.5, None)
    assert task.keras_model(model).input_shape[1] == (None, task.max_length)


def test_rewards(config):
    task = SelfCriticalTask(config=config, devices=open_devices("cpu"))
    assert (task.schedule.epochs, task.schedule.learning_rate, task.schedule.monitor) == (2, 5e-5, "val_cider")
    assert task.train.steps_per_epoch == 3  # of 168 photos
    model = task.make_model()
    assert model.inverse_temperature == 2.0
    objective = task.make_objective(model)
    assert isinstance(objective, SelfCritical)
    assert (objective.samples, objective.supervised.tag_weight, objective.supervised.caption_weight) == (5, 0.1, 0.0)
    assert task.make_score(model)() >= 0


def test_optimizer_is_made_for_all_updates(config):
    task = CaptionTask(config=dataclasses.replace(config, schedule="cosine"), devices=open_devices("cpu"))
    optimizer = task.make_optimizer(task.make_model(), 40)
    assert float(optimizer.rate(0)) == pytest.approx(1e-3)
    assert float(optimizer.rate(40)) == pytest.approx(0.0, abs=1e-9)


def test_rewards_need_the_split_in_memory(config):
    with pytest.raises(UserError, match="--ram_budget_mb=0: training on rewards holds the split 'train' in memory"):
        SelfCriticalTask(config=dataclasses.replace(config, ram_budget_mb=0), devices=open_devices("cpu"))
