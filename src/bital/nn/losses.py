"""Loss functions, in plain NumPy: they run on arrays and on traced values alike.

Each takes ``(targets, outputs)`` and reduces the last axis only: ``(batch, ..., n) -> (batch,
...)``. The result has the outputs' floating dtype. Shapes must agree exactly: a ``(n,)`` against
a ``(n, 1)`` would broadcast to ``(n, n)`` and is refused.
"""

from __future__ import annotations

import numpy as np

import bital
from bital.errors import ArgumentError, ShapeError
from bital.nn.activations import Array, log_softmax, softplus

EPSILON = 1e-7
"""Probabilities are kept this far from 0 and 1 before their logarithm, as in Keras."""


def sparse_categorical_crossentropy(
    targets: Array, outputs: Array, from_logits: bool = False, axis: int = -1
) -> Array:
    """Return ``-log p[label]``: ``(batch, ...), (batch, ..., classes) -> (batch, ...)``.

    Parameters
    ----------
    targets : integer array, ``(batch, ...)``
        Class labels. Out of range is not checked here, where values may be unknown.
    outputs : floating array, ``(batch, ..., classes)``
        Probabilities (scaled to sum 1, kept within ``[1e-7, 1 - 1e-7]``), or logits.
    from_logits : bool, default False
        Whether ``outputs`` are logits; then the result is exact for any size of logit.
    axis : int, default -1
        The axis of the classes.

    Raises
    ------
    ShapeError
        If ``targets`` does not have the shape of ``outputs`` without the class axis.
    ArgumentError
        If ``targets`` are not integers.

    Examples
    --------
    >>> import numpy as np
    >>> sparse_categorical_crossentropy(np.array([1]), np.array([[0.0, 0.0]]), from_logits=True)
    array([0.69314718])
    """
    targets, outputs = _array(targets), _array(outputs)
    place = axis % max(outputs.ndim, 1)
    expected = outputs.shape[:place] + outputs.shape[place + 1 :]
    if targets.shape != expected:
        raise ShapeError(_sparse_message(targets.shape, outputs.shape, expected))
    if np.dtype(targets.dtype).kind not in "iu":
        raise ArgumentError(
            f"sparse_categorical_crossentropy received targets of dtype {targets.dtype}; class "
            "labels must be integers. Write targets.astype(int) if they are whole numbers, or use "
            "categorical_crossentropy if they are probabilities."
        )
    index = np.expand_dims(targets, place)
    if from_logits:
        shifted = outputs - bital.stop_gradient(np.max(outputs, axis=place, keepdims=True))
        picked = np.take_along_axis(shifted, index, axis=place)
        total = np.sum(np.exp(shifted), axis=place, keepdims=True)  # the sum that softmax takes too
        return np.squeeze(np.log(total) - picked, axis=place)
    picked = np.squeeze(np.take_along_axis(outputs, index, axis=place), axis=place)
    return -np.log(np.clip(picked / np.sum(outputs, axis=place), EPSILON, 1 - EPSILON))


