"""Makes probabilities of a run's answers about tags: learnt on its validation split when training ends."""

import itertools

import numpy as np
import tensorflow as tf

from records.input import shard_reader
from records.input.shard_reader import Split
from tagger.decoding.decoder import Decoder
from tagger.evaluation.predictions import reference_tags
from tagger.modeling import tag_calibration
from tagger.runs import run_dir

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
    places = {name: index for index, name in enumerate(outputs.names)}
    scores, right = [], []
    examples = itertools.islice(shard_reader.images(split, read_image=False).as_numpy_iterator(), _MOST_IMAGES)
    with shard_reader.reading_errors(split.records_dir):
        while batch := list(itertools.islice(examples, _BATCH_SIZE)):
            scores.append(answer(np.stack([example["feature"] for example in batch])).numpy())
            has = np.zeros((len(batch), outputs.size), bool)
            for row, example in zip(has, batch, strict=True):
                tags = {tag for tags in reference_tags(example, run.tags) for tag in tags}
                row[[places[tag] for tag in tags if tag in places]] = True
            right.append(has)
    calibration = tag_calibration.fit(list(outputs.names), np.concatenate(scores), np.concatenate(right))
    if calibration is not None:
        calibration.save(folder)
    return calibration
