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


@bital.custom_jvp
def _soft_sign(x: Any) -> Any:
    return x / np.sqrt(1.0 + x * x)


@_soft_sign.defjvp
def _slope(primals: Any, tangents: Any) -> Any:
    (x,), (dx,) = primals, tangents
    y = _soft_sign(x)
    return y, (1 - y * y) ** 1.5 * dx


def _bits(x: Any, key: Any) -> Any:
    """Philox as NumPy's generator gives it, where NumPy itself runs the row."""
    if isinstance(key, np.ndarray):
        raw = np.random.Philox(key=key, counter=0).random_raw(x.size // 2)
        return raw.view(np.uint32).reshape(x.shape)
    return bital.random_bits(key, x.shape, np.uint32)


def _steps(x: Any, w: Any) -> Any:
    """A recurrence over the rows of x, by scan or by a Python loop."""

    w = w.astype(x.dtype)

    def step(h: Any, each: Any) -> Any:
        h = np.tanh(h * w[0] + each)
        return h, h * w[1]

    h = w[2] * 0.5
    if not isinstance(x, np.ndarray):
        return bital.scan(step, h, x, reverse=True)
    ys = []
    for each in x[::-1]:
        h, y = step(h, each)
        ys.append(y)
    return h, np.stack(ys[::-1])


def _branches(x: Any, w: Any) -> Any:
    """One branch for each row of x, chosen by its values."""
    w = w.astype(x.dtype)

    def upper(each: Any) -> Any:
        return each * w, np.sum(each)

    def lower(each: Any) -> Any:
        return np.sin(each), np.sum(each * w)

    if not isinstance(x, np.ndarray):
        chosen = [bital.cond(each[0] > each[1], upper, lower, each) for each in x]
    else:
        chosen = [(upper if each[0] > each[1] else lower)(each) for each in x]
    return tuple(np.stack(results) for results in zip(*chosen, strict=True))


def _table(x: Any, n: Any) -> Any:
    """An index that only the branch taken may use."""
    if not isinstance(x, np.ndarray):
        return bital.cond(n < 4, lambda: x[n] ** 2, lambda: x[0])
    return x[n] ** 2 if n < 4 else x[0]


def _until(x: Any) -> Any:
    """A number of turns that depends on the values."""

    def turn(state: Any) -> Any:
        return state[0] * 1.5 + x, state[1] + 1

    state = x, 0
    if not isinstance(x, np.ndarray):
        return bital.while_loop(lambda state: np.sum(state[0] ** 2) < 40.0, turn, state)
    while np.sum(state[0] ** 2) < 40.0:
        state = turn(state)
    return state


def _powers(x: Any) -> Any:
    """A loop over integers that writes into its state."""

    def body(i: Any, state: Any) -> Any:
        state = state.copy()
        state[i] = state[i - 1] * np.sin(x) + i
        return state

    state = np.stack([x] * 4)
    if not isinstance(x, np.ndarray):
        return bital.fori_loop(1, 4, body, state)
    for i in range(1, 4):
        state = body(i, state)
    return state


CONTROL_FLOW: list[Row] = [
    row("scan", _steps, Operand((3, 4)), Operand((3, 4)), covers=(), dtypes=("float32", "float64")),
    row(
        "cond",
        _branches,
        Operand((3, 4), spread=True),
        Operand((4,)),
        covers=(),
        dtypes=("float32", "float64"),
        corners=False,
    ),
    row(
        "cond that guards an index",
        _table,
        Operand((4,)),
        Operand((), 0, 9, dtype="int64"),
        covers=(),
        dtypes=("float64",),
    ),
    row(
        "while_loop",
        _until,
        Operand((3,), 0.5, 1.5),
        covers=(),
        dtypes=("float64",),
        corners=False,
        differentiable=False,
        reverse=False,
    ),
    row("fori_loop", _powers, Operand((3,)), covers=(), dtypes=("float32", "float64")),
]

ROWS: list[Row] = [
    *CONTROL_FLOW,
    row(
        "stop_gradient",
        lambda x: bital.stop_gradient(x * x) + 0 * x,
        covers=(),
        differentiable=False,
        dtypes=FLOATS,
    ),
    row("custom_vjp", _smooth_step, covers=(), differentiable=False, dtypes=FLOATS, corners=False),
    row("custom_jvp", _soft_sign, covers=(), dtypes=FLOATS, corners=False),
    row(
        "checkpoint",
        bital.checkpoint(lambda x: (np.exp(np.sin(x) * x), np.sum(np.tanh(x)))),
        covers=(),
        dtypes=FLOATS,
        corners=False,
    ),
    row(
        "random bits",
        lambda x, key: x + _bits(x, key) * 2.0**-32,
        Operand((3, 4)),
        Operand((2,), 0, 99, dtype="uint64"),
        covers=(),
        dtypes=("float64",),
    ),
]
