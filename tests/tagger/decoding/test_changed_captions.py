import numpy as np
import tensorflow as tf

from tagger.decoding.changed_captions import ChangedCaptions, captions
from tagger.decoding.decoder import Decoder
from tests.tagger.decoding.test_decoder import VOCABULARY, features, network


def test_only_what_differs_is_counted():
    decoders = [Decoder([network(seed)], VOCABULARY, max_length=6, tag_samples=0) for seed in (0, 1)]
    batches = [tf.constant(part) for part in np.split(features(9), 3)]
    first, other = (list(captions(decoder, batches, 2, 0.7)) for decoder in decoders)
    assert first[3:6] == list(captions(decoders[0], batches[1:2], 2, 0.7)) and len(set(first)) > 1
    assert ChangedCaptions.between(first, iter(first)) == ChangedCaptions(0, 9)
    mixed = [*other[:2], *first[2:]]
    assert str(ChangedCaptions.between(mixed, first)) == "2 of 9 captions differ from float32's"


def test_large_numbers_are_grouped():
    assert str(ChangedCaptions(1234, 5000)).startswith("1,234 of 5,000 ")
