"""The table of layers: a row for each layer, and for each way of making it that matters.

A row holds one constructor expression. ``tests/unit/keras/test_layer_rows.py`` runs it with
``bital.keras`` alone, ``tests/peers/test_keras3_layers.py`` runs the same expression with Keras 3
too and compares. To add a layer, add a row here; the tests do the rest.
"""

from __future__ import annotations

from tables import keras_convolutions
from tables.layer_row import Row, below

ROWS = [
    Row("Dense", lambda k: k.layers.Dense(3, activation="tanh"), [(4, 5)]),
    Row(
        "Dense no bias, 3 axes",
        lambda k: k.layers.Dense(2, use_bias=False, kernel_initializer="he_normal"),
        [(4, 3, 5)],
    ),
    Row(
        "Dense softmax, regularizers",
        lambda k: k.layers.Dense(
            4,
            activation="softmax",
            bias_initializer=k.initializers.Constant(0.5),
            kernel_regularizer="l2",
            bias_regularizer=k.regularizers.L1(0.1),
        ),
        [(5, 3)],
    ),
    Row("Activation relu", lambda k: k.layers.Activation("relu"), [(4, 5)]),
    Row("Activation softmax", lambda k: k.layers.Activation("softmax"), [(4, 3, 5)]),
    Row("Flatten", lambda k: k.layers.Flatten(), [(3, 2, 4)], config_apart=["data_format"]),
    Row("Reshape", lambda k: k.layers.Reshape((3, -1)), [(2, 12)]),
    Row("Dropout", lambda k: k.layers.Dropout(0.4), [(4, 6)], random=True),
    Row(
        "Dropout noise shape",
        lambda k: k.layers.Dropout(0.5, noise_shape=(None, 1, None), seed=3),
        [(4, 3, 6)],
        random=True,
    ),
]

