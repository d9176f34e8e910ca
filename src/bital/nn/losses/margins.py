"""Losses of margins and overlaps: hinges, Dice, Tversky, and the circle loss of embeddings."""

from __future__ import annotations

import numpy as np

from bital.errors import ShapeError
from bital.nn.activations import Array, logsumexp, softplus
from bital.nn.losses.common import EPSILON, as_array, pair

_FAR = -1e30  # in place of -inf, whose logsumexp has no derivative


def hinge(targets: Array, outputs: Array) -> Array:
    """Return ``mean(max(1 - targets * outputs, 0))``: ``(batch, ..., n) x 2 -> (batch, ...)``.

    Targets are -1 and 1; if all of them are 0 or 1, 0 counts as -1.

    Source: Cortes and Vapnik 1995, "Support-Vector Networks".

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> hinge(np.array([[-1.0, 1.0]]), np.array([[0.5, 0.5]]))
    array([1.])
    """
    targets, outputs = pair("hinge", targets, outputs)
    return np.mean(np.maximum(1 - _signs(targets) * outputs, 0), axis=-1)


def squared_hinge(targets: Array, outputs: Array) -> Array:
    """Return ``mean(max(1 - targets * outputs, 0)**2)``: ``(batch, ..., n) x 2 -> (batch, ...)``.

    Targets are -1 and 1; if all of them are 0 or 1, 0 counts as -1.

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> squared_hinge(np.array([[-1.0, 1.0]]), np.array([[0.5, 0.5]]))
    array([1.25])
    """
    targets, outputs = pair("squared_hinge", targets, outputs)
    return np.mean(np.square(np.maximum(1 - _signs(targets) * outputs, 0)), axis=-1)


def categorical_hinge(targets: Array, outputs: Array) -> Array:
    """Return how much less than 1 the right output is above the largest wrong one.

    ``max(1 + max((1 - targets) * outputs) - sum(targets * outputs), 0)`` for one-hot targets:
    ``(batch, ..., classes) x 2 -> (batch, ...)``.

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> categorical_hinge(np.array([[0.0, 1.0]]), np.array([[0.75, 0.25]]))
    array([1.5])
    """
    targets, outputs = pair("categorical_hinge", targets, outputs)
    right = np.sum(targets * outputs, axis=-1)
    wrong = np.max((1 - targets) * outputs, axis=-1)
    return np.maximum(wrong - right + 1, 0)


def dice(targets: Array, outputs: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    """Return ``1 - 2 sum(t * o) / (sum(t) + sum(o) + 1e-7)``, sums over ``axis``.

    ``(batch, ...) x 2 -> ()``, or without the axes that are named.

    Source: Milletari et al. 2016, "V-Net".

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> float(dice(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])).round(4))
    0.5
    """
    targets, outputs = pair("dice", targets, outputs)
    both = np.sum(targets * outputs, axis=axis)
    total = np.sum(targets, axis=axis) + np.sum(outputs, axis=axis)
    return 1 - 2 * both / (total + EPSILON)


def tversky(
    targets: Array,
    outputs: Array,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: int | tuple[int, ...] | None = None,
) -> Array:
    """Return `dice` with weights: ``alpha`` for what is missed, ``beta`` for what is too much.

    ``1 - sum(t * o) / (sum(t * o) + alpha * sum(t * (1 - o)) + beta * sum((1 - t) * o) + 1e-7)``:
    ``(batch, ...) x 2 -> ()``, or without the axes that are named.

    Source: Salehi et al. 2017, "Tversky Loss Function for Image Segmentation".

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> float(tversky(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])).round(4))
    0.5
    """
    targets, outputs = pair("tversky", targets, outputs)
    both = np.sum(targets * outputs, axis=axis)
    missed = np.sum(targets * (1 - outputs), axis=axis)
    extra = np.sum((1 - targets) * outputs, axis=axis)
    return 1 - both / (both + alpha * missed + beta * extra + EPSILON)


def circle(
    targets: Array,
    outputs: Array,
    gamma: float = 80.0,
    margin: float = 0.4,
    remove_diagonal: bool = True,
) -> Array:
    """Return the circle loss of embeddings: ``(batch,), (batch, n) -> (batch,)``.

    Draws the vectors of one class together and those of different classes apart; each pair counts
    the more, the farther it is from where it should be. A sample without another of its class, or
    without one of another class, gives 0.

    Parameters
    ----------
    targets : integer array, ``(batch,)``
        Class labels.
    outputs : floating array, ``(batch, n)``
        Vectors of length 1.
    gamma : float, default 80
        How sharply pairs are told apart.
    margin : float, default 0.4
    remove_diagonal : bool, default True
        Whether a sample does not pair with itself.

    Notes
    -----
    Source: Sun et al. 2020, "Circle Loss: A Unified Perspective of Pair Similarity Optimization",
    equation 6.

    Raises
    ------
    ShapeError
        If there is not one label for each vector.

    Examples
    --------
    >>> import numpy as np
    >>> circle(np.array([0, 0, 1]), np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])).round(1)
    array([ 0. , 38.4,  0. ])
    """
    targets, outputs = as_array(targets), as_array(outputs)
    if outputs.ndim != 2 or targets.shape != outputs.shape[:1]:
        raise ShapeError(
            f"circle(targets, outputs) received targets of shape {targets.shape} and outputs of "
            f"shape {outputs.shape}; it takes labels (batch,) and vectors (batch, n)."
        )
    distances = np.maximum(1 - outputs @ outputs.T, 0)
    alike = targets[:, np.newaxis] == targets
    apart = ~alike
    if remove_diagonal:
        alike = alike & ~np.eye(len(targets), dtype=bool)
    near = -gamma * np.maximum(margin + distances, 0) * (margin - distances)
    far = gamma * np.maximum(1 + margin - distances, 0) * (1 - margin - distances)
    first = logsumexp(np.where(alike, near, _FAR), axis=1)
    second = logsumexp(np.where(apart, far, _FAR), axis=1)
    return softplus(first + second)


def _signs(targets: Array) -> Array:
    binary = np.all((targets == 0) | (targets == 1))
    return np.where(binary, 2 * targets - 1, targets)