def categorical_crossentropy(
    targets: Array,
    outputs: Array,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return ``-sum(targets * log p)``: ``(batch, ..., classes) x 2 -> (batch, ...)``.

    Parameters
    ----------
    targets : floating array, ``(batch, ..., classes)``
        One-hot vectors or probabilities.
    outputs : floating array, ``(batch, ..., classes)``
        Probabilities (scaled to sum 1, kept within ``[1e-7, 1 - 1e-7]``), or logits.
    from_logits : bool, default False
        Whether ``outputs`` are logits; then the result is exact for any size of logit.
    label_smoothing : float, default 0
        With ``s``, targets become ``(1 - s) * targets + s / classes`` (Szegedy et al. 2016,
        "Rethinking the Inception Architecture", section 7).
    axis : int, default -1
        The axis of the classes.

    Raises
    ------
    ShapeError
        If the shapes differ.
    ArgumentError
        If ``label_smoothing`` is outside ``[0, 1]``.

    Examples
    --------
    >>> import numpy as np
    >>> categorical_crossentropy(np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]]))
    array([0.69314718])
    """
    targets, outputs = _pair("categorical_crossentropy", targets, outputs)
    _check_smoothing("categorical_crossentropy", label_smoothing)
    if label_smoothing:
        targets = targets * (1 - label_smoothing) + label_smoothing / outputs.shape[axis]
    if from_logits:
        logs = log_softmax(outputs, axis)
    else:
        share = outputs / np.sum(outputs, axis=axis, keepdims=True)
        logs = np.log(np.clip(share, EPSILON, 1 - EPSILON))
    return -np.sum(targets * logs, axis=axis)


def binary_crossentropy(
    targets: Array,
    outputs: Array,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return the mean of ``-(t log p + (1 - t) log(1 - p))``.

    ``(batch, ..., n), (batch, ..., n) -> (batch, ...)``.

    Parameters
    ----------
    targets : array, ``(batch, ..., n)``
        0 or 1, or probabilities.
    outputs : floating array, ``(batch, ..., n)``
        Probabilities (kept within ``[1e-7, 1 - 1e-7]``), or logits.
    from_logits : bool, default False
        Whether ``outputs`` are logits; then the result is exact for any size of logit.
    label_smoothing : float, default 0
        With ``s``, targets become ``(1 - s) * targets + s / 2``.
    axis : int, default -1
        The axis of the mean.

    Raises
    ------
    ShapeError
        If the shapes differ.
    ArgumentError
        If ``label_smoothing`` is outside ``[0, 1]``.

    Examples
    --------
    >>> import numpy as np
    >>> binary_crossentropy(np.array([[1.0]]), np.array([[0.0]]), from_logits=True)
    array([0.69314718])
    """
    targets, outputs = _pair("binary_crossentropy", targets, outputs)
    _check_smoothing("binary_crossentropy", label_smoothing)
    if label_smoothing:
        targets = targets * (1 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        return np.mean(softplus(outputs) - outputs * targets, axis=axis)
    share = np.clip(outputs, EPSILON, 1 - EPSILON)
    return -np.mean(targets * np.log(share) + (1 - targets) * np.log(1 - share), axis=axis)


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
    targets, outputs = _pair("mean_squared_error", targets, outputs)
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
    targets, outputs = _pair("mean_absolute_error", targets, outputs)
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
    targets, outputs = _pair("huber", targets, outputs)
    error = outputs - targets
    size = np.abs(error)
    return np.mean(
        np.where(size <= delta, 0.5 * np.square(error), delta * size - 0.5 * delta * delta),
        axis=-1,
    )


def _array(value: Array) -> Array:
    return value if hasattr(value, "dtype") else np.asarray(value)


def _pair(name: str, targets: Array, outputs: Array) -> tuple[Array, Array]:
    """Both as arrays of one shape, the targets in the outputs' dtype where that is floating."""
    targets, outputs = _array(targets), _array(outputs)
    if targets.shape != outputs.shape:
        raise ShapeError(
            f"{name}(targets, outputs) received targets of shape {targets.shape} and outputs of "
            f"shape {outputs.shape}; they must be equal, since broadcasting would compare every "
            f"target with every output. {_repair(targets.shape, outputs.shape)}"
        )
    if targets.dtype != outputs.dtype and np.dtype(outputs.dtype).kind == "f":
        targets = targets.astype(outputs.dtype)
    return targets, outputs


def _repair(targets: tuple[int, ...], outputs: tuple[int, ...]) -> str:
    if outputs == (*targets, 1):
        return "Write targets[..., np.newaxis]."
    if targets == (*outputs, 1):
        return "Write targets[..., 0]."
    if len(targets) == len(outputs) - 1 and targets == outputs[:-1]:
        return (
            "If the targets are class labels, use sparse_categorical_crossentropy, or write "
            f"one_hot(targets, {outputs[-1]})."
        )
    return "Give every output its own target."


def _sparse_message(
    targets: tuple[int, ...], outputs: tuple[int, ...], expected: tuple[int, ...]
) -> str:
    text = (
        f"sparse_categorical_crossentropy(targets, outputs) received targets of shape {targets} "
        f"and outputs of shape {outputs}; the targets must be one class label for each row of "
        f"outputs, of shape {expected}. "
    )
    if targets == (*expected, 1):
        return text + "Write targets[..., 0]."
    if targets == outputs:
        return text + "For one-hot targets use categorical_crossentropy."
    return text + "Give every output its own label."


def _check_smoothing(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ArgumentError(
            f"{name}(label_smoothing={value!r}): must lie between 0 and 1, for instance 0.1."
        )
