"""Rows of functions that choose, compare, write in place, and count elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tables.row import FLOATS, INTEGERS, Operand, Row, indices, row

_V = Operand((6,), avoid=(0.0, 1.0))
_M = Operand((3, 4))
_NUMBERS = INTEGERS + FLOATS


def _written(write: Callable[..., None]) -> Callable[..., Any]:
    """A function that writes into its first argument, on a copy of it."""

    def function(x: Any, *rest: Any) -> Any:
        x = x.copy()
        write(x, *rest)
        return x

    return function


CHOICES: list[Row] = [
    row("select", lambda x: np.select([x > 1, x > 0], [x, x * x], -1), _V),
    row(
        "piecewise",
        lambda x: [
            np.piecewise(x, [x < 0, x > 1], [lambda t: t * t, lambda t: -t]),
            np.piecewise(x, [x < 0], [lambda t, a: t * a, 2], 3),
        ],
        _V,
        dtypes=_NUMBERS,
    ),
    row(
        "choose",
        lambda i, x, y: np.choose(i, [x, y, 2]),
        indices(4, below=3, dtype="uint8"),
        Operand((3, 4)),
        Operand((4,)),
    ),
    row(
        "choose mode=",
        lambda i, x: [np.choose(i, [x, 2 * x], mode=mode) for mode in ("clip", "wrap")],
        Operand((4,), -3, 3, dtype="int64"),
        Operand((4,)),
    ),
    row("compress", lambda x: np.compress([True, False, True], x, axis=0), _M),
    row("extract", lambda x: np.extract(np.eye(3, 4, dtype=bool), x), _M),
    row("flatnonzero", lambda x: x.ravel()[np.flatnonzero(x > 0)], _V, jit=False),
    row("argwhere", lambda x: np.argwhere(x > 0), _V, jit=False, differentiable=False),
    row(
        "trim_zeros",
        lambda x: np.trim_zeros(np.where(np.arange(6) % 5 > 1, x, 0)),
        _V,
        jit=False,
        dtypes=FLOATS,
    ),
]

COMPARISONS: list[Row] = [
    row(
        "isclose",
        lambda x, y: [np.isclose(x, y), np.isclose(x, x + 0.0, equal_nan=True)],
        _M,
        Operand((4,)),
        differentiable=False,
    ),
    row(
        "allclose",
        lambda x, y: [np.allclose(x, y), np.array_equal(x, x), np.array_equiv(x, x[:1])],
        _M,
        Operand((4,)),
        differentiable=False,
        covers=("np.allclose", "np.array_equal", "np.array_equiv"),
    ),
    row(
        "isposinf",
        lambda x: [np.isposinf(x), np.isneginf(x)],
        _M,
        differentiable=False,
        covers=("np.isposinf", "np.isneginf"),
    ),
    row("fix", np.fix, Operand((3, 4), avoid=(-2, -1, 0, 1, 2))),
]

WRITES: list[Row] = [
    row("copyto", _written(lambda x, y: np.copyto(x, y, where=x > 0)), _V, Operand((6,))),
    row("putmask", _written(lambda x, y: np.putmask(x, x > 0, y)), _V, Operand((4,))),
    row("place", _written(lambda x, y: np.place(x, x > 0, y)), _V, Operand((2,))),
    row("put", _written(lambda x, y: np.put(x, [0, 5, -1], y)), _M, Operand((2,))),
    row(
        "put mode=",
        _written(lambda x, i: np.put(x, i, 7, mode="clip")),
        _M,
        Operand((3,), -20, 20, dtype="int64"),
    ),
    row(
        "put_along_axis",
        _written(lambda x, i, y: np.put_along_axis(x, i, y, axis=1)),
        _M,
        indices(3, 1, below=4),
        Operand((3, 1)),
    ),
    row("fill_diagonal", _written(lambda x, y: np.fill_diagonal(x, y)), _M, Operand((3,))),
    row(
        "fill_diagonal wrap=",
        _written(lambda x: np.fill_diagonal(x, 2, wrap=True)),
        Operand((7, 3)),
    ),
    row("x.flat =", _written(lambda x: setattr(x, "flat", x[0])), _M, covers=()),
]

COUNTING: list[Row] = [
    row(
        "ravel_multi_index",
        lambda i, j: [
            np.ravel_multi_index((i, j), (3, 4)),
            np.ravel_multi_index((i, j), (2, 2), mode=("clip", "wrap"), order="F"),
        ],
        Operand((5,), 0, 2, dtype="int64"),
        Operand((5,), 0, 3, dtype="int32"),
        differentiable=False,
    ),
    row(
        "unravel_index",
        lambda i: [np.unravel_index(i, (3, 4)), np.unravel_index(i, (2, 3, 2), order="F")],
        Operand((5,), 0, 11, dtype="int64"),
        differentiable=False,
    ),
    row(
        "unravel_index outside",
        lambda i: np.unravel_index(i, (2, 3)),
        Operand((5,), 6, 11, dtype="int64"),
        differentiable=False,
        mapped=False,
    ),
    row("ix_", lambda x, i: x[np.ix_(i, [0, 2])], _M, indices(2, below=3)),
    row(
        "tril_indices_from",
        lambda x: [
            x[np.tril_indices_from(x)],
            x[np.triu_indices_from(x, 1)],
            x[np.diag_indices_from(x)],
        ],
        Operand((3, 3)),
        covers=("np.tril_indices_from", "np.triu_indices_from", "np.diag_indices_from"),
    ),
]

ROWS = [*CHOICES, *COMPARISONS, *WRITES, *COUNTING]
