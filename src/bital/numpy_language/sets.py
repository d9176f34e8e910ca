"""NumPy's sets: how many elements they have depends on values, so these must be known.

Under ``bital.grad`` they are: the places that NumPy finds pick the traced elements, the first of
equal ones. Under ``bital.jit`` and ``bital.vmap`` they are not, and the functions are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from bital.numpy_language.dispatch import implements, normalize_axis, trace_of, unsupported
from bital.numpy_language.tracer import Tracer

Handler = TypeVar("Handler", bound=Callable[..., Any])


def needs_values(handler: Handler) -> Handler:
    """Mark a handler that refuses where values are unknown."""
    handler.needs_values = True  # type: ignore[attr-defined]
    return handler


def _known(x: Tracer, name: str) -> Any:
    value = x.known_value()
    if value is None:
        raise unsupported(f"np.{name}")
    return np.asarray(value)


@implements(np.unique)
@needs_values
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    **options: Any,
) -> Any:
    x = trace_of(ar)
    if axis is not None:
        axis = normalize_axis(axis, x.ndim)
    _, index, inverse, counts = np.unique(_known(x, "unique"), True, True, True, axis, **options)
    values = x.reshape(-1)[index] if axis is None else np.take(x, index, axis)
    wanted = ((return_index, index), (return_inverse, inverse), (return_counts, counts))
    extra = [each for is_wanted, each in wanted if is_wanted]
    return (values, *extra) if extra else values


def _array_api(function: Callable[..., Any]) -> Callable[..., Any]:
    """The array API's forms: each NaN is an element of its own."""

    @needs_values
    def handler(x: Any) -> Any:
        x = trace_of(x)
        values, index, inverse, counts = unique(x, True, True, True, equal_nan=False)
        if function is np.unique_values:
            return values
        kind = type(function(np.zeros(1)))
        found = {"indices": index, "inverse_indices": inverse, "counts": counts}
        return kind(values, *(found[name] for name in kind._fields[1:]))

    return handler


for _function in (np.unique_all, np.unique_counts, np.unique_inverse, np.unique_values):
    implements(_function)(_array_api(_function))


@implements(np.union1d)
@needs_values
def union1d(ar1: Any, ar2: Any) -> Any:
    return unique(np.concatenate([trace_of(ar1).reshape(-1), trace_of(ar2).reshape(-1)]))


@implements(np.intersect1d)
@needs_values
def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False
) -> Any:
    x, y = trace_of(ar1).reshape(-1), trace_of(ar2).reshape(-1)
    known = _known(x, "intersect1d"), _known(y, "intersect1d")
    values, in_x, in_y = np.intersect1d(*known, assume_unique, return_indices=True)
    result = x[in_x].astype(values.dtype)
    return (result, in_x, in_y) if return_indices else result


def _once(x: Tracer, assume_unique: bool) -> Any:
    return x.reshape(-1) if assume_unique else unique(x)


@implements(np.setdiff1d)
@needs_values
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    x, y = _once(trace_of(ar1), assume_unique), _known(trace_of(ar2), "setdiff1d")
    return x[np.flatnonzero(np.isin(_known(x, "setdiff1d"), y, invert=True))]


@implements(np.setxor1d)
@needs_values
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    x: Any = np.concatenate([_once(trace_of(each), assume_unique) for each in (ar1, ar2)])
    value = _known(x, "setxor1d")
    order = np.argsort(value, stable=True)
    changes = np.concatenate([[True], np.diff(value[order]) != 0, [True]])
    return x[order[changes[1:] & changes[:-1]]] if x.size else x
