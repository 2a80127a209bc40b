"""The exported computation: image bytes or features to captions and tags, as SavedModel signatures.

    model = ServingModel(backbone, decoder, "float32")
    tf.saved_model.save(model, folder, signatures=model.signatures(beam_width=3, length_penalty=0.7))

Signatures:
    serving_default             image_bytes string [B] -> caption string [B], tags string [B, n],
                                tag_scores float32 [B, n], valid bool [B]
    features                    features float32 [B, F] -> caption, tags, tag_scores
    serving_default_with_options, features_with_options
                                the same, beside them beam_width int32 [], length_penalty float32 [] and
                                max_length int32 [], each with a default, and one output more: caption_score float32 [B]

The options have signatures of their own because TensorFlow Serving's REST interface wants every input of a
signature in every request: only gRPC and `saved_model_cli` fill in defaults.
"""

from collections.abc import Callable

import tensorflow as tf

from records.backbones import LoadedBackbone
from records.preprocess import decode_batch
from tagger.decode import Decoder
from tagger.weights_store import WeightsStore

CHUNK = 32
"""Images computed at once, however many a request holds: memory does not grow with the request."""

Answer = dict[str, tf.Tensor]


class ServingModel(tf.Module):
    """A backbone and a decoder as one stateless function of a batch; no row affects another."""

    def __init__(self, backbone: LoadedBackbone, decoder: Decoder, precision: str = "float32"):
        super().__init__(name="tagger")
        # In tuples of functions, so that neither is tracked: the export's weights are those of the store alone.
        self._networks = lambda: (backbone, decoder)
        variables = [*backbone.keras_variables, *(w for model in decoder.models for w in model.weights)]
        self.weights = WeightsStore(variables, precision)

    def from_images(self, image_bytes: tf.Tensor, beam_width: tf.Tensor, length_penalty: tf.Tensor,
                    max_length: tf.Tensor) -> Answer:
        """Answers encoded images string [B]; a row that is no image gets valid=False, "" and 0."""
        backbone, _ = self._networks()
        network = backbone.__call__.python_function  # inlined here, where its weights are those of the store

        def answer(rows: tf.Tensor) -> Answer:
            pixels, valid = decode_batch(rows)
            result = self._answer(network(pixels), beam_width, length_penalty, max_length)
            return {name: _blank(output, valid) for name, output in result.items()} | {"valid": valid}

        with self.weights.in_place():
            return _in_chunks(answer, image_bytes, self._outputs() | {"valid": tf.TensorSpec([None], tf.bool)})

    def from_features(self, features: tf.Tensor, beam_width: tf.Tensor, length_penalty: tf.Tensor,
                      max_length: tf.Tensor) -> Answer:
        """Answers image features float32 [B, F] such as those in records."""
        with self.weights.in_place():
            return _in_chunks(
                lambda rows: self._answer(rows, beam_width, length_penalty, max_length), features, self._outputs())

    def _answer(self, features: tf.Tensor, beam_width: tf.Tensor, length_penalty: tf.Tensor,
                max_length: tf.Tensor) -> Answer:
        _, decoder = self._networks()
        features = tf.cast(tf.cast(features, tf.float16), tf.float32)  # what records store and training saw
        decoded = decoder.decode(features, beam_width, length_penalty, max_length)
        return {"caption": decoder.text(decoded.tokens), "caption_score": decoded.score,
                "tags": decoded.tags, "tag_scores": decoded.tag_scores}

    def _outputs(self) -> dict[str, tf.TensorSpec]:
        by_tag = [None, self._networks()[1].tags]
        return {"caption": tf.TensorSpec([None], tf.string), "caption_score": tf.TensorSpec([None], tf.float32),
                "tags": tf.TensorSpec(by_tag, tf.string), "tag_scores": tf.TensorSpec(by_tag, tf.float32)}

    def signatures(self, beam_width: int, length_penalty: float) -> dict[str, Callable]:
        """The four signatures; the arguments become the options' defaults."""
        backbone, decoder = self._networks()
        width = tf.constant(beam_width, tf.int32)
        penalty = tf.constant(length_penalty, tf.float32)
        longest = tf.constant(decoder.max_length, tf.int32)
        images = tf.TensorSpec([None], tf.string, "image_bytes")
        vectors = tf.TensorSpec([None, backbone.feature_size], tf.float32, "features")
        options = [tf.TensorSpec([], tf.int32, "beam_width"), tf.TensorSpec([], tf.float32, "length_penalty"),
                   tf.TensorSpec([], tf.int32, "max_length")]

        @tf.function(input_signature=[images])
        def serving_default(image_bytes):
            return _without_score(self.from_images(image_bytes, beam_width, length_penalty, decoder.max_length))

        @tf.function(input_signature=[images, *options])
        def serving_default_with_options(image_bytes, beam_width=width, length_penalty=penalty, max_length=longest):
            return self.from_images(image_bytes, beam_width, length_penalty, max_length)

        @tf.function(input_signature=[vectors])
        def features(features):
            return _without_score(self.from_features(features, beam_width, length_penalty, decoder.max_length))

        @tf.function(input_signature=[vectors, *options])
        def features_with_options(features, beam_width=width, length_penalty=penalty, max_length=longest):
            return self.from_features(features, beam_width, length_penalty, max_length)

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
    chunks = tf.maximum((tf.shape(rows)[0] + CHUNK - 1) // CHUNK, 1)  # an empty batch needs an empty answer
    arrays = {name: tf.TensorArray(spec.dtype, chunks, infer_shape=False, element_shape=spec.shape)
              for name, spec in outputs.items()}

    def step(index: tf.Tensor, arrays: dict[str, tf.TensorArray]) -> tuple[tf.Tensor, dict[str, tf.TensorArray]]:
        result = answer(rows[index * CHUNK:(index + 1) * CHUNK])
        return index + 1, {name: array.write(index, result[name]) for name, array in arrays.items()}

    # One at a time: two chunks side by side would double the memory and gain nothing, each uses all cores.
    _, arrays = tf.while_loop(lambda index, _: index < chunks, step, (tf.constant(0), arrays), parallel_iterations=1)
    return {name: tf.ensure_shape(array.concat(), outputs[name].shape) for name, array in arrays.items()}
