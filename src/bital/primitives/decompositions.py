"""Linear systems and matrix decompositions: what LAPACK computes, in NumPy's own words.

Matrices are the last two axes; axes in front are stacks, as in NumPy, so that a batch axis is one
more. Derivatives are those of M. Giles, "An extended collection of matrix derivative results for
forward and reverse mode algorithmic differentiation" (2008), of M. Seeger et al., "Auto-differen-
tiating linear algebra" (2017), and for the pseudo-inverse of G. Golub and V. Pereyra (1973), here
in forward mode, for real and complex matrices.

A triangle that NumPy does not read has derivative zero. Eigenvectors and singular vectors have no
derivative where eigenvalues, or singular values, are equal: it is not finite there. The values
alone have one; among equal values it is that of the order in which they are given.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.primitives.elementwise import add, align, div, mul, neg, sub, unbroadcast
from bital.primitives.matrices import (
    adjoint,
    column,
    columns,
    conj,
    diagonal,
    half_lower,
    hermitian,
    in_front,
    inverse_gaps,
    keep,
    like,
    matmul,
    real,
    real_dtype,
    require_matrix,
    row,
    rows,
    scalar,
    skew,
    sum_matrix,
    swap,
    trace,
)
from bital.primitives.primitive import (
    NOT_LINEAR,
    AbstractEval,
    Operand,
    Primitive,
    Tangent,
    require,
    single,
    zeros,
)
from bital.primitives.reduction import reduce_sum
from bital.primitives.shape import batched, concatenate, reshape, transpose
from bital.program import ArrayType, Atom

Results = tuple[list[Atom], list[Tangent]]

# --- linear systems -------------------------------------------------------------------------


def _solve_abstract_eval(a: ArrayType, b: ArrayType) -> ArrayType:
    require_matrix("solve", a)
    require(
        b.ndim >= 2 and b.dtype == a.dtype and b.shape[-2] == a.shape[-1],
        lambda: f"solve needs b of {a.shape[-1]} rows and of a's dtype, got a {a} and b {b}",
    )
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return ArrayType((*stack, *b.shape[-2:]), a.dtype)


def _solve_jvp(tangents: list[Tangent], out: Atom, a: Atom, b: Atom) -> Tangent:
    da, db = tangents
    rest = db if da is None else neg(matmul(da, out))
    if da is not None and db is not None:
        rest = sub(db, matmul(da, out))
    result: Atom = solve(a, rest)
    return result


def _solve_transpose(ct: Atom, a: Atom, b: Operand) -> list[Tangent]:
    return [None, unbroadcast(solve(swap(a), ct), b.type.shape)]


def _solve_batch(
    primitive: Primitive, size: int, inputs: list[Atom], mapped: list[bool]
) -> list[Atom]:
    a, b = inputs
    if not mapped[0] and a.type.ndim == 2 and b.type.ndim == 3:
        # One matrix for all: right-hand sides stand side by side, and it is factorised once.
        _, n, k = b.type.shape
        wide = reshape(transpose(b, permutation=(1, 0, 2)), shape=(n, size * k))
        apart = reshape(solve(a, wide), shape=(n, size, k))
        return [transpose(apart, permutation=(1, 0, 2))]
    rank = max(x.type.ndim - flag for x, flag in zip(inputs, mapped, strict=True))
    aligned = [align(x, rank) if flag else x for x, flag in zip(inputs, mapped, strict=True)]
    return primitive.bind(aligned, {})


solve: Primitive = Primitive(
    "solve",
    abstract_eval=_solve_abstract_eval,
    reference=np.linalg.solve,
    jvp=single(_solve_jvp),
    transpose=_solve_transpose,
    batch=_solve_batch,
)


def _square_abstract_eval(name: str) -> AbstractEval:
    def abstract_eval(a: ArrayType) -> ArrayType:
        require_matrix(name, a)
        return a

    return abstract_eval


def _inv_jvp(tangents: list[Tangent], out: Atom, a: Atom) -> Tangent:
    (da,) = tangents
    if da is None:
        return None
    result: Atom = neg(matmul(out, matmul(da, out)))
    return result


inv: Primitive = Primitive(
    "inv",
    abstract_eval=_square_abstract_eval("inv"),
    reference=np.linalg.inv,
    jvp=single(_inv_jvp),
    transpose=NOT_LINEAR,
    batch=in_front,
)


def _pinv_abstract_eval(a: ArrayType, rcond: ArrayType) -> ArrayType:
    require_matrix("pinv", a, square=False)
    require(
        rcond.dtype.kind == "f" and np.broadcast_shapes(rcond.shape, a.shape[:-2]) == a.shape[:-2],
        lambda: f"pinv needs one rcond, or one for each matrix, got a {a} and rcond {rcond}",
    )
    return ArrayType((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)


def _pinv_jvp(tangents: list[Tangent], out: Atom, a: Atom, rcond: Atom) -> Tangent:
    """Golub and Pereyra, equation 4.12: where the rank does not change."""
    da = tangents[0]
    if da is None:
        return None
    p, dh = out, adjoint(da)
    left = sub(dh, matmul(dh, matmul(a, p)))
    right = sub(dh, matmul(p, matmul(a, dh)))
    ph = adjoint(p)
    beside = add(matmul(matmul(p, ph), left), matmul(right, matmul(ph, p)))
    result: Atom = sub(beside, matmul(p, matmul(da, p)))
    return result


def _pinv_batch(
    primitive: Primitive, size: int, inputs: list[Atom], mapped: list[bool]
) -> list[Atom]:
    a, rcond = batched(inputs[0], mapped[0], size), inputs[1]
    if mapped[1]:
        rcond = align(rcond, a.type.ndim - 3)
    return primitive.bind([a, rcond], {})


pinv: Primitive = Primitive(
    "pinv",
    abstract_eval=_pinv_abstract_eval,
    reference=lambda a, rcond: np.linalg.pinv(a, rcond).astype(a.dtype, copy=False),
    jvp=single(_pinv_jvp),
    transpose=NOT_LINEAR,
    batch=_pinv_batch,
)

# --- determinants ---------------------------------------------------------------------------


def _slogdet_abstract_eval(a: ArrayType) -> list[ArrayType]:
    require_matrix("slogdet", a)
    return [ArrayType(a.shape[:-2], a.dtype), ArrayType(a.shape[:-2], real_dtype(a))]


def _slogdet_jvp(primitive: Primitive, primals: list[Atom], tangents: list[Tangent]) -> Results:
    (a,), (da,) = primals, tangents
    sign, logabsdet = primitive.bind(primals, {})
    assert da is not None
    slope = trace(solve(a, da))
    moved = real(slope)
    turned = None if moved is slope else mul(sign, sub(slope, like(moved, slope)))
    return [sign, logabsdet], [turned, moved]


slogdet: Primitive = Primitive(
    "slogdet",
    abstract_eval=_slogdet_abstract_eval,
    reference=lambda a: list(np.linalg.slogdet(a)),
    jvp=_slogdet_jvp,
    transpose=NOT_LINEAR,
    batch=in_front,
    multiple_results=True,
)


def _det_abstract_eval(a: ArrayType) -> ArrayType:
    require_matrix("det", a)
    return ArrayType(a.shape[:-2], a.dtype)


def _det_jvp(tangents: list[Tangent], out: Atom, a: Atom) -> Tangent:
    (da,) = tangents
    if da is None:
        return None
    return sum_matrix(mul(da, cofactors(a, *svd(a, full=False))))


det: Primitive = Primitive(
    "det",
    abstract_eval=_det_abstract_eval,
    reference=np.linalg.det,
    jvp=single(_det_jvp),
    transpose=NOT_LINEAR,
    batch=in_front,
)


def products_of_others(s: Any) -> Any:
    """For each element of a vector the product of the others."""
    return np.where(np.eye(s.shape[-1], dtype=bool), 1, s[..., np.newaxis, :]).prod(-1)


def _cofactors_reference(a: Any, u: Any, s: Any, vh: Any) -> Any:
    sign = np.linalg.det(u @ vh)[..., np.newaxis, np.newaxis]
    others = products_of_others(s)[..., np.newaxis, :]
    return sign * np.conj((u * others) @ vh)


def _cofactors_jvp(
    tangents: list[Tangent], out: Atom, a: Atom, u: Atom, s: Atom, vh: Atom
) -> Tangent:
    da = tangents[0]
    if da is None:
        return None
    ratio = solve(a, da)
    result: Atom = sub(mul(out, scalar(trace(ratio))), matmul(out, swap(ratio)))
    return result


def _cofactors_abstract_eval(a: ArrayType, u: ArrayType, s: ArrayType, vh: ArrayType) -> ArrayType:
    require_matrix("cofactors", a)
    return a


cofactors: Primitive = Primitive(  # of a, whose decomposition stands beside it, as a constant
    "cofactors",
    abstract_eval=_cofactors_abstract_eval,
    reference=_cofactors_reference,
    jvp=single(_cofactors_jvp),
    transpose=NOT_LINEAR,
    batch=in_front,
)

# --- decompositions -------------------------------------------------------------------------


def _cholesky_jvp(tangents: list[Tangent], out: Atom, a: Atom) -> Tangent:
    (da,) = tangents
    if da is None:
        return None
    inverse = inv(out)
    moved = matmul(matmul(inverse, hermitian(da)), adjoint(inverse))
    return matmul(out, half_lower(moved))


cholesky: Primitive = Primitive(
    "cholesky",
    abstract_eval=_square_abstract_eval("cholesky"),
    reference=np.linalg.cholesky,
    jvp=single(_cholesky_jvp),
    transpose=NOT_LINEAR,
    batch=in_front,
)


def _qr_abstract_eval(a: ArrayType, full: bool) -> list[ArrayType]:
    require_matrix("qr", a, square=False)
    *stack, m, n = a.shape
    k = m if full else min(m, n)
    return [ArrayType((*stack, m, k), a.dtype), ArrayType((*stack, k, n), a.dtype)]


def _qr_jvp(
    primitive: Primitive, primals: list[Atom], tangents: list[Tangent], full: bool
) -> Results:
    """Of the first min(m, n) columns. The others are any basis of what is left: its derivative is
    that of the basis that turns least, right for functions that do not depend on the choice.
    """
    (a,), (da,) = primals, tangents
    q, r = primitive.bind(primals, {"full": full})
    assert da is not None
    *_, m, n = a.type.shape
    k = min(m, n)
    q1, r1 = columns(q, 0, k), rows(r, 0, k)
    moved = matmul(columns(da, 0, k), inv(columns(r1, 0, k)))
    inner = matmul(adjoint(q1), moved)
    turn = skew(inner)
    dq = add(matmul(q1, turn), sub(moved, matmul(q1, inner)))
    dr = sub(matmul(adjoint(q1), da), matmul(turn, r1))
    if full and m > k:
        q2 = columns(q, k)
        dq = concatenate(dq, _complement(q1, dq, q2), axis=q.type.ndim - 1)
        dr = concatenate(dr, zeros(rows(r, k).type), axis=r.type.ndim - 2)
    return [q, r], [dq, dr]


def _complement(x: Atom, dx: Atom, y: Atom) -> Atom:
    """How columns y, orthogonal to x, turn so that they stay so."""
    result: Atom = neg(matmul(x, matmul(adjoint(dx), y)))
    return result


qr: Primitive = Primitive(
    "qr",
    abstract_eval=_qr_abstract_eval,
    reference=lambda a, full: list(np.linalg.qr(a, "complete" if full else "reduced")),
    jvp=_qr_jvp,
    transpose=NOT_LINEAR,
    batch=in_front,
    multiple_results=True,
)


def _svd_abstract_eval(a: ArrayType, full: bool) -> list[ArrayType]:
    require_matrix("svd", a, square=False)
    *stack, m, n = a.shape
    k = min(m, n)
    return [
        ArrayType((*stack, m, m if full else k), a.dtype),
        ArrayType((*stack, k), real_dtype(a)),
        ArrayType((*stack, n if full else k, n), a.dtype),
    ]


def _svd_jvp(
    primitive: Primitive, primals: list[Atom], tangents: list[Tangent], full: bool
) -> Results:
    """Columns beyond min(m, n) as those of ``qr``."""
    (a,), (da,) = primals, tangents
    u, s, vh = primitive.bind(primals, {"full": full})
    assert da is not None
    *_, m, n = a.type.shape
    k = min(m, n)
    u1, v = columns(u, 0, k), adjoint(vh)
    v1 = columns(v, 0, k)
    moved = matmul(adjoint(u1), matmul(da, v1))
    gaps = mul(sub(row(s), column(s)), add(row(s), column(s)))
    weights = like(inverse_gaps(gaps), moved)
    by_column, by_row = (
        mul(moved, like(row(s), moved)),
        mul(moved, like(column(s), moved)),
    )
    du = mul(weights, add(by_column, adjoint(by_column)))
    dv = mul(weights, add(by_row, adjoint(by_row)))
    if moved.type.dtype.kind == "c":  # a phase may move between u and v: u takes it
        phase = mul(keep("identity", sub(moved, adjoint(moved))), 0.5)
        du = add(du, div(phase, like(row(s), moved)))
    du, dv = matmul(u1, du), matmul(v1, dv)
    if m > k:
        du = add(du, _beside(u1, matmul(da, v1), s))
    if n > k:
        dv = add(dv, _beside(v1, matmul(adjoint(da), u1), s))
    if full and m > k:
        du = concatenate(du, _complement(u1, du, columns(u, k)), axis=u.type.ndim - 1)
    if full and n > k:
        dv = concatenate(dv, _complement(v1, dv, columns(v, k)), axis=v.type.ndim - 1)
    return [u, s, vh], [du, real(diagonal(moved)), adjoint(dv)]


def _beside(x: Atom, y: Atom, s: Atom) -> Atom:
    """The part of y that is orthogonal to x, its columns divided by s."""
    rest = sub(y, matmul(x, matmul(adjoint(x), y)))
    result: Atom = div(rest, like(row(s), rest))
    return result


svd: Primitive = Primitive(
    "svd",
    abstract_eval=_svd_abstract_eval,
    reference=lambda a, full: list(np.linalg.svd(a, full_matrices=full)),
    jvp=_svd_jvp,
    transpose=NOT_LINEAR,
    batch=in_front,
    multiple_results=True,
)


def _singular_values_jvp(
    primitive: Primitive, primals: list[Atom], tangents: list[Tangent]
) -> Results:
    (a,), (da,) = primals, tangents
    assert da is not None
    u, s, vh = svd(a, full=False)
    moved = reduce_sum(
        mul(conj(u), matmul(da, adjoint(vh))), axes=(u.type.ndim - 2,), keepdims=False
    )
    return [s], [real(moved)]


singular_values: Primitive = Primitive(
    "singular_values",
    abstract_eval=lambda a: _svd_abstract_eval(a, False)[1],
    reference=lambda a: np.linalg.svd(a, compute_uv=False),
    jvp=_singular_values_jvp,
    transpose=NOT_LINEAR,
    batch=in_front,
)


def _eigh_abstract_eval(a: ArrayType, lower: bool) -> list[ArrayType]:
    require_matrix("eigh", a)
    return [ArrayType(a.shape[:-1], real_dtype(a)), a]


def _eigh_jvp(
    primitive: Primitive, primals: list[Atom], tangents: list[Tangent], lower: bool
) -> Results:
    (da,) = tangents
    w, v = primitive.bind(primals, {"lower": lower})
    assert da is not None
    moved = matmul(adjoint(v), matmul(hermitian(da, lower), v))
    weights = like(inverse_gaps(sub(row(w), column(w))), moved)
    return [w, v], [real(diagonal(moved)), matmul(v, mul(weights, moved))]


eigh: Primitive = Primitive(
    "eigh",
    abstract_eval=_eigh_abstract_eval,
    reference=lambda a, lower: list(np.linalg.eigh(a, "L" if lower else "U")),
    jvp=_eigh_jvp,
    transpose=NOT_LINEAR,
    batch=in_front,
    multiple_results=True,
)


def _eigvalsh_jvp(
    primitive: Primitive, primals: list[Atom], tangents: list[Tangent], lower: bool
) -> Results:
    (a,), (da,) = primals, tangents
    assert da is not None
    w, v = eigh(a, lower=lower)
    moved = mul(conj(v), matmul(hermitian(da, lower), v))
    return [w], [real(reduce_sum(moved, axes=(v.type.ndim - 2,), keepdims=False))]


eigvalsh: Primitive = Primitive(
    "eigvalsh",
    abstract_eval=lambda a, lower: _eigh_abstract_eval(a, lower)[0],
    reference=lambda a, lower: np.linalg.eigvalsh(a, "L" if lower else "U"),
    jvp=_eigvalsh_jvp,
    transpose=NOT_LINEAR,
    batch=in_front,
)


def _eig_abstract_eval(a: ArrayType) -> list[ArrayType]:
    require_matrix("eig", a)
    require(a.dtype.kind == "c", lambda: f"eig needs complex matrices, got {a}")
    return [ArrayType(a.shape[:-1], a.dtype), a]


def _eig_jvp(primitive: Primitive, primals: list[Atom], tangents: list[Tangent]) -> Results:
    """Vectors keep their length 1, and turn as little as they can."""
    (_,), (da,) = primals, tangents
    w, v = primitive.bind(primals, {})
    assert da is not None
    moved = solve(v, matmul(da, v))
    dv = matmul(v, mul(inverse_gaps(sub(row(w), column(w))), moved))
    along = reduce_sum(mul(conj(v), dv), axes=(v.type.ndim - 2,), keepdims=True)
    return [w, v], [diagonal(moved), sub(dv, mul(v, along))]


eig: Primitive = Primitive(
    "eig",
    abstract_eval=_eig_abstract_eval,
    reference=lambda a: list(np.linalg.eig(a)),
    jvp=_eig_jvp,
    transpose=NOT_LINEAR,
    batch=in_front,
    multiple_results=True,
)


def _eigvals_jvp(primitive: Primitive, primals: list[Atom], tangents: list[Tangent]) -> Results:
    (a,), (da,) = primals, tangents
    assert da is not None
    w, v = eig(a)
    return [w], [diagonal(solve(v, matmul(da, v)))]


eigvals: Primitive = Primitive(
    "eigvals",
    abstract_eval=lambda a: _eig_abstract_eval(a)[0],
    reference=np.linalg.eigvals,
    jvp=_eigvals_jvp,
    transpose=NOT_LINEAR,
    batch=in_front,
)
