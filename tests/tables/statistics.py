"""Rows of averages, covariances, histograms, sets, and reductions that leave out NaN."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tables.row import COMPLEX, FLOATS, INTEGERS, NUMBERS, Operand, Row, mask, row

_X = Operand((2, 3, 4))
_SPREAD = Operand((2, 3, 4), -3, 3, spread=True)
_POSITIVE = Operand((2, 3, 4), 0.5, 1.5)
_MASK = mask(2, 3, 4)
_SHAPES = (((),), ((0,),), ((3, 0),), ((1,),))
_PLAIN: dict[str, Any] = {"differentiable": False}


def _with_nan(a: Any, m: Any) -> Any:
    """Some NaN, but not in the first two elements of an axis."""
    inside = (np.arange(4) > 1) & (np.arange(3) > 1)[:, np.newaxis]
    return np.where(m & inside, np.nan, a)


def _leaving_out(
    name: str, function: Callable[..., Any], x: Operand, **options: Any
) -> Iterator[Row]:
    yield row(name, lambda a: function(a), x, shapes=options.pop("shapes", _SHAPES), **options)
    yield row(
        f"{name} of NaN",
        lambda a, m: [
            *(function(_with_nan(a, m), axis=axis) for axis in (None, 1, (0, 2))),
            function(_with_nan(a, m), axis=-1, keepdims=True),
        ],
        x,
        _MASK,
        **options | {"dtypes": FLOATS, "corners": False},
    )


ROWS: list[Row] = [
    *_leaving_out("nansum", np.nansum, _X, rtol=4.0),
    *_leaving_out("nanprod", np.nanprod, _POSITIVE, rtol=8.0),
    *_leaving_out("nanmax", np.nanmax, _SPREAD),
    *_leaving_out("nanmin", np.nanmin, _SPREAD),
    *_leaving_out("nanmean", np.nanmean, _X, rtol=4.0),
    *_leaving_out("nanvar", np.nanvar, _X, rtol=16.0),
    *_leaving_out("nanstd", np.nanstd, _X, rtol=16.0, shapes=(((0,),), ((3, 0),))),
    row("nansum initial= where=", lambda a, m: np.nansum(a, 0, initial=2, where=m), _X, _MASK),
    row("nanmax initial= where=", lambda a, m: np.nanmax(a, initial=-9, where=m), _SPREAD, _MASK),
    row(
        "nanmax of NaN alone", lambda a: np.nanmax(a + np.nan, axis=0), _X, dtypes=FLOATS, **_PLAIN
    ),
    row(
        "nanmean of NaN alone",
        lambda a: np.nanmean(a + np.nan, axis=0),
        _X,
        dtypes=FLOATS,
        **_PLAIN,
    ),
    row("nanmean where=", lambda a, m: np.nanmean(a, axis=0, where=m), Operand((4, 3)), mask(4, 3)),
    row("nanmean dtype=", lambda a: np.nanmean(a, dtype=np.int64), _X, dtypes=FLOATS, **_PLAIN),
    row("nanvar ddof=", lambda a, m: np.nanvar(_with_nan(a, m), 2, ddof=1), _X, _MASK, rtol=16.0),
    row(
        "nanstd correction=",
        lambda a, m: np.nanstd(_with_nan(a, m), 1, correction=1, keepdims=True),
        _X,
        _MASK,
        rtol=16.0,
        corners=False,
    ),
    row(
        "mean where=",
        lambda a, m: np.mean(a, 1, where=m | [True, False, False]),
        Operand((2, 3)),
        mask(2, 3),
    ),
    row(
        "var where=",
        lambda a, m: np.var(
            a, axis=0, where=m | [[True], [True], [False], [False]], ddof=1, keepdims=True
        ),
        Operand((4, 3)),
        mask(4, 3),
        rtol=8.0,
    ),
]


def _of_index(name: str, function: Callable[..., Any]) -> Iterator[Row]:
    yield row(
        name, lambda a: function(a), _SPREAD, shapes=(((1,),), ((),)), corners=False, **_PLAIN
    )
    yield row(
        f"{name} of NaN",
        lambda a, m: function(_with_nan(a, m), axis=1, keepdims=True),
        _SPREAD,
        _MASK,
        corners=False,
        **_PLAIN,
    )


ROWS += [*_of_index("nanargmax", np.nanargmax), *_of_index("nanargmin", np.nanargmin)]

# --- averages and covariances ---------------------------------------------------------------

_MATRIX = Operand((3, 5))

ROWS += [
    row("average", np.average, _X, shapes=_SHAPES, rtol=4.0),
    row(
        "average axis= keepdims", lambda a: np.average(a, axis=(0, 2), keepdims=True), _X, rtol=4.0
    ),
    row(
        "average weights=",
        lambda a, w: np.average(a, axis=1, weights=w),
        _X,
        Operand((3,), 0.5, 2),
        rtol=8.0,
        dtypes=NUMBERS,
    ),
    row(
        "average weights= of two axes",
        lambda a, w: np.average(a, axis=(2, 0), weights=w, keepdims=True),
        _X,
        Operand((4, 2), 0.5, 2),
        rtol=8.0,
        dtypes=NUMBERS,
    ),
    row(
        "average returned=",
        lambda a, w: np.average(a, weights=w, returned=True),
        _MATRIX,
        Operand((3, 5), 0.5, 2),
        rtol=8.0,
        dtypes=FLOATS,
    ),
    row("average returned= without weights", lambda a: np.average(a, 0, None, True), _X, rtol=4.0),
    row("average weights= that do not fit", lambda a: np.average(a, weights=[1, 2]), _X, **_PLAIN),
    row("average weights= of sum 0", lambda a: np.average(a, 0, [1, -1]), _X, **_PLAIN),
    row("cov", np.cov, _MATRIX, rtol=16.0, shapes=(((5,),), ((0, 5),), ((3, 1),))),
    row("cov of two", lambda a, b: np.cov(a, b, ddof=0), _MATRIX, Operand((5,)), rtol=16.0),
    row("cov rowvar= bias=", lambda a: np.cov(a, rowvar=False, bias=True), _MATRIX, rtol=16.0),
    row(
        "cov fweights= aweights=",
        lambda a, w: np.cov(a, fweights=[1, 2, 0, 3, 1], aweights=w),
        _MATRIX,
        Operand((5,), 0.5, 2, dtype="float64"),
        rtol=32.0,
        corners=False,
    ),
    row(
        "cov aweights= ddof=0",
        lambda a, w: np.cov(a, aweights=w, ddof=0),
        _MATRIX,
        Operand((5,), 0.5, 2, dtype="float64"),
        rtol=32.0,
        corners=False,
    ),
    row("cov dtype=", lambda a: np.cov(a, dtype=np.float32), _MATRIX, dtypes=("int64",), rtol=16.0),
    row("cov of three axes", np.cov, _X, **_PLAIN),
    row("cov ddof= of a fraction", lambda a: np.cov(a, ddof=0.5), _MATRIX, **_PLAIN),
    row("corrcoef", np.corrcoef, Operand((3, 6)), rtol=64.0, corners=False, dtypes=FLOATS),
    row(
        "corrcoef of two",
        lambda a, b: np.corrcoef(a, b, rowvar=False)[0, 1:],
        Operand((7, 2)),
        Operand((7, 1)),
        rtol=64.0,
        corners=False,
        dtypes=FLOATS,
    ),
    row("corrcoef of a vector", np.corrcoef, Operand((5,)), corners=False, dtypes=FLOATS),
]

# --- histograms -----------------------------------------------------------------------------

_DATA = Operand((3, 7), -2, 2, spread=True)
_WEIGHTS = Operand((3, 7), 0.5, 1.5)

ROWS += [
    row(
        "histogram", np.histogram, _DATA, shapes=(((0,),), ((),), ((1,),)), rtol=2.0, corners=False
    ),
    row("histogram range=", lambda a: np.histogram(a, 4, (-1, 1.5)), _DATA, dtypes=NUMBERS),
    row("histogram of edges", lambda a: np.histogram(a, [-2, -1, 0, 0.5, 2]), _DATA),
    row(
        "histogram weights= density=",
        lambda a, w: np.histogram(a, 3, weights=w, density=True),
        _DATA,
        _WEIGHTS,
        dtypes=FLOATS,
        corners=False,
        rtol=16.0,
    ),
    row(
        "histogram weights= of whole numbers",
        lambda a, w: np.histogram(a, 3, weights=w),
        _DATA,
        _WEIGHTS,
        dtypes=INTEGERS,
        corners=False,
    ),
    row("histogram density=", lambda a: np.histogram(a, 5, (-2, 2), density=True), _DATA, rtol=4.0),
    row("histogram bins='auto'", lambda a: np.histogram(a, "auto"), _DATA, jit=False, **_PLAIN),
    row("histogram of falling edges", lambda a: np.histogram(a, [1, 0]), _DATA, **_PLAIN),
    row("histogram of no bins", lambda a: np.histogram(a, 0), _DATA, **_PLAIN),
    row("histogram of a falling range", lambda a: np.histogram(a, 3, (1, 0)), _DATA, **_PLAIN),
    row("histogram_bin_edges", np.histogram_bin_edges, _DATA, rtol=2.0, corners=False),
    row(
        "histogram_bin_edges bins=", lambda a: np.histogram_bin_edges(a, 3, (0, 2)), _DATA, **_PLAIN
    ),
    row(
        "histogram2d",
        lambda x, y: np.histogram2d(x, y, 3),
        Operand((9,), spread=True),
        Operand((9,), -1, 1, spread=True),
        corners=False,
        dtypes=("int64", "float32", "float64"),
        rtol=4.0,
    ),
    row(
        "histogram2d bins= range= weights=",
        lambda x, y, w: np.histogram2d(
            x, y, [3, [-1, 0.05, 1]], [[-1, 1], [-1, 1]], density=True, weights=w
        ),
        Operand((9,), spread=True),
        Operand((9,), -1, 1, spread=True),
        Operand((9,), 0.5, 1.5, dtype="float64"),
        dtypes=("float32", "float64"),
        corners=False,
        rtol=16.0,
    ),
    row("histogram2d of other lengths", lambda x: np.histogram2d(x, x[:-1]), _DATA, **_PLAIN),
    row(
        "histogramdd",
        lambda a: np.histogramdd(a, (2, 3, 2), [(-2, 2), (-1, 1), (-2, 0)])[0],
        Operand((8, 3), -2, 2, spread=True),
        dtypes=("int64", "float32", "float64"),
        **_PLAIN,
    ),
    row(
        "bincount",
        lambda a: np.bincount([0, 2, 2, 5], weights=a, minlength=7),
        Operand((4,)),
        dtypes=("int64", "float32", "float64"),
    ),
    row(
        "bincount of known values",
        np.bincount,
        Operand((6,), 0, 5, dtype="int64"),
        jit=False,
        **_PLAIN,
    ),
]

# --- sets -----------------------------------------------------------------------------------

_KNOWN: dict[str, Any] = {"jit": False, "dtypes": ("int64", "float64")}
_THREE = np.array([-1.0, 0.3, 3.0])

ROWS += [
    row("unique", np.unique, _DATA, **_KNOWN),
    row(
        "unique of all results",
        lambda a: np.unique(a * [1, 1, 0, 1], True, True, True),
        _X,
        **_KNOWN,
    ),
    row("unique axis=", lambda a: np.unique(a[:, [0, 1, 1]], axis=1), _X, **_KNOWN),
    row("unique_all", lambda a: tuple(np.unique_all(a)), _DATA, **_KNOWN),
    row("unique_counts", lambda a: np.unique_counts(a).values, _DATA, **_KNOWN),
    row("unique_inverse", lambda a: np.unique_inverse(a).inverse_indices, _DATA, **_KNOWN | _PLAIN),
    row("unique_values", lambda a: np.sort(np.unique_values(a)), _DATA, **_KNOWN),
    row("union1d", lambda a: np.union1d(a, _THREE), _DATA, **_KNOWN),
    row("intersect1d", lambda a: np.intersect1d(a, a[:, :2] * 1.0), _DATA, **_KNOWN),
    row(
        "intersect1d return_indices=",
        lambda a: np.intersect1d(a.ravel(), a[0], True, return_indices=True),
        _DATA,
        **_KNOWN,
    ),
    row("setdiff1d", lambda a: np.setdiff1d(a, a[0]), _DATA, **_KNOWN),
    row("setdiff1d assume_unique=", lambda a: np.setdiff1d(a, a[0], True), _DATA, **_KNOWN),
    row("setxor1d", lambda a: np.setxor1d(a, a[0]), _DATA, **_KNOWN),
]

_COMPLEX: dict[str, Any] = {"dtypes": COMPLEX, "corners": False, "rtol": 32.0}
ROWS += [
    row("nansum of complex", lambda a: np.nansum(a, axis=0), Operand((3, 2)), **_COMPLEX),
    row("nanmean of complex", np.nanmean, Operand((3, 2)), **_COMPLEX),
    row("nanvar of complex", np.nanvar, Operand((3, 2)), **_COMPLEX),
    row("average of complex", lambda a: np.average(a, 0, [1, 2, 3]), Operand((3, 2)), **_COMPLEX),
    row("cov of complex", np.cov, Operand((2, 4)), **_COMPLEX),
    row("corrcoef of complex", np.corrcoef, Operand((2, 4)), **_COMPLEX | {"rtol": 64.0}),
]
