"""The training step that every contender takes: 784-300-100-10, ReLU, softmax, SGD, batch 50."""

from __future__ import annotations

import itertools

import numpy as np

SIZES = (784, 300, 100, 10)
BATCH = 50
LEARNING_RATE = 0.01


def weights() -> list[np.ndarray]:
    """W1, b1, W2, b2, W3, b3 in float32, He-normal, biases zero."""
    rng = np.random.default_rng(0)
    result = []
    for rows, columns in itertools.pairwise(SIZES):
        result.append(rng.normal(0, np.sqrt(2 / rows), (rows, columns)).astype(np.float32))
        result.append(np.zeros(columns, np.float32))
    return result


def batch() -> tuple[np.ndarray, np.ndarray]:
    """Images of random grey values (batch, 784) float32 and labels (batch,) int64."""
    rng = np.random.default_rng(1)
    x = rng.random((BATCH, SIZES[0]), dtype=np.float32)
    return x, rng.integers(0, SIZES[-1], BATCH)
