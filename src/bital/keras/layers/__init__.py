"""Layers: Keras's names, in plain NumPy."""

from bital.keras.layers.activations import ELU, LeakyReLU, PReLU, ReLU, Softmax
from bital.keras.layers.attention import AdditiveAttention, Attention, MultiHeadAttention
from bital.keras.layers.base import Activated, Layer
from bital.keras.layers.cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from bital.keras.layers.core import Activation, Dense, Input, InputLayer
from bital.keras.layers.einsum_dense import EinsumDense
from bital.keras.layers.embedding import Embedding
from bital.keras.layers.lambda_layer import Identity, Lambda
from bital.keras.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from bital.keras.layers.noise import (
    ActivityRegularization,
    AlphaDropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from bital.keras.layers.normalization import LayerNormalization, RMSNormalization
from bital.keras.layers.recurrent import GRU, LSTM, RNN, SimpleRNN
from bital.keras.layers.regularization import Dropout
from bital.keras.layers.shaping import Flatten, Permute, RepeatVector, Reshape
from bital.keras.layers.wrappers import Bidirectional, Masking, TimeDistributed

__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "RNN",
    "Activated",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AdditiveAttention",
    "AlphaDropout",
    "Attention",
    "Average",
    "Bidirectional",
    "Concatenate",
    "Dense",
    "Dot",
    "Dropout",
    "EinsumDense",
    "Embedding",
    "Flatten",
    "GRUCell",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "Input",
    "InputLayer",
    "LSTMCell",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "Maximum",
    "Minimum",
    "MultiHeadAttention",
    "Multiply",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "ReLU",
    "RepeatVector",
    "Reshape",
    "SimpleRNN",
    "SimpleRNNCell",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "StackedRNNCells",
    "Subtract",
    "TimeDistributed",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]
