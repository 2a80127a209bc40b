from tagger.losses.cross_entropy import CrossEntropy
from tagger.training.caption_task import CaptionTask
from tagger.training.distribution import open_devices


def test_captions(task_config):
    task = CaptionTask(config=task_config, devices=open_devices("cpu"))
    assert (task.schedule.epochs, task.schedule.learning_rate, task.schedule.monitor) == (7, 1e-3, "val_loss")
    assert task.train.steps_per_epoch == 10  # of 601 captions
    model = task.make_model()
    assert model.vocabulary_size == task.vocabulary.size == 50
    assert task.make_score(model) is None
    objective = task.make_objective(model)
    assert isinstance(objective, CrossEntropy)
    assert (objective.label_smoothing, objective.tag_weight, objective.teachers) == (0.1, 0.5, None)
    assert task.keras_model(model).input_shape[1] == (None, task.max_length)
