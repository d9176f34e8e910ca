"""NumPy's reductions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.numpy_language.dispatch import (
    REDUCTIONS,
    cast,
    implements,
    normalize_axes,
    normalize_axis,
    operand,
    trace_of,
)
from bital.numpy_language.shapes import filled
from bital.numpy_language.tracer import Tracer, bind
from bital.numpy_language.ufuncs import as_bool, store
from bital.primitives import Primitive
from bital.primitives import reduction as p
from bital.primitives.control import custom_jvp_call
from bital.primitives.elementwise import add, maximum, minimum, mul, select, sub
from bital.program import Builder, building


def _axes(x: Tracer, axis: Any) -> tuple[int, ...]:
    """Axes as reductions take them: a number, which has none, may be reduced along axis 0."""
    if isinstance(axis, list):
        raise TypeError(f"reductions take axis= as an int, a tuple or None, not as a list: {axis}")
    if not x.shape and axis in (0, -1):
        return ()
    return tuple(sorted(normalize_axes(axis, x.ndim)))


def _reduce(primitive: Primitive, x: Tracer, axis: Any, keepdims: bool) -> Tracer:
    result: Tracer = bind(primitive, x, axes=_axes(x, axis), keepdims=bool(keepdims))
    return result


def accumulator(x: Tracer, dtype: Any) -> Tracer:
    """Sums and products of small integers are made in int64 or uint64, as in NumPy."""
    if dtype is not None:
        return trace_of(cast(x, dtype))
    if x.dtype.kind == "b" or (x.dtype.kind == "i" and x.dtype.itemsize < 8):
        return trace_of(cast(x, np.int64))
    if x.dtype.kind == "u" and x.dtype.itemsize < 8:
        return trace_of(cast(x, np.uint64))
    return x


def _masked(x: Tracer, where: Any, neutral: Any, name: str) -> Tracer:
    if where is True:
        return x
    mask = trace_of(where)
    if mask.dtype != np.bool_:
        raise TypeError(f"np.{name}: where= must be an array of bools, got {mask!r}")
    if neutral is None:
        raise ValueError(f"np.{name} with where= needs initial=, as in NumPy")
    masked: Tracer = bind(select, mask, x, cast(neutral, x.dtype))
    return masked


def _with_initial(primitive: Primitive, result: Tracer, initial: Any) -> Tracer:
    """The reduction with one more element, in the result's dtype."""
    if initial is None:
        return result
    joined: Tracer = bind(primitive, result, cast(operand(initial), result.dtype))
    return joined


def _accumulation(
    primitive: Primitive, pair: Primitive, neutral: int, name: str
) -> Callable[..., Any]:
    def handler(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
    ) -> Any:
        x = _masked(accumulator(trace_of(a), dtype), where, neutral, name)
        result = _reduce(primitive, x, axis, keepdims)
        return store(out, _with_initial(pair, result, initial), name)

    return handler


sum_ = implements(np.sum)(_accumulation(p.reduce_sum, add, 0, "sum"))
prod = implements(np.prod)(_accumulation(p.reduce_prod, mul, 1, "prod"))


def _extremum(primitive: Primitive, pair: Primitive, name: str) -> Callable[..., Any]:
    def handler(
        a: Any,
        axis: Any = None,
        out: Any = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
    ) -> Any:
        x = _masked(trace_of(a), where, initial, name)
        axes = _axes(x, axis)
        empty = x.size == 0 and any(x.shape[each] == 0 for each in axes)
        if empty and initial is not None:
            shape = p.reduced_shape(x.shape, axes, keepdims)
            return filled(shape, initial, x.dtype)
        if empty and 0 not in p.reduced_shape(x.shape, axes, False):
            raise ValueError(f"np.{name} over an empty axis of {x!r} has no value; give initial=")
        result: Any = _reduce(primitive, x, axis, keepdims)
        return store(out, _with_initial(pair, result, initial), name)

    return handler


max_ = implements(np.max, np.amax)(_extremum(p.reduce_max, maximum, "max"))
min_ = implements(np.min, np.amin)(_extremum(p.reduce_min, minimum, "min"))


def _as_float(x: Tracer, dtype: Any) -> Tracer:
    if dtype is not None:
        return trace_of(cast(x, dtype))
    return x if x.dtype.kind in "fc" else trace_of(cast(x, np.float64))


def _count(x: Tracer, axis: Any, where: Any, keepdims: bool) -> Any:
    if where is not True:
        return sum_(np.broadcast_to(trace_of(where), x.shape), axis, keepdims=keepdims)
    return math.prod(x.shape[each] for each in normalize_axes(axis, x.ndim))


