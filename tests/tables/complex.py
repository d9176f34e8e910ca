"""Rows of complex numbers: what the other tables try with real ones alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from tables.row import COMPLEX, FLOATS, Operand, Row, mask, row
from tables.ufuncs import _BINARY_SHAPES, _UNARY_SHAPES

_Z = Operand((3, 4), avoid=(0.0,))  # branch cuts lie on the axes
_FAR = Operand((4,), 0.5, 2.0)


def _complex(name: str, function: Any, *operands: Operand, **options: Any) -> Row:
    options.setdefault("dtypes", COMPLEX)
    options.setdefault("covers", (f"np.{name.split()[0]}",))
    return row(f"{name} of complex", function, *(operands or (_Z,)), **options)


def _unary(ufunc: np.ufunc, **options: Any) -> Row:
    return _complex(ufunc.__name__, ufunc, shapes=_UNARY_SHAPES, **options)


def _binary(ufunc: np.ufunc, *operands: Operand, **options: Any) -> Row:
    operands = operands or (_Z, _FAR)
    return _complex(ufunc.__name__, ufunc, *operands, shapes=_BINARY_SHAPES, **options)


_UNARY = [
    *(_unary(u) for u in (np.negative, np.positive, np.conjugate, np.square, np.absolute)),
    *(_unary(u) for u in (np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p)),
    *(_unary(u) for u in (np.sqrt, np.sin, np.cos, np.tan, np.sinh, np.cosh, np.tanh)),
    *(_unary(u) for u in (np.arcsin, np.arccos, np.arctan)),
    *(_unary(u) for u in (np.arcsinh, np.arccosh, np.arctanh)),
    *(_unary(u) for u in (np.reciprocal, np.sign)),
    _unary(np.rint, differentiable=False),
    *(_unary(u, differentiable=False) for u in (np.isnan, np.isinf, np.isfinite, np.logical_not)),
]

_BINARY = [
    *(_binary(u) for u in (np.add, np.subtract, np.multiply, np.divide)),
    *(_binary(u) for u in (np.power, np.float_power)),
    *(_binary(u) for u in (np.maximum, np.minimum, np.fmax, np.fmin)),
    *(
        _binary(u, differentiable=False)
        for u in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
    ),
    *(_binary(u, differentiable=False) for u in (np.logical_and, np.logical_or, np.logical_xor)),
]

_PARTS = [
    _complex("real", np.real),
    _complex("imag", np.imag),
    row("imag of real numbers", np.imag),
    _complex("angle", np.angle, shapes=_UNARY_SHAPES),
    _complex("angle deg", lambda z: np.angle(z, deg=True)),
    row("angle of real numbers", np.angle, Operand(avoid=(0.0,))),
    _complex("iscomplex", lambda z: np.iscomplex(z * np.array([1, 0, 1, 0]).astype(z.dtype))),
    _complex("isreal", lambda z: np.isreal(np.concatenate([z, np.conj(z) * z]))),
    row("iscomplex of real numbers", np.iscomplex, differentiable=False),
    row("isreal of real numbers", np.isreal, differentiable=False),
    _complex("iscomplexobj", lambda z: z if np.iscomplexobj(z) else z.real),
    _complex("isrealobj", lambda z: z.real if np.isrealobj(z) else z),
    row("real_if_close", np.real_if_close),
    _complex("conj as a method", lambda z: z.conj() * z.real, covers=()),
    _complex("parts as attributes", lambda z: (z.T.imag, z.real[1:], z.imag.sum(0)), covers=()),
    row("conj and parts of real numbers", lambda x: (x.conj(), x.real, x.imag), covers=()),
    _complex("parts written to", lambda z: _parts_written(z.copy()), covers=()),
]


def _parts_written(z: Any) -> Any:
    z.real = z.imag * 2
    z.imag += 1
    return z


_ARITHMETIC = [
    _complex("operators", lambda z: 2 * z - 1j / z + (1 - z) * np.float32(3), covers=()),
    _complex("powers", lambda z: (z**2, z**-1, z**0.5, z**1, z**3, 2**z), covers=()),
    _complex("powers of a Python number", lambda z: z ** (1 + 2j) + (1j) ** z, covers=()),
    row(
        "a Python complex number beside reals",
        lambda x: np.exp(1j * x) + (x * (2 - 1j)).imag * x,
        covers=(),
        dtypes=("int32", *FLOATS),
        rtol=4.0,
    ),
    _complex("abs squared", lambda z: abs(z) ** 2 + (z * z.conj()).real, covers=()),
    _complex(
        "astype", lambda z: z.astype(np.complex64).astype(np.complex128) * z, differentiable=False
    ),
    row(
        "astype to complex64",
        lambda x: x.astype(np.complex64),
        covers=("np.astype",),
        differentiable=False,
    ),
    row(
        "astype to complex",
        lambda x: x.astype(complex) * (1 + 1j),
        covers=("np.astype",),
        dtypes=("int32", "float64"),
    ),
    _complex("astype to real", lambda z: z.astype(np.float32), differentiable=False),
    _complex("astype to bool", lambda z: z.astype(bool), differentiable=False),
    _complex("where", np.where, mask(3, 1), _Z, Operand((4,), avoid=(0.0,))),
    _complex("round", lambda z: (np.round(z), np.round(z, 1)), differentiable=False),
    _complex("nan_to_num", lambda z: np.nan_to_num(z, nan=2.0)),
    _complex("clip", lambda z: np.clip(z, -1, 1 + 1j)),
    _complex("sinc", np.sinc, Operand((3, 4), -2, 2), rtol=8.0),
]

_REDUCTIONS = [
    _complex("sum", lambda z: (np.sum(z, axis=0), np.sum(z), z.sum(1, keepdims=True)), rtol=4.0),
    _complex(
        "sum of reals in complex", lambda z: np.sum(z.real, dtype=z.dtype), covers=("np.sum",)
    ),
    _complex("prod", lambda z: (np.prod(z, axis=1), np.prod(z)), rtol=8.0),
    _complex("mean", lambda z: (np.mean(z, axis=0), z.mean()), rtol=4.0),
    _complex("var", lambda z: (np.var(z, axis=0), z.var(ddof=1)), rtol=8.0),
    _complex("std", lambda z: (np.std(z, axis=1), z.std()), rtol=8.0),
    _complex("max", lambda z: (np.max(z, axis=0), z.min()), covers=("np.max", "np.min")),
    _complex("argmax", lambda z: (np.argmax(z, axis=0), z.argmin()), differentiable=False),
    _complex("any", lambda z: (np.any(z, axis=0), np.all(z)), differentiable=False),
]

_PRODUCTS = [
    _complex("matmul", np.matmul, _Z, Operand((4, 2)), rtol=8.0),
    _complex("dot", np.dot, Operand((2, 3, 4)), Operand((4,)), rtol=8.0),
    _complex(
        "tensordot",
        lambda a, b: np.tensordot(a, b, ((0, 1), (1, 2))),
        _Z,
        Operand((2, 3, 4)),
        rtol=8.0,
    ),
    _complex(
        "einsum", lambda a, b: np.einsum("ij,jk,kl->il", a, b, b.T), _Z, Operand((4, 2)), rtol=16.0
    ),
    _complex("vdot", np.vdot, _Z, Operand((4, 3)), rtol=8.0),
    _complex("outer", np.outer, Operand((3,)), Operand((4,))),
    _complex(
        "product with reals",
        lambda z, x: (z.T @ x, x.T @ z),
        _Z,
        Operand((3, 2), dtype="float64"),
        covers=("np.matmul",),
        rtol=8.0,
    ),
]

_MOVES = [
    _complex("reshape", lambda z: z.reshape(2, 6).T[::-1, 1:], covers=()),
    _complex("concatenate", lambda z: np.concatenate([z, z.conj(), z[:1].real], axis=0)),
    _complex("pad", lambda z: np.pad(z, ((1, 0), (0, 2)), constant_values=1j)),
    _complex("take", lambda z: (np.take(z, [2, 0], axis=1), z[[0, 0, 1], 1:]), covers=()),
    _complex("indexed writes", lambda z: _written(z.copy()), covers=()),
    _complex("zeros_like", lambda z: np.zeros_like(z) + np.full_like(z, 2j) * z),
    _complex("broadcast_to", lambda z: np.broadcast_to(z[:1], (2, 5, 4)).sum(0)),
]


def _written(z: Any) -> Any:
    z[0] = 1j
    z[1:, 1] = z[:2, 0] * 2
    z[[0, 2], [3, 3]] += 1
    return z


ROWS: list[Row] = [*_UNARY, *_BINARY, *_PARTS, *_ARITHMETIC, *_REDUCTIONS, *_PRODUCTS, *_MOVES]
