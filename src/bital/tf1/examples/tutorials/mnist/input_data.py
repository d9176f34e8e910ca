"""MNIST in training, validation and test sets that give batches; from the package itself."""

from __future__ import annotations

from typing import Any, NamedTuple

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


class Datasets(NamedTuple):
    """The three sets."""

    train: DataSet
    validation: DataSet
    test: DataSet


def read_data_sets(
    train_dir: Any = None,
    fake_data: bool = False,
    one_hot: bool = False,
    dtype: Any = np.float32,
    reshape: bool = True,
    validation_size: int = 5000,
    seed: Any = None,
) -> Datasets:
    """MNIST: images from 0 to 1, ``(n, 784)``, or ``(n, 28, 28, 1)`` without `reshape`."""
    (images, labels), (test_images, test_labels) = mnist.load_data()

    def prepared(x: np.ndarray, t: np.ndarray) -> DataSet:
        x = x.reshape(len(x), *((784,) if reshape else (28, 28, 1)))
        x = x if np.dtype(dtype) == np.uint8 else (x / np.float32(255)).astype(np.float32)
        return DataSet(x, np.eye(10)[t] if one_hot else t, seed)

    parts = (slice(validation_size, None), slice(validation_size))
    sets = [prepared(images[part], labels[part]) for part in parts]
    return Datasets(*sets, prepared(test_images, test_labels))