@implements(np.mean)
def mean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
) -> Any:
    x = trace_of(a)
    half = x.dtype == np.float16 and dtype is None  # NumPy sums half precision in single
    x = _as_float(x, np.float32 if half else dtype)
    total = _reduce(p.reduce_sum, _masked(x, where, 0, "mean"), axis, keepdims)
    result = cast(total / _count(x, axis, where, keepdims), total.dtype)
    return store(out, cast(result, np.float16) if half else result, "mean")


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: float | None = None,
) -> Any:
    """``sum(abs(x - mean)**2) / (n - ddof)``."""
    x = trace_of(a)
    half = x.dtype == np.float16 and dtype is None
    x = _as_float(x, np.float32 if half else dtype)
    center = mean
    if mean is None:
        total = _reduce(p.reduce_sum, _masked(x, where, 0, "var"), axis, True)
        center = trace_of(cast(total / _count(x, axis, where, True), x.dtype))
    if mean is None and where is True and x.dtype.kind == "f":
        total = _squared_deviations(x, center, _axes(x, axis), bool(keepdims))
    else:
        deviation = _masked(x - center, where, 0, "var")
        squares: Any = (deviation * np.conj(deviation)).real
        total = _reduce(p.reduce_sum, squares, axis, keepdims)
    freedom = _count(x, axis, where, keepdims) - (ddof if correction is None else correction)
    freedom = np.maximum(freedom, 0) if isinstance(freedom, Tracer) else max(freedom, 0)
    result = cast(total / freedom, total.dtype)
    return store(out, cast(result, np.float16) if half else result, "var")


def _squared_deviations(x: Tracer, center: Tracer, axes: tuple[int, ...], keepdims: bool) -> Tracer:
    """``sum((x - center)**2)`` about the mean, and ``sum(2 (x - center) dx)``.

    What the mean's change adds to that is ``-2 sum(x - center)`` times it: zero, though a pass over
    all elements would have to find that out.
    """
    options = {"axes": axes, "keepdims": keepdims}
    primal, rule = Builder("squared_deviations"), Builder("squared_deviations_jvp")
    with building(primal):
        values = [primal.input(each.type) for each in (x._atom, center._atom)]
        deviation = sub(*values)
        program = primal.build([p.reduce_sum(mul(deviation, deviation), **options)])
    with building(rule):
        inputs = [rule.input(var.type) for var in (*values, *values)]
        deviation = sub(*inputs[:2])
        moved = mul(add(deviation, deviation), inputs[2])
        total = p.reduce_sum(mul(deviation, deviation), **options)
        tangent = rule.build([total, p.reduce_sum(moved, **options)])
    (found,) = bind(custom_jvp_call, x, center, primal=program, rule=tangent)
    result: Tracer = found
    return result


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    **options: Any,
) -> Any:
    """The square root of ``np.var``. Its gradient at zero variance is infinite times zero: NaN."""
    variance = var(a, axis, dtype, None, ddof, keepdims, **options)
    return store(out, np.sqrt(variance), "std")


def _index_of(primitive: Primitive) -> Callable[..., Any]:
    def handler(a: Any, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
        x = trace_of(a)
        flat = axis is None
        shape = (
            (1,) * x.ndim
            if flat
            else p.reduced_shape(x.shape, (normalize_axis(axis, x.ndim),), True)
        )
        if flat:
            x, axis = x.reshape(-1), 0
        axis = normalize_axis(axis, x.ndim)
        if x.shape[axis] == 0 and 0 not in p.reduced_shape(x.shape, (axis,), False):
            raise ValueError(f"np.{primitive.name} over an empty axis of {x!r} has no value")
        result: Tracer = bind(primitive, x, axis=axis)
        return store(out, result.reshape(shape) if keepdims else result, primitive.name)

    return handler


argmax = implements(np.argmax)(_index_of(p.argmax))
argmin = implements(np.argmin)(_index_of(p.argmin))


@implements(np.any)
def any_(
    a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True
) -> Any:
    return max_(as_bool(a), axis, out, keepdims, False, where)


@implements(np.all)
def all_(
    a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True
) -> Any:
    return min_(as_bool(a), axis, out, keepdims, True, where)


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return sum_(as_bool(a), axis, keepdims=keepdims)


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    return store(out, max_(a, axis, None, keepdims) - min_(a, axis, None, keepdims), "ptp")


REDUCTIONS.update(
    {
        np.add: sum_,
        np.multiply: prod,
        np.maximum: max_,
        np.minimum: min_,
        np.logical_and: all_,
        np.logical_or: any_,
    }
)
