"""Training without labels, layer by layer: autoencoders and Boltzmann machines.

>>> import numpy as np
>>> from bital.keras import layers, pretraining
>>> x = np.random.default_rng(0).random((64, 20)).astype(np.float32)
>>> stack = pretraining.Stack([
...     pretraining.Autoencoder(16, noise=pretraining.MaskingNoise(0.3)),
...     pretraining.Autoencoder(8, noise=pretraining.MaskingNoise(0.2)),
... ])
>>> histories = stack.fit(x, epochs=2, verbose=0, seed=0)
>>> model = stack.to_sequential([layers.Dense(3, activation="softmax")])
>>> model.compile("adam", "sparse_categorical_crossentropy")
"""

from bital.keras.pretraining.autoencoder import Autoencoder, Coder
from bital.keras.pretraining.boltzmann import RBM
from bital.keras.pretraining.noise import GaussianNoise, MaskingNoise, SaltAndPepperNoise
from bital.keras.pretraining.stack import Stack

__all__ = [
    "RBM",
    "Autoencoder",
    "Coder",
    "GaussianNoise",
    "MaskingNoise",
    "SaltAndPepperNoise",
    "Stack",
]
