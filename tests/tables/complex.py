"""Rows of complex numbers: what the other tables try with real ones alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from tables.row import COMPLEX, FLOATS, Operand, Row, mask, row
from tables.ufuncs import _BINARY_SHAPES, _UNARY_SHAPES

_Z = Operand((3, 4), avoid=(0.0,))  # branch cuts lie on the axes
_NEAR = (Operand((3, 4), 0.2, 0.7),)  # from 0, and so far from the branch points
_FAR = Operand((4,), 0.5, 2.0)


def _complex(name: str, function: Any, *operands: Operand, **options: Any) -> Row:
    options.setdefault("dtypes", COMPLEX)
    options.setdefault("covers", (f"np.{name.split()[0]}",))
    return row(f"{name} of complex", function, *(operands or (_Z,)), **options)


def _several(name: str, *ufuncs: np.ufunc, operands: Any = (), **options: Any) -> Row:
    """Ufuncs that have rows of their own elsewhere, here with complex numbers."""

    def function(*xs: Any) -> Any:
        return [ufunc(*xs) for ufunc in ufuncs]

    shapes = _BINARY_SHAPES if len(operands) == 2 else _UNARY_SHAPES
    covers = tuple(f"np.{ufunc.__name__}" for ufunc in ufuncs)
    return _complex(name, function, *operands, shapes=shapes, covers=covers, **options)


def _binary(ufunc: np.ufunc, **options: Any) -> Row:
    return _complex(ufunc.__name__, ufunc, _Z, _FAR, shapes=_BINARY_SHAPES, **options)


_UNARY = [
    _several("exponentials", np.exp, np.exp2, np.expm1),
    _several("logarithms", np.log, np.log2, np.log10, np.log1p),
    _several("powers", np.square, np.sqrt, np.reciprocal),
    _several("sine", np.sin, np.cos, np.tan),
    _several("arcsine", np.arcsin, np.arccos, np.arctan, operands=_NEAR),
    _several("hyperbolic sine", np.sinh, np.cosh, np.tanh),
    _several("hyperbolic arcsine", np.arcsinh, np.arccosh, np.arctanh, operands=_NEAR),
    _several("signs", np.negative, np.positive, np.conjugate, np.absolute, np.sign),
    _several(
        "tests", np.isnan, np.isinf, np.isfinite, np.logical_not, np.rint, differentiable=False
    ),
]

_BINARY = [
    *(_binary(u) for u in (np.add, np.subtract, np.multiply, np.divide)),
    *(_binary(u) for u in (np.power, np.maximum, np.fmin)),
    *(_binary(u, differentiable=False) for u in (np.equal, np.less, np.logical_and)),
    _several("pairs", np.float_power, np.minimum, np.fmax, operands=(_Z, _FAR)),
    _several(
        "comparisons",
        *(np.not_equal, np.less_equal, np.greater, np.greater_equal, np.logical_or),
        operands=(_Z, _FAR),
        differentiable=False,
    ),
]

_PARTS = [
    _complex("real", lambda z: (np.real(z), np.imag(z)), covers=("np.real", "np.imag")),
    row("imag of real numbers", np.imag),
    _complex("angle", lambda z: (np.angle(z), np.angle(z, deg=True)), shapes=_UNARY_SHAPES),
    row("angle of real numbers", np.angle, Operand(avoid=(0.0,))),
    _complex("iscomplex", lambda z: np.iscomplex(z * np.array([1, 0, 1, 0]).astype(z.dtype))),
    _complex("isreal", lambda z: np.isreal(np.concatenate([z, np.conj(z) * z]))),
    row(
        "isreal and iscomplex of real numbers",
        lambda x: (np.isreal(x), np.iscomplex(x)),
        covers=("np.isreal", "np.iscomplex"),
        differentiable=False,
    ),
    _complex(
        "iscomplexobj",
        lambda z: (z if np.iscomplexobj(z) else z.real, z.real if np.isrealobj(z) else z),
        covers=("np.iscomplexobj", "np.isrealobj"),
    ),
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
    _complex("power operators", lambda z: (z**2, z**-1, z**0.5, z**1, z**3, 2**z), covers=()),
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
    _complex(
        "concatenate to reals",
        lambda z: np.concatenate([z, z], dtype=float),
        covers=(),
        differentiable=False,
    ),
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
