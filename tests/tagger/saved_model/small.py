"""A SavedModel with the signatures of an export and an answer that is plain to see."""

from pathlib import Path

import tensorflow as tf

FEATURE_SIZE = 4


def save(folder: Path) -> Path:
    """A photo's caption is its bytes, as far as they are text, a feature's its first number.

    Photos that begin with ? are unreadable.
    """
    def answer(caption: tf.Tensor) -> dict[str, tf.Tensor]:
        count = tf.shape(caption)[0]
        return {"caption": caption, "tags": tf.tile([["dog", "run", ""]], [count, 1]),
                "tag_scores": tf.tile([[0.123456, 0.1, 0.0]], [count, 1])}

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def serving_default(image_bytes):
        caption = tf.strings.unicode_transcode(image_bytes, "UTF-8", "UTF-8", errors="ignore")
        return answer(caption) | {"valid": tf.strings.substr(image_bytes, 0, 1) != "?"}

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, FEATURE_SIZE], tf.float32, "features")])
    def features(features):
        return answer(tf.strings.as_string(features[:, 0], precision=0))

    tf.saved_model.save(tf.Module(), str(folder), signatures={"serving_default": serving_default, "features": features})
    return folder
