import tensorflow as tf

from tagger.training.run_progress import RunProgress
from tagger.training.tensorboard import TensorBoard
from tests.tagger.training.reporters import begin, epoch


def test_tensorboard(tmp_path):
    progress = RunProgress()
    callbacks = begin([TensorBoard(run_dir=tmp_path, progress=progress)], progress)
    epoch(callbacks, progress, 3.0)
    epoch(callbacks, progress, 2.0)
    callbacks.on_train_end()
    (file,) = (tmp_path / "tensorboard").iterdir()
    written = {}
    for record in tf.data.TFRecordDataset(str(file)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            written.setdefault(value.tag, []).append((event.step, float(tf.make_ndarray(value.tensor))))
    assert written["step/loss"] == [(4, 2.5), (8, 2.5)]
    assert written["epoch/val_loss"] == [(1, 3.0), (2, 2.0)]
    assert set(written) == {"epoch/loss", "epoch/val_loss", "step/loss", "step/tokens_per_s", "step/captions_per_s",
                            "step/step_ms", "step/data_wait"}
