"""CIDEr-D of the captions that a model in training writes for a split: what --monitor=val_cider watches."""

import itertools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from flags.errors import UserError
from records.format import joined
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
    """Scores the captions that a model writes for a split, decoded with the defaults of --mode=eval.

    Features and reference captions are held in memory.
    """

    def __init__(self, model: MergeModel, vocabulary: Vocabulary, split: caption_dataset.Split, max_length: int,
                 compute_features: Callable[[], np.ndarray] | None = None):
        """Reads the split.

        Args:
          model: a call scores the weights that it has then.
          vocabulary: meaning of the model's output classes.
          split: its photos get captions, which are compared with its reference captions.
          max_length: words of the longest caption.
          compute_features: called at each call; gives the split's features, float16 [n, F] in stored order. None takes
            the features in the records.

        Raises:
          UserError: the split cannot be read, or has no reference at all.
        """
        self._vocabulary = vocabulary
        decoder = Decoder([model], vocabulary, max_length)
        tags = TagVocabulary.load(joined.first(split.records_dir))
        with caption_dataset.reading_errors(split.records_dir):
            examples = list(caption_dataset.images(split, read_image=False).as_numpy_iterator())
        if split.manifest.target == "tags":
            references = [list(map(tag_words, reference_tags(example, tags))) for example in examples]
        else:
            references = [[tuple(words(text.decode())) for text in example["captions"]] for example in examples]
        with_reference = [i for i, captions in enumerate(references) if any(captions)]  # a photo may have no tag
        if not with_reference:
            raise UserError(f"--monitor=val_cider: no photo of the split {split.name!r} has a tag of the train split; "
                            "watch val_loss")
        stored = np.stack([example["feature"] for example in examples])
        compute = compute_features or (lambda: stored)
        self._features = lambda: compute()[with_reference]
        self._references = [list(filter(None, references[i])) for i in with_reference]

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
