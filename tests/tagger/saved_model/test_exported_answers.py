"""What the signatures of an export answer: as the run does, with and without options."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from records.input.caption_dataset import images, open_split
from tagger.decoding.decoder import Decoder
from tagger.runs.run_dir import load_run
from tests.tagger.saved_model.exported import SCORE_TOLERANCE, photos


def test_signatures_have_the_documented_names_types_and_shapes(model):
    def described(signature):
        inputs = {spec.name: (spec.dtype.name, spec.shape.as_list())
                  for spec in signature.structured_input_signature[1].values()}
        outputs = {name: (spec.dtype.name, spec.shape.as_list()) for name, spec in signature.structured_outputs.items()}
        return inputs, outputs

    answer = {"caption": ("string", [None]), "tags": ("string", [None, 10]), "tag_scores": ("float32", [None, 10])}
    options = {"beam_width": ("int32", []), "length_penalty": ("float32", []), "max_length": ("int32", []),
               "min_score": ("float32", []), "top_tags": ("int32", [])}
    image, valid = {"image_bytes": ("string", [None])}, {"valid": ("bool", [None])}
    feature, score = {"features": ("float32", [None, 1280])}, {"caption_score": ("float32", [None])}
    assert {name: described(signature) for name, signature in model.signatures.items()} == {
        "serving_default": (image, answer | valid),
        "features": (feature, answer),
        "serving_default_with_options": (image | options, answer | valid | score),
        "features_with_options": (feature | options, answer | score),
    }


def test_records_features_and_their_images_get_the_same_captions(model, demo):
    examples = list(images(open_split(demo[0] / "records", "train")).take(20).as_numpy_iterator())
    from_images = model.answer([example["image"] for example in examples])
    features = np.stack([example["feature"] for example in examples]).astype(np.float32)
    from_features = model.signatures["features_with_options"](features=tf.constant(features), **defaults(99))
    assert [answer["caption"].encode() for answer in from_images] == from_features["caption"].numpy().tolist()
    scores = [[score for _, score in answer["tags"]] for answer in from_images]
    np.testing.assert_allclose(from_features["tag_scores"].numpy(), scores, atol=SCORE_TOLERANCE)


def test_checkpoint_in_memory_and_saved_model_agree(model, demo):
    run = load_run(demo[0] / "run")
    decoder = Decoder([run.model], run.vocabulary, run.max_length)
    examples = list(images(open_split(demo[0] / "records", "test")).as_numpy_iterator())
    features = np.stack([example["feature"] for example in examples]).astype(np.float32)
    decoded = tf.function(decoder.decode)(tf.constant(features))
    served = model.signatures["features_with_options"](features=tf.constant(features), **defaults(run.max_length))
    assert decoder.text(decoded.tokens).numpy().tolist() == served["caption"].numpy().tolist()
    np.testing.assert_allclose(decoded.score, served["caption_score"], rtol=1e-4)


def defaults(longest: int, **changed) -> dict[str, tf.Tensor]:
    options = {"beam_width": 3, "length_penalty": 0.7, "max_length": longest, "min_score": 0.0, "top_tags": 10}
    return {name: tf.constant(value) for name, value in (options | changed).items()}


def test_options_change_the_search(model):
    ask = model.signatures["serving_default_with_options"]
    image = tf.constant(photos(8))
    plain = model.signatures["serving_default"](image_bytes=image)
    same = ask(image_bytes=image, **defaults(99))
    np.testing.assert_array_equal(plain["caption"], same["caption"])
    short = ask(image_bytes=image, **defaults(2))
    assert all(len(caption.split()) <= 2 for caption in short["caption"].numpy())
    longer = ask(image_bytes=image, **defaults(99, length_penalty=3.0))
    words = [[len(caption.split()) for caption in answer["caption"].numpy()] for answer in (same, longer)]
    assert sum(words[1]) > sum(words[0])
    assert ((same["caption_score"].numpy() > 0) & (same["caption_score"].numpy() <= 1)).all()


def test_how_many_tags_is_asked_for_or_chosen_on_validation(plain, model, demo):
    """All tags of `model` against what plain answers and options leave of them."""
    data = photos(8)
    least = load_run(demo[0] / "run").calibration.best_f1
    assert plain.options["min_score"] == pytest.approx(least)
    every = [answer["tags"] for answer in model.answer(data)]
    for options, kept in (({}, lambda i, score: score >= least), ({"min_score": 0.6}, lambda i, score: score >= 0.6),
                          ({"min_score": 0.0, "top_tags": 3}, lambda i, score: i < 3)):
        answers = [[tag for tag, _ in answer["tags"]] for answer in plain.answer(data, **options)]
        assert answers == [[tag for i, (tag, score) in enumerate(tags) if kept(i, score)] for tags in every]


def test_what_a_user_sees_has_no_specials_and_no_repeated_tags(model, demo):
    run = load_run(demo[0] / "run")
    is_tag = dict(zip(run.vocabulary.words, run.vocabulary.is_tag, strict=True))
    for answer in model.answer(photos(47)):
        words = answer["caption"].split()
        assert not any("<" in word for word in words)
        content = [word for word in words if is_tag[word]]
        assert len(content) == len(set(content))
        names = [tag for tag, _ in answer["tags"]]
        assert len(names) == len(set(names)) == 10
        assert set(names) <= set(run.tags.tags)
        scores = [score for _, score in answer["tags"]]
        assert scores == sorted(scores, reverse=True) and 0 <= scores[-1] and scores[0] <= 1


def test_it_names_no_gpu_and_no_gpu_kernel(version):
    """So what was exported on a machine with GPUs loads where there are none (CudnnRNNV3 would not)."""
    saved = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    assert len(nodes) > 1000
    assert {node.op for node in nodes if "cudnn" in node.op.lower()} == set()
    assert {node.device for node in nodes} <= {"", "/device:CPU:0", "/device:CPU:*"}
