"""Rows of indexing: reading, functional writing, and the functions that take positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tables.row import FLOATS, Operand, Row, indices, mask, row

_X = Operand((4, 5, 3))
_M = Operand((4, 5))
_V = Operand((6,))


def _read(text: str, x: Operand = _X, **options: Any) -> Row:
    """``x[text]``, with i and m for arrays of positions and marks."""
    names = {
        "np": np,
        "i": np.array([2, -1, 0]),
        "j": np.array([[1], [0]]),
        "m": np.arange(4) % 2 == 0,
    }
    function = eval(f"lambda x: x[{text}]", names)
    note = " of a number" if not x.shape else ""
    return row(f"x[{text}]{note}", function, x, covers=(), **options)


READING: list[Row] = [
    _read("0"),
    _read("-1"),
    _read("4", differentiable=False, mapped=False),
    _read("1, 2, 0"),
    _read("1:3"),
    _read("::-1"),
    _read("3:0:-2, 1:"),
    _read("5:1"),
    _read("-9::-2"),
    _read("-9:9:2"),
    _read("..., 0"),
    _read("..., ::2, :"),
    _read("None"),
    _read("None, 1, ..., None, 1:"),
    _read("..."),
    _read("()"),
    _read("...", Operand(())),
    _read("None", Operand(())),
    _read("i"),
    _read("[0, 2, 2]"),
    _read("i, i"),
    _read("i, :, i"),
    _read("0, :, i"),
    _read("i, ..., i, 0"),
    _read(":, i, ..., 0"),
    _read(":, i, 0"),
    _read(":, i, None, 0"),
    _read("j, i"),
    _read(":, j, 1:"),
    _read("None, i, None"),
    _read("i, None, i"),
    _read("m"),
    _read("m, 1:"),
    _read("m, [0, 1]"),
    _read(":, np.array([True, False, False, True, True])"),
    _read("np.ones((4, 5), bool)"),
    _read("np.array([True, False])", differentiable=False, mapped=False),
    _read("np.zeros((4, 5, 2), bool)", differentiable=False, mapped=False),
    _read("[]"),
    _read("np.array(1)"),
    _read("np.int8(2), ..., np.array(0)"),
    _read("np.array([9])", differentiable=False, mapped=False),
    _read("0, 0, 0, 0", differentiable=False, mapped=False),
    _read("1.0", differentiable=False, mapped=False),
    _read("..., ...", differentiable=False, mapped=False),
    row("x[i] traced", lambda x, i: x[i], _M, indices(3, below=4), covers=()),
    row("x[i] uint8", lambda x, i: x[i], _M, indices(3, below=4, dtype="uint8"), covers=()),
    row("x[i] of a number", lambda x, i: x[i], _M, indices(below=4), covers=()),
    row(
        "x[i, j] traced",
        lambda x, i, j: x[i, j],
        _M,
        indices(2, 1, below=4),
        indices(3, below=5),
        covers=(),
    ),
    row("x[:, i] traced", lambda x, i: x[:, i], _X, indices(2, 2, below=5), covers=()),
    row("x[i, :, 0] traced", lambda x, i: x[i, :, 0], _X, indices(2, below=4), covers=()),
    row(
        "x[i, :, None, j] traced",
        lambda x, i, j: x[i, :, None, j],
        _X,
        indices(2, below=4),
        indices(2, below=3),
        covers=(),
    ),
    row("z[arange, t]", lambda z, t: z[np.arange(4), t], _M, indices(4, below=5), covers=()),
    row(
        "x[i] beyond the end",
        lambda x, i: x[i + 9],
        _V,
        indices(2, below=6),
        covers=(),
        differentiable=False,
        mapped=False,
    ),
    row("iteration", lambda x: [a * k for k, a in enumerate(x)], _M, covers=(), dtypes=FLOATS),
    row(
        "unpacking",
        lambda x: (lambda a, b, c: a * b - c)(*x),
        Operand((3, 2)),
        covers=(),
        dtypes=FLOATS,
    ),
]


def _write(
    text: str, value: Callable[[Any], Any], x: Operand = _X, note: str = "", **options: Any
) -> Row:
    """``x[text] = value(v)`` on a copy of x, where v is the second operand."""
    names = {
        "np": np,
        "i": np.array([2, -1, 0]),
        "j": np.array([[1], [0]]),
        "m": np.arange(4) % 2 == 0,
    }
    key = eval(f"np.s_[{text}]", names)

    def function(x: Any, v: Any) -> Any:
        x = x.copy()
        x[key] = value(v)
        return x

    operand = options.pop("v", Operand(()))
    return row(f"x[{text}] = v {note}".strip(), function, x, operand, covers=(), **options)


def _plain(v: Any) -> Any:
    return v


WRITING: list[Row] = [
    _write("0", _plain),
    _write("1, 2, 0", _plain),
    _write("...", _plain),
    _write("()", _plain),
    _write(":", _plain, v=Operand((4, 5, 3)), note="of x's shape"),
    _write("1:3", _plain, v=Operand((5, 3))),
    _write("1:3", _plain, v=Operand((1, 1, 5, 3)), note="with leading ones"),
    _write("::-1, 0", _plain, v=Operand((4, 3))),
    _write("3:0:-2, 1:", _plain, v=Operand((2, 4, 3))),
    _write("5:1", _plain),
    _write("None, 1", _plain, v=Operand((1, 5, 3))),
    _write("i", _plain),
    _write("i", _plain, v=Operand((3, 5, 3)), note="of rows"),
    _write("[1, 1, 1]", _plain, v=Operand((3, 5, 3)), note="repeatedly"),
    _write("i, i", _plain, v=Operand((3, 3))),
    _write("i, :, i", _plain, v=Operand((3, 5))),
    _write("0, :, i", _plain, v=Operand((3, 5))),
    _write(":, i, None, 0", _plain, v=Operand((3, 4, 1))),
    _write("j, i", _plain, v=Operand((3, 3))),
    _write(":, j, 1:", _plain, v=Operand((4, 2, 1, 2))),
    _write("m", _plain),
    _write("m", _plain, v=Operand((2, 5, 3)), note="of rows"),
    _write("m, 1:", _plain, v=Operand((4, 3))),
    _write("[]", _plain),
    _write("0", lambda v: 2.5, note="for a number"),
    _write("0", lambda v: np.full(3, 1.5), note="for a plain array"),
    _write("0", lambda v: 300, note="for a large number", differentiable=False),
    _write(
        "0", _plain, v=Operand((4,)), note="of a wrong shape", differentiable=False, mapped=False
    ),
    _write("9", _plain, differentiable=False, mapped=False),
]


def _assign(x: Any, key: Any, value: Any) -> Any:
    x = x.copy()
    x[key] = value
    return x


def _swap(x: Any) -> Any:
    x = x.copy()
    first = x[0]
    x[0] = x[1]
    x[1] = first
    return x


def _augment(x: Any, v: Any) -> Any:
    x = x.copy()
    x[1:3] += v
    x[::2] *= 2
    return x


def _augment_at(x: Any, i: Any, v: Any) -> Any:
    x = x.copy()
    x[i] += v
    return x


def _kept_scalar(x: Any) -> Any:
    total = x[0]
    before = total
    total += x[1]
    return before, total


def _accumulate(x: Any) -> Any:
    total = np.zeros_like(x)
    for each in x:
        total += each
    return total


def _flat_copy(x: Any) -> Any:
    x = x.copy()
    before = x.flatten()
    x[0] = 0
    return before, x


WRITING += [
    row(
        "x[i] = v traced",
        lambda x, i, v: _assign(x, i, v),
        _M,
        indices(3, below=4),
        Operand((3, 5)),
        covers=(),
    ),
    row(
        "x[i, j] = v traced",
        lambda x, i, j, v: _assign(x, (i, j), v),
        _M,
        indices(3, below=4),
        indices(3, below=5),
        Operand((3,)),
        covers=(),
    ),
    row(
        "x[:, i] = v traced",
        lambda x, i, v: _assign(x, np.s_[:, i], v),
        _M,
        indices(3, below=5),
        Operand((4, 1)),
        covers=(),
    ),
    row(
        "x[n] = v traced",
        lambda x, i, v: _assign(x, i, v),
        _M,
        indices(below=4),
        Operand((5,)),
        covers=(),
    ),
    row("x[mask] = v", lambda x, m, v: _assign(x, m, v), _M, mask(4, 5), Operand(()), covers=()),
    row(
        "x[mask of a wrong shape] = v",
        lambda x, m, v: _assign(x, m, v),
        _M,
        mask(1, 5),
        Operand(()),
        covers=(),
        differentiable=False,
        mapped=False,
    ),
    row(
        "x[mask of rows] = v",
        lambda x, m, v: _assign(x, m, v),
        _M,
        mask(4),
        Operand((5,)),
        covers=(),
    ),
    row(
        "x[x > 0] = number",
        lambda x: _assign(x, x > 0, 0.5),
        Operand((4, 5), avoid=(0.0,)),
        covers=(),
    ),
    row("x[...] = floats", lambda x: _assign(x, ..., np.linspace(-1.6, 1.6, 5)), _M, covers=()),
    row(
        "x[1:3] = floats",
        lambda x: _assign(x, slice(1, 3), np.linspace(-1.6, 1.6, 5)),
        _M,
        covers=(),
    ),
    row(
        "x[[0, 2]] = floats", lambda x: _assign(x, [0, 2], np.linspace(-1.6, 1.6, 5)), _M, covers=()
    ),
    row("swap", _swap, Operand((3,)), covers=()),
    row("x[a:b] += v", _augment, Operand((5,)), Operand(()), covers=(), dtypes=FLOATS),
    row(
        "x[i] += v",
        _augment_at,
        Operand((5,)),
        indices(3, below=5),
        Operand((3,)),
        covers=(),
        dtypes=FLOATS,
    ),
    row("scalar += v", _kept_scalar, Operand((3,)), covers=(), dtypes=FLOATS),
    row("total += each", _accumulate, Operand((3, 3)), covers=(), dtypes=FLOATS),
    row("flatten before a write", _flat_copy, Operand((2, 3)), covers=()),
]

TAKING: list[Row] = [
    row("take", lambda x, i: np.take(x, i), _M, indices(3, 2, below=20)),
    row("take axis=1", lambda x, i: np.take(x, i, axis=1), _X, indices(3, below=5)),
    row("take axis=-1 of a number", lambda x, i: np.take(x, i, axis=-1), _M, indices(below=5)),
    row("take plain", lambda x: np.take(x, [0, -1, 2], axis=0), _M),
    row(
        "take mode=clip",
        lambda x, i: np.take(x, i * 3, axis=0, mode="clip"),
        _M,
        indices(5, below=4),
    ),
    row(
        "take mode=wrap",
        lambda x, i: np.take(x, i * 3, axis=0, mode="wrap"),
        _M,
        indices(5, below=4),
    ),
    row(
        "take of positions beyond the end",
        lambda x: np.take(x, [7]),
        Operand((3,)),
        differentiable=False,
        mapped=False,
    ),
    row(
        "take_along_axis", lambda x, i: np.take_along_axis(x, i, axis=1), _M, indices(4, 2, below=5)
    ),
    row(
        "take_along_axis axis=0",
        lambda x, i: np.take_along_axis(x, i, axis=0),
        _M,
        indices(1, 5, below=4),
    ),
    row(
        "take_along_axis axis=None",
        lambda x, i: np.take_along_axis(x, i, axis=None),
        _M,
        indices(6, below=20),
    ),
    row(
        "take_along_axis of argmax",
        lambda x: np.take_along_axis(x, np.argmax(x, axis=-1, keepdims=True), axis=-1),
        Operand((4, 5), spread=True),
    ),
    row(
        "take_along_axis broadcasting",
        lambda x, i: np.take_along_axis(x, i, axis=1),
        Operand((1, 5)),
        indices(4, 2, below=5),
    ),
]

# Where the length of a result depends on values, only eager derivatives can go on.
BY_VALUES: list[Row] = [
    row("nonzero", lambda x: x[np.nonzero(x > 0)], Operand((4, 5), avoid=(0.0,)), jit=False),
    row("x[x > 0]", lambda x: x[x > 0], Operand((4, 5), avoid=(0.0,)), covers=(), jit=False),
    row("where of one", lambda x: x[np.where(x < 0)], Operand((4, 5), avoid=(0.0,)), jit=False),
    row(
        "branch on a value",
        lambda x: x * 2 if x.sum() > 0 else x * 3,
        Operand((3,)),
        covers=(),
        jit=False,
    ),
]

ROWS = [*READING, *WRITING, *TAKING, *BY_VALUES]