ROWS += [
    Row("Embedding", lambda k: k.layers.Embedding(7, 3), [(4, 5)], draw=below(7)),
    Row(
        "Embedding of two axes, regularizer",
        lambda k: k.layers.Embedding(5, 2, "normal", embeddings_regularizer="l2"),
        [(2, 3, 4)],
        draw=below(5),
    ),
    Row(
        "EinsumDense",
        lambda k: k.layers.EinsumDense("abc,cd->abd", (3, 4), bias_axes="d", activation="tanh"),
        [(2, 3, 5)],
    ),
    Row(
        "EinsumDense ellipsis left",
        lambda k: k.layers.EinsumDense("...x,xy->...y", 4, bias_axes="y"),
        [(2, 3, 5)],
    ),
    Row(
        "EinsumDense ellipsis right",
        lambda k: k.layers.EinsumDense("abx...,xy->aby...", (3, 4), bias_axes="y"),
        [(2, 3, 5, 2)],
    ),
    Row(
        "EinsumDense heads",
        lambda k: k.layers.EinsumDense(
            "abc,cde->abde", (3, 2, 4), bias_axes="de", kernel_regularizer="l1"
        ),
        [(2, 3, 5)],
    ),
    Row("Add", lambda k: k.layers.Add(), [(4, 3), (4, 3), (4, 3)]),
    Row("Add of other ranks", lambda k: k.layers.Add(), [(4, 3, 5), (4, 5), (4, 1, 5)]),
    Row("Subtract", lambda k: k.layers.Subtract(), [(4, 3), (4, 3)]),
    Row("Multiply", lambda k: k.layers.Multiply(), [(4, 3), (4, 1), (4, 3)]),
    Row("Average", lambda k: k.layers.Average(), [(4, 3), (4, 3), (4, 3)]),
    Row("Maximum", lambda k: k.layers.Maximum(), [(4, 3), (4, 3)]),
    Row("Minimum", lambda k: k.layers.Minimum(), [(4, 2, 3), (4, 2, 3), (4, 2, 3)]),
    Row("Concatenate", lambda k: k.layers.Concatenate(), [(4, 3), (4, 2)]),
    Row("Concatenate axis 1", lambda k: k.layers.Concatenate(axis=1), [(4, 3, 2), (4, 1, 2)]),
    Row("Dot", lambda k: k.layers.Dot(axes=1), [(4, 3), (4, 3)]),
    Row("Dot of matrices", lambda k: k.layers.Dot(axes=(2, 1)), [(4, 3, 5), (4, 5, 2)]),
    Row("Dot normalized", lambda k: k.layers.Dot(axes=-1, normalize=True), [(4, 3, 5), (4, 2, 5)]),
    Row("Dot of a vector", lambda k: k.layers.Dot(axes=(1, 2)), [(4, 5), (4, 2, 5)]),
    Row("ReLU", lambda k: k.layers.ReLU(), [(4, 5)]),
    Row(
        "ReLU of three pieces",
        lambda k: k.layers.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.5),
        [(4, 15)],
    ),
    Row("LeakyReLU", lambda k: k.layers.LeakyReLU(), [(4, 5)]),
    Row("ELU", lambda k: k.layers.ELU(alpha=0.7), [(4, 5)]),
    Row("PReLU", lambda k: k.layers.PReLU(), [(4, 5)]),
    Row(
        "PReLU shared",
        lambda k: k.layers.PReLU("he_normal", alpha_regularizer="l2", shared_axes=[1, 2]),
        [(2, 3, 4, 5)],
    ),
    Row("Softmax", lambda k: k.layers.Softmax(), [(4, 5)]),
    Row("Softmax two axes", lambda k: k.layers.Softmax(axis=[1, 2]), [(4, 3, 2, 5)]),
    Row("Softmax masked", lambda k: k.layers.Softmax(), [(4, 5)], mask=(4, 5)),
    Row("Permute", lambda k: k.layers.Permute((3, 1, 2)), [(2, 3, 4, 5)]),
    Row("RepeatVector", lambda k: k.layers.RepeatVector(3), [(2, 5)]),
    Row("Identity", lambda k: k.layers.Identity(), [(2, 5)]),
    Row(
        "SpatialDropout1D",
        lambda k: k.layers.SpatialDropout1D(0.4),
        [(4, 6, 3)],
        random=True,
        config_apart=["trainable"],
    ),
    Row(
        "SpatialDropout2D",
        lambda k: k.layers.SpatialDropout2D(0.4),
        [(4, 6, 5, 3)],
        random=True,
        config_apart=["trainable"],
    ),
    Row(
        "SpatialDropout3D",
        lambda k: k.layers.SpatialDropout3D(0.4, seed=1),
        [(4, 2, 3, 2, 3)],
        random=True,
        config_apart=["trainable"],
    ),
    Row("AlphaDropout", lambda k: k.layers.AlphaDropout(0.3, seed=2), [(4, 6)], random=True),
    Row("GaussianNoise", lambda k: k.layers.GaussianNoise(0.3), [(4, 6)], random=True),
    Row("GaussianDropout", lambda k: k.layers.GaussianDropout(0.3), [(4, 6)], random=True),
    Row("ActivityRegularization", lambda k: k.layers.ActivityRegularization(0.1, 0.2), [(4, 6)]),
    Row(
        "LayerNormalization",
        lambda k: k.layers.LayerNormalization(),
        [(4, 5)],
        config_apart=["rms_scaling"],
    ),
    Row(
        "LayerNormalization two axes",
        lambda k: k.layers.LayerNormalization(axis=[1, 3], epsilon=1e-2, center=False),
        [(3, 4, 2, 5)],
        config_apart=["rms_scaling"],
    ),
    Row(
        "LayerNormalization first axis, no scale",
        lambda k: k.layers.LayerNormalization(axis=1, scale=False, beta_regularizer="l2"),
        [(3, 4, 5)],
        config_apart=["rms_scaling", "axis"],
    ),
    Row("RMSNormalization", lambda k: k.layers.RMSNormalization(), [(4, 3, 5)]),
    Row("Masking", lambda k: k.layers.Masking(0.5), [(4, 3, 2)]),
    Row("SimpleRNN", lambda k: k.layers.SimpleRNN(4), [(3, 5, 2)]),
    Row(
        "SimpleRNN relu, no bias, sequences, backwards",
        lambda k: k.layers.SimpleRNN(
            4, activation="relu", use_bias=False, return_sequences=True, go_backwards=True
        ),
        [(3, 5, 2)],
    ),
    Row("LSTM", lambda k: k.layers.LSTM(4), [(3, 5, 2)]),
    Row(
        "LSTM sequences, states, backwards",
        lambda k: k.layers.LSTM(4, return_sequences=True, return_state=True, go_backwards=True),
        [(3, 5, 2)],
    ),
    Row(
        "LSTM other activations, regularizers, constraints",
        lambda k: k.layers.LSTM(
            3,
            activation="softsign",
            recurrent_activation="hard_sigmoid",
            unit_forget_bias=False,
            bias_initializer="ones",
            kernel_regularizer="l2",
            recurrent_regularizer="l1",
            bias_regularizer="l2",
            kernel_constraint="max_norm",
            recurrent_constraint="unit_norm",
            bias_constraint="non_neg",
        ),
        [(3, 4, 2)],
    ),
    Row("LSTM masked", lambda k: k.layers.LSTM(4), [(3, 6, 2)], mask=(3, 6)),
    Row(
        "LSTM masked, sequences, zeros",
        lambda k: k.layers.LSTM(4, return_sequences=True, zero_output_for_mask=True),
        [(3, 6, 2)],
        mask=(3, 6),
    ),
    Row(
        "LSTM dropout",
        lambda k: k.layers.LSTM(4, dropout=0.3, recurrent_dropout=0.2),
        [(3, 5, 2)],
        random=True,
    ),
    Row("GRU", lambda k: k.layers.GRU(4), [(3, 5, 2)]),
    Row(
        "GRU masked, sequences",
        lambda k: k.layers.GRU(4, return_sequences=True, return_state=True),
        [(3, 6, 2)],
        mask=(3, 6),
    ),
    Row(
        "GRU reset before, no bias",
        lambda k: k.layers.GRU(4, reset_after=False, use_bias=False, unroll=True),
        [(3, 5, 2)],
    ),
    Row(
        "GRU reset before, backwards",
        lambda k: k.layers.GRU(4, reset_after=False, go_backwards=True),
        [(3, 5, 2)],
    ),
    Row(
        "RNN of stacked cells",
        lambda k: k.layers.RNN(
            [k.layers.LSTMCell(3), k.layers.GRUCell(4), k.layers.SimpleRNNCell(2)],
            return_sequences=True,
            return_state=True,
        ),
        [(3, 5, 2)],
    ),
    Row(
        "Bidirectional",
        lambda k: k.layers.Bidirectional(k.layers.LSTM(3, name="lstm")),
        [(3, 5, 2)],
    ),
    Row(
        "Bidirectional sum, sequences, masked",
        lambda k: k.layers.Bidirectional(
            k.layers.GRU(3, return_sequences=True, name="gru"), merge_mode="sum"
        ),
        [(3, 6, 2)],
        mask=(3, 6),
    ),
    Row(
        "Bidirectional of two, apart, with states",
        lambda k: k.layers.Bidirectional(
            k.layers.SimpleRNN(3, return_state=True, name="rnn"),
            merge_mode=None,
            backward_layer=k.layers.GRU(3, return_state=True, go_backwards=True, name="other"),
        ),
        [(3, 5, 2)],
    ),
    Row(
        "TimeDistributed",
        lambda k: k.layers.TimeDistributed(k.layers.Dense(4, activation="tanh", name="dense")),
        [(3, 5, 2, 3)],
    ),
    Row("Attention", lambda k: k.layers.Attention(), [(3, 4, 5), (3, 6, 5)]),
    Row(
        "Attention concat, scale, causal, key",
        lambda k: k.layers.Attention(use_scale=True, score_mode="concat"),
        [(3, 4, 5), (3, 6, 2), (3, 6, 5)],
        call={"use_causal_mask": True},
    ),
    Row("AdditiveAttention", lambda k: k.layers.AdditiveAttention(), [(3, 4, 5), (3, 6, 5)]),
    Row(
        "MultiHeadAttention",
        lambda k: k.layers.MultiHeadAttention(num_heads=2, key_dim=3),
        [(2, 4, 5), (2, 6, 7)],
        spread=True,
        tolerance=1e-3,  # Keras takes this softmax in float32, and a slope is 0 but for that
    ),
    Row(
        "MultiHeadAttention causal, gate, sizes",
        lambda k: k.layers.MultiHeadAttention(
            2, 3, use_bias=False, output_shape=6, use_gate=True, sliding_window=3
        ),
        [(2, 5, 4), (2, 5, 3), (2, 5, 6)],
        spread=True,
        tolerance=1e-6,
        call={"use_causal_mask": True},
    ),
    Row(
        "MultiHeadAttention two axes",
        lambda k: k.layers.MultiHeadAttention(2, 3, value_dim=4, attention_axes=(2, 3)),
        [(2, 3, 2, 4, 5), (2, 3, 3, 2, 5)],
        spread=True,
    ),
    Row(
        "MultiHeadAttention dropout",
        lambda k: k.layers.MultiHeadAttention(2, 3, dropout=0.3, seed=1),
        [(2, 4, 5), (2, 4, 5)],
        spread=True,
        random=True,
    ),
]

