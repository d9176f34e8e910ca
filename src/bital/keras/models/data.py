"""Data on the way into a model: checked before anything is trained, then cut into batches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from bital.errors import ArgumentError, DataError, ShapeError
from bital.keras import checks
from bital.keras.losses import Loss

_BLOCK = 1 << 20  # elements that a check looks at in one go, to need little memory of its own


Arrays = tuple[np.ndarray, np.ndarray, np.ndarray | None]


@dataclass(frozen=True)
class Data:
    """Checked samples: inputs, targets and sample weights of one length."""

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x)

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
        return self._rows(slice(0, place)), self._rows(slice(place, None))

    def by_class(self, class_weight: Any, dtype: Any) -> Data:
        """Return the samples with each weight multiplied by that of the sample's label.

        Raises
        ------
        ArgumentError
            If ``class_weight`` is not a dict with a weight for each label.
        """
        if class_weight is None:
            return self
        weights = _class_weights(class_weight, self.y, dtype)
        if self.weights is not None:
            weights = self.weights * weights.reshape((-1,) + (1,) * (self.weights.ndim - 1))
        return Data(self.x, self.y, weights)

    def batch(self, number: int, size: int, dtype: Any, order: np.ndarray | None = None) -> Arrays:
        """Return a batch of ``size`` samples in this order, or of those that are left."""
        start, stop = number * size, min((number + 1) * size, len(self))
        rows = slice(start, stop) if order is None else order[start:stop]
        weights = None if self.weights is None else self.weights[rows]
        return self.x[rows].astype(dtype, copy=False), self.y[rows], weights

    def places(self, size: int, order: np.ndarray | None, number: int) -> np.ndarray:
        """Return where the samples of a batch stand in the arrays."""
        start, stop = number * size, min((number + 1) * size, len(self))
        return np.arange(start, stop) if order is None else order[start:stop]

    def whole(self) -> Arrays:
        """Return all samples."""
        return self.x, self.y, self.weights

    def stacked(self, size: int) -> Arrays:
        """Return the batches that are whole, ``(batches, size, ...)``, not copied."""
        x, y, weights = (
            None if array is None else stack(array, size)
            for array in (self.x, self.y, self.weights)
        )
        return x, y, weights

    def in_place(self, dtype: Any) -> Data:
        """Return the samples as compiled code reads them where they lie; most are so already."""
        return Data(
            *(
                None if array is None else _readable(array, dtype)
                for array in (self.x, self.y, self.weights)
            )
        )

    def _rows(self, rows: slice) -> Data:
        weights = None if self.weights is None else self.weights[rows]
        return Data(self.x[rows], self.y[rows], weights)


def stack(array: np.ndarray, size: int) -> np.ndarray:
    """Return the whole batches of an array: ``(samples, ...) -> (batches, size, ...)``."""
    count = len(array) // size
    return array[: count * size].reshape(count, size, *array.shape[1:])


def _readable(array: np.ndarray, dtype: Any) -> np.ndarray:
    kind = array.dtype.newbyteorder("=") if array.dtype.itemsize <= 8 else dtype
    return np.require(array, kind, ["C_CONTIGUOUS", "ALIGNED"])


def batch_size(who: str, value: Any, default: int) -> int:
    """Return the batch size, or the default for None.

    Raises
    ------
    ArgumentError
        If it is not a positive integer.
    """
    return default if value is None else checks.integer(who, "batch_size", value)


def numbers(name: str, value: Any) -> np.ndarray:
    """Return ``value`` as an array of real numbers with at least one sample.

    Raises
    ------
    DataError
        If it is none, holds something else, or is empty.
    """
    if value is None:
        raise DataError(f"{name} is None; give an array with one row for each sample.")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise DataError(
            f"{name} is a masked array with {np.ma.count_masked(value)} masked elements; a model "
            f"would see what is under the mask. Fill them, {name}.filled(0), or drop the samples."
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(
            f"{name} of type {type(value).__name__} is not a rectangular array: {error}. Every "
            "sample must have the same shape."
        ) from error
    if array.dtype.kind not in "biuf":
        raise DataError(_kind_message(name, value, array))
    if array.ndim == 0:
        raise DataError(
            f"{name} is the single number {array[()]!r}; give an array with one row for each "
            f"sample, for instance np.array([[{array[()]}]])."
        )
    if array.size == 0:
        raise DataError(f"{name} is empty: its shape is {array.shape}. Give at least one sample.")
    return array


def _kind_message(name: str, value: Any, array: np.ndarray) -> str:
    example = f", such as {array.flat[0]!r}" if array.size else ""
    if array.ndim == 0:
        return (
            f"{name} is a {type(value).__name__}; bital trains on arrays. Write "
            "np.stack(list(...)) for an iterator, or .toarray() for a sparse matrix."
        )
    return (
        f"{name} has dtype {array.dtype}{example}; a model needs numbers. Turn categories into "
        "integers with np.unique(values, return_inverse=True), and other values with "
        f"{name}.astype(np.float32)."
    )


def features(value: Any, expected: tuple[Any, ...] | None, dtype: Any, layer: str) -> np.ndarray:
    """Return checked inputs for a model that expects ``(None, ...)``, or anything.

    Raises
    ------
    DataError
        If they are not finite numbers.
    ShapeError
        If they have another shape.
    """
    x = numbers("x", value)
    if expected is not None:
        if x.ndim == 1 and expected[1:] == (1,):
            x = x[:, np.newaxis]
        fits = x.ndim == len(expected)
        if not fits or any(e not in (None, n) for e, n in zip(expected, x.shape, strict=True)):
            raise ShapeError(_shape_message(x.shape, expected, layer))
    require_finite("x", x, dtype)
    return x


def _shape_message(have: tuple[int, ...], expected: tuple[Any, ...], layer: str) -> str:
    wanted = expected[1:]
    text = (
        f"x has shape {have}; the model's first layer {layer!r} expects "
        f"{('batch', *wanted)}".replace("'batch'", "batch")
        + ". "
    )
    if None not in wanted and math.prod(have[1:]) == math.prod(wanted):
        sizes = ", ".join(map(str, wanted))
        return text + f"Write x.reshape(len(x), {sizes})."
    if have == wanted:
        return text + "For a single sample write x[np.newaxis]."
    return text + "Give each sample that shape, or build the model for the shape that you have."


def require_finite(name: str, array: np.ndarray, dtype: Any) -> None:
    """Raise if any element is NaN or infinite once it is cast to ``dtype``.

    Raises
    ------
    DataError
        Naming the first such element, its place and how many there are.
    """
    if array.dtype.kind != "f":
        return
    rows = max(1, _BLOCK // max(1, array.size // len(array)))
    for start in range(0, len(array), rows):
        block = array[start : start + rows]
        with np.errstate(over="ignore"):
            bad = ~np.isfinite(block.astype(dtype, copy=False))
        if bad.any():
            place = tuple(int(i) for i in np.argwhere(bad)[0])
            value = block[place]
            place = (start + place[0], *place[1:])
            what = "NaN" if np.isnan(value) else f"{value}, beyond {np.dtype(dtype)},"
            raise DataError(
                f"{name}{list(place)} is {what} and would make every output NaN "
                f"({int(bad.sum())} such in rows {start} to {start + len(block) - 1}). Remove such "
                f"samples, or fill them: np.nan_to_num({name})."
            )


def targets(
    value: Any, samples: int, loss: Loss, output_shape: tuple[Any, ...], dtype: Any
) -> np.ndarray:
    """Return checked targets, as the loss compares them with the outputs.

    Raises
    ------
    DataError
        If they are not finite numbers, or not as many as the samples.
    ShapeError
        If their shape does not fit the model's output.
    """
    y = numbers("y", value)
    if len(y) != samples:
        raise DataError(
            f"x has {samples} samples and y has {len(y)} targets; give one for each sample."
        )
    require_finite("y", y, dtype)
    return loss.prepare(y, output_shape, dtype)


def sample_weights(sample_weight: Any, samples: int, dtype: Any) -> np.ndarray | None:
    """Return a checked weight for each sample, or None.

    Raises
    ------
    DataError
        If the weights are not finite numbers, one for each sample, at least 0.
    """
    if sample_weight is None:
        return None
    weights = numbers("sample_weight", sample_weight)
    if len(weights) != samples:
        raise DataError(
            f"sample_weight has {len(weights)} weights for {samples} samples; give one each."
        )
    require_finite("sample_weight", weights, dtype)
    if (weights < 0).any():
        raise DataError(f"sample_weight has negative weights, such as {weights.min()}.")
    return weights.astype(dtype)


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


def padded(rows: np.ndarray, limit: int) -> np.ndarray:
    """Return the rows, filled up with rows of zeros to a `bucket` size."""
    size = bucket(len(rows), limit)
    if size == len(rows):
        return rows
    whole = np.zeros((size, *rows.shape[1:]), rows.dtype)
    whole[: len(rows)] = rows
    return whole


def bucket(rows: int, limit: int) -> int:
    """Return the number of rows to pad ``rows`` to: a power of two, at most ``limit``.

    Examples
    --------
    >>> [bucket(n, 100) for n in (1, 3, 40, 99)]
    [1, 4, 64, 100]
    """
    return min(limit, 1 << (rows - 1).bit_length())
