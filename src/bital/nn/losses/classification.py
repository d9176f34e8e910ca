"""Losses of classes: crossentropies, their focal forms, divergences of distributions."""

from __future__ import annotations

import numpy as np

import bital
from bital.errors import ArgumentError, ShapeError
from bital.nn.activations import Array, log_softmax, sigmoid, softplus
from bital.nn.losses.common import (
    EPSILON,
    as_array,
    pair,
    smoothed,
    sparse_message,
)


def sparse_categorical_crossentropy(
    targets: Array,
    outputs: Array,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
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
    ignore_class : int, optional
        A label whose samples give 0, such as -1 or 255 for what is not labelled.
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
    targets, outputs = as_array(targets), as_array(outputs)
    place = axis % max(outputs.ndim, 1)
    expected = outputs.shape[:place] + outputs.shape[place + 1 :]
    if targets.shape != expected:
        raise ShapeError(sparse_message(targets.shape, outputs.shape, expected))
    if np.dtype(targets.dtype).kind not in "iu":
        raise ArgumentError(
            f"sparse_categorical_crossentropy received targets of dtype {targets.dtype}; class "
            "labels must be integers. Write targets.astype(int) if they are whole numbers, or use "
            "categorical_crossentropy if they are probabilities."
        )
    if ignore_class is not None:
        valid = targets != ignore_class
        found = sparse_categorical_crossentropy(
            np.where(valid, targets, 0), outputs, from_logits, axis=axis
        )
        return np.where(valid, found, 0)
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
    targets, outputs = pair("categorical_crossentropy", targets, outputs)
    targets = smoothed("categorical_crossentropy", targets, label_smoothing, outputs.shape[axis])
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
    targets, outputs = pair("binary_crossentropy", targets, outputs)
    targets = smoothed("binary_crossentropy", targets, label_smoothing, 2)
    return np.mean(_binary_losses(targets, outputs, from_logits), axis=axis)


def _binary_losses(targets: Array, outputs: Array, from_logits: bool) -> Array:
    if from_logits:
        return softplus(outputs) - outputs * targets
    share = np.clip(outputs, EPSILON, 1 - EPSILON)
    return -(targets * np.log(share) + (1 - targets) * np.log(1 - share))


def binary_focal_crossentropy(
    targets: Array,
    outputs: Array,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return the binary crossentropy with less weight on what is already right.

    Each element counts ``(1 - p_t)**gamma`` times, with ``p_t`` the probability of its target, and
    with ``apply_class_balancing`` also ``alpha`` times for the target 1, ``1 - alpha`` for 0:
    ``(batch, ..., n), (batch, ..., n) -> (batch, ...)``.

    Parameters
    ----------
    targets, outputs, from_logits, label_smoothing, axis
        As in `binary_crossentropy`.
    apply_class_balancing : bool, default False
    alpha : float, default 0.25
    gamma : float, default 2

    Notes
    -----
    Source: Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 5.

    Raises
    ------
    ShapeError
        If the shapes differ.
    ArgumentError
        If ``label_smoothing`` is outside ``[0, 1]``.

    Examples
    --------
    >>> import numpy as np
    >>> binary_focal_crossentropy(np.array([[1.0]]), np.array([[0.5]])).round(4)
    array([0.1733])
    """
    targets, outputs = pair("binary_focal_crossentropy", targets, outputs)
    targets = smoothed("binary_focal_crossentropy", targets, label_smoothing, 2)
    if from_logits:
        wrong = targets * sigmoid(-outputs) + (1 - targets) * sigmoid(outputs)
    else:
        wrong = targets * (1 - outputs) + (1 - targets) * outputs
    losses = np.power(wrong, gamma) * _binary_losses(targets, outputs, from_logits)
    if apply_class_balancing:
        losses = (targets * alpha + (1 - targets) * (1 - alpha)) * losses
    return np.mean(losses, axis=axis)


def categorical_focal_crossentropy(
    targets: Array,
    outputs: Array,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return ``-sum(alpha * (1 - p)**gamma * targets * log p)``.

    ``(batch, ..., classes) x 2 -> (batch, ...)``.

    Parameters
    ----------
    targets, outputs, from_logits, label_smoothing, axis
        As in `categorical_crossentropy`.
    alpha : float, default 0.25
    gamma : float, default 2

    Notes
    -----
    Source: Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 5.

    Raises
    ------
    ShapeError
        If the shapes differ.
    ArgumentError
        If ``label_smoothing`` is outside ``[0, 1]``.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([[0.0, 1.0]])
    >>> categorical_focal_crossentropy(y, np.array([[0.5, 0.5]])).round(4)
    array([0.0433])
    """
    targets, outputs = pair("categorical_focal_crossentropy", targets, outputs)
    targets = smoothed(
        "categorical_focal_crossentropy", targets, label_smoothing, outputs.shape[axis]
    )
    if from_logits:
        logs = log_softmax(outputs, axis)
        share = np.exp(logs)
    else:
        share = outputs / np.sum(outputs, axis=axis, keepdims=True)
        share = np.clip(share, EPSILON, 1 - EPSILON)
        logs = np.log(share)
    return -alpha * np.sum(np.power(1 - share, gamma) * targets * logs, axis=axis)


def categorical_generalized_cross_entropy(targets: Array, outputs: Array, q: float = 0.5) -> Array:
    """Return ``(1 - p[label]**q) / q``: ``(batch, ...), (batch, ..., classes) -> (batch, ...)``.

    Between the crossentropy (``q -> 0``) and the mean absolute error (``q = 1``): wrong labels
    cost less.

    Parameters
    ----------
    targets : integer array, ``(batch, ...)``
        Class labels.
    outputs : floating array, ``(batch, ..., classes)``
        Probabilities.
    q : float, default 0.5

    Notes
    -----
    Source: Zhang and Sabuncu 2018, "Generalized Cross Entropy Loss for Training Deep Neural
    Networks with Noisy Labels", equation 6.

    Raises
    ------
    ShapeError
        If ``targets`` does not have the shape of ``outputs`` without the last axis.
    ArgumentError
        If ``q`` is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> categorical_generalized_cross_entropy(np.array([1]), np.array([[0.75, 0.25]]))
    array([1.])
    """
    if not 0 < q < 1:
        raise ArgumentError(
            f"categorical_generalized_cross_entropy(q={q!r}): q must lie between 0 and 1."
        )
    targets, outputs = as_array(targets), as_array(outputs)
    if targets.shape != outputs.shape[:-1]:
        raise ShapeError(sparse_message(targets.shape, outputs.shape, outputs.shape[:-1]))
    picked = np.take_along_axis(outputs, np.expand_dims(targets, -1), axis=-1)[..., 0]
    return (1 - np.power(picked, q)) / q


def kl_divergence(targets: Array, outputs: Array, from_logits: bool = False) -> Array:
    """Return ``sum(targets * log(targets / outputs))``: ``(batch, ..., n) x 2 -> (batch, ...)``.

    Parameters
    ----------
    targets : floating array, ``(batch, ..., n)``
        Probabilities, kept within ``[1e-7, 1]``.
    outputs : floating array, ``(batch, ..., n)``
        Probabilities, kept within ``[1e-7, 1]``, or logits.
    from_logits : bool, default False
        Whether ``outputs`` are logits; then the result is exact for any size of logit.

    Notes
    -----
    Source: Kullback and Leibler 1951, "On Information and Sufficiency".

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> kl_divergence(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])).round(4)
    array([0.1438])
    """
    targets, outputs = pair("kl_divergence", targets, outputs)
    targets = np.clip(targets, EPSILON, 1)
    logs = log_softmax(outputs) if from_logits else np.log(np.clip(outputs, EPSILON, 1))
    return np.sum(targets * (np.log(targets) - logs), axis=-1)


def poisson(targets: Array, outputs: Array) -> Array:
    """Return ``mean(outputs - targets * log(outputs + 1e-7))``.

    The negative logarithm of the probability of the counts ``targets`` under Poisson distributions
    of the means ``outputs``, without what ``outputs`` cannot change: ``(batch, ..., n) x 2 ->
    (batch, ...)``.

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> poisson(np.array([[2.0]]), np.array([[1.0]])).round(4)
    array([1.])
    """
    targets, outputs = pair("poisson", targets, outputs)
    return np.mean(outputs - targets * np.log(outputs + EPSILON), axis=-1)
