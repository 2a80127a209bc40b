import numpy as np
import pytest
import tensorflow as tf

from tagger.saved_model.loaded import SavedModel, rows


def test_columns_become_rows():
    columns = {"caption": np.array([b"a caf\xc3\xa9", b""], object), "valid": np.array([True, False]),
               "tags": np.array([[b"dog", b""], [b"", b""]], object), "tag_scores": np.float32([[0.5, 0], [0, 0]])}
    assert list(rows(columns)) == [{"caption": "a café", "tags": [["dog", 0.5]], "valid": True},
                                   {"caption": "", "tags": [], "valid": False}]
    with pytest.raises(ValueError):
        list(rows({**columns, "valid": np.array([True])}))


def test_a_saved_model_answers(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def serve(image_bytes):
        count = tf.shape(image_bytes)[0]
        return {"caption": image_bytes, "tags": tf.fill([count, 1], "dog"), "tag_scores": tf.fill([count, 1], 0.25),
                "valid": tf.strings.length(image_bytes) > 1}

    tf.saved_model.save(tf.Module(), str(tmp_path), signatures=serve)
    assert SavedModel(tmp_path).answer([b"ab", b"c"]) == [
        {"caption": "ab", "tags": [["dog", 0.25]], "valid": True},
        {"caption": "c", "tags": [["dog", 0.25]], "valid": False}]
