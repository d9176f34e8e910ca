"""Pooling over windows, in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import ShapeError
from bital.nn.windows import (
    Array,
    Sizes,
    check_padding,
    output_length,
    padded,
    per_axis,
    spatial_rank,
    windows,
)


def max_pool(x: Array, size: Any, strides: Any = None, padding: str = "valid") -> Array:
    """Return the largest element of each window: ``(n, *spatial, c) -> (n, *lengths, c)``.

    Parameters
    ----------
    x : array
        Inputs, with 1 to 3 spatial axes and channels last; its dtype is kept.
    size : int or tuple of int
        Of a window.
    strides : int or tuple of int, optional
        Steps between windows. Default: ``size``, so that they do not overlap.
    padding : {"valid", "same"}, default "valid"
        Whether windows lie within the inputs, or reach over the ends so that ``lengths =
        ceil(spatial / strides)``; what is outside does not count.

    Raises
    ------
    ShapeError
        If no window fits.
    ArgumentError
        For an argument with a value that is not allowed.

    Notes
    -----
    Where several elements of a window are the largest, the gradient is divided among them, as for
    ``np.max``.

    Examples
    --------
    >>> import numpy as np
    >>> max_pool(np.array([3.0, 1.0, 4.0, 2.0]).reshape(1, 4, 1), 2)[0, :, 0]
    array([3., 4.])
    """
    size, strides, padding = _options("max_pool", x, size, strides, padding)
    kind = np.dtype(x.dtype).kind
    lowest = -np.inf if kind == "f" else False if kind == "b" else np.iinfo(x.dtype).min
    found, axes = _windows("max_pool", x, size, strides, padding, lowest)
    return found.max(axis=axes)


def avg_pool(x: Array, size: Any, strides: Any = None, padding: str = "valid") -> Array:
    """Return the mean of each window: ``(n, *spatial, c) -> (n, *lengths, c)``.

    Parameters
    ----------
    x, size, strides, padding
        As in `max_pool`: what is outside of the inputs does not count.

    Raises
    ------
    ShapeError
        If no window fits.
    ArgumentError
        For an argument with a value that is not allowed.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool(np.array([3.0, 1.0, 4.0]).reshape(1, 3, 1), 2, padding="same")[0, :, 0]
    array([2., 4.])
    """
    size, strides, padding = _options("avg_pool", x, size, strides, padding)
    found, axes = _windows("avg_pool", x, size, strides, padding, 0)
    if padding == "valid":
        return found.mean(axis=axes)
    inside, _ = _windows("avg_pool", np.ones((1, *x.shape[1:-1], 1)), size, strides, padding, 0)
    share = (1 / inside.sum(axis=axes)).astype(found.dtype)
    return found.sum(axis=axes) * share


def adaptive_max_pool(x: Array, size: Any) -> Array:
    """Return the largest element of each of a given number of windows.

    ``(n, *spatial, c) -> (n, *size, c)``: along an axis of length ``m`` window ``i`` of ``k`` goes
    from ``floor(i * m / k)`` to ``ceil((i + 1) * m / k)``.

    Parameters
    ----------
    x : array
        Inputs, with 1 to 3 spatial axes and channels last.
    size : int or tuple of int
        How many windows along each axis.

    Raises
    ------
    ArgumentError
        If ``size`` is not positive.
    ShapeError
        If the inputs have no spatial axes, or more than 3.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_max_pool(np.arange(5.0).reshape(1, 5, 1), 2)[0, :, 0]
    array([2., 4.])
    """
    return _adaptive("adaptive_max_pool", x, size, np.max)


def adaptive_avg_pool(x: Array, size: Any) -> Array:
    """Return the mean of each of a given number of windows: ``(n, *spatial, c) -> (n, *size, c)``.

    Parameters and errors are those of `adaptive_max_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_avg_pool(np.arange(5.0).reshape(1, 5, 1), 2)[0, :, 0]
    array([1., 3.])
    """
    return _adaptive("adaptive_avg_pool", x, size, np.mean)


def _adaptive(who: str, x: Array, size: Any, reduce: Any) -> Array:
    counts = per_axis(who, "size", size, spatial_rank(who, x))
    for axis, count in enumerate(counts, 1):
        before, length, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
        if length % count == 0:
            x = reduce(x.reshape((*before, count, length // count, *after)), axis=axis + 1)
            continue
        cuts = [slice(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]
        skip = (slice(None),) * axis
        x = np.stack([reduce(x[(*skip, cut)], axis=axis) for cut in cuts], axis=axis)
    return x


def _options(who: str, x: Array, size: Any, strides: Any, padding: Any) -> tuple[Sizes, Sizes, str]:
    rank = spatial_rank(who, x)
    size = per_axis(who, "size", size, rank)
    strides = size if strides is None else per_axis(who, "strides", strides, rank)
    return size, strides, check_padding(who, padding)


def _windows(
    who: str, x: Array, size: Sizes, strides: Sizes, padding: str, value: Any
) -> tuple[Array, tuple[int, ...]]:
    """The windows, and the axes within them; those that do not overlap are a reshape."""
    ones = (1,) * len(size)
    x = padded(x, size, strides, ones, padding, value)
    if size != strides:
        found = windows(who, x, size, strides, ones)
        return found, tuple(range(len(size) + 2, found.ndim))
    counts = [
        output_length(n, s, s, 1, "valid") or 0 for n, s in zip(x.shape[1:-1], size, strict=True)
    ]
    if min(counts) < 1:
        raise ShapeError(
            f"{who}: windows of {size} do not fit into {tuple(x.shape[1:-1])}, the spatial axes of "
            f"inputs of shape {tuple(x.shape)}. Use smaller ones, or padding='same'."
        )
    x = x[(slice(None), *(slice(n * s) for n, s in zip(counts, size, strict=True)))]
    pairs = [n for pair in zip(counts, size, strict=True) for n in pair]
    axes = tuple(range(2, 2 * len(size) + 1, 2))
    return x.reshape((x.shape[0], *pairs, x.shape[-1])), axes
