"""``np.apply_along_axis`` and ``np.apply_over_axes``: functions over the axes of an array."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.numpy_language.dispatch import implements, normalize_axes, normalize_axis, trace_of
from bital.numpy_language.shapes import array, expand_dims, moveaxis, reshape_to
from bital.numpy_language.tracer import Trace, Tracer, current_trace, tracing
from bital.primitives.primitive import program_transforms
from bital.program import ArrayType


@implements(np.apply_along_axis)
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Tracer:
    """The function is recorded once, for all vectors, as `bital.vmap` does."""
    x = trace_of(arr)
    axis = normalize_axis(axis, x.ndim)
    lead = (*x.shape[:axis], *x.shape[axis + 1 :])
    count = math.prod(lead)
    if not count:
        raise ValueError(f"np.apply_along_axis: no vectors along axis {axis} of {x!r}")
    rows = reshape_to(moveaxis(x, axis, -1), (count, x.shape[axis]))
    inner = Trace("apply_along_axis", values_known=False, freeze=True)
    with tracing(inner):
        row = Tracer(inner, inner.builder.input(ArrayType(rows.shape[1:], x.dtype)))
        result = array(func1d(row, *args, **kwargs))
        output = inner.lift(result)
    program = inner.builder.build([output])
    mapped = [True, *[False] * len(inner.captured)]
    outer = current_trace()
    assert outer is not None
    wide = outer.inline(
        program_transforms["batch"](program, count, mapped, [True]), [rows, *inner.captured]
    )[0]
    shape = wide.shape[1:]
    result = reshape_to(wide, (*lead, *shape))
    return moveaxis(result, range(len(lead), result.ndim), range(axis, axis + len(shape)))


@implements(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Tracer:
    x = trace_of(a)
    for axis in normalize_axes(axes, x.ndim):
        result = trace_of(func(x, axis))
        if result.ndim == x.ndim - 1:
            result = expand_dims(result, axis)
        if result.ndim != x.ndim:
            raise ValueError(
                f"np.apply_over_axes: the function made {result!r} of {x!r}; it may drop one axis"
            )
        x = result
    return x
