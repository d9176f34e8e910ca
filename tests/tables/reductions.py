"""Rows of NumPy's reductions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tables.row import FLOATS, Operand, Row, mask, row

_SHAPES = (((),), ((0,),), ((3, 0),), ((0, 3),), ((1,),))
_X = Operand((2, 3, 4))
_SPREAD = Operand((2, 3, 4), -3, 3, spread=True)
_POSITIVE = Operand((2, 3, 4), 0.5, 1.5)


def _with_axes(
    name: str, function: Callable[..., Any], x: Operand, **options: Any
) -> Iterator[Row]:
    """The ways of naming axes, for reductions that take several."""
    shapes = options.pop("shapes", _SHAPES)
    yield row(name, lambda a: function(a), x, shapes=shapes, **options)
    for axis in (0, -1, (0, 2), (-1, 0), ()):
        yield row(f"{name} axis={axis}", lambda a, axis=axis: function(a, axis=axis), x, **options)
    yield row(f"{name} keepdims", lambda a: function(a, keepdims=True), x, **options)
    yield row(f"{name} axis=1 keepdims", lambda a: function(a, axis=1, keepdims=True), x, **options)
    yield row(
        f"{name} of an axis of a matrix",
        lambda a: function(a, axis=0),
        Operand((3, 4), x.low, x.high, spread=x.spread),
        shapes=(((0, 3),), ((3, 0),), ((),)),
        **options,
    )


ROWS: list[Row] = [
    *_with_axes("sum", np.sum, _X),
    *_with_axes("mean", np.mean, _X),
    *_with_axes("prod", np.prod, _POSITIVE, rtol=4.0),
    *_with_axes("max", np.max, _SPREAD, covers=("np.max",)),
    *_with_axes("min", np.min, _SPREAD, covers=("np.min",)),
    *_with_axes("var", np.var, _X, rtol=8.0),
    *_with_axes("any", np.any, _X, differentiable=False),
    *_with_axes("all", np.all, _X, differentiable=False),
    *_with_axes("count_nonzero", np.count_nonzero, _X, differentiable=False),
]
# A standard deviation has a kink at zero, so groups of one element are left out.
ROWS += [each for each in _with_axes("std", np.std, _X, rtol=8.0) if "axis=()" not in each.name]


def _with_one_axis(name: str, function: Callable[..., Any]) -> Iterator[Row]:
    yield row(name, lambda a: function(a), _SPREAD, shapes=_SHAPES, differentiable=False)
    for axis in (0, 1, -1):
        yield row(
            f"{name} axis={axis}",
            lambda a, axis=axis: function(a, axis=axis),
            _SPREAD,
            differentiable=False,
        )
    yield row(f"{name} keepdims", lambda a: function(a, keepdims=True), _X, differentiable=False)
    yield row(
        f"{name} axis=1 keepdims",
        lambda a: function(a, axis=1, keepdims=True),
        _X,
        differentiable=False,
    )


ROWS += [*_with_one_axis("argmax", np.argmax), *_with_one_axis("argmin", np.argmin)]

ROWS += [
    row("amax", np.amax, _SPREAD),
    row("amin", np.amin, _SPREAD),
    row("ptp", np.ptp, _SPREAD),
    row("ptp axis=1 keepdims", lambda a: np.ptp(a, axis=1, keepdims=True), _SPREAD),
    row(
        "sum dtype=",
        lambda a: np.sum(a, axis=0, dtype=np.float32),
        _X,
        corners=False,
        differentiable=False,
    ),
    row("sum initial=", lambda a: np.sum(a, axis=1, initial=3), _X),
    row("sum where=", lambda a, m: np.sum(a, axis=0, where=m), Operand((3, 4)), mask(3, 4)),
    row("prod initial=", lambda a: np.prod(a, initial=2.0), _POSITIVE, rtol=4.0),
    row("prod where=", lambda a, m: np.prod(a, where=m), Operand((3, 4), 0.5, 1.5), mask(3, 4)),
    row(
        "prod with zeros", lambda a: np.prod(a * np.array([1.0, 0.0, 1.0, 1.0]), axis=-1), _POSITIVE
    ),
    row(
        "prod with two zeros", lambda a: np.prod(a * np.array([1.0, 0.0, 0.0, 1.0])), Operand((4,))
    ),
    row("max initial=", lambda a: np.max(a, axis=1, initial=1), _SPREAD),
    row(
        "max initial= of nothing",
        lambda a: np.max(a, axis=0, initial=-5),
        Operand((0, 3)),
        differentiable=False,
    ),
    row(
        "max where=",
        lambda a, m: np.max(a, axis=0, initial=-9, where=m),
        Operand((3, 4), spread=True),
        mask(3, 4),
        dtypes=("int8", "int64", *FLOATS),
    ),
    row(
        "min where=",
        lambda a, m: np.min(a, initial=9, where=m),
        Operand((3, 4), spread=True),
        mask(3, 4),
    ),
    row(
        "any where=",
        lambda a, m: np.any(a, where=m),
        Operand((3, 4)),
        mask(3, 4),
        differentiable=False,
    ),
    row(
        "all where=",
        lambda a, m: np.all(a, axis=0, where=m),
        Operand((3, 4)),
        mask(3, 4),
        differentiable=False,
    ),
    row("mean dtype=", lambda a: np.mean(a, dtype=np.float64), _X),
    row("mean dtype=int", lambda a: np.mean(a, 0, np.int32), _X, differentiable=False),
    row("var ddof=", lambda a: np.var(a, axis=0, ddof=1), _X, rtol=8.0),
    row("var correction=", lambda a: np.var(a, axis=2, correction=1), _X, rtol=8.0),
    row("var ddof of too few", lambda a: np.var(a, ddof=1), Operand((1,)), differentiable=False),
    row(
        "var mean=",
        lambda a: np.var(a, axis=1, mean=np.mean(a, axis=1, keepdims=True)),
        _X,
        rtol=8.0,
    ),
    row("std ddof= by position", lambda a: np.std(a, 0, None, None, 1), _X, rtol=8.0),
    row(
        "std of two axes",
        lambda a: np.std(a, axis=(0, 1), ddof=1, keepdims=True),
        _X,
        rtol=8.0,
    ),
    row("add.reduce", np.add.reduce, _X, covers=("np.add",)),
    row("add.reduce axis=1", lambda a: np.add.reduce(a, 1, keepdims=True), _X, covers=("np.add",)),
    row("add.reduce axis=None", lambda a: np.add.reduce(a, axis=None), _X, covers=("np.add",)),
    row("multiply.reduce", np.multiply.reduce, _POSITIVE, covers=("np.multiply",), rtol=4.0),
    row(
        "maximum.reduce",
        lambda a: np.maximum.reduce(a, axis=(0, 1)),
        _SPREAD,
        covers=("np.maximum",),
    ),
    row("minimum.reduce", np.minimum.reduce, _SPREAD, covers=("np.minimum",)),
    row(
        "logical_and.reduce",
        np.logical_and.reduce,
        _X,
        covers=("np.logical_and",),
        differentiable=False,
    ),
    row(
        "logical_or.reduce",
        np.logical_or.reduce,
        _X,
        covers=("np.logical_or",),
        differentiable=False,
    ),
]
