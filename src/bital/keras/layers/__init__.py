"""Layers: Keras's names, in plain NumPy."""

from bital.keras.layers.base import Activated, Layer
from bital.keras.layers.core import Activation, Dense, Input, InputLayer
from bital.keras.layers.normalization import LayerNormalization, RMSNormalization
from bital.keras.layers.regularization import Dropout
from bital.keras.layers.shaping import Flatten, Reshape

__all__ = [
    "Activated",
    "Activation",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "RMSNormalization",
    "Reshape",
]
