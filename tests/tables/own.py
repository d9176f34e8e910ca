"""Rows of bital's own functions that are not NumPy's, for the primitives that only they reach."""

from __future__ import annotations

from typing import Any

import numpy as np

import bital
from tables.row import FLOATS, Operand, Row, row


@bital.custom_vjp
def _smooth_step(x: Any) -> Any:
    return np.tanh(x)


def _forward(x: Any) -> Any:
    y = np.tanh(x)
    return y, y


def _backward(y: Any, ct: Any) -> Any:
    return (ct * (1 - y * y),)


_smooth_step.defvjp(_forward, _backward)


def _bits(x: Any, key: Any) -> Any:
    """Philox as NumPy's generator gives it, where NumPy itself runs the row."""
    if isinstance(key, np.ndarray):
        raw = np.random.Philox(key=key, counter=0).random_raw(x.size // 2)
        return raw.view(np.uint32).reshape(x.shape)
    return bital.random_bits(key, x.shape, np.uint32)


ROWS: list[Row] = [
    row(
        "stop_gradient",
        lambda x: bital.stop_gradient(x * x) + 0 * x,
        covers=(),
        differentiable=False,
        dtypes=FLOATS,
    ),
    row("custom_vjp", _smooth_step, covers=(), differentiable=False, dtypes=FLOATS, corners=False),
    row(
        "random bits",
        lambda x, key: x + _bits(x, key) * 2.0**-32,
        Operand((3, 4)),
        Operand((2,), 0, 99, dtype="uint64"),
        covers=(),
        dtypes=("float64",),
    ),
]
