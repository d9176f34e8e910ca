"""What all loss functions do with their arguments."""

from __future__ import annotations

import numpy as np

from bital.errors import ArgumentError, ShapeError
from bital.nn.activations import Array

EPSILON = 1e-7
"""Probabilities are kept this far from 0 and 1 before their logarithm, as in Keras."""


def as_array(value: Array) -> Array:
    return value if hasattr(value, "dtype") else np.asarray(value)


def pair(name: str, targets: Array, outputs: Array) -> tuple[Array, Array]:
    """Both as arrays of one shape, the targets in the outputs' dtype where that is floating."""
    targets, outputs = as_array(targets), as_array(outputs)
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


def sparse_message(
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


def smoothed(name: str, targets: Array, value: float, classes: int) -> Array:
    """Targets of which the part ``value`` is spread evenly over the classes."""
    if not 0 <= value <= 1:
        raise ArgumentError(
            f"{name}(label_smoothing={value!r}): must lie between 0 and 1, for instance 0.1."
        )
    return targets * (1 - value) + value / classes if value else targets
