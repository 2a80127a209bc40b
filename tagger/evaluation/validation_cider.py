"""CIDEr-D of the captions that a model in training writes for a split: what --monitor=val_cider watches."""

import itertools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from flags.errors import UserError
from records.input import caption_dataset
from records.text.tag_vocabulary import TagVocabulary
from records.text.tokenizer import words
from records.text.vocabulary import Vocabulary
from tagger.decoding.decoder import Decoder
from tagger.evaluation.metrics.captions import cider
from tagger.evaluation.predictions import reference_tags, tag_words
from tagger.modeling.merge_model import MergeModel

_BATCH_SIZE = 128
_BEAM_WIDTH = 3


class ValidationCaptions:
    """The split's features and references, held in memory, and the search with the defaults of --mode=eval."""

    def __init__(self, model: MergeModel, vocabulary: Vocabulary, split: caption_dataset.Split, max_length: int,
                 compute_features: Callable[[], np.ndarray] | None = None):
        """model: its weights at the time of a call are scored. compute_features: gives the features of the split at
        that time, float16 [n, F] in stored order; None takes those in the records.

        Raises:
          UserError: the split cannot be read, or has no reference at all.
        """
        self._vocabulary = vocabulary
        decoder = Decoder([model], vocabulary, max_length)
        tags = TagVocabulary.load(split.records_dir)
        with caption_dataset.reading_errors(split.records_dir):
            examples = list(caption_dataset.images(split, read_image=False).as_numpy_iterator())
        if split.manifest.target == "tags":
            references = [list(map(tag_words, reference_tags(example, tags))) for example in examples]
        else:
            references = [[tuple(words(text.decode())) for text in example["captions"]] for example in examples]
        has_any = [i for i, several in enumerate(references) if any(several)]  # a photo may have no tag
        if not has_any:
            raise UserError(f"--monitor=val_cider: no photo of the split {split.name!r} has a tag of the train split; "
                            "watch val_loss")
        stored = np.stack([example["feature"] for example in examples])
        compute = compute_features or (lambda: stored)
        self._features = lambda: compute()[has_any]
        self._references = [list(filter(None, references[i])) for i in has_any]

        @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, split.feature_size], tf.float16)])
        def decode(feature: tf.Tensor) -> tf.Tensor:
            return decoder.search(feature, _BEAM_WIDTH).tokens[:, 0]

        self._decode = decode

    def __call__(self) -> float:
        """CIDEr-D in points, as --mode=eval with its default flags would say."""
        features = self._features()
        batches = (self._decode(features[i:i + _BATCH_SIZE]).numpy() for i in range(0, len(features), _BATCH_SIZE))
        tokens = itertools.chain.from_iterable(batches)
        return cider([tag_words(self._vocabulary.decode(row)) for row in tokens], self._references)[0]
