"""``np.linalg``: systems, decompositions, norms. Its products are in ``products.py``.

Matrices are the last two axes. Integers become float64; float16 is refused, as by NumPy. What
NumPy raises while it computes (`LinAlgError` for a singular matrix) is raised when the recorded
function runs.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from bital.numpy_language.dispatch import cast, implements, operand, trace_of, unsupported
from bital.numpy_language.products import conj, dot, matmul
from bital.numpy_language.shapes import broadcast_to, swapaxes, transpose
from bital.numpy_language.tracer import Tracer, bind
from bital.numpy_language.ufuncs import store
from bital.primitives import decompositions as p

# The named tuples that NumPy gives.
_ONE = np.eye(1)
_SLOGDET: Any = type(np.linalg.slogdet(_ONE))
_QR: Any = type(np.linalg.qr(_ONE))
_SVD: Any = type(np.linalg.svd(_ONE))
_EIG: Any = type(np.linalg.eig(_ONE))
_EIGH: Any = type(np.linalg.eigh(_ONE))


def matrices(name: str, *values: Any) -> list[Tracer]:
    """The operands in the one dtype that NumPy's routines would compute in."""
    tracers = [trace_of(operand(value)) for value in values]
    if any(x.dtype == np.float16 for x in tracers):
        raise TypeError(f"np.linalg.{name} does not take float16; write x.astype(np.float32)")
    dtype = np.result_type(*(x.dtype if x.dtype.kind in "fc" else np.float64 for x in tracers))
    return [trace_of(cast(x, dtype)) for x in tracers]


def _matrix(name: str, a: Any, square: bool = False) -> Tracer:
    (x,) = matrices(name, a)
    if x.ndim < 2 or (square and x.shape[-1] != x.shape[-2]):
        what = "square matrices" if square else "matrices"
        raise LinAlgError(f"np.linalg.{name} takes {what}: the last two axes; got {x!r}")
    return x


def _adjoint(x: Tracer) -> Tracer:
    return conj(swapaxes(x, -1, -2))


# --- systems --------------------------------------------------------------------------------


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Tracer:
    """A vector b is of one axis; with more, b holds matrices."""
    x, y = matrices("solve", a, b)
    _matrix("solve", x, square=True)
    is_vector = y.ndim == 1
    y = y[:, np.newaxis] if is_vector else y
    if y.ndim < 2 or y.shape[-2] != x.shape[-1]:
        raise ValueError(f"np.linalg.solve: b of shape {y.shape} does not fit a of {x.shape}")
    result: Tracer = bind(p.solve, x, y)
    return result[..., 0] if is_vector else result


@implements(np.linalg.inv)
def inv(a: Any) -> Tracer:
    result: Tracer = bind(p.inv, _matrix("inv", a, square=True))
    return result


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Tracer:
    """The derivative is that for matrices of the same rank."""
    if rcond is not None and rtol is not np._NoValue:
        raise ValueError(f"np.linalg.pinv takes one of rcond= and rtol=, got {rcond} and {rtol}")
    x = _matrix("pinv", a)
    if rcond is None:
        rcond = 1e-15 if rtol is np._NoValue else rtol
    if rcond is None:
        rcond = max(x.shape[-2:]) * float(np.finfo(x.dtype).eps)
    cutoff = trace_of(cast(operand(rcond), np.float64))
    result: Tracer = bind(p.pinv, _completed(x) if hermitian else x, cutoff)
    return result


