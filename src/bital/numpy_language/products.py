"""Products of vectors, matrices and stacks of them. ``np.einsum`` has a file of its own."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.numpy_language.dispatch import (
    cast,
    implements,
    implements_ufunc,
    normalize_axes,
    normalize_axis,
    operand,
    result_dtype,
    trace_of,
)
from bital.numpy_language.shapes import (
    broadcast_to,
    expand_dims,
    matrix_transpose,
    moveaxis,
    squeeze,
)
from bital.numpy_language.tracer import Tracer, bind
from bital.numpy_language.ufuncs import store
from bital.primitives import linear as p

implements(np.linalg.matrix_transpose)(matrix_transpose)


def _pair(a: Any, b: Any) -> tuple[Tracer, Tracer]:
    a, b = operand(a), operand(b)
    dtype = result_dtype(a, b)
    return trace_of(cast(trace_of(a), dtype)), trace_of(cast(trace_of(b), dtype))


def contract(x: Tracer, y: Tracer, axes: Any, batch: Any = ((), ())) -> Tracer:
    result: Tracer = bind(p.dot_general, x, y, contract=axes, batch=batch)
    return result


def _mismatch(name: str, x: Tracer, y: Tracer, i: int, j: int) -> ValueError:
    return ValueError(
        f"np.{name}: shapes {x.shape} and {y.shape} not aligned: "
        f"{x.shape[i]} (axis {i}) and {y.shape[j]} (axis {j}) must be equal"
    )


def conj(x: Tracer) -> Tracer:
    result: Any = np.conjugate(x) if x.dtype.kind == "c" else x
    return result  # type: ignore[no-any-return]


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    x, y = _pair(a, b)
    if x.ndim == 0 or y.ndim == 0:
        return store(out, x * y, "dot")
    i, j = x.ndim - 1, max(y.ndim - 2, 0)
    if x.shape[i] != y.shape[j]:
        raise _mismatch("dot", x, y, i, j)
    return store(out, contract(x, y, ((i,), (j,))), "dot")


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    x, y = _pair(a, b)
    if x.ndim == 0 or y.ndim == 0:
        return x * y
    if x.shape[-1] != y.shape[-1]:
        raise _mismatch("inner", x, y, x.ndim - 1, y.ndim - 1)
    return contract(x, y, ((x.ndim - 1,), (y.ndim - 1,)))


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    x, y = _pair(a, b)
    return dot(conj(x.reshape(-1)), y.reshape(-1))


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    x, y = trace_of(a), trace_of(b)
    return store(out, x.reshape(-1, 1) * y.reshape(1, -1), "outer")


@implements(np.linalg.outer)
def linalg_outer(x1: Any, x2: Any, /) -> Any:
    x, y = trace_of(x1), trace_of(x2)
    if x.ndim != 1 or y.ndim != 1:
        raise ValueError(f"np.linalg.outer takes vectors, got shapes {x.shape} and {y.shape}")
    return outer(x, y)


# --- generalised ufuncs ---------------------------------------------------------------------


Product = Callable[..., Tracer]


def _generalised(ufunc: np.ufunc) -> Callable[[Product], Product]:
    """Enter a handler of operands whose core axes stand last; the options are taken care of."""

    def register(handler: Product) -> Product:
        @functools.wraps(handler)
        def whole(
            a: Any,
            b: Any,
            axes: Any = None,
            axis: Any = None,
            keepdims: bool = False,
        ) -> Tracer:
            x, y = _pair(a, b)
            if (axis is not None or keepdims) and ufunc is not np.vecdot:
                raise TypeError(f"np.{ufunc.__name__} takes no axis= or keepdims=, as in NumPy")
            if axis is not None:
                axes = [(axis,), (axis,), (axis,) if keepdims else ()]
            if axes is None:
                result = handler(x, y)
                return expand_dims(result, -1) if keepdims else result
            moved = [_core_last(each, where) for each, where in zip((x, y), axes, strict=False)]
            result = handler(*moved)
            result = expand_dims(result, -1) if keepdims else result
            place = _as_tuple(axes[2]) if len(axes) > 2 else ()
            return moveaxis(result, tuple(range(-len(place), 0)), place) if place else result

        implements_ufunc(ufunc)(whole)
        return whole

    return register


def _as_tuple(axes: Any) -> tuple[int, ...]:
    return tuple(axes) if isinstance(axes, (tuple, list)) else (axes,)


def _core_last(x: Tracer, axes: Any) -> Tracer:
    where = _as_tuple(axes)
    return moveaxis(x, where, tuple(range(-len(where), 0)))


@_generalised(np.matmul)
def matmul(x: Tracer, y: Tracer) -> Tracer:
    if x.ndim == 0 or y.ndim == 0:
        raise ValueError(f"np.matmul does not take scalars, got {x!r} and {y!r}; write a * b")
    i, j = x.ndim - 1, max(y.ndim - 2, 0)
    if x.shape[i] != y.shape[j]:
        raise _mismatch("matmul", x, y, i, j)
    if x.ndim <= 2 or y.ndim <= 2:
        result = contract(x, y, ((i,), (j,)))
        if y.ndim > 2 and x.ndim == 2:  # rows of x stand before y's batch axes
            result = moveaxis(result, 0, -2)
        return result
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x = broadcast_to(x, batch + x.shape[-2:])
    y = broadcast_to(y, batch + y.shape[-2:])
    axes = tuple(range(len(batch)))
    return contract(x, y, ((len(batch) + 1,), (len(batch),)), (axes, axes))


@implements(np.linalg.matmul)
def linalg_matmul(x1: Any, x2: Any, /) -> Tracer:
    return matmul(x1, x2)


def _as_matrices(name: str, x: Tracer, y: Tracer, vectors: tuple[bool, bool]) -> Tracer:
    """A product of vectors and matrices as one of matrices; vectors have one core axis."""
    for each, is_vector in zip((x, y), vectors, strict=True):
        if each.ndim < 2 - is_vector:
            raise ValueError(f"np.{name}: {each!r} has too few axes")
    i, j = x.ndim - 1, y.ndim - 1 if vectors[1] else y.ndim - 2
    if x.shape[i] != y.shape[j]:
        raise _mismatch(name, x, y, i, j)
    if vectors[1] and y.ndim == 1:
        return matmul(x, y)
    left = expand_dims(x, -2) if vectors[0] else x
    right = expand_dims(y, -1) if vectors[1] else y
    axes = tuple(axis for axis, flag in ((-2, vectors[0]), (-1, vectors[1])) if flag)
    return squeeze(matmul(left, right), axes)


@_generalised(np.vecdot)
def vecdot(x: Tracer, y: Tracer) -> Tracer:
    return _as_matrices("vecdot", conj(x), y, (True, True))


if hasattr(np, "matvec"):  # since NumPy 2.2

    @_generalised(np.matvec)
    def matvec(x: Tracer, y: Tracer) -> Tracer:
        return _as_matrices("matvec", x, y, (False, True))

    @_generalised(np.vecmat)
    def vecmat(x: Tracer, y: Tracer) -> Tracer:
        return _as_matrices("vecmat", conj(x), y, (True, False))


@implements(np.linalg.vecdot)
def linalg_vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Tracer:
    return vecdot(x1, x2, axis=axis)


# --- tensors --------------------------------------------------------------------------------


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Tracer:
    x, y = _pair(a, b)
    if isinstance(axes, (int, np.integer)):
        count = int(axes)
        x_axes, y_axes = tuple(range(x.ndim - count, x.ndim)), tuple(range(count))
    else:
        x_axes, y_axes = normalize_axes(axes[0], x.ndim), normalize_axes(axes[1], y.ndim)
    lengths = [x.shape[i] for i in x_axes], [y.shape[j] for j in y_axes]
    if lengths[0] != lengths[1]:
        raise ValueError(
            f"np.tensordot: axes {x_axes} of {x.shape} and {y_axes} of {y.shape} differ in length"
        )
    return contract(x, y, (x_axes, y_axes))


@implements(np.linalg.tensordot)
def linalg_tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Tracer:
    return tensordot(x1, x2, axes)


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    x, y = trace_of(a), trace_of(b)
    if x.ndim == 0 or y.ndim == 0:
        return x * y
    rank = max(x.ndim, y.ndim)
    left, right = ((1,) * (rank - each.ndim) + each.shape for each in (x, y))
    lengths = tuple(m * n for m, n in zip(left, right, strict=True))
    product = x.reshape([n for each in left for n in (each, 1)]) * y.reshape(
        [n for each in right for n in (1, each)]
    )
    return product.reshape(lengths)


@implements(np.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """Vectors of two elements have a third that is 0; of two such, only the third is given."""
    if axis is not None:
        axisa, axisb, axisc = axis, axis, axis
    x, y = _pair(a, b)
    if x.ndim == 0 or y.ndim == 0:
        raise ValueError(f"np.cross takes vectors, got shapes {x.shape} and {y.shape}")
    x, y = moveaxis(x, axisa, -1), moveaxis(y, axisb, -1)
    if x.shape[-1] not in (2, 3) or y.shape[-1] not in (2, 3):
        raise ValueError(f"np.cross takes vectors of 3 elements, got {x.shape} and {y.shape}")
    if x.shape[-1] == 2 or y.shape[-1] == 2:
        warnings.warn(
            "Arrays of 2-dimensional vectors are deprecated in NumPy. Use 3-dimensional vectors",
            DeprecationWarning,
            stacklevel=3,
        )

    def element(i: int, j: int) -> Any:
        """x[i] y[j] - x[j] y[i], without those that are 0."""
        terms = [
            x[..., k] * y[..., m]
            if k < x.shape[-1] and m < y.shape[-1]  # else an element is 0
            else None
            for k, m in ((i, j), (j, i))
        ]
        if terms[1] is None:
            return terms[0]
        return -terms[1] if terms[0] is None else terms[0] - terms[1]

    if x.shape[-1] == y.shape[-1] == 2:
        return element(0, 1)
    whole: Any = np.stack([element(1, 2), element(2, 0), element(0, 1)], axis=-1)
    return moveaxis(whole, -1, axisc)


@implements(np.linalg.cross)
def linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    x, y = trace_of(x1), trace_of(x2)
    if x.shape[axis] != 3 or y.shape[axis] != 3:
        raise ValueError(
            f"np.linalg.cross takes vectors of 3 elements along axis {axis}, got shapes "
            f"{x.shape} and {y.shape}"
        )
    return cross(x, y, axis=axis)


# --- diagonals ------------------------------------------------------------------------------


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tracer:
    """Every (n + 1)-th element of the matrix as it lies in memory: no index arrays."""
    x = trace_of(a)
    if x.ndim < 2:
        raise ValueError(f"a diagonal needs two axes, got {x!r}")
    i, j = normalize_axis(axis1, x.ndim), normalize_axis(axis2, x.ndim)
    if i == j:
        raise ValueError(f"a diagonal needs two axes, got {axis1} and {axis2} of {x!r}")
    x = moveaxis(x, (i, j), (-2, -1))
    *stack, m, n = x.shape
    count = max(min(m + min(offset, 0), n - max(offset, 0)), 0)
    start = offset if offset > 0 else -offset * n
    stop = start + (count - 1) * (n + 1) + 1 if count else start
    result: Tracer = x.reshape(*stack, m * n)[..., start : stop : n + 1]
    return result


@implements(np.linalg.diagonal)
def linalg_diagonal(x: Any, /, *, offset: int = 0) -> Tracer:
    return diagonal(x, offset, -2, -1)


@implements(np.trace)
def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> Any:
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype, out=out)


@implements(np.linalg.trace)
def linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return trace(x, offset, -2, -1, dtype)
