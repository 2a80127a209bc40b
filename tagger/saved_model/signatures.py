"""The exported computation: image bytes or features to captions and tags, as SavedModel signatures.

    model = ServingModel(backbone, decoder, "float32")
    tf.saved_model.save(model, folder, signatures=model.signatures(beam_width=3, length_penalty=0.7))

Signatures:
    serving_default             image_bytes string [B] -> caption string [B], tags string [B, n],
                                tag_scores float32 [B, n], valid bool [B]
    features                    features float32 [B, F] -> caption, tags, tag_scores
    serving_default_with_options, features_with_options
                                the same, beside them beam_width int32 [], length_penalty float32 [], max_length
                                int32 [], min_score float32 [] and top_tags int32 [], each with a default, and one
                                output more: caption_score float32 [B]

The options have signatures of their own because TensorFlow Serving's REST interface wants every input of a
signature in every request: only gRPC and `saved_model_cli` fill in defaults.
"""

from collections.abc import Callable

import tensorflow as tf

from records.backbones.frozen_encoder import FrozenEncoder
from records.images.decoding import decode_batch
from tagger.decoding.decoder import Decoder
from tagger.saved_model.weights import WeightsStore

CHUNK = 32
"""Images computed at once, however many a request holds: memory does not grow with the request."""

Answer = dict[str, tf.Tensor]


class ServingModel(tf.Module):
    """A backbone and a decoder as one stateless function of a batch; no row affects another.

    Attributes:
      weights: the values that the signatures compute with; the only ones that a SavedModel of this holds.
    """

    def __init__(self, backbone: FrozenEncoder, decoder: Decoder, precision: str = "float32"):
        super().__init__(name="tagger")
        variables = [*backbone.keras_variables, *(weight for model in decoder.models for weight in model.weights)]
        readouts = [model.tag_readout for model in decoder.models if model.tag_readout]
        variables += [weight for readout in readouts for weight in readout.weights]
        self.weights = WeightsStore(variables, precision)
        self._feature_size, self._longest, self._tags = backbone.feature_size, decoder.max_length, decoder.tags
        network = backbone.compute  # inlined below, where its weights are those of the store
        options = [tf.TensorSpec([], tf.int32, "beam_width"), tf.TensorSpec([], tf.float32, "length_penalty"),
                   tf.TensorSpec([], tf.int32, "max_length"), tf.TensorSpec([], tf.float32, "min_score"),
                   tf.TensorSpec([], tf.int32, "top_tags")]
        outputs = {"caption": tf.TensorSpec([None], tf.string), "caption_score": tf.TensorSpec([None], tf.float32),
                   "tags": tf.TensorSpec([None, decoder.tags], tf.string),
                   "tag_scores": tf.TensorSpec([None, decoder.tags], tf.float32)}

        # Closures, not attributes: backbone and decoder stay untracked. Each is traced once for all signatures.
        @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, self._feature_size], tf.float32), *options])
        def chunk_of_features(features, *options):
            with self.weights.in_place():
                # Not rounded to float16 as in records: the last bit of a feature depends on the size of the batch, and
                # rounding would now and then make a thousand times more of it, enough for another caption.
                decoded = decoder.decode(features, *options)
                return {"caption": decoder.text(decoded.tokens), "caption_score": decoded.score,
                        "tags": decoded.tags, "tag_scores": decoded.tag_scores}

        @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string), *options])
        def from_images(image_bytes, *options):
            def answer(rows: tf.Tensor) -> Answer:
                pixels, valid = decode_batch(rows, backbone.image_size)
                result = chunk_of_features(network(pixels), *options)
                return {name: _blank(output, valid) for name, output in result.items()} | {"valid": valid}

            with self.weights.in_place():
                return _in_chunks(answer, image_bytes, outputs | {"valid": tf.TensorSpec([None], tf.bool)})

        @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, self._feature_size], tf.float32), *options])
        def from_features(features, *options):
            return _in_chunks(lambda rows: chunk_of_features(rows, *options), features, outputs)

        self._from_images, self._from_features, self._options = from_images, from_features, options

    def signatures(self, beam_width: int, length_penalty: float, min_score: float) -> dict[str, Callable]:
        """The four signatures; the arguments become the options' defaults."""
        width, penalty = tf.constant(beam_width, tf.int32), tf.constant(length_penalty, tf.float32)
        longest, least = tf.constant(self._longest, tf.int32), tf.constant(min_score, tf.float32)
        most = tf.constant(self._tags, tf.int32)
        defaults = width, penalty, longest, least, most
        images = tf.TensorSpec([None], tf.string, "image_bytes")
        vectors = tf.TensorSpec([None, self._feature_size], tf.float32, "features")

        @tf.function(autograph=False, input_signature=[images])
        def serving_default(image_bytes):
            return _without_score(self._from_images(image_bytes, *defaults))

        @tf.function(autograph=False, input_signature=[images, *self._options])
        def serving_default_with_options(image_bytes, beam_width=width, length_penalty=penalty, max_length=longest,
                                         min_score=least, top_tags=most):
            return self._from_images(image_bytes, beam_width, length_penalty, max_length, min_score, top_tags)

        @tf.function(autograph=False, input_signature=[vectors])
        def features(features):
            return _without_score(self._from_features(features, *defaults))

        @tf.function(autograph=False, input_signature=[vectors, *self._options])
        def features_with_options(features, beam_width=width, length_penalty=penalty, max_length=longest,
                                  min_score=least, top_tags=most):
            return self._from_features(features, beam_width, length_penalty, max_length, min_score, top_tags)

        functions = (serving_default, serving_default_with_options, features, features_with_options)
        return {function.__name__: function for function in functions}


def _without_score(answer: Answer) -> Answer:
    return {name: output for name, output in answer.items() if name != "caption_score"}


def _blank(output: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """`output` with "" or 0 in the rows that are not valid."""
    valid = tf.reshape(valid, [-1] + [1] * (output.shape.rank - 1))
    return tf.where(valid, output, "" if output.dtype == tf.string else tf.zeros([], output.dtype))


def _in_chunks(answer: Callable[[tf.Tensor], Answer], rows: tf.Tensor, outputs: dict[str, tf.TensorSpec]) -> Answer:
    """`answer` of all rows, computed CHUNK rows at a time; `outputs` says what it answers."""
    count = tf.shape(rows)[0]
    # An empty batch needs an empty answer, and oneDNN has no convolution of no images: it is computed with one row.
    rows = tf.concat([rows, tf.zeros([tf.cast(count == 0, tf.int32), *rows.shape[1:]], rows.dtype)], 0)
    chunks = (tf.shape(rows)[0] + CHUNK - 1) // CHUNK
    arrays = {name: tf.TensorArray(spec.dtype, chunks, infer_shape=False, element_shape=spec.shape)
              for name, spec in outputs.items()}

    def step(index: tf.Tensor, arrays: dict[str, tf.TensorArray]) -> tuple[tf.Tensor, dict[str, tf.TensorArray]]:
        result = answer(rows[index * CHUNK:(index + 1) * CHUNK])
        return index + 1, {name: array.write(index, result[name]) for name, array in arrays.items()}

    # One at a time: two chunks side by side would double the memory and gain nothing, each uses all cores.
    _, arrays = tf.while_loop(lambda index, _: index < chunks, step, (tf.constant(0), arrays), parallel_iterations=1)
    return {name: tf.ensure_shape(array.concat()[:count], outputs[name].shape) for name, array in arrays.items()}
