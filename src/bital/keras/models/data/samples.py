"""Samples in memory: trees of arrays of one length, cut into batches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bital import tree
from bital.errors import ArgumentError
from bital.keras import checks, random_state
from bital.keras.models.data.parts import Arrays, Bring, Part, stack


@dataclass(frozen=True)
class Data:
    """Checked samples.

    ``x`` is an array, or a list or dict of arrays as the model takes them. ``y`` is an array, or
    for several outputs a tuple with an array for each, None for one without a loss. ``weights`` are
    None or like ``y``.
    """

    x: Any
    y: Any
    weights: Any = None
    repeatable: ClassVar[bool] = True

    def __len__(self) -> int:
        first = self.x
        while not isinstance(first, np.ndarray):
            first = next(iter(first.values() if isinstance(first, dict) else first))
        return len(first)

    def split(self, fraction: float) -> tuple[Data, Data]:
        """Return all but the last ``fraction`` of the samples, and that.

        Raises
        ------
        ArgumentError
            If one of the two would be empty, or ``fraction`` is not in ``[0, 1)``.
        """
        checks.number("fit", "validation_split", fraction, 0, 1)
        place = math.floor(len(self) * (1 - fraction))
        if place in (0, len(self)):
            raise ArgumentError(
                f"fit(validation_split={fraction!r}) of {len(self)} samples leaves none for "
                f"{'training' if place == 0 else 'validation'}; choose another fraction."
            )
        return self.rows(slice(0, place)), self.rows(slice(place, None))

    def by_class(self, class_weight: Any, dtype: Any) -> Data:
        """Return the samples with each weight multiplied by that of the sample's label.

        Raises
        ------
        ArgumentError
            If ``class_weight`` is not a dict with a weight for each label, or there are several
            outputs.
        """
        if class_weight is None:
            return self
        if not isinstance(self.y, np.ndarray):
            raise ArgumentError(
                "fit(class_weight=...) is for models with one output. For several give "
                "sample_weight={'output': weights, ...}."
            )
        weights = _class_weights(class_weight, self.y, dtype)
        if self.weights is not None:
            weights = self.weights * weights.reshape((-1,) + (1,) * (self.weights.ndim - 1))
        return Data(self.x, self.y, weights)

    def steps(self, size: int) -> int:
        """Return the number of batches."""
        return math.ceil(len(self) / size)

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """Return the order of the samples in an epoch."""
        return random_state.permutation(seed, epoch, len(self))

    def parts(
        self, size: int, order: np.ndarray | None, skip: int = 0, bring: Bring = iter
    ) -> Iterator[Part]:
        """Yield the one part that all batches are; an order may leave samples out."""
        del skip
        whole = Part(self, size, len(self) if order is None else len(order), 0, order)
        yield from bring(iter([whole]))

    def whole(self) -> Arrays:
        """Return all samples."""
        return self.x, self.y, self.weights

    def stacked(self, size: int) -> Arrays:
        """Return the batches that are whole, ``(batches, size, ...)``, not copied."""
        return tree.map(lambda array: stack(array, size), self.whole())

    def in_place(self, dtype: Any) -> Data:
        """Return the samples as compiled code reads them where they lie; most are so already."""
        return Data(*tree.map(lambda array: readable(array, dtype), self.whole()))

    def rows(self, rows: Any) -> Data:
        """Return the samples at these places."""
        return Data(*tree.map(lambda array: array[rows], self.whole()))


@dataclass(frozen=True)
class Limited(Data):
    """Samples of which an epoch takes the first ``count`` batches of its order."""

    count: int = 0

    def steps(self, size: int) -> int:
        """Return the number of batches."""
        return min(self.count, super().steps(size))

    def parts(
        self, size: int, order: np.ndarray | None, skip: int = 0, bring: Bring = iter
    ) -> Iterator[Part]:
        """Yield the one part that the batches are."""
        order = np.arange(len(self)) if order is None else order
        return super().parts(size, order[: self.count * size], skip, bring)


def limited(samples: Any, count: int | None, size: int) -> Any:
    """Return samples of which an epoch takes ``count`` batches, if they are in memory."""
    if count is None or type(samples) is not Data or count >= samples.steps(size):
        return samples
    return Limited(*samples.whole(), count=count)


def readable(array: np.ndarray, dtype: Any) -> np.ndarray:
    """Return the array in the layout that compiled code reads, copied only if it is in another."""
    kind = array.dtype.newbyteorder("=") if array.dtype.itemsize <= 8 else dtype
    return np.require(array, kind, ["C_CONTIGUOUS", "ALIGNED"])


def _class_weights(class_weight: Any, y: np.ndarray, dtype: Any) -> np.ndarray:
    if not isinstance(class_weight, dict):
        raise ArgumentError(
            f"fit(class_weight={class_weight!r}): must be a dict from label to weight, for "
            "instance {0: 1.0, 1: 5.0}."
        )
    labels = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y), -1)
    if labels.ndim == 2:
        if labels.shape[1] != 1:
            raise ArgumentError("fit(class_weight=...) needs one label for each sample.")
        labels = labels[:, 0]
    kinds, place = np.unique(labels, return_inverse=True)
    missing = [kind.item() for kind in kinds if kind.item() not in class_weight]
    if missing:
        raise ArgumentError(f"fit(class_weight=...) has no weight for the labels {missing}.")
    weights = [checks.number("fit", "class_weight", class_weight[k.item()], 0) for k in kinds]
    return np.array(weights, dtype)[place.reshape(-1)]
