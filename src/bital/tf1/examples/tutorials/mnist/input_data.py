"""MNIST in training, validation and test sets that give batches; from the package itself."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from bital.datasets import mnist


class DataSet:
    """Images and labels, in batches that go through all of them in one order after another."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, seed: Any = None) -> None:
        self.images, self.labels, self.num_examples = images, labels, len(images)
        self._random, self._passes = np.random.default_rng(seed), 0
        self._waiting = np.zeros(0, int)

    epochs_completed = property(lambda self: max(self._passes - 1, 0), doc="How often all came.")

    def next_batch(self, batch_size: int, fake_data: bool = False, shuffle: bool = True) -> Any:
        """The next images and labels, ``(batch, 784)`` and ``(batch,)`` or ``(batch, 10)``."""
        while len(self._waiting) < batch_size:
            new = np.arange(self.num_examples)
            self._waiting = np.append(self._waiting, self._random.permuted(new) if shuffle else new)
            self._passes += 1
        chosen, self._waiting = np.split(self._waiting, [batch_size])
        return self.images[chosen], self.labels[chosen]


Datasets = namedtuple("Datasets", "train validation test")


def read_data_sets(
    train_dir=None, fake_data=False, one_hot=False, reshape=True, validation_size=5000, seed=None
) -> Datasets:
    """MNIST: images from 0 to 1, ``(n, 784)``, or ``(n, 28, 28, 1)`` without `reshape`."""
    (images, labels), test = mnist.load_data()
    train, validation = slice(validation_size, None), slice(validation_size)
    parts = (images[train], labels[train]), (images[validation], labels[validation]), test
    shape, scale = (-1, 784) if reshape else (-1, 28, 28, 1), np.float32(255)
    targets = [np.eye(10)[t] if one_hot else t for _, t in parts]
    scaled = [x.reshape(shape) / scale for x, _ in parts]
    return Datasets(*(DataSet(x, t, seed) for x, t in zip(scaled, targets, strict=True)))
