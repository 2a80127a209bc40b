"""The merge model: an image feature and the caption so far give the distribution of the next word.

    feature [F] → Dense 256 relu ───────────────────────────┬────────────────────┐
                                                            │ step 0             │ Add
    word ids → Embedding (V, 256) → steps 1 … T ────────→ LSTM 256 → Dropout ────┴→ Dense 128 relu → Dropout → Dense V

Keras layers own the weights, in the layout of `to_keras`, so weight files are exchangeable with the plain
Keras functional model. Training and scoring use `hidden`, which gives the prediction after every prefix of a caption
in one pass; decoding uses `prefill` and `decode_step`.

Architecture: Tanti, Gatt & Camilleri, "Where to put the image in an image caption generator", 2018, with the image
as first step of the sequence and the merge by addition.
"""

import keras
import tensorflow as tf

from records.text.vocabulary import END
from tagger.modeling import stateless_dropout as dropout_lib
from tagger.modeling.lstm import Activations, Recurrence, cell, cudnn_lstm, loop_lstm, packed_lstm, project
from tagger.modeling.packed_sequence import Packing, pack
from tagger.modeling.products import product
from tagger.modeling.stateless_dropout import Noise, Stream
from tagger.modeling.tag_outputs import TagOutputs
from tagger.modeling.tag_readout import TagReadout

State = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


