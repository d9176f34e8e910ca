"""The loss of sequences whose labels are not aligned with their outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError, ShapeError
from bital.nn.activations import Array, log_softmax
from bital.nn.losses.common import as_array

_NEVER = -1e5  # the logarithm of a probability of 0, finite so that it has derivatives


def ctc(targets: Array, outputs: Array) -> Array:
    """Return the connectionist temporal classification loss.

    Minus the logarithm of the probability that the outputs, with blanks and repetitions removed,
    are the labels: ``(batch, labels), (batch, time, classes) -> (batch,)``. One scan over time,
    in logarithms.

    Parameters
    ----------
    targets : integer array, ``(batch, labels)``
        Labels from 1, filled up with 0 at the end. Class 0 is the blank.
    outputs : floating array, ``(batch, time, classes)``
        Logits.

    Notes
    -----
    Source: Graves et al. 2006, "Connectionist Temporal Classification", section 4.1.

    Raises
    ------
    ShapeError
        If the shapes are not as above.
    ArgumentError
        If ``targets`` are not integers.

    Examples
    --------
    >>> import numpy as np
    >>> ctc(np.array([[1]]), np.zeros((1, 2, 2))).round(4)  # 1 1, 0 1 and 1 0 of four
    array([0.2877])
    """
    targets, outputs = as_array(targets), as_array(outputs)
    if targets.ndim != 2 or outputs.ndim != 3 or targets.shape[0] != outputs.shape[0]:
        raise ShapeError(
            f"ctc(targets, outputs) received targets of shape {targets.shape} and outputs of shape "
            f"{outputs.shape}; it takes labels (batch, labels) and logits (batch, time, classes)."
        )
    if np.dtype(targets.dtype).kind not in "iu":
        raise ArgumentError(
            f"ctc received targets of dtype {targets.dtype}; labels must be integers. Write "
            "targets.astype(int)."
        )
    batch, length = targets.shape
    logs = log_softmax(outputs)
    repeated = np.pad(targets[:, :-1] == targets[:, 1:], ((0, 0), (0, 1)))
    places = np.broadcast_to(targets[:, np.newaxis, :], (batch, outputs.shape[1], length))
    emitted = np.swapaxes(np.take_along_axis(logs, places, axis=2), 0, 1)
    blanks = np.swapaxes(logs[:, :, :1], 0, 1)
    after_repeat = np.where(repeated, _NEVER, 0).astype(logs.dtype)
    after_other = np.where(repeated, 0, _NEVER).astype(logs.dtype)

    def step(state: Any, now: Any) -> Any:
        # blank[n]: n labels are out, and the next may follow; label[n]: the last is label n
        blank, label = state
        emit, skip = now
        ready = _raised(blank, label + after_repeat)
        next_label = np.logaddexp(ready[:, :-1], label) + emit
        next_blank = _raised(ready + skip, label + skip + after_other)
        return (next_blank, next_label), None

    start = np.full((batch, length + 1), _NEVER, logs.dtype)
    start[:, 0] = 0
    first = start, np.full((batch, length), _NEVER, logs.dtype)
    (blank, label), _ = bital.scan(step, first, (emitted, blanks))
    ends = np.sum(targets != 0, axis=1, keepdims=True)
    return -np.take_along_axis(_raised(blank, label), ends, axis=1)[:, 0]


def _raised(blank: Array, label: Array) -> Array:
    """The blanks after each label, with those that come from the label itself."""
    return np.concatenate([blank[:, :1], np.logaddexp(blank[:, 1:], label)], axis=1)
