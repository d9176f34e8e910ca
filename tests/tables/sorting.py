"""Rows of NumPy's sorting and searching, medians and quantiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tables.row import COMPLEX, FLOATS, NUMBERS, Operand, Row, mask, row

_X = Operand((2, 3, 4), -3, 3, spread=True)
_MATRIX = Operand((3, 5), -3, 3, spread=True)
_VECTOR = Operand((7,), -3, 3, spread=True)
_TABLE = np.array([-1.5, -1.0, 0.0, 0.0, 1.0, 2.0])
_SHAPES = (((),), ((0,),), ((3, 0),), ((0, 3),), ((1,),))
_PLAIN: dict[str, Any] = {"differentiable": False}


def _in_place(name: str, *args: Any) -> Callable[..., Any]:
    """What an array holds after its method has changed it."""

    def function(a: Any) -> Any:
        changed = a * 1
        getattr(changed, name)(*args)
        return changed

    return function


ROWS: list[Row] = [
    row("sort", np.sort, _X, shapes=_SHAPES),
    row("sort axis=0", lambda a: np.sort(a, axis=0), _X),
    row("sort axis=None", lambda a: np.sort(a, axis=None), _X, shapes=_SHAPES),
    row("sort stable=", lambda a: np.sort(a, 1, stable=True), _X),
    row("sort kind=", lambda a: np.sort(a, kind="mergesort"), _MATRIX, shapes=(((0, 3),),)),
    row("sort of an unknown kind", lambda a: np.sort(a, kind="bogo"), _X, **_PLAIN),
    row("sort kind= and stable=", lambda a: np.sort(a, kind="stable", stable=True), _X, **_PLAIN),
    row("sort twice", lambda a: np.sort(np.sort(a, axis=0) ** 2, axis=1), Operand((3, 4), 0.5, 3)),
    row("argsort", np.argsort, _X, shapes=_SHAPES, **_PLAIN),
    row("argsort axis=None", lambda a: np.argsort(a, axis=None, stable=True), _X, **_PLAIN),
    row("argsort axis=0 kind=", lambda a: np.argsort(a, axis=0, kind="stable"), _X, **_PLAIN),
    row("lexsort", lambda a, b: np.lexsort((a, b)), _X, Operand((2, 3, 4), 0, 2), **_PLAIN),
    row(
        "lexsort axis=0 of a matrix",
        lambda a: np.lexsort(a, axis=0),
        Operand((3, 4, 2), 0, 2),
        shapes=(((1, 3),),),
        **_PLAIN,
    ),
    row("lexsort of other shapes", lambda a: np.lexsort((a, a[0])), _MATRIX, **_PLAIN),
    row("partition", lambda a: np.partition(a, 2)[..., 2], _X),
    row("partition axis=None", lambda a: np.partition(a, [3, -1], None)[[3, -1]], _X),
    row("partition kth out of bounds", lambda a: np.partition(a, 4), _X, **_PLAIN),
    row(
        "argpartition",
        lambda a: np.take_along_axis(a, np.argpartition(a, 1, axis=0), 0)[1],
        _X,
    ),
    row("sort_complex", np.sort_complex, _MATRIX, **_PLAIN),
    row("searchsorted", lambda v: np.searchsorted(_TABLE, v), _X, shapes=_SHAPES, **_PLAIN),
    row("searchsorted side=", lambda v: np.searchsorted(_TABLE, v, side="right"), _X, **_PLAIN),
    row(
        "searchsorted of a traced table",
        lambda a, v: np.searchsorted(np.sort(a), v),
        Operand((6,), -2, 2),
        Operand((2, 5)),
        shapes=(((0,), (3,)), ((1,), ())),
        **_PLAIN,
    ),
    row(
        "searchsorted sorter=",
        lambda a, v: np.searchsorted(a, v, "right", np.argsort(a)),
        Operand((6,), -2, 2, spread=True),
        Operand((5,)),
        **_PLAIN,
    ),
    row("searchsorted of a matrix", lambda a: np.searchsorted(a, 1), _MATRIX, **_PLAIN),
    row("digitize", lambda x: np.digitize(x, _TABLE), _X, shapes=_SHAPES, **_PLAIN),
    row("digitize right=", lambda x: np.digitize(x, _TABLE[::-1], right=True), _X, **_PLAIN),
    row(
        "digitize with traced bins",
        lambda x, b: np.digitize(x, np.sort(b)[::-1]),
        Operand((5,)),
        Operand((4,), -2, 2),
        corners=False,
        **_PLAIN,
    ),
    row("digitize of bins out of order", lambda x: np.digitize(x, [0, 2, 1]), _X, **_PLAIN),
    row("isin", lambda x: np.isin(x, [1, 0, -1, 2]), Operand((3, 4)), shapes=_SHAPES, **_PLAIN),
    row("isin invert=", lambda x, y: np.isin(x, y, invert=True), _X, Operand((2, 2)), **_PLAIN),
    row("isin nothing", lambda x: np.isin(x, np.zeros(0)), _MATRIX, **_PLAIN),
]
ROWS += [
    row("x.sort()", _in_place("sort", 0, "stable"), _X, covers=()),
    row("x.partition()", _in_place("partition", [0, 1, 2, 3]), _X, covers=()),
    row("x.argsort()", lambda a: a.argsort(0), _X, covers=(), **_PLAIN),
    row(
        "x.argpartition()",
        lambda a: np.take_along_axis(a, a.argpartition(2), -1)[..., 2],
        _X,
        covers=(),
    ),
    row("x.searchsorted()", lambda a: a.searchsorted([0, 1]), Operand((1,)), covers=(), **_PLAIN),
]
# --- medians and quantiles ------------------------------------------------------------------


def _with_nan(a: Any, m: Any) -> Any:
    """Some NaN in each column of a matrix, but not in its first row."""
    return np.where(m & (np.arange(len(m)) > 0)[:, np.newaxis], np.nan, a)


def _with_axes(name: str, function: Callable[..., Any], **options: Any) -> Iterator[Row]:
    """Of everything, and along axes; several ways of naming them in one row."""
    shapes = (((4,),), ((1,),), ((),), ((3, 0),))
    yield row(name, lambda a: function(a), _X, shapes=shapes, **options)
    yield row(
        f"{name} axes",
        lambda a: [*(function(a, axis=i) for i in (0, -1, (0, 2))), function(a, 1, keepdims=True)],
        _X,
        **options,
    )


def _of_quantiles(name: str, q: Any) -> Iterator[Row]:
    function = getattr(np, name)
    options: dict[str, Any] = {"dtypes": NUMBERS, "rtol": 4.0}
    yield from _with_axes(
        name, lambda a, axis=None, **keep: function(a, q, axis, **keep), **options
    )
    many = [0, q / 2, q]  # + 0.0: which of several zeros comes first is nobody's promise
    yield row(
        f"{name} of several",
        lambda a: [
            0.0 + function(a, many, axis=(0, 1)),
            0.0 + function(a, many, axis=0, keepdims=True),
        ],
        _X,
        **options,
    )
    yield row(f"{name} out of bounds", lambda a: function(a, -1), _X, **_PLAIN)


_METHODS = (
    *("inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf"),
    *("hazen", "weibull", "median_unbiased", "normal_unbiased"),
    *("lower", "higher", "midpoint", "nearest"),
)

ROWS += [
    *_with_axes("median", lambda a, axis=None, **keep: np.median(a, axis, **keep)),
    row(
        "nanmedian",
        lambda a, m: np.nanmedian(_with_nan(a, m), axis=0),
        Operand((4, 5), spread=True),
        mask(4, 5),
        dtypes=FLOATS,
    ),
    row("nanmedian axis=None", np.nanmedian, _X, shapes=_SHAPES),
    *_of_quantiles("quantile", 0.3),
    *_of_quantiles("percentile", 70),
    *(
        row(
            f"quantile method={methods[0]} ...",
            lambda a, methods=methods: [
                0.0 + np.quantile(a, [0.0, 0.1, 0.4, 0.5, 0.9, 1.0], axis=1, method=method)
                for method in methods
            ],
            _MATRIX,
            dtypes=NUMBERS,
            rtol=8.0,
        )
        for methods in (_METHODS[:4], _METHODS[4:8], _METHODS[8:])
    ),
    row("quantile of an unknown method", lambda a: np.quantile(a, 0.5, method="x"), _X, **_PLAIN),
    row(
        "quantile of a traced q",
        lambda a, q: np.quantile(a, q, axis=0),
        _MATRIX,
        Operand((3,), 0.1, 0.9, avoid=(0.5,)),
        dtypes=FLOATS,
        corners=False,
        rtol=8.0,
    ),
    row(
        "quantile weights=",
        lambda a, w: np.quantile(a, [0.2, 0.7], axis=1, weights=w, method="inverted_cdf"),
        _MATRIX,
        Operand((5,), 0.5, 1.5, dtype="float64"),
        corners=False,
        dtypes=FLOATS,
    ),
    row(
        "percentile weights= of the same shape",
        lambda a, w: np.percentile(a, 40, weights=w, method="inverted_cdf"),
        _MATRIX,
        Operand((3, 5), 0.5, 1.5, dtype="float64"),
        corners=False,
    ),
    row(
        "quantile weights= of another method",
        lambda a: np.quantile(a, 0.5, weights=np.ones(7)),
        _VECTOR,
        **_PLAIN,
    ),
    row(
        "nanquantile method=",
        lambda a, m: [
            np.nanquantile(_with_nan(a, m), [0.25, 0.9], axis=0, method=method, keepdims=True)
            for method in ("linear", "weibull", "nearest", "averaged_inverted_cdf")
        ],
        Operand((5, 3), spread=True),
        mask(5, 3),
        dtypes=FLOATS,
        rtol=8.0,
    ),
    row(
        "nanpercentile",
        lambda a, m: np.nanpercentile(_with_nan(a, m), 30),
        Operand((5, 3), spread=True),
        mask(5, 3),
        dtypes=FLOATS,
        rtol=4.0,
    ),
    row("nanquantile", lambda a: np.nanquantile(a, 0.5, axis=1), _MATRIX, dtypes=NUMBERS),
]

_COMPLEX: dict[str, Any] = {"dtypes": COMPLEX, "corners": False}
ROWS += [
    row("sort of complex", np.sort, Operand((2, 4)), **_COMPLEX),
    row("sort_complex of complex", np.sort_complex, Operand((2, 4)), **_COMPLEX),
    row("argsort of complex", np.argsort, Operand((2, 4)), **_COMPLEX | _PLAIN),
    row("median of complex", lambda a: np.median(a, axis=0), Operand((3, 2)), **_COMPLEX | _PLAIN),
    row("quantile of complex", lambda a: np.quantile(a, 0.5), Operand((3,)), **_COMPLEX | _PLAIN),
]