def _completed(x: Tracer) -> Tracer:
    """The hermitian matrix whose lower triangle is that of x, which is all that NumPy reads."""
    rows = np.arange(x.shape[-1])
    lower: Any = np.where(rows[:, np.newaxis] > rows, x, 0)
    middle = np.where(np.eye(x.shape[-1], dtype=bool), (x + _adjoint(x)) / 2, 0)
    result: Tracer = lower + middle + _adjoint(lower)
    return result


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, ...]:
    """By the pseudo-inverse, whose derivative is that for matrices of the same rank.

    Residuals are given for m > n whatever the rank is, since shapes do not depend on values: for a
    matrix without full rank NumPy gives none.
    """
    x, y = matrices("lstsq", a, b)
    is_vector = y.ndim == 1
    y = y[:, np.newaxis] if is_vector else y
    if x.ndim != 2 or y.ndim != 2 or x.shape[0] != y.shape[0]:
        raise LinAlgError(f"np.linalg.lstsq: b of shape {y.shape} does not fit a of {x.shape}")
    m, n = x.shape
    if rcond is None:
        rcond = float(np.finfo(np.float64).eps) * max(m, n)
    elif rcond < 0:
        rcond = float(np.finfo(np.float64).eps)
    solution = matmul(pinv(x, rcond), y)
    s = svdvals(x)
    rank = np.sum(s > rcond * np.max(s, initial=0), dtype=np.int32)
    if m > n:
        residuals = np.sum(np.square(np.abs(y - matmul(x, solution))), axis=0)
    else:
        residuals = trace_of(np.zeros(0, s.dtype))
    return (solution[:, 0] if is_vector else solution), residuals, rank, s


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    x, y = matrices("tensorsolve", a, b)
    if axes is not None:
        order = [axis for axis in range(x.ndim) if axis not in axes] + list(axes)
        x = transpose(x, order)
    shape = x.shape[y.ndim :]
    count = y.size
    if x.size != count**2 or int(np.prod(shape, dtype=int)) != count:
        raise LinAlgError(
            f"np.linalg.tensorsolve: a of shape {x.shape} is no square system for b of {y.shape}"
        )
    return solve(x.reshape(count, count), y.reshape(-1)).reshape(shape)


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    (x,) = matrices("tensorinv", a)
    if ind <= 0:
        raise ValueError(f"np.linalg.tensorinv: ind must be a positive integer, got {ind}")
    count = int(np.prod(x.shape[ind:], dtype=int))
    return inv(x.reshape(-1, count)).reshape(x.shape[ind:] + x.shape[:ind])


# --- determinants ---------------------------------------------------------------------------


@implements(np.linalg.det)
def det(a: Any) -> Tracer:
    """The gradient is the matrix of cofactors, for singular matrices too."""
    result: Tracer = bind(p.det, _matrix("det", a, square=True))
    return result


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """The gradient is the inverse, transposed; a singular matrix raises there."""
    return _SLOGDET(*bind(p.slogdet, _matrix("slogdet", a, square=True)))


# --- decompositions -------------------------------------------------------------------------


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Tracer:
    """One triangle is read: the derivative with respect to the other is zero."""
    x = _matrix("cholesky", a, square=True)
    result: Tracer = bind(p.cholesky, _adjoint(x) if upper else x)
    return _adjoint(result) if upper else result


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """Differentiable where the first min(m, n) columns are independent.

    With ``mode="complete"`` the columns of Q beyond these are any basis of the complement: the
    derivative is right for functions that do not depend on which basis it is.
    """
    if mode not in ("reduced", "complete", "r"):
        raise unsupported(
            f"linalg.qr(..., mode={mode!r})", "mode='reduced', 'complete' or 'r': not LAPACK's form"
        )
    x = _matrix("qr", a)
    full = mode == "complete" and x.shape[-2] > x.shape[-1]
    q, r = bind(p.qr, x, full=full)
    return r if mode == "r" else _QR(q, r)


@implements(np.linalg.svd)
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """Vectors have no derivative where singular values are equal; values alone have one.

    With ``full_matrices=True`` the vectors beyond min(m, n) are any basis of the complement, as in
    `qr`.
    """
    x = _matrix("svd", a, square=hermitian)
    if not compute_uv:
        return bind(p.singular_values, _completed(x) if hermitian else x)
    if not hermitian:
        full = bool(full_matrices) and x.shape[-2] != x.shape[-1]
        return _SVD(*bind(p.svd, x, full=full))
    w, v = eigh(x)
    order: Any = np.argsort(np.abs(w), axis=-1)[..., ::-1]
    w = np.take_along_axis(w, order, axis=-1)
    v = np.take_along_axis(v, order[..., np.newaxis, :], axis=-1)
    signs = np.copysign(1.0, w).astype(v.dtype)
    return _SVD(v, np.abs(w), _adjoint(v * signs[..., np.newaxis, :]))


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Tracer:
    result: Tracer = svd(x, compute_uv=False)
    return result


