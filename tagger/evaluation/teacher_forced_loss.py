"""The loss of a model, or of several averaged, over a split: cross-entropy per real token, teacher-forced.

    loss, tokens = split_loss([model], split, batch_size=64)      # the val_loss of training, for the same weights
"""

from collections.abc import Collection, Sequence

import numpy as np
import tensorflow as tf

from records.input import caption_dataset
from records.util.progress import Progress
from tagger.modeling.merge_model import MergeModel

_RAM_BUDGET_MB = 512  # a split that fits is held in memory, where batches are cut without reading it again


def split_loss(models: Sequence[MergeModel], split: caption_dataset.Split, batch_size: int,
               only: Collection[str] | None = None) -> tuple[float, int]:
    """Mean cross-entropy in nats over the real tokens (words and <end>) of all captions, and how many they are.

    Args:
      models: models over one vocabulary; of several, the mean of their probabilities is scored.
      split: its captions are scored; words beyond the models' vocabulary count as <unk>, as in training.
      batch_size: captions at a time.
      only: the keys of the images whose captions count; None for all.

    Raises:
      UserError: the split cannot be read.
    """
    options = caption_dataset.InputOptions(batch_size=batch_size, ram_budget_mb=_RAM_BUDGET_MB)
    batches = caption_dataset.CaptionDataset(split, options, vocabulary_size=models[0].vocabulary_size)

    words = tf.TensorSpec([None, None], tf.int32)  # one trace for all widths

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, split.feature_size], tf.float16), words, words])
    def step(feature: tf.Tensor, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        mask = targets > 0
        answers = tf.boolean_mask(targets, mask)
        log_p = tf.stack([
            -tf.nn.sparse_softmax_cross_entropy_with_logits(answers, model.token_logits(feature, inputs, mask))
            for model in models])
        log_p = tf.reduce_logsumexp(log_p, axis=0) - np.log(len(models))
        return -tf.reduce_sum(tf.cast(log_p, tf.float64))

    counted_keys = None if only is None else np.array([key.encode() for key in only], object)
    total, tokens = 0.0, 0
    with (caption_dataset.reading_errors(split.records_dir),
          Progress("loss", batches.captions, "captions", warms_up=True) as progress):
        for batch in batches.ordered():
            targets, keys = batch["targets"].numpy(), batch["key"].numpy()
            if counted_keys is not None:
                targets = targets * np.isin(keys, counted_keys)[:, np.newaxis]
            if count := int((targets > 0).sum()):
                total += float(step(batch["feature"], batch["inputs"], tf.constant(targets)))
                tokens += count
            progress.add(int((keys != b"").sum()))
    return total / max(tokens, 1), tokens
