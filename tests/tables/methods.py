"""Rows of operators and array methods."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tables.row import FLOATS, INTEGERS, Operand, Row, indices, row

_M = Operand((3, 4))
_V = Operand((4,))
_X = Operand((2, 3, 4))
_SPREAD = Operand((2, 3, 4), spread=True)


def _op(text: str, *operands: Operand, **options: Any) -> Row:
    names = sorted(set(re.findall(r"\b[xy]\b", text)))
    function = eval(f"lambda {', '.join(names)}: {text}", {"np": np})
    chosen = operands or (_M, _V)[: len(names)]
    return row(text, function, *chosen, covers=(), **options)


_POSITIVE = Operand((4,), 0.5, 2)

OPERATORS: list[Row] = [
    _op("x + y"),
    _op("x - y"),
    _op("x * y"),
    _op("x / y", _M, _POSITIVE),
    _op("x // y", _M, _POSITIVE, differentiable=False),
    _op("x % y", _M, _POSITIVE, kink=lambda x, y: x / y - np.rint(x / y)),
    _op("divmod(x, y)", _M, _POSITIVE, differentiable=False),
    _op("x ** y", Operand((3, 4), 0.5, 2), _V),
    _op("x @ y", _M, _V),
    _op("x & y", differentiable=False),
    _op("x | y", differentiable=False),
    _op("x ^ y", differentiable=False),
    _op("x << y", Operand((3, 4), 0, 5), Operand((4,), 0, 3), differentiable=False),
    _op("x >> y", Operand((3, 4), 0, 5), Operand((4,), 0, 3), differentiable=False),
    _op("x < y", differentiable=False),
    _op("x <= y", differentiable=False),
    _op("x > y", differentiable=False),
    _op("x >= y", differentiable=False),
    _op("x == y", differentiable=False),
    _op("x != y", differentiable=False),
    _op("-x"),
    _op("+x"),
    _op("~x", differentiable=False),
    _op("abs(x)", Operand((3, 4), avoid=(0.0,))),
    *(
        _op(f"x ** {exponent}", Operand((3, 4), 0.5, 2))
        for exponent in ("0", "1", "2", "3", "-1", "-2", "0.5", "1.0", "-1.0", "1.5", "True")
    ),
    # Of bools NumPy 2.1 makes int8 here, NumPy 2.4 float64.
    _op("x ** 2.0", Operand((3, 4), 0.5, 2), dtypes=INTEGERS + FLOATS),
    _op("2 ** x"),
    _op("2.0 ** x"),
    _op("1 - x"),
    _op("1.5 - x"),
    _op("3 // x", Operand((4,), 0.6, 0.9), differentiable=False),
    _op("3 % x", Operand((4,), 0.55, 0.7)),
    _op("2 / x", _POSITIVE),
    _op("True + x"),
    _op("x + np.float32(1.5)"),
    _op("x * np.int8(3)"),
    _op("x + np.float64(1.5)", _M),
    _op("np.ones(4) + x", Operand((4,))),
    _op("np.ones((2, 4), np.float32) @ x", Operand((4,))),
    _op("np.arange(3) * x", Operand((3,))),
    _op("[1.0, 2.0, 3.0] + x", Operand((3,))),
]

_SPREAD2 = Operand((3, 4), spread=True)
_PLACES: dict[str, Any] = {"differentiable": False, "dtypes": FLOATS, "corners": False}

METHODS: list[Row] = [
    _op("x.sum()", _X),
    _op("x.sum(0)", _X),
    _op("x.sum(axis=(0, 1), keepdims=True)", _X),
    _op("x.mean(axis=-1)", _X),
    _op("x.prod(axis=1)", Operand((2, 3), 0.5, 1.5)),
    _op("x.max(axis=1)", _SPREAD),
    _op("x.min()", _SPREAD),
    _op("x.std(axis=0, ddof=1)", _X, rtol=8.0),
    _op("x.var()", _X, rtol=8.0),
    _op("x.argmax(axis=1)", _SPREAD, differentiable=False),
    _op("x.argmin()", _SPREAD, differentiable=False),
    _op("x.any(axis=0)", differentiable=False),
    _op("x.all()", differentiable=False),
    _op("x.clip(-1, 1)", Operand((3, 4), avoid=(-1, 1))),
    _op("x.round(1)", differentiable=False),
    _op("x.reshape(4, 6)", _X),
    _op("x.reshape((4, -1))", _X),
    _op("x.reshape(-1)", _X),
    _op("x.reshape(4, 6, order='F')", _X),
    _op("x.ravel()", _X),
    _op("x.ravel(order='F')", _X),
    _op("x.flatten()", _X),
    _op("x.flatten('F')", _X),
    _op("x.flat[3:7]", _X),
    _op("x.transpose()", _X),
    _op("x.transpose(1, 0, 2)", _X),
    _op("x.transpose((1, 0, 2))", _X),
    _op("x.T", _X),
    _op("x.mT", _X),
    _op("x.swapaxes(0, 2)", _X),
    _op("x.squeeze()", Operand((1, 3, 1))),
    _op("x.squeeze(0)", Operand((1, 3, 1))),
    _op("x.dot(y)"),
    _op("x.copy()"),
    _op("x.astype(np.float64)"),
    _op("x.astype('float32')", differentiable=False),
    _op("x.astype(bool)", differentiable=False),
    _op("x.conj()"),
    _op("x.real"),
    _op("[x.repeat(2, 1), x.diagonal(1), x.trace(), x.compress([True, False, True], 0)]"),
    _op("[x.cumsum(1), x.cumprod(), (x > 0).astype(np.int8).choose([x, 2 * x])]", rtol=8.0),
    _op("[x.argsort(1), x[0].searchsorted(x[1, 0]), x.argpartition(1)[:, 1]]", _SPREAD2, **_PLACES),
    _op("x.size + x.ndim + x.shape[0] + len(x)", differentiable=False, mapped=False),
    _op("x.nbytes + x.itemsize", differentiable=False, mapped=False),
    row("x.take(i)", lambda x, i: x.take(i, axis=1), _M, indices(3, below=4), covers=()),
]


def _in_place(symbol: str, x: Operand, y: Operand, **options: Any) -> Row:
    names: dict[str, Any] = {}
    exec(f"def function(x, y):\n    x = x.copy()\n    x {symbol}= y\n    return x", names)
    return row(f"x {symbol}= y", names["function"], x, y, covers=(), **options)


def _fill(x: Any) -> Any:
    x = x.copy()
    x.fill(3)
    return x


def _sorted_in_place(x: Any) -> Any:
    x, y = x.copy(), x.copy()
    x.sort()
    y.sort(axis=0)
    x.put([0, 5], y[0, :2])
    return x, y


def _into_out(x: Any, y: Any) -> Any:
    out = np.zeros_like(x)
    result = np.multiply(x, y, out=out)
    return out, result


def _view_after_write(x: Any) -> Any:
    x = x.copy()
    x *= 2
    rows = x[1:]
    return rows.sum(axis=0) + x[0]


IN_PLACE: list[Row] = [
    _in_place("+", _M, _V),
    _in_place("-", _M, _V),
    _in_place("*", _M, _V),
    _in_place("/", _M, _POSITIVE),
    _in_place("//", _M, _POSITIVE, differentiable=False),
    _in_place("%", _M, _POSITIVE, differentiable=False),
    _in_place("**", Operand((3, 4), 0.5, 2), _V),
    _in_place("@", Operand((3, 3)), Operand((3, 3))),
    _in_place("&", _M, _V, differentiable=False),
    _in_place("|", _M, _V, differentiable=False),
    _in_place("^", _M, _V, differentiable=False),
    _in_place("<<", Operand((3, 4), 0, 3), Operand((4,), 0, 3), differentiable=False),
    _in_place(">>", Operand((3, 4), 0, 3), Operand((4,), 0, 3), differentiable=False),
    row(
        "x += stretched",
        _in_place("+", _V, _M).function,
        _V,
        _M,
        covers=(),
        differentiable=False,
        mapped=False,
    ),
    row("x += number", lambda x: _in_place("+", _M, _V).function(x, 1), _M, covers=()),
    row("x += 0.5", lambda x: _in_place("+", _M, _V).function(x, 0.5), _M, covers=()),
    row(
        "x += float64",
        _in_place("+", _M, _V).function,
        _M,
        Operand((4,), dtype="float64"),
        covers=(),
    ),
    row("x.fill", _fill, _M, covers=()),
    row("x.sort", _sorted_in_place, _SPREAD2, covers=(), corners=False),
    row("out=", _into_out, _M, _V, covers=(), dtypes=INTEGERS + FLOATS),
    row("view after a write", _view_after_write, _M, covers=(), dtypes=INTEGERS + FLOATS),
]

ROWS = [*OPERATORS, *METHODS, *IN_PLACE]