def _is_lower(UPLO: str) -> bool:
    if UPLO.upper() not in ("L", "U"):
        raise ValueError(f"UPLO must be 'L' or 'U', got {UPLO!r}")
    return UPLO.upper() == "L"


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """Vectors have no derivative where eigenvalues are equal; values alone have one."""
    return _EIGH(*bind(p.eigh, _matrix("eigh", a, square=True), lower=_is_lower(UPLO)))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Tracer:
    result: Tracer = bind(p.eigvalsh, _matrix("eigvalsh", a, square=True), lower=_is_lower(UPLO))
    return result


def _complex_matrix(name: str, a: Any) -> Tracer:
    x = _matrix(name, a, square=True)
    if x.dtype.kind != "c":
        raise unsupported(
            f"linalg.{name} of real matrices",
            f"np.linalg.{name}(a.astype(complex)): of a real matrix NumPy gives real or complex "
            "results, as its values are; np.linalg.eigh for a symmetric one",
        )
    return x


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    """Of complex matrices. The derivative of a vector is that of its direction, at length 1."""
    return _EIG(*bind(p.eig, _complex_matrix("eig", a)))


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Tracer:
    """Of complex matrices."""
    result: Tracer = bind(p.eigvals, _complex_matrix("eigvals", a))
    return result


# --- powers and products --------------------------------------------------------------------


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: Any) -> Tracer:
    x = trace_of(operand(a))
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise LinAlgError(f"np.linalg.matrix_power takes square matrices, got {x!r}")
    n = operator.index(n)
    if n == 0:
        return broadcast_to(trace_of(np.eye(x.shape[-1], dtype=x.dtype)), x.shape)
    square = inv(x) if n < 0 else x
    result: Tracer | None = None
    n = abs(n)
    while True:
        n, bit = divmod(n, 2)
        if bit:
            result = square if result is None else matmul(result, square)
        if not n:
            assert result is not None
            return result
        square = matmul(square, square)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[Any], *, out: Any = None) -> Any:
    """In the order with the fewest multiplications."""
    tracers = [trace_of(operand(each)) for each in arrays]
    if len(tracers) == 2:
        return dot(tracers[0], tracers[1], out=out)
    ends = (tracers[0].ndim, tracers[-1].ndim) if len(tracers) > 1 else (0, 0)
    inside = [x.ndim for x in tracers[1:-1]]
    if min(ends) < 1 or max(ends) > 2 or any(ndim != 2 for ndim in inside):
        raise LinAlgError(
            "np.linalg.multi_dot takes two or more matrices, of which the first and the last may "
            f"be vectors; got shapes {[x.shape for x in tracers]}"
        )
    if tracers[0].ndim == 1:
        tracers[0] = tracers[0][np.newaxis, :]
    if tracers[-1].ndim == 1:
        tracers[-1] = tracers[-1][:, np.newaxis]
    result = _chain(tracers, _best_splits(tracers), 0, len(tracers) - 1)
    kept = [n for n, ndim in zip(result.shape, ends, strict=True) if ndim == 2]
    return store(out, result.reshape(kept), "linalg.multi_dot")


def _best_splits(tracers: Sequence[Tracer]) -> dict[tuple[int, int], int]:
    """Where to cut each part of the chain: Cormen et al., Introduction to Algorithms, 15.2."""
    lengths = [*(x.shape[0] for x in tracers), tracers[-1].shape[1]]
    cost = {(i, i): 0 for i in range(len(tracers))}
    splits = {}
    for span in range(1, len(tracers)):
        for i in range(len(tracers) - span):
            j = i + span
            cost[i, j], splits[i, j] = min(
                (
                    cost[i, k] + cost[k + 1, j] + lengths[i] * lengths[k + 1] * lengths[j + 1],
                    k,
                )
                for k in range(i, j)
            )
    return splits


def _chain(tracers: Sequence[Tracer], splits: dict[tuple[int, int], int], i: int, j: int) -> Tracer:
    if i == j:
        return tracers[i]
    k = splits[i, j]
    return matmul(_chain(tracers, splits, i, k), _chain(tracers, splits, k + 1, j))
