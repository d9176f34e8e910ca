"""Rows of NumPy's running sums and products, differences, and integrals of samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tables.row import COMPLEX, FLOATS, NUMBERS, Operand, Row, row

_X = Operand((2, 3, 4))
_POSITIVE = Operand((2, 3, 4), 0.5, 1.5)
_VECTOR = Operand((6,))
_STEPS = Operand((6,), 0.5, 1.5)
_SHAPES = (((),), ((0,),), ((3, 0),), ((0, 3),), ((1,),))


def _running(name: str, function: Callable[..., Any], x: Operand, **options: Any) -> Iterator[Row]:
    """Flat, along the axes of a cube, and of a matrix; several axes in one row."""
    yield row(name, lambda a: function(a), x, shapes=_SHAPES, **options)
    yield row(
        f"{name} axes",
        lambda a: [function(a, axis=0), function(a, 1, np.float64), function(a, axis=-1)],
        x,
        **options,
    )
    yield row(
        f"{name} of a matrix",
        lambda a: function(a, axis=1),
        Operand((3, 5), x.low, x.high),
        shapes=(((0, 3),), ((3, 0),), ((3, 1),)),
        corners=False,
        **options,
    )


def _with_nan(a: Any) -> Any:
    return np.where(np.arange(4) == 1, np.nan, a)


ROWS: list[Row] = [
    *_running("cumsum", np.cumsum, _X, rtol=4.0),
    *_running("cumprod", np.cumprod, _POSITIVE, rtol=8.0),
    row("cumprod with zeros", lambda a: np.cumprod(a * [1.0, 0.0, 1.0, 0.0, 1.0]), Operand((5,))),
    row("cumsum of a number along axis 0", lambda a: np.cumsum(a, axis=0), Operand(())),
    *_running("nancumsum", np.nancumsum, _X, rtol=4.0),
    *_running("nancumprod", np.nancumprod, _POSITIVE, rtol=8.0),
    row(
        "nancumsum of NaN",
        lambda a: np.nancumsum(_with_nan(a), axis=-1),
        _X,
        dtypes=FLOATS,
        rtol=4.0,
    ),
    row("nancumprod of NaN", lambda a: np.nancumprod(_with_nan(a), 1), _POSITIVE, dtypes=FLOATS),
    row("cumulative_sum", np.cumulative_sum, _VECTOR, shapes=(((0,),), ((),), ((2, 3),)), rtol=4.0),
    row("cumulative_sum axis=1", lambda a: np.cumulative_sum(a, axis=1), _X, rtol=4.0),
    row(
        "cumulative_sum include_initial",
        lambda a: np.cumulative_sum(a, axis=0, include_initial=True),
        _X,
        rtol=4.0,
    ),
    row("cumulative_prod", np.cumulative_prod, _STEPS, shapes=(((0,),), ((2, 3),)), rtol=8.0),
    row(
        "cumulative_prod include_initial",
        lambda a: np.cumulative_prod(a, axis=-1, include_initial=True, dtype=np.float64),
        _POSITIVE,
        rtol=8.0,
    ),
    row("diff", np.diff, _X, shapes=(((0,),), ((1,),), ((),), ((3, 0),))),
    row("diff axis=0", lambda a: np.diff(a, axis=0), _X),
    row("diff n=0", lambda a: np.diff(a, n=0), _X),
    row("diff n=2", lambda a: np.diff(a, 2, axis=1), _X),
    row("diff n beyond the length", lambda a: np.diff(a, 9), _X),
    row("diff n=-1", lambda a: np.diff(a, -1), _X, differentiable=False),
    row(
        "diff prepend= append=",
        lambda a, b: np.diff(a, axis=1, prepend=b, append=0),
        _X,
        Operand((2, 2, 4)),
        dtypes=NUMBERS,
    ),
    row("ediff1d", np.ediff1d, _X, shapes=(((0,),), ((1,),), ((),))),
    row(
        "ediff1d with ends",
        lambda a, b: np.ediff1d(a, to_begin=b, to_end=[1, 2]),
        _VECTOR,
        Operand((2, 2)),
        dtypes=NUMBERS,
    ),
    row("ediff1d to_end= of another kind", lambda a: np.ediff1d(a, 1.5), _VECTOR),
    row("gradient", np.gradient, _X, shapes=(((4,),), ((1, 3),), ((),), ((0,),)), rtol=2.0),
    row("gradient axis=", lambda a: np.gradient(a, axis=-1), _X, rtol=2.0),
    row("gradient axis=(0, 2)", lambda a: np.gradient(a, 2.0, axis=(0, 2)), _X, rtol=2.0),
    row(
        "gradient edge_order=2",
        lambda a: np.gradient(a, 0.5, axis=(1, 2), edge_order=2),
        _X,
        rtol=4.0,
    ),
    row(
        "gradient of points",
        lambda a: np.gradient(a, np.array([0.0, 1.0, 3.0, 4.0]), axis=2, edge_order=2),
        _X,
        rtol=8.0,
    ),
    row(
        "gradient of even points",
        lambda a: np.gradient(a, [0, 2, 4, 6], axis=2, edge_order=2),
        _X,
        rtol=4.0,
    ),
    row(
        "gradient of traced points",
        lambda a, d: np.gradient(a, np.cumsum(d), edge_order=2),
        _VECTOR,
        _STEPS,
        dtypes=FLOATS,
        corners=False,
        rtol=64.0,
    ),
    row(
        "gradient of a traced step",
        lambda a, d: np.gradient(a, d, axis=0),
        _X,
        Operand((), 0.5, 1.5),
        dtypes=FLOATS,
        rtol=4.0,
    ),
    row(
        "gradient of points that do not fit",
        lambda a: np.gradient(a, [0, 1], axis=0),
        _VECTOR,
        differentiable=False,
    ),
    row(
        "gradient of too many spacings",
        lambda a: np.gradient(a, 1, 2, 3),
        _VECTOR,
        differentiable=False,
    ),
    row(
        "gradient edge_order=3",
        lambda a: np.gradient(a, edge_order=3),
        _VECTOR,
        differentiable=False,
    ),
    row("trapezoid", np.trapezoid, _X, shapes=(((0,),), ((1,),), ((3, 0),)), rtol=4.0),
    row("trapezoid dx= axis=", lambda a: np.trapezoid(a, dx=0.5, axis=0), _X, rtol=4.0),
    row(
        "trapezoid x=",
        lambda a, b: np.trapezoid(a, b, axis=1),
        _X,
        Operand((3,)),
        rtol=8.0,
        dtypes=NUMBERS,
    ),
    row(
        "trapezoid x= of the same shape",
        lambda a, b: np.trapezoid(a, x=b, axis=1),
        _X,
        _X,
        rtol=8.0,
        dtypes=NUMBERS,
    ),
    row("x.cumsum()", lambda a: a.cumsum(1), _X, covers=(), rtol=4.0),
    row("x.cumprod()", lambda a: a.cumprod(axis=0), _POSITIVE, covers=(), rtol=8.0),
]

_COMPLEX: dict[str, Any] = {"dtypes": COMPLEX, "corners": False, "rtol": 8.0}
ROWS += [
    row("cumsum of complex", lambda a: np.cumsum(a, axis=1), Operand((2, 4)), **_COMPLEX),
    row("cumprod of complex", lambda a: np.cumprod(a, axis=0), Operand((3, 2)), **_COMPLEX),
    row("nancumsum of complex", np.nancumsum, Operand((3,)), **_COMPLEX),
    row("gradient of complex", np.gradient, Operand((4,)), **_COMPLEX),
    row("trapezoid of complex", np.trapezoid, Operand((4,)), **_COMPLEX),
]
