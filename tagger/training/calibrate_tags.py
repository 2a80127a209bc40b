"""Makes probabilities of a run's answers about tags: learnt on its validation split when training ends."""

import numpy as np
import tensorflow as tf

from records.input.shard_reader import Split
from tagger.decoding.decoder import Decoder
from tagger.modeling import tag_calibration
from tagger.runs import run_dir
from tagger.training.tag_examples import tag_batches

_MOST_IMAGES = 2000  # more would not move the numbers
_BATCH_SIZE = 128
_TAG_SAMPLES = 4  # as in eval and export


def calibrate(folder: str, split: Split) -> tag_calibration.TagCalibration | None:
    """Learns and stores the calibration of the run in `folder`; None where no photo of the split has a tag, or all.

    Args:
      split: of the records that the run was trained on; held out from training.

    Raises:
      UserError: the run or the split cannot be read.
    """
    run = run_dir.load_run(folder)
    outputs = run.tag_outputs
    decoder = Decoder([run.model], run.vocabulary, run.max_length, tag_samples=_TAG_SAMPLES, tag_outputs=outputs)
    answer = tf.function(decoder.tag_scores, autograph=False, input_signature=[
        tf.TensorSpec([None, split.feature_size], tf.float16)])
    scores, right = [], []
    for feature, shares in tag_batches(run, split, _MOST_IMAGES, _BATCH_SIZE):
        scores.append(answer(feature).numpy())
        right.append(shares > 0)
    calibration = tag_calibration.fit(list(outputs.names), np.concatenate(scores), np.concatenate(right))
    if calibration is not None:
        calibration.save(folder)
    return calibration
