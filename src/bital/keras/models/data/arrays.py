"""Checks of single arrays on the way into a model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bital.errors import DataError, ShapeError
from bital.keras import checks
from bital.keras.losses import Loss

_BLOCK = 1 << 20  # elements that a check looks at in one go, to need little memory of its own


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


def features(
    value: Any,
    expected: tuple[Any, ...] | None,
    dtype: Any,
    layer: str,
    name: str = "x",
) -> np.ndarray:
    """Return checked inputs for a model that expects ``(None, ...)``, or anything.

    Raises
    ------
    DataError
        If they are not finite numbers.
    ShapeError
        If they have another shape.
    """
    x = numbers(name, value)
    if expected is not None:
        if x.ndim == 1 and expected[1:] == (1,):
            x = x[:, np.newaxis]
        fits = x.ndim == len(expected)
        sizes = zip(expected[1:], x.shape[1:], strict=False)  # of a sample: batches are cut later
        if not fits or any(e not in (None, n) for e, n in sizes):
            raise ShapeError(_shape_message(name, x.shape, expected, layer))
    require_finite(name, x, dtype)
    return x


def _shape_message(name: str, have: tuple[int, ...], expected: tuple[Any, ...], layer: str) -> str:
    wanted = expected[1:]
    text = (
        f"{name} has shape {have}; the model's first layer {layer!r} expects "
        f"{('batch', *wanted)}".replace("'batch'", "batch")
        + ". "
    )
    if None not in wanted and math.prod(have[1:]) == math.prod(wanted):
        sizes = ", ".join(map(str, wanted))
        return text + f"Write {name}.reshape(len({name}), {sizes})."
    if have == wanted:
        return text + f"For a single sample write {name}[np.newaxis]."
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
        if block.dtype == dtype and math.isfinite(np.vdot(block, block)):
            continue  # a sum of squares is finite only if each of them is
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
    value: Any,
    samples: int,
    loss: Loss,
    output_shape: tuple[Any, ...],
    dtype: Any,
    name: str = "y",
) -> np.ndarray:
    """Return checked targets, as the loss compares them with the outputs.

    Raises
    ------
    DataError
        If they are not finite numbers, or not as many as the samples.
    ShapeError
        If their shape does not fit the model's output.
    """
    y = numbers(name, value)
    if len(y) != samples:
        raise DataError(
            f"x has {samples} samples and {name} has {len(y)} targets; give one for each sample."
        )
    require_finite(name, y, dtype)
    return loss.prepare(y, output_shape, dtype)


def sample_weights(
    value: Any, samples: int, dtype: Any, name: str = "sample_weight"
) -> np.ndarray | None:
    """Return a checked weight for each sample, or None.

    Raises
    ------
    DataError
        If the weights are not finite numbers, one for each sample, at least 0.
    """
    if value is None:
        return None
    weights = numbers(name, value)
    if len(weights) != samples:
        raise DataError(f"{name} has {len(weights)} weights for {samples} samples; give one each.")
    require_finite(name, weights, dtype)
    if (weights < 0).any():
        raise DataError(f"{name} has negative weights, such as {weights.min()}.")
    return weights.astype(dtype)
