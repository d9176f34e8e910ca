"""Norms of vectors and matrices, and what is measured with them: condition and rank.

At a zero vector the derivative of the 2-norm, and of the Frobenius norm, is taken as zero: the
shortest subgradient. Equal extrema share it equally, as in `np.max`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from bital.numpy_language.dispatch import (
    cast,
    implements,
    normalize_axes,
    operand,
    trace_of,
)
from bital.numpy_language.linalg import inv, matrices, slogdet, svd, svdvals
from bital.numpy_language.shapes import moveaxis
from bital.numpy_language.tracer import Tracer, bind
from bital.primitives.elementwise import stop_gradient


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    x = trace_of(operand(x))
    if x.dtype.kind not in "fc":
        x = trace_of(cast(x, np.float64))
    if axis is None:
        axes = tuple(range(x.ndim))
        usual = ord is None or (ord in ("f", "fro") and x.ndim == 2) or (ord == 2 and x.ndim == 1)
        if usual:
            return _root_of_squares(x, axes, keepdims)
    elif isinstance(axis, tuple):
        axes = normalize_axes(axis, x.ndim)
    else:
        axes = normalize_axes(_as_int(axis), x.ndim)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    raise ValueError(
        f"np.linalg.norm with ord={ord!r} takes one or two axes, got axis={axis} of {x!r}"
    )


def _as_int(axis: Any) -> int:
    try:
        return int(axis)
    except Exception as fault:
        raise TypeError(f"axis must be None, an int or a tuple of ints, got {axis!r}") from fault


def _root_of_squares(x: Tracer, axes: tuple[int, ...], keepdims: bool) -> Any:
    squares = x * x if x.dtype.kind != "c" else np.square(x.real) + np.square(x.imag)
    total = np.sum(squares, axis=axes, keepdims=keepdims)
    zero = total == 0
    return np.where(zero, total, np.sqrt(np.where(zero, np.ones_like(total), total)))


def _vector_norm(x: Tracer, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if ord is None or ord == 2:
        return _root_of_squares(x, axes, keepdims)
    if isinstance(ord, str):
        raise ValueError(f"np.linalg.norm: ord={ord!r} is for matrices, not for vectors")
    size: Any = np.abs(x)
    if ord == np.inf:
        return np.max(size, axis=axes, keepdims=keepdims, initial=0)
    if ord == -np.inf:
        return np.min(size, axis=axes, keepdims=keepdims)
    if ord == 0:
        return np.sum((x != 0).astype(size.dtype), axis=axes, keepdims=keepdims)
    if ord == 1:
        return np.sum(size, axis=axes, keepdims=keepdims)
    total = np.sum(size**ord, axis=axes, keepdims=keepdims)
    zero = total == 0
    root = np.where(zero, np.ones_like(total), total) ** (1 / ord)
    return np.where(zero, total ** (1 / ord), root) if ord < 0 else np.where(zero, total, root)


def _matrix_norm(x: Tracer, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if ord in (None, "fro", "f"):
        return _root_of_squares(x, axes, keepdims)
    x = moveaxis(x, axes, (-2, -1))
    if ord in (2, -2, "nuc"):
        s = svdvals(x)
        if ord == "nuc":
            result: Any = np.sum(s, axis=-1)
        else:
            result = np.max(s, axis=-1, initial=0) if ord == 2 else np.min(s, axis=-1)
    elif ord in (1, -1, np.inf, -np.inf):
        sums: Any = np.sum(np.abs(x), axis=-2 if abs(ord) == 1 else -1)
        result = np.max(sums, axis=-1, initial=0) if ord > 0 else np.min(sums, axis=-1)
    else:
        raise ValueError(f"np.linalg.norm: ord={ord!r} is no norm of matrices")
    return np.expand_dims(result, axes) if keepdims else result


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """Over any number of axes, as if they were one."""
    x = trace_of(operand(x))
    axes = normalize_axes(axis, x.ndim)
    flat = moveaxis(x, axes, tuple(range(len(axes))))
    count = math.prod(flat.shape[: len(axes)])
    result = norm(flat.reshape(count, *flat.shape[len(axes) :]), ord, 0)
    if not keepdims:
        return result
    return result.reshape([1 if i in axes else n for i, n in enumerate(x.shape)])


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return norm(x, ord, (-2, -1), keepdims)


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """Infinite for a singular matrix, whose derivative is zero then."""
    (x,) = matrices("cond", x)
    if x.ndim < 2 or 0 in x.shape[-2:]:
        raise LinAlgError(f"np.linalg.cond takes matrices with elements, got {x!r}")
    if p is None or p in (2, -2):
        s = svdvals(x)
        first, last = (s[..., -1], s[..., 0]) if p == -2 else (s[..., 0], s[..., -1])
        result = np.where(last == 0, np.inf, first / np.where(last == 0, 1, last))
    else:
        zero = slogdet(bind(stop_gradient, x))[1] == -np.inf
        safe = np.where(zero[..., np.newaxis, np.newaxis], np.eye(x.shape[-1], dtype=x.dtype), x)
        product = norm(x, p, (-2, -1)) * norm(inv(safe), p, (-2, -1))
        result = np.where(zero, np.inf, product)
    unknown = np.isnan(result) & ~np.isnan(x).any(axis=(-2, -1))
    return np.where(unknown, np.inf, result)


@implements(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """An integer: no gradient passes."""
    if tol is not None and rtol is not None:
        raise ValueError(f"np.linalg.matrix_rank takes one of tol= and rtol=, got {tol} and {rtol}")
    x = trace_of(operand(A))
    if x.ndim < 2:
        return np.any(x != 0).astype(np.intp)
    s = svd(x, compute_uv=False, hermitian=hermitian)
    if tol is None:
        factor = max(x.shape[-2:]) * np.finfo(s.dtype).eps if rtol is None else _behind(rtol)
        limit = np.max(s, axis=-1, keepdims=True, initial=0) * factor
    else:
        limit = _behind(tol)
    return np.sum(s > limit, axis=-1, dtype=np.intp)


def _behind(value: Any) -> Any:
    return trace_of(operand(value))[..., np.newaxis]