class MergeModel(tf.Module):
    """The layers and every way to run them.

    Attributes:
      vocabulary_size: V, output classes; ids 0 (pad), 1 (end), 2 (unknown), then words.
      feature_size: F. units: width of image projection, embedding and LSTM. hidden_size: width before the logits.
      dropout: rate of both dropouts, used only where noise is given. feature_dropout, embedding_dropout: of
        the image's feature and of the words' embeddings, likewise.
      tag_prompt: whether `tag_logits` is trained; see there.
      tag_readout: what is mixed into `tag_logits` where tags are answered; None unless a run has one. No part of the
        published model: neither trained with it nor among its `weights`.
      inverse_temperature: how much larger than in cross-entropy the output layer's weights are; tags do not follow it.
      compute_dtype: what matrices are multiplied in before the logits, and on a GPU all else there too; weights and
        what lies between products on a CPU (Recurrence.PACKED) stay float32.
      softmax_dtype: what the softmax layer multiplies in while it is trained: on a CPU the compute_dtype, else float32.
      logits_dtype: what `logits` multiplies in.
      recurrence: how `hidden` runs the LSTM.
    """

    def __init__(self, vocabulary_size: int, feature_size: int = 2048, units: int = 256, hidden_size: int = 128,
                 dropout: float = 0.5, seed: int = 0, compute_dtype: str = "float32",
                 recurrence: Recurrence | str = Recurrence.PACKED, feature_dropout: float = 0.0,
                 embedding_dropout: float = 0.0, tag_prompt: bool = False, inverse_temperature: float = 1.0,
                 logits_dtype: str = "float32"):
        """Builds all weights; initial values are a function of `seed` and the sizes."""
        super().__init__(name="merge_model")
        self.vocabulary_size, self.feature_size, self.units = vocabulary_size, feature_size, units
        self.hidden_size, self.dropout, self.recurrence = hidden_size, dropout, Recurrence(recurrence)
        self.feature_dropout, self.embedding_dropout, self.tag_prompt = feature_dropout, embedding_dropout, tag_prompt
        self.inverse_temperature = inverse_temperature
        self.tag_readout: TagReadout | None = None
        self.compute_dtype, self.logits_dtype = tf.as_dtype(compute_dtype), tf.as_dtype(logits_dtype)
        self._dtype, self.softmax_dtype = self.compute_dtype, tf.float32
        if self.recurrence is Recurrence.PACKED:
            self._dtype, self.softmax_dtype = tf.float32, self.compute_dtype
        init = keras.initializers
        glorot = [init.GlorotUniform(seed=seed * 8 + k) for k in range(4)]
        layers = keras.layers
        self.image_dense = layers.Dense(units, "relu", kernel_initializer=glorot[0], dtype="float32",
                                        name="image_dense")
        self.word_embedding = layers.Embedding(
            vocabulary_size, units, mask_zero=True, dtype="float32", name="word_embedding",
            embeddings_initializer=init.RandomUniform(-0.05, 0.05, seed=seed * 8 + 4))
        self.lstm = layers.LSTM(units, kernel_initializer=glorot[1], dtype="float32", name="lstm",
                                recurrent_initializer=init.Orthogonal(seed=seed * 8 + 5))
        self.hidden_dense = layers.Dense(hidden_size, "relu", kernel_initializer=glorot[2], dtype="float32",
                                         name="hidden_dense")
        self.output_dense = layers.Dense(vocabulary_size, "softmax", kernel_initializer=glorot[3], dtype="float32",
                                         name="output_dense")
        self.image_dense.build((None, feature_size))
        self.word_embedding.build((None, None))
        self.lstm.build((None, None, units))
        self.hidden_dense.build((None, units))
        self.output_dense.build((None, hidden_size))

    @property
    def weights(self) -> list[keras.Variable]:
        """The ten variables, in the order of `to_keras`."""
        layers = (self.image_dense, self.word_embedding, self.lstm, self.hidden_dense, self.output_dense)
        return [weight for layer in layers for weight in layer.weights]

    def to_keras(self, max_length: int) -> keras.Model:
        """The plain Keras functional model, over the same weights.

        Args:
          max_length: L, words of the longest prefix.

        Returns:
          A model of (feature float32 [B, F], prefix int [B, L] padded with 0 on the right) to probabilities [B, V].
        """
        feature = keras.Input((self.feature_size,), name="feature")
        image = self.image_dense(feature)
        prefix = keras.Input((max_length,), name="prefix")
        sequence = keras.layers.Concatenate(axis=1)(
            [keras.layers.Reshape((1, self.units))(image), self.word_embedding(prefix)])
        merged = keras.layers.Add()([keras.layers.Dropout(self.dropout)(self.lstm(sequence)), image])
        hidden = keras.layers.Dropout(self.dropout)(self.hidden_dense(merged))
        return keras.Model([feature, prefix], self.output_dense(hidden), name="merge_model")

    def image(self, feature: tf.Tensor, noise: Noise | None = None) -> tf.Tensor:
        """The projected image [B, units].

        Args:
          feature: [B, F] image features, any float dtype.
          noise: decides dropout; None for no dropout.
        """
        feature = tf.cast(feature, self._dtype)
        if noise is not None and self.feature_dropout:
            feature_noise = noise.of_rows(Stream.FEATURE, tf.shape(feature)[0], self.feature_size)
            feature = dropout_lib.drop(feature, feature_noise, self.feature_dropout)
        return tf.nn.relu(self._linear(self.image_dense, feature))

    def hidden(self, image: tf.Tensor, inputs: tf.Tensor, packing: Packing, noise: Noise | None = None,
               passed: Activations | None = None) -> tf.Tensor:
        """What the output layer sees at each packed position, in one pass over the captions.

        Args:
          image: [B, units] from `image`.
          inputs: int32 [B, T] word ids, right-padded.
          packing: the real ones of the B * (T + 1) positions.
          noise: decides dropout; None for no dropout.
          passed: what the LSTM gives at the packed positions, where that is known; read by Recurrence.PACKED.

        Returns:
          [N, hidden_size] in packed order.
        """
        dtype, rows, positions = self._dtype, tf.shape(inputs)[0], tf.shape(inputs)[1] + 1
        table = self.embeddings()
        row, time = packing.index // positions, packing.index % positions

        def of_packed(noise: Noise, table: tf.Tensor, first: tf.Tensor | int = 0) -> tf.Tensor:
            """[N - first, width], the entries of a table [T1, rows of the global batch, width] at packed positions."""
            places = time[first:] * noise.batch_rows + row[first:]
            return tf.gather(tf.reshape(table, [-1, table.shape[2]]), places)

        word_noise = None
        if noise is not None and self.embedding_dropout:
            word_noise = noise.of_positions(Stream.WORD, positions, self.units)
        kernel, recurrent, bias = (tf.cast(_value(weight), dtype) for weight in self.lstm.weights)
        if self.recurrence is Recurrence.PACKED:
            first = packing.sizes[0]
            # Position t reads word t - 1 of its row; the grid of inputs is one narrower than that of positions.
            words = tf.gather(tf.reshape(inputs, [-1]), packing.index[first:] - row[first:] - 1)
            if noise is not None and word_noise is not None:
                words = embed(table, words)
                words = dropout_lib.drop(words, of_packed(noise, word_noise, first), self.embedding_dropout)
                place = tf.range(tf.shape(row)[0])
            else:
                words, number = tf.unique(words)
                words = embed(table, words)
                place = tf.concat([tf.range(first), first + number], axis=0)
            x = tf.concat([tf.gather(image, packing.rows), words], axis=0)
            steps = packed_lstm(x, place, packing.sizes, kernel, recurrent, bias, passed, self.compute_dtype)
        else:
            words = embed(table, tf.transpose(inputs))  # time first, as the recurrence reads them
            if word_noise is not None:
                words = dropout_lib.drop(words, word_noise[1:, :rows], self.embedding_dropout)
            lstm = cudnn_lstm if self.recurrence is Recurrence.CUDNN else loop_lstm
            steps = lstm(tf.concat([image[tf.newaxis], words], axis=0), kernel, recurrent, bias)  # [T1, B, units]
            steps = tf.gather(tf.reshape(steps, [-1, self.units]), time * rows + row)
        merge_noise = None
        if noise is not None and self.dropout:
            merge_noise = of_packed(noise, noise.of_positions(Stream.MERGE, positions, self.units + self.hidden_size))
        return self._merge(steps, tf.gather(image, row), merge_noise)

    def _merge(self, steps: tf.Tensor, image: tf.Tensor, noise: tf.Tensor | None) -> tf.Tensor:
        """[n, hidden_size] from the LSTM's outputs and the images [n, units]; noise uint8 [n, units + hidden_size]."""
        if noise is not None:
            steps = dropout_lib.drop(steps, noise[:, :self.units], self.dropout)
        hidden = tf.nn.relu(self._linear(self.hidden_dense, steps + image))
        return hidden if noise is None else dropout_lib.drop(hidden, noise[:, self.units:], self.dropout)

    def tag_logits(self, image: tf.Tensor, noise: Noise | None = None) -> tf.Tensor:
        """Logits float32 [B, V] whose sigmoid is the probability that a tag occurs in a caption of the image.

        The image and then <end>, which is never an input otherwise, are the prompt that asks for tags: no weight is
        added. Trained by --tag_weight.

        Args:
          image: [B, units] from `image`.
          noise: as of `hidden`.
        """
        h, c, _ = self.read_image(image)
        h, _, _ = self.read_words(self.embeddings()[END:END + 1], h, c)
        merge_noise = None
        if noise is not None and self.dropout:
            merge_noise = noise.of_rows(Stream.TAG, tf.shape(image)[0], self.units + self.hidden_size)
        return self.logits(self._merge(h, image, merge_noise)) / self.inverse_temperature

    def tag_scores(self, feature: tf.Tensor, outputs: TagOutputs) -> tf.Tensor:
        """What `tag_logits` and the readout answer about T tags, float32 [B, T] in [0, 1], of features [B, F]."""
        logits = outputs.logits(self.tag_logits(self.image(feature)))
        return tf.sigmoid(logits if self.tag_readout is None else self.tag_readout.mix(feature, logits))

    def token_logits(self, feature: tf.Tensor, inputs: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Logits at the real positions only, without dropout.

        Args:
          feature: [B, F] image features.
          inputs: int32 [B, T] word ids, right-padded.
          mask: bool [B, T + 1], rows of True followed by False; position t predicts word t.

        Returns:
          float32 [N, V], N true elements of `mask` in row-major order.
        """
        packing = pack(mask)
        hidden = self.hidden(self.image(feature), inputs, packing)
        return self.logits(tf.gather(hidden, tf.argsort(packing.index)))

    def logits(self, hidden: tf.Tensor) -> tf.Tensor:
        """float32 [n, V] from [n, hidden_size]."""
        kernel, bias = self.output_weights()
        return tf.nn.bias_add(product(tf.cast(hidden, tf.float32), kernel, self.logits_dtype), bias)

    def scale_output(self, factor: float) -> None:
        """Multiplies all logits of captions: by more than 1, likely words become likelier."""
        for weight in self.output_dense.weights:
            weight.assign(weight.value * factor)

    def output_weights(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Kernel float32 [hidden_size, V] and bias float32 [V] of the output layer."""
        return _value(self.output_dense.kernel), _value(self.output_dense.bias)

    def prefill(self, feature: tf.Tensor) -> tuple[tf.Tensor, State]:
        """Reads the image: logits float32 [B, V] of the first word, and the state after it (three [B, units])."""
        return self._answer(self.image(feature))

    def decode_step(self, state: State, word_ids: tf.Tensor) -> tuple[tf.Tensor, State]:
        """Reads one word (int32 [B]) per row: logits float32 [B, V] of the next word, and the new state."""
        image, outputs, cells = state
        return self._answer(image, self.read_words(tf.gather(self.embeddings(), word_ids), outputs, cells))

    def _answer(self, image: tf.Tensor, activations: Activations | None = None) -> tuple[tf.Tensor, State]:
        outputs, cells, _ = activations or self.read_image(image)
        return self.logits(self.output_hidden(outputs, image)), (image, outputs, cells)

    def read_image(self, image: tf.Tensor) -> Activations:
        """The LSTM after the first position, of images [B, units] from `image`."""
        kernel, _, bias = (tf.cast(_value(weight), image.dtype) for weight in self.lstm.weights)
        return Activations(*cell(project(image, kernel, bias, self.compute_dtype), tf.zeros_like(image)))

    def read_words(self, words: tf.Tensor, outputs: tf.Tensor, cells: tf.Tensor, place: tf.Tensor | None = None
                   ) -> Activations:
        """The LSTM a word later.

        Args:
          words: [B, units] from `embeddings`, or one row for a word that all read; with `place` any number of rows, of
            which it, int32 [B], says what each row reads.
          outputs, cells: [B, units] before it.
        """
        kernel, recurrent, bias = (tf.cast(_value(weight), outputs.dtype) for weight in self.lstm.weights)
        projected = project(words, kernel, bias, self.compute_dtype)
        projected = projected if place is None else tf.gather(projected, place)
        return Activations(*cell(projected + product(outputs, recurrent, self.compute_dtype), cells))

    def embeddings(self) -> tf.Tensor:
        """[V, units], what the LSTM reads for each word."""
        return tf.cast(_value(self.word_embedding.embeddings), self._dtype)

    def output_hidden(self, outputs: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
        """What the output layer sees, [n, hidden_size], without dropout; outputs of the LSTM and images [n, units]."""
        return self._merge(outputs, image, None)

    def _linear(self, layer: keras.layers.Dense, x: tf.Tensor) -> tf.Tensor:
        bias = tf.cast(_value(layer.bias), x.dtype)
        return tf.nn.bias_add(product(x, _value(layer.kernel), self.compute_dtype), bias)


@tf.custom_gradient
def embed(table: tf.Tensor, ids: tf.Tensor) -> tuple[tf.Tensor, object]:
    """Rows `ids` of `table`, with a dense gradient: sparse ones cannot be summed cheaply over replicas."""
    def gradient(upstream):
        flat = tf.reshape(upstream, [-1, table.shape[1]])
        return tf.math.unsorted_segment_sum(flat, tf.reshape(ids, [-1]), table.shape[0]), None

    return tf.gather(table, ids), gradient


def _value(variable: keras.Variable) -> tf.Tensor:
    return tf.convert_to_tensor(variable.value)