ROWS += [
    Row("Rescaling", lambda k: k.layers.Rescaling(0.5, offset=-1.0), [(4, 3)]),
    Row(
        "Rescaling by channel",
        lambda k: k.layers.Rescaling([0.5, 1.0, 2.0], offset=[0.0, 1.0, -1.0]),
        [(2, 4, 4, 3)],
    ),
    Row("Normalization", lambda k: k.layers.Normalization(), [(6, 4, 3)], adapt=True),
    Row("Normalization of all", lambda k: k.layers.Normalization(None), [(6, 3)], adapt=True),
    Row(
        "Normalization given, inverted",
        lambda k: k.layers.Normalization((1, 2), [1.0, -2.0], [4.0, 0.25], invert=True),
        [(5, 3, 2)],
    ),
    Row(
        "Discretization",
        lambda k: k.layers.Discretization([-1.0, 0.0, 0.5], output_mode="one_hot"),
        [(4, 6)],
        config_apart=["trainable"],
    ),
    Row(
        "CategoryEncoding",
        lambda k: k.layers.CategoryEncoding(5),
        [(4, 3)],
        draw=below(5),
        config_apart=["sparse"],
    ),
    Row(
        "CategoryEncoding count",
        lambda k: k.layers.CategoryEncoding(5, "count"),
        [(4, 7)],
        draw=below(5),
        config_apart=["sparse"],
    ),
    Row(
        "CategoryEncoding one hot",
        lambda k: k.layers.CategoryEncoding(5, "one_hot"),
        [(4, 7)],
        draw=below(5),
        config_apart=["sparse"],
    ),
]

