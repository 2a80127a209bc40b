"""What all kinds of training have from their base, on the one that learns captions."""

import dataclasses

import numpy as np
import pytest

from flags.errors import UserError
from records.text.vocabulary import Vocabulary
from tagger.runs import run_dir
from tagger.training.caption_task import CaptionTask
from tagger.training.distribution import open_devices
from tests.tagger.training.run import write_records


def test_optimizer_is_made_for_all_updates(task_config):
    task = CaptionTask(config=dataclasses.replace(task_config, schedule="cosine"), devices=open_devices("cpu"))
    optimizer = task.make_optimizer(task.make_model(), 40)
    assert float(optimizer.rate(0)) == pytest.approx(1e-3)
    assert float(optimizer.rate(40)) == pytest.approx(0.0, abs=1e-9)


def test_the_weights_of_another_run_are_the_start(task_config, tmp_path):
    config = dataclasses.replace(task_config, run_dir=str(tmp_path))
    task = CaptionTask(config=config, devices=open_devices("cpu"))
    run_dir.save_description(config, task.manifest, task.vocabulary, task.tags)
    first = task.make_model()
    task.save_weights(first)
    again = CaptionTask(config=task_config, devices=open_devices("cpu"), init_from=str(tmp_path)).make_model()
    for weight, expected in zip(again.weights, first.weights, strict=True):
        np.testing.assert_array_equal(weight, expected)
    other = Vocabulary.build({f"v{i}": 1 for i in range(47)}, {})
    run_dir.save_description(config, task.manifest, other, task.tags)
    with pytest.raises(UserError, match=f"--init_from={tmp_path}: has another vocabulary"):
        CaptionTask(config=task_config, devices=open_devices("cpu"), init_from=str(tmp_path)).make_model()


def test_several_records_folders_are_one(task_config, tmp_path):
    second = write_records(tmp_path / "second")
    config = dataclasses.replace(task_config, records_dir=f"{task_config.records_dir},{second}", run_dir=str(tmp_path))
    one, both = (CaptionTask(config=chosen, devices=open_devices("cpu")) for chosen in (task_config, config))
    assert both.train_split.info.captions == 2 * one.train_split.info.captions
    assert both.train.steps_per_epoch == 20 and one.train.steps_per_epoch == 10 and both.vocabulary == one.vocabulary
    run_dir.save_description(config, both.manifest, both.vocabulary, both.tags)
    assert run_dir.load_manifest(config.run_dir) == both.manifest  # with which the run is continued
