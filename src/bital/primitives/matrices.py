"""Matrices of atoms, for rules: the last two axes, with stacks in front as NumPy has them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from bital.primitives.elementwise import add, convert, div, full_like, mul, select, sub
from bital.primitives.linear import dot_general
from bital.primitives.primitive import REGISTRY, Primitive, require
from bital.primitives.reduction import reduce_sum
from bital.primitives.shape import batched, broadcast_to, reshape, slice_, transpose
from bital.program import Array, ArrayType, Atom, Literal, current_builder


def matmul(x: Atom, y: Atom) -> Atom:
    """As ``np.matmul``, for operands of at least two axes."""
    stack = np.broadcast_shapes(x.type.shape[:-2], y.type.shape[:-2])
    x, y = _stacked(x, stack), _stacked(y, stack)
    lead, n = tuple(range(len(stack))), len(stack)
    result: Atom = dot_general(x, y, contract=((n + 1,), (n,)), batch=(lead, lead))
    return result


def _stacked(x: Atom, stack: tuple[int, ...]) -> Atom:
    shape = (*stack, *x.type.shape[-2:])
    result: Atom = x if x.type.shape == shape else broadcast_to(x, shape=shape)
    return result


def swap(x: Atom) -> Atom:
    """Rows and columns exchanged."""
    n = x.type.ndim
    result: Atom = transpose(x, permutation=(*range(n - 2), n - 1, n - 2))
    return result


def conj(x: Atom) -> Atom:
    result: Atom = REGISTRY["conj"](x) if x.type.dtype.kind == "c" else x
    return result


def adjoint(x: Atom) -> Atom:
    return conj(swap(x))


def real(x: Atom) -> Atom:
    result: Atom = REGISTRY["real"](x) if x.type.dtype.kind == "c" else x
    return result


def like(x: Atom, y: Atom) -> Atom:
    """x in the dtype of y: a real value among complex ones."""
    result: Atom = x if x.type.dtype == y.type.dtype else convert(x, dtype=y.type.dtype)
    return result


@functools.lru_cache(maxsize=256)
def _pattern(name: str, n: int, dtype: np.dtype[Any]) -> Array:
    """The same array each time, since constants of Programs are compared by identity."""
    if name == "lower":
        array: Array = np.tri(n, dtype=dtype)
    else:
        array = np.eye(n, dtype=dtype)
    if name == "halves":
        array = 1 - array / 2
    array.flags.writeable = False
    return array


def pattern(name: str, x: Atom, dtype: Any = None) -> Atom:
    """A constant matrix with as many rows as x."""
    wanted = x.type.dtype if dtype is None else np.dtype(dtype)
    return current_builder().constant(_pattern(name, x.type.shape[-2], wanted))


def identity(x: Atom) -> Atom:
    return pattern("identity", x)


def keep(name: str, x: Atom) -> Atom:
    """The elements of a square matrix in this pattern; 0 elsewhere, whatever x is there."""
    result: Atom = select(pattern(name, x, bool), x, Literal(0, x.type.dtype))
    return result


def half_lower(x: Atom) -> Atom:
    """The lower triangle, its diagonal halved: x = y + y^H for hermitian x."""
    result: Atom = mul(keep("lower", x), pattern("halves", x))
    return result


def hermitian(x: Atom, lower: bool = True) -> Atom:
    """The hermitian matrix that has this triangle."""
    half = half_lower(x if lower else adjoint(x))
    result: Atom = add(half, adjoint(half))
    return result


def skew(x: Atom) -> Atom:
    """The antihermitian matrix that has the lower triangle of x."""
    half = half_lower(x)
    result: Atom = sub(half, adjoint(half))
    return result


def diagonal(x: Atom) -> Atom:
    """Of a square matrix."""
    *stack, n, _ = x.type.shape
    flat = reshape(x, shape=(*stack, n * n))
    start, stop = (0,) * flat.type.ndim, flat.type.shape
    result: Atom = slice_(flat, start=start, stop=stop, step=(*(1 for _ in stack), n + 1))
    return result


def trace(x: Atom) -> Atom:
    result: Atom = reduce_sum(diagonal(x), axes=(x.type.ndim - 2,), keepdims=False)
    return result


def sum_matrix(x: Atom) -> Atom:
    n = x.type.ndim
    result: Atom = reduce_sum(x, axes=(n - 2, n - 1), keepdims=False)
    return result


def row(x: Atom) -> Atom:
    """A vector as a matrix of one row: beside a matrix it scales, or counts, columns."""
    result: Atom = reshape(x, shape=(*x.type.shape[:-1], 1, x.type.shape[-1]))
    return result


def column(x: Atom) -> Atom:
    result: Atom = reshape(x, shape=(*x.type.shape, 1))
    return result


def scalar(x: Atom) -> Atom:
    """A number a matrix, as a matrix of one element."""
    result: Atom = reshape(x, shape=(*x.type.shape, 1, 1))
    return result


def part(x: Atom, rows: slice, columns: slice) -> Atom:
    *lead, m, n = x.type.shape
    ranges = [*((0, k, 1) for k in lead), rows.indices(m), columns.indices(n)]
    start, stop, step = zip(*ranges, strict=True)
    result: Atom = slice_(x, start=start, stop=stop, step=step)
    return result


def columns(x: Atom, start: int, stop: int | None = None) -> Atom:
    return part(x, slice(None), slice(start, stop))


def rows(x: Atom, start: int, stop: int | None = None) -> Atom:
    return part(x, slice(start, stop), slice(None))


def inverse_gaps(x: Atom) -> Atom:
    """1 / x off the diagonal, 0 on it."""
    ones = identity(x)
    result: Atom = sub(div(full_like(x, 1), add(x, ones)), ones)
    return result


def require_matrix(name: str, x: ArrayType, square: bool = True) -> None:
    require(
        x.ndim >= 2 and x.dtype.kind in "fc" and x.dtype.itemsize >= 4,
        lambda: f"{name} needs matrices of float32, float64, complex64 or complex128, got {x}",
    )
    require(
        not square or x.shape[-1] == x.shape[-2], lambda: f"{name} needs square matrices, got {x}"
    )


def real_dtype(x: ArrayType) -> np.dtype[Any]:
    return np.dtype(x.dtype.char.lower())


def in_front(
    primitive: Primitive, size: int, inputs: list[Atom], mapped: list[bool], **params: Any
) -> list[Atom]:
    """A batch axis is one more axis of stacks."""
    full = [batched(x, flag, size) for x, flag in zip(inputs, mapped, strict=True)]
    return primitive.bind(full, params)