ROWS += keras_convolutions.ROWS

ROWS += [
    Row("RandomFlip", lambda k: k.layers.RandomFlip(seed=1), [(3, 4, 5, 2)], random=True),
    Row("RandomRotation", lambda k: k.layers.RandomRotation(0.2), [(3, 4, 5, 2)], random=True),
    Row(
        "RandomTranslation",
        lambda k: k.layers.RandomTranslation((-0.2, 0.2), (-0.3, 0.1), "nearest"),
        [(3, 4, 5, 2)],
        random=True,
    ),
    Row("RandomZoom", lambda k: k.layers.RandomZoom((-0.2, 0.1)), [(3, 4, 5, 2)], random=True),
    Row(
        "RandomContrast", lambda k: k.layers.RandomContrast((0.1, 0.4)), [(3, 4, 5, 2)], random=True
    ),
    Row("RandomBrightness", lambda k: k.layers.RandomBrightness(0.2), [(3, 4, 5, 2)], random=True),
    Row(
        "RandomCrop",
        lambda k: k.layers.RandomCrop(2, 3),
        [(3, 4, 5, 2)],
        random=True,
        peer=False,  # Keras returns what it got, of another size, when not training
    ),
    Row("CenterCrop", lambda k: k.layers.CenterCrop(2, 2), [(3, 4, 5, 2)]),
    Row("Resizing", lambda k: k.layers.Resizing(7, 3, "bicubic"), [(3, 4, 5, 2)], tolerance=1e-6),
]
