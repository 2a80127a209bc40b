import numpy as np
import tensorflow as tf

from tagger.modeling.tag_head import TagHead


def test_at_first_every_photo_has_the_tags_rates():
    rates = np.array([0.5, 0.01, 0.9])
    head = TagHead(rates=rates, feature_size=4)
    feature = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    np.testing.assert_allclose(tf.sigmoid(head.logits(tf.constant(feature))), [rates, rates], rtol=1e-6)
    assert [weight.path for weight in head.weights] == ["tag_head/kernel", "tag_head/bias"]


def test_the_kernel_reads_the_feature():
    head = TagHead(rates=np.array([0.5, 0.5]), feature_size=2)
    head.kernel.assign([[1.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(head.logits(tf.constant([[3.0, 4.0]])), [[3.0, 8.0]])
