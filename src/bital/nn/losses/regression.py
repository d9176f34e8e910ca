"""Losses of numbers: errors, their squares and logarithms, and how far directions differ."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bital.errors import ArgumentError
from bital.nn.activations import Array
from bital.nn.losses.common import EPSILON, pair


def mean_squared_error(targets: Array, outputs: Array) -> Array:
    """Return ``mean((outputs - targets)**2)``: ``(batch, ..., n) x 2 -> (batch, ...)``.

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> mean_squared_error(np.array([[0.0, 0.0]]), np.array([[1.0, 3.0]]))
    array([5.])
    """
    targets, outputs = pair("mean_squared_error", targets, outputs)
    return np.mean(np.square(outputs - targets), axis=-1)


def mean_absolute_error(targets: Array, outputs: Array) -> Array:
    """Return ``mean(|outputs - targets|)``: ``(batch, ..., n) x 2 -> (batch, ...)``.

    The derivative where they are equal is 0.

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> mean_absolute_error(np.array([[0.0, 0.0]]), np.array([[1.0, -3.0]]))
    array([2.])
    """
    targets, outputs = pair("mean_absolute_error", targets, outputs)
    return np.mean(np.abs(outputs - targets), axis=-1)


def huber(targets: Array, outputs: Array, delta: float = 1.0) -> Array:
    """Return Huber's loss, quadratic near 0 and linear beyond ``delta``.

    With ``e = |outputs - targets|``, the mean of ``e**2 / 2`` where ``e <= delta``, else
    ``delta * e - delta**2 / 2``: ``(batch, ..., n) x 2 -> (batch, ...)``.

    Source: Huber 1964, "Robust Estimation of a Location Parameter".

    Raises
    ------
    ShapeError
        If the shapes differ.
    ArgumentError
        If ``delta`` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> huber(np.array([[0.0, 0.0]]), np.array([[1.0, 3.0]]))
    array([1.5])
    """
    if not delta > 0:
        raise ArgumentError(f"huber(delta={delta!r}): delta must be positive, for instance 1.0.")
    targets, outputs = pair("huber", targets, outputs)
    error = outputs - targets
    size = np.abs(error)
    return np.mean(
        np.where(size <= delta, 0.5 * np.square(error), delta * size - 0.5 * delta * delta),
        axis=-1,
    )


def mean_absolute_percentage_error(targets: Array, outputs: Array) -> Array:
    """Return ``100 * mean(|outputs - targets| / max(|targets|, 1e-7))``.

    ``(batch, ..., n) x 2 -> (batch, ...)``.

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> mean_absolute_percentage_error(np.array([[2.0, 4.0]]), np.array([[1.0, 5.0]]))
    array([37.5])
    """
    targets, outputs = pair("mean_absolute_percentage_error", targets, outputs)
    scale = np.maximum(np.abs(targets), EPSILON)
    return 100 * np.mean(np.abs((outputs - targets) / scale), axis=-1)


def mean_squared_logarithmic_error(targets: Array, outputs: Array) -> Array:
    """Return ``mean((log(1 + outputs) - log(1 + targets))**2)``, of values kept above 1e-7.

    ``(batch, ..., n) x 2 -> (batch, ...)``.

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> mean_squared_logarithmic_error(np.array([[0.0]]), np.array([[1.0]])).round(4)
    array([0.4805])
    """
    targets, outputs = pair("mean_squared_logarithmic_error", targets, outputs)
    first, second = (np.log1p(np.maximum(values, EPSILON)) for values in (outputs, targets))
    return np.mean(np.square(first - second), axis=-1)


def log_cosh(targets: Array, outputs: Array) -> Array:
    """Return ``mean(log(cosh(outputs - targets)))``, without overflow and exact for small errors.

    Near ``e**2 / 2`` for small errors, ``|e| - log(2)`` for large ones: ``(batch, ..., n) x 2 ->
    (batch, ...)``.

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> log_cosh(np.array([[0.0, 0.0]]), np.array([[1.0, -1.0]])).round(4)
    array([0.4338])
    """
    targets, outputs = pair("log_cosh", targets, outputs)
    error = outputs - targets
    near = np.abs(error) < 1
    size = np.where(near, 1, np.abs(error))
    small = np.log1p(2 * np.square(np.sinh(0.5 * np.where(near, error, 0))))
    return np.mean(np.where(near, small, size + np.log1p(np.exp(-2 * size)) - math.log(2)), axis=-1)


def pinball(targets: Array, outputs: Array, quantile: float | Sequence[float] = 0.5) -> Array:
    """Return the loss whose best constant is a quantile: ``(batch, ..., n) x 2 -> (batch, ...)``.

    With ``e = targets - outputs``, the mean of ``max(q * e, (q - 1) * e)``.

    Parameters
    ----------
    targets, outputs : array, ``(batch, ..., n)``
    quantile : float or sequence of n floats, default 0.5
        ``q``, or one for each element of the last axis.

    Notes
    -----
    Source: Koenker and Bassett 1978, "Regression Quantiles", equation 3.1.

    Raises
    ------
    ShapeError
        If the shapes differ.
    ArgumentError
        If a quantile is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> pinball(np.array([[0.0], [0.0]]), np.array([[1.0], [-1.0]]), 0.9)
    array([0.1, 0.9])
    """
    targets, outputs = pair("pinball", targets, outputs)
    shares = np.asarray(quantile, dtype=outputs.dtype)
    if not ((shares > 0) & (shares < 1)).all():
        raise ArgumentError(
            f"pinball(quantile={quantile!r}): must lie between 0 and 1, for instance 0.9."
        )
    error = targets - outputs
    return np.mean(np.where(error > 0, shares * error, (shares - 1) * error), axis=-1)


def cosine_similarity(targets: Array, outputs: Array, axis: int = -1) -> Array:
    """Return minus the cosine of the angle between targets and outputs.

    -1 for equal directions, 1 for opposite ones, 0 if one is 0: ``(batch, ..., n) x 2 -> (batch,
    ...)``.

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> cosine_similarity(np.array([[1.0, 0.0]]), np.array([[3.0, 4.0]]))
    array([-0.6])
    """
    targets, outputs = pair("cosine_similarity", targets, outputs)
    return -np.sum(_unit(targets, axis) * _unit(outputs, axis), axis=axis)


def _unit(values: Array, axis: int) -> Array:
    squares = np.sum(np.square(values), axis=axis, keepdims=True)
    return values / np.sqrt(np.maximum(squares, EPSILON * EPSILON))
