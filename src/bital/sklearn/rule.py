"""The learning rule of `Perceptron`, compiled: rows are shown to all units one after another."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bital

Array = NDArray[Any]

CHUNK = 256  # rows that one call of the compiled rule takes
NUMBERS = 1 << 22  # and their numbers at most

# coef (units, features) and intercept (units,); with L1 also what was due so far (units,) and
# what was taken of each weight (units, features).
Unit = tuple[Array, ...]


def _present(
    unit: Unit, x: Array, steps: Array, intercept: float, decay: float, cut: float
) -> tuple[Unit, Array, Array]:
    """Show rows ``x (n, features)``; steps ``(n, units)`` are 0 where a unit is not concerned."""

    def row(unit: Unit, given: tuple[Array, Array]) -> tuple[Unit, tuple[Array, Array]]:
        coef, bias, *l1 = unit
        x, step = given
        total = coef @ x + bias
        concerned = step != 0
        wrong = concerned & (step * total <= 0)
        move = np.where(wrong, step, 0.0)
        kept = np.where(concerned, decay, 1.0)
        coef = coef * kept[:, np.newaxis] + np.multiply.outer(move, x)
        unit = coef, bias + intercept * move
        if l1:
            due = l1[0] + np.where(concerned, cut, 0.0)
            up, down = due[:, np.newaxis] + l1[1], due[:, np.newaxis] - l1[1]
            less = np.where(coef > 0, np.maximum(coef - up, 0.0), np.minimum(coef + down, 0.0))
            unit = less, unit[1], due, l1[1] + less - coef
        return unit, (wrong, np.where(wrong, np.abs(total), 0.0))

    unit, (wrong, loss) = bital.scan(row, unit, (x, steps))
    return unit, wrong, loss


_present_compiled = bital.jit(_present)


def show(
    unit: Unit, X: Any, steps: Array, order: Array, *fixed: float
) -> tuple[Unit, Array, Array]:
    """Show all rows in this order; where each unit was wrong, and its loss: ``(n, units)``."""
    wrong, loss = np.zeros(steps.shape, bool), np.zeros(steps.shape)
    for rows in _chunks(order, X.shape[1]):
        missing = _size(X.shape[1]) - len(rows)  # rows of steps 0, so that one program serves all
        x = np.pad(_dense(X[rows]), ((0, missing), (0, 0)))
        s = np.pad(steps[rows], ((0, missing), (0, 0)))
        unit, bad, lost = _present_compiled(unit, x, s, *fixed)
        wrong[rows], loss[rows] = bad[: len(rows)], lost[: len(rows)]
    return unit, wrong, loss


def _size(features: int) -> int:
    return max(1, min(CHUNK, NUMBERS // features))


def _chunks(order: Array, features: int) -> Iterator[Array]:
    size = _size(features)
    return (order[i : i + size] for i in range(0, len(order), size))


def _dense(rows: Any) -> Array:
    return np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows, np.float64)


def merged(X: Any, y: Array, weight: Array) -> tuple[Any, Array, Array]:
    """Equal rows of one label as one row of their weight, in an order that is not theirs."""
    code = np.unique(y, return_inverse=True)[1].astype(np.uint64)
    keys = [
        blake2b(row.tobytes(), digest_size=8, key=label.tobytes()).digest()
        for rows in _chunks(np.arange(len(y)), X.shape[1])
        for row, label in zip(_dense(X[rows]) + 0.0, code[rows], strict=True)  # -0.0 is 0.0
    ]
    number = np.frombuffer(b"".join(keys), np.uint64)
    _, first, group = np.unique(number, return_index=True, return_inverse=True)
    return X[first], y[first], np.bincount(group, weight)
