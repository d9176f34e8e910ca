"""Rows of ``np.linalg``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tables.row import FLOATS, Operand, Row, Shape, row


@dataclass(frozen=True)
class Matrix(Operand):
    """A matrix, or a stack, with a growing diagonal added: well away from singular.

    Attributes
    ----------
    shift : float
    definite : bool
        Whether it is symmetric and positive definite.
    """

    shape: Shape = (3, 3)
    low: float = -1.0
    high: float = 1.0
    shift: float = 3.0
    definite: bool = False

    def draw(self, rng: np.random.Generator, dtype: str, shape: Shape | None = None) -> Any:
        x = super().draw(rng, dtype, shape)
        if x.ndim < 2 or x.dtype.kind == "b":
            return x
        if self.definite:
            x = (x + np.swapaxes(x, -1, -2)) / 2
        steps = 1 + np.arange(x.shape[-1]) / 2  # so that eigenvalues are well apart
        return (x + self.shift * steps * np.eye(*x.shape[-2:])).astype(x.dtype)


_A = Matrix()
_STACK = Matrix((2, 3, 3))
_DEFINITE = Matrix(definite=True)
_DEFINITES = Matrix((2, 3, 3), definite=True)
_WIDE, _TALL = Matrix((2, 4)), Matrix((4, 2))
_VECTOR, _PAIR = Operand((3,)), Operand((3, 2))
_NONE = (((0, 0),), ((2, 0, 0),), ((0, 3, 3),))
_NONE_OF_TWO = (((0, 3),), ((3, 0),), ((2, 0, 3),), ((0, 2, 3),))


def _row(name: str, function: Any, *operands: Operand, **options: Any) -> Row:
    """Without infinities and NaN, which LAPACK answers in several ways."""
    return row(f"linalg.{name}", function, *(operands or (_A,)), **{"corners": False, **options})


def _error(name: str, function: Any, *operands: Operand) -> Row:
    """A row that NumPy refuses."""
    return _row(name, function, *operands, differentiable=False, mapped=False)


def _complement(q: Any) -> Any:
    """The projector on what the first two columns leave, whatever basis of it is given."""
    return q[:, 2:] @ q[:, 2:].T


def _put_together(x: Any) -> Any:
    """A function of a matrix by its singular values."""
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return (u * np.tanh(s)) @ vh


def _parts(z: Any) -> Any:
    return z.real, z.imag


SYSTEMS: list[Row] = [
    _row("solve", np.linalg.solve, _A, _VECTOR, shapes=(((0, 0), (0,)), ((0, 0), (0, 2)))),
    _row("solve matrix", np.linalg.solve, _A, _PAIR, shapes=(((3, 3), (3, 0)),)),
    _row("solve stacks", np.linalg.solve, _STACK, Operand((2, 3, 2))),
    _row("solve stack vector", np.linalg.solve, _STACK, _VECTOR),
    _row("solve stack matrix", np.linalg.solve, _STACK, _PAIR),
    _row("solve matrix stack", np.linalg.solve, _A, Operand((2, 3, 2))),
    _row("solve broadcasting", np.linalg.solve, Matrix((2, 1, 3, 3)), Operand((4, 3, 2))),
    _row("solve with itself", lambda x: np.linalg.solve(x, x @ x)),
    _error("solve of a singular matrix", lambda x, y: np.linalg.solve(x * 0, y), _A, _VECTOR),
    _error("solve of a wide matrix", np.linalg.solve, _WIDE, Operand((2,))),
    _error("solve of unequal lengths", np.linalg.solve, _A, Operand((4,))),
    _error("solve of vectors", np.linalg.solve, _VECTOR, _VECTOR),
    _row("inv", np.linalg.inv, shapes=_NONE),
    _row("inv stack", np.linalg.inv, _STACK),
    _error("inv of a singular matrix", lambda x: np.linalg.inv(x - x)),
    _error("inv of a wide matrix", np.linalg.inv, _WIDE),
    _row("pinv", np.linalg.pinv, _TALL, shapes=_NONE_OF_TWO, rtol=8.0),
    _row("pinv wide", np.linalg.pinv, Matrix((2, 2, 4))),
    _row("pinv rcond=", lambda x: np.linalg.pinv(x, 0.1), _TALL),
    _row("pinv rcond= each", lambda x: np.linalg.pinv(x, [0.1, 1e-3]), Matrix((2, 3, 2))),
    _row("pinv rtol=", lambda x: np.linalg.pinv(x, rtol=None), _TALL, dtypes=FLOATS),
    _row("pinv of rank one", lambda x: np.linalg.pinv(np.outer(x, x), 1e-6), _VECTOR, rtol=64.0),
    _row("pinv hermitian=", lambda x: np.linalg.pinv(x, hermitian=True), _DEFINITE, rtol=8.0),
    _error("pinv rcond= and rtol=", lambda x: np.linalg.pinv(x, 0.1, rtol=0.1)),
    _row("lstsq", lambda x, y: np.linalg.lstsq(x, y)[0], _TALL, Operand((4,)), rtol=16.0),
    _row(
        "lstsq all",
        np.linalg.lstsq,
        _TALL,
        Operand((4, 3)),
        dtypes=("float64", "int32"),
        rtol=32.0,
    ),
    _row("lstsq wide", np.linalg.lstsq, _WIDE, Operand((2,)), rtol=16.0),
    _row(
        "lstsq rcond=", lambda x, y: np.linalg.lstsq(x, y, -1)[0], _TALL, Operand((4,)), rtol=16.0
    ),
    _error("lstsq of unequal lengths", np.linalg.lstsq, _TALL, _VECTOR),
    _error("lstsq of stacks", np.linalg.lstsq, _STACK, _PAIR),
    _row(
        "tensorsolve", np.linalg.tensorsolve, Matrix((6, 2, 3), shift=0.0), Operand((6,)), rtol=8.0
    ),
    _row(
        "tensorsolve axes=",
        lambda a, b: np.linalg.tensorsolve(a, b, axes=(0, 2)),
        Operand((3, 6, 2)),
        Operand((6,)),
        rtol=8.0,
    ),
    _error("tensorsolve of unequal lengths", np.linalg.tensorsolve, Operand((6, 2, 2)), _VECTOR),
    _row("tensorinv", np.linalg.tensorinv, Matrix((2, 2, 2, 2)), rtol=8.0),
    _row(
        "tensorinv ind=",
        lambda x: np.linalg.tensorinv(x.reshape(4, 2, 2), 1),
        Matrix((4, 4)),
        rtol=8.0,
    ),
    _error("tensorinv ind=0", lambda x: np.linalg.tensorinv(x, ind=0)),
    _row("det", np.linalg.det, shapes=_NONE),
    _row("det stack", np.linalg.det, _STACK),
    _row("det of one", np.linalg.det, Matrix((1, 1))),
    _error("det of a wide matrix", np.linalg.det, _WIDE),
    _row("slogdet", np.linalg.slogdet, shapes=_NONE),
    _row("slogdet stack", lambda x: np.linalg.slogdet(x)[1], _STACK),
    _row("slogdet named", lambda x: np.linalg.slogdet(x).logabsdet),
    _row("slogdet of a negative", lambda x: np.linalg.slogdet(-x)),
]

# The first row of a name is one that other libraries have with the same derivative.
DECOMPOSITIONS: list[Row] = [
    _row("cholesky of the symmetric part", lambda x: np.linalg.cholesky((x + x.T) / 2)),
    _row("eigh of the symmetric part", lambda x: np.linalg.eigh((x + x.T) / 2)),
    _row("eigvalsh of the symmetric part", lambda x: np.linalg.eigvalsh((x + x.T) / 2)),
    _row("cholesky", np.linalg.cholesky, _DEFINITE, shapes=_NONE),
    _row("cholesky stack", np.linalg.cholesky, _DEFINITES),
    _row("cholesky upper=", lambda x: np.linalg.cholesky(x, upper=True), _A, rtol=8.0),
    _row("cholesky of a product", lambda x: np.linalg.cholesky(x @ x.T), rtol=64.0),
    _error("cholesky of an indefinite matrix", lambda x: np.linalg.cholesky(-x)),
    _error("cholesky of a vector", np.linalg.cholesky, _VECTOR),
    _row("qr", np.linalg.qr, shapes=_NONE_OF_TWO),
    _row("qr tall", np.linalg.qr, Matrix((4, 3))),
    _row("qr wide", np.linalg.qr, Matrix((2, 3, 4))),
    _row("qr r", lambda x: np.linalg.qr(x, "r"), Matrix((4, 3))),
    _row("qr complete wide", lambda x: np.linalg.qr(x, mode="complete"), Matrix((2, 3))),
    _row(
        "qr complete tall",
        lambda x: np.linalg.qr(x, "complete"),
        Matrix((4, 2)),
        differentiable=False,
        shapes=_NONE_OF_TWO,
    ),
    _row("qr complete complement", lambda x: _complement(np.linalg.qr(x, "complete").Q), _TALL),
    _row("qr named", lambda x: np.linalg.qr(x).R),
    _error("qr of a vector", np.linalg.qr, _VECTOR),
    _error("qr of no mode", lambda x: np.linalg.qr(x, "none")),
    _row("svd tall", lambda x: np.linalg.svd(x, full_matrices=False), Operand((4, 3))),
    _row("svd", np.linalg.svd, Matrix(definite=False, low=-3.0, high=3.0)),
    _row("svd wide", lambda x: np.linalg.svd(x, False), Operand((2, 3, 4))),
    _row("svd full", np.linalg.svd, Operand((4, 2)), differentiable=False, shapes=_NONE_OF_TWO),
    _row("svd full values", lambda x: np.linalg.svd(x)[1], Operand((4, 2))),
    _row("svd full complement", lambda x: _complement(np.linalg.svd(x).U), Operand((4, 2))),
    _row("svd full complement wide", lambda x: _complement(np.linalg.svd(x).Vh.T), Operand((2, 4))),
    _row("svd compute_uv=", lambda x: np.linalg.svd(x, compute_uv=False), Operand((3, 4))),
    _row("svd put together", _put_together, Operand((3, 4)), rtol=16.0),
    _row("svd hermitian=", lambda x: np.linalg.svd(x, hermitian=True), Matrix(shift=0.0), rtol=8.0),
    _row(
        "svd hermitian= values",
        lambda x: np.linalg.svd(x, compute_uv=False, hermitian=True),
        Matrix(shift=0.0),
        rtol=8.0,
    ),
    _error("svd of a vector", np.linalg.svd, _VECTOR),
    _row("svdvals", np.linalg.svdvals, Operand((2, 4, 3)), shapes=_NONE_OF_TWO),
    _row("eigh", np.linalg.eigh, Matrix(definite=True), shapes=_NONE),
    _row("eigh stack", np.linalg.eigh, Matrix((2, 3, 3))),
    _row("eigh UPLO=", lambda x: np.linalg.eigh(x, UPLO="U")),
    _row("eigh named", lambda x: np.linalg.eigh(x).eigenvalues),
    _error("eigh UPLO=X", lambda x: np.linalg.eigh(x, UPLO="X")),
    _error("eigh of a wide matrix", np.linalg.eigh, _WIDE),
    _row("eigvalsh", np.linalg.eigvalsh, shapes=_NONE),
    _row("eigvalsh UPLO=", lambda x: np.linalg.eigvalsh(x, "u"), _STACK),
    _row("eigvals", lambda x: _parts(np.linalg.eigvals(x + 1j * x.T)), Operand((3, 3)), rtol=8.0),
    _row("eig", lambda x: _parts(np.linalg.eig(x + 1j * x.T)[0]), Operand((3, 3)), rtol=8.0),
    _row(
        "eig vectors", lambda x: np.abs(np.linalg.eig(x + 1j * x.T)[1]), Operand((3, 3)), rtol=8.0
    ),
]


def _norm(name: str, operand: Operand, **options: Any) -> Row:
    return _row(f"norm {name}", lambda x: np.linalg.norm(x, **options), operand, rtol=8.0)


_M, _S = Operand((3, 4), low=-1.7, spread=True), Operand((2, 3, 4), low=-1.7, spread=True)
_V = Operand((5,), low=-1.7, spread=True)
_SMOOTH, _ROUGH, _SHARP = (None, 2, 3, 2.5), (1, 0, np.inf, -np.inf), (-1, -2, -1.5)
_SUMS, _SPECTRAL = (None, "fro", 1, -1, np.inf, -np.inf), ("nuc", 2, -2)


def _each(name: str, function: Any, choices: tuple[Any, ...], operand: Operand) -> Row:
    """One row for all values of an option."""
    return _row(name, lambda x: [function(x, choice) for choice in choices], operand, rtol=16.0)


def _of_axis(x: Any, ord: Any) -> Any:
    return np.linalg.norm(x, ord, axis=0)


def _of_axes(x: Any, ord: Any) -> Any:
    return np.linalg.norm(x, ord, axis=(2, 0))


NORMS: list[Row] = [
    _row("norm", np.linalg.norm, _M, shapes=(((),), ((0,),), ((0, 3),), ((2, 3, 4),)), rtol=8.0),
    _each("norm ord= of a vector", np.linalg.norm, _SMOOTH, _V),
    _each("norm ord= of a vector, with kinks", np.linalg.norm, _ROUGH, _V),
    _each("norm ord= of a vector, below 0", np.linalg.norm, (*_SHARP, 0.5), _V),
    _each("norm ord= along an axis", _of_axis, _SMOOTH, _M),
    _each("norm ord= along an axis, with kinks", _of_axis, _ROUGH, _M),
    _each("norm ord= along an axis, below 0", _of_axis, _SHARP, _M),
    _norm("ord=0.5 along an axis", Operand((3, 4), low=0.5), ord=0.5, axis=0),
    _each("norm ord= of a matrix", np.linalg.norm, _SUMS, Operand((3, 4), avoid=(0.0,))),
    _each("norm ord= of a matrix by its singular values", np.linalg.norm, _SPECTRAL, _M),
    _each("norm ord= of axes", _of_axes, _SUMS, Operand((2, 3, 4), avoid=(0.0,))),
    _each("norm ord= of axes by singular values", _of_axes, _SPECTRAL, _S),
    _norm("keepdims=", _M, keepdims=True),
    _norm("keepdims= along an axis", _M, axis=-1, keepdims=True),
    _norm("keepdims= of axes", _S, ord=1, axis=(0, 1), keepdims=True),
    _norm("of a number along no axis", Operand((3,), low=0.5)),
    _row("norm of nothing", lambda x: np.linalg.norm(x, np.inf), Operand((0,)), rtol=8.0),
    _error("norm of three axes", lambda x: np.linalg.norm(x, 2), _S),
    _error("norm of words", lambda x: np.linalg.norm(x, "fro"), _V),
    _error("norm of wrong words", lambda x: np.linalg.norm(x, "max"), _M),
    _error("norm of one axis twice", lambda x: np.linalg.norm(x, axis=(0, 0)), _M),
    _error("norm of no axis", lambda x: np.linalg.norm(x, axis="rows"), _M),
    _error("norm of order three", lambda x: np.linalg.norm(x, 3), _M),
    _row("vector_norm", np.linalg.vector_norm, _M, shapes=(((),), ((0, 2),)), rtol=8.0),
    _row("vector_norm axis=", lambda x: np.linalg.vector_norm(x, axis=(2, 0), ord=3), _S, rtol=8.0),
    _row(
        "vector_norm keepdims=",
        lambda x: np.linalg.vector_norm(x, axis=(0, 1), keepdims=True, ord=np.inf),
        _S,
        rtol=8.0,
    ),
    _row("vector_norm of all", lambda x: np.linalg.vector_norm(x, keepdims=True), _S, rtol=8.0),
    _row("matrix_norm", np.linalg.matrix_norm, _S, rtol=8.0),
    _row("matrix_norm nuc", lambda x: np.linalg.matrix_norm(x, ord="nuc", keepdims=True), _S),
    _row("cond", np.linalg.cond, Matrix((3, 2)), rtol=8.0),
    _each("cond p=", np.linalg.cond, (-2, 1, np.inf), Matrix((2, 3, 3))),
    _each("cond p= of less", np.linalg.cond, (-1, "fro", -np.inf), Matrix((2, 3, 3))),
    _row("cond of a singular matrix", lambda x: np.linalg.cond(x - x, 1), differentiable=False),
    _row("cond of zeros", lambda x: np.linalg.cond(x - x), differentiable=False),
    _error("cond of nothing", np.linalg.cond, Operand((0, 3))),
    _row("matrix_rank", np.linalg.matrix_rank, _TALL, shapes=(((),), ((3,),), ((0, 2),))),
    _row("matrix_rank of rank one", lambda x: np.linalg.matrix_rank(np.outer(x, x)), Operand((3,))),
    _row("matrix_rank of zeros", lambda x: np.linalg.matrix_rank(x * 0), Operand((2, 3, 3))),
    _row("matrix_rank tol=", lambda x: np.linalg.matrix_rank(x, tol=2.9), Matrix((2, 3, 3))),
    _row(
        "matrix_rank rtol=", lambda x: np.linalg.matrix_rank(x, rtol=[0.5, 0.7]), Matrix((2, 3, 3))
    ),
    _row("matrix_rank hermitian=", lambda x: np.linalg.matrix_rank(x, hermitian=True)),
    _error("matrix_rank tol= and rtol=", lambda x: np.linalg.matrix_rank(x, 0.1, rtol=0.1)),
]

POWERS: list[Row] = [
    _each("matrix_power", np.linalg.matrix_power, (0, 1, 2, 3, 5), Matrix(shift=1.0)),
    _each("matrix_power below 0", np.linalg.matrix_power, (-1, -2), Matrix()),
    _row(
        "matrix_power stack", lambda x: np.linalg.matrix_power(x, 4), Matrix((2, 2, 2)), rtol=16.0
    ),
    _error("matrix_power of a half", lambda x: np.linalg.matrix_power(x, 0.5)),
    _error("matrix_power wide", lambda x: np.linalg.matrix_power(x, 2), _WIDE),
    _row(
        "multi_dot",
        lambda *xs: np.linalg.multi_dot(xs),
        Operand((2, 5)),
        Operand((5, 3)),
        Operand((3, 4)),
        Operand((4, 1)),
        rtol=16.0,
    ),
    _row(
        "multi_dot of vectors",
        lambda *xs: np.linalg.multi_dot(xs),
        Operand((3,)),
        Operand((3, 4)),
        Operand((4,)),
        rtol=8.0,
    ),
    _row("multi_dot of two", lambda x, y: np.linalg.multi_dot([x, y]), Operand((2, 3)), _PAIR),
    _error("multi_dot of one", lambda x: np.linalg.multi_dot([x])),
    _error("multi_dot of stacks", lambda x: np.linalg.multi_dot([x, x, x]), _STACK),
]

ROWS = [*SYSTEMS, *DECOMPOSITIONS, *NORMS, *POWERS]
