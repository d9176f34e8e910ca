"""Rows of products, ``np.einsum`` among them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tables.row import Operand, Row, row

_M = Operand((3, 4))
_N = Operand((4, 2))
_V = Operand((4,))
_EMPTY = (((0, 4), (4, 2)), ((3, 0), (0, 2)), ((3, 4), (4, 0)))


def _einsum(subscripts: str, *shapes: tuple[int, ...], **options: Any) -> Row:
    operands = [Operand(shape) for shape in shapes]
    return row(f"einsum {subscripts}", lambda *xs: np.einsum(subscripts, *xs), *operands, **options)


ROWS: list[Row] = [
    row("matmul", np.matmul, _M, _N, shapes=_EMPTY),
    row("matmul vector vector", np.matmul, _V, _V, shapes=(((0,), (0,)),)),
    row("matmul vector matrix", np.matmul, _V, _N),
    row("matmul matrix vector", np.matmul, _M, _V),
    row("matmul stack matrix", np.matmul, Operand((2, 3, 4)), _N),
    row("matmul matrix stack", np.matmul, _M, Operand((2, 4, 2))),
    row("matmul vector stack", np.matmul, _V, Operand((2, 4, 2))),
    row("matmul stack vector", np.matmul, Operand((2, 3, 4)), _V),
    row("matmul stack stack", np.matmul, Operand((2, 3, 4)), Operand((2, 4, 2))),
    row("matmul broadcasting stacks", np.matmul, Operand((5, 1, 3, 4)), Operand((2, 4, 2))),
    row("matmul of numbers", np.matmul, Operand(()), _V, differentiable=False, mapped=False),
    row("matmul of unequal lengths", np.matmul, _M, _M, differentiable=False, mapped=False),
    row("matmul transposed", lambda x, y: x.T @ y, _M, Operand((3, 2))),
    row("matmul by its transpose", lambda x: x @ x.T, _M),
    row("matmul chain", lambda x, y: (x @ y).T @ (x @ y), _M, _N, rtol=16.0),
    row("matmul dtype=", lambda x, y: np.matmul(x, y, dtype=np.float64), _M, _N),
    row("dot", np.dot, _M, _N, shapes=(((), ()), ((), (3,)), ((2, 2), ()), ((0,), (0,)))),
    row("dot vector vector", np.dot, _V, _V),
    row("dot stacks", np.dot, Operand((2, 3, 4)), Operand((5, 4, 2))),
    row("dot stack vector", np.dot, Operand((2, 3, 4)), _V),
    row("inner", np.inner, _M, Operand((2, 4)), shapes=(((), ()), ((4,), (4,)), ((2, 3), ()))),
    row("vdot", np.vdot, _M, Operand((4, 3)), shapes=(((), ()),)),
    row("outer", np.outer, _M, _V, shapes=(((), ()), ((0,), (2,)))),
    row("tensordot", np.tensordot, Operand((2, 3, 4)), Operand((3, 4, 5))),
    row("tensordot axes=0", lambda x, y: np.tensordot(x, y, axes=0), Operand((2, 3)), _V),
    row("tensordot axes=1", lambda x, y: np.tensordot(x, y, axes=1), _M, _N),
    row(
        "tensordot axes of each",
        lambda x, y: np.tensordot(x, y, axes=([0, 2], [1, 0])),
        Operand((2, 3, 4)),
        Operand((4, 2, 5)),
    ),
    row(
        "tensordot axes= one of each",
        lambda x, y: np.tensordot(x, y, axes=(-1, 0)),
        Operand((2, 3, 4)),
        _N,
    ),
    row(
        "tensordot of unequal lengths",
        lambda x, y: np.tensordot(x, y, axes=1),
        _M,
        _M,
        differentiable=False,
        mapped=False,
    ),
    row(
        "tensordot of too many axes",
        lambda x, y: np.tensordot(x, y, axes=3),
        _M,
        _M,
        differentiable=False,
        mapped=False,
    ),
]

_V3 = Operand((3,))
_SQUARE = Operand((3, 3))
_STACKED = Operand((2, 3, 4))


def _error(name: str, function: Any, *operands: Operand) -> Row:
    """A row that NumPy refuses."""
    return row(name, function, *operands, differentiable=False, mapped=False)


ROWS += [
    row("matmul axes=", lambda x, y: np.matmul(x, y, axes=[(0, 1), (1, 0), (1, 0)]), _M, _M),
    row(
        "matmul axes= of a vector",
        lambda x, y: np.matmul(x, y, axes=[(1, 0), (0,), (0,)]),
        Operand((4, 3)),
        _V,
    ),
    row("vecdot", np.vecdot, _V, _V, shapes=(((0,), (0,)), ((2, 4), (4,)), ((4,), (2, 4)))),
    row("vecdot stacks", np.vecdot, _STACKED, Operand((3, 4))),
    row("vecdot axis=", lambda x, y: np.vecdot(x, y, axis=0), Operand((4, 3)), Operand((4, 1))),
    row("vecdot keepdims=", lambda x, y: np.vecdot(x, y, keepdims=True), _M, _V),
    row("vecdot axes=", lambda x, y: np.vecdot(x, y, axes=[0, -1]), Operand((4, 3)), _V),
    row("kron", np.kron, Operand((2, 3)), Operand((3, 2)), shapes=(((), (2,)), ((0,), (2,)))),
    row("kron of different ranks", np.kron, Operand((2, 2)), Operand((2, 1, 3))),
    row("kron vector matrix", np.kron, Operand((2,)), Operand((2, 3))),
    row("cross", np.cross, Operand((2, 3)), _V3, shapes=(((3,), (3,)), ((0, 3), (3,)))),
    row("cross axis=", lambda x, y: np.cross(x, y, axis=0), Operand((3, 2)), Operand((3, 2))),
    row(
        "cross axes of each",
        lambda x, y: np.cross(x, y, axisa=0, axisb=1, axisc=0),
        Operand((3, 2)),
        Operand((2, 3)),
    ),
    row("cross of two elements", np.cross, Operand((2, 2)), Operand((2,))),
    row("cross of two and three", np.cross, Operand((2,)), Operand((2, 3))),
    row("cross of three and two", np.cross, _V3, Operand((2, 2))),
    row("trace", np.trace, _SQUARE, shapes=(((2, 3),), ((0, 3),), ((2, 3, 2),))),
    row("trace offset=", lambda x: np.trace(x, -1), _M),
    row("trace axes", lambda x: np.trace(x, 1, 2, 0), _STACKED),
    row("trace beyond", lambda x: np.trace(x, 7), _M),
    row("trace dtype=", lambda x: np.trace(x, dtype=np.float64), _M),
    row("linalg.matmul", np.linalg.matmul, _M, _N),
    row("linalg.outer", np.linalg.outer, _V3, _V),
    _error("linalg.outer of matrices", np.linalg.outer, _M, _V),
    row("linalg.tensordot", lambda x, y: np.linalg.tensordot(x, y, axes=1), _M, _N),
    row("linalg.vecdot", lambda x, y: np.linalg.vecdot(x, y, axis=0), _M, _M),
    row("linalg.cross", np.linalg.cross, Operand((2, 3)), Operand((2, 3))),
    _error("linalg.cross of two elements", np.linalg.cross, Operand((2,)), Operand((2,))),
    row("linalg.trace", np.linalg.trace, Operand((2, 3, 4))),
    row("linalg.trace offset=", lambda x: np.linalg.trace(x, offset=1), _M),
    row("linalg.diagonal", np.linalg.diagonal, _STACKED, shapes=(((0, 2),), ((1, 4),))),
    row("linalg.diagonal offset=", lambda x: np.linalg.diagonal(x, offset=-2), _M),
    row("linalg.matrix_transpose", np.linalg.matrix_transpose, _STACKED),
    _error("vecdot of unequal lengths", np.vecdot, _V, _V3),
    _error("vecdot of numbers", np.vecdot, Operand(()), _V),
    _error("cross of four elements", np.cross, _V, _V),
    _error("trace of a vector", np.trace, _V),
]

ROWS += [
    _einsum("ij,jk->ik", (3, 4), (4, 2)),
    _einsum("ij,jk", (3, 4), (4, 2)),
    _einsum("ij,kj->ki", (3, 4), (2, 4)),
    _einsum("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    _einsum("bij,bkj->bik", (2, 3, 4), (2, 5, 4)),
    _einsum("ijb,bjk->kib", (3, 4, 2), (2, 4, 5)),
    _einsum("i,i->", (4,), (4,)),
    _einsum("i,j->ji", (3,), (4,)),
    _einsum("ij->ji", (3, 4)),
    _einsum("ij->", (3, 4)),
    _einsum("ij->j", (3, 4)),
    _einsum("ii", (3, 3)),
    _einsum("ii->i", (3, 3)),
    _einsum("iij->ij", (3, 3, 2)),
    _einsum("iji->j", (3, 2, 3)),
    _einsum("ij,ij->ij", (3, 4), (3, 4)),
    _einsum("ij,j->i", (3, 4), (4,)),
    _einsum("ij,kl->", (3, 4), (2, 2)),
    _einsum("...ij,jk->...ik", (2, 2, 3, 4), (4, 5)),
    _einsum("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)),
    _einsum("i...->...", (3, 4)),
    _einsum("...,...", (3, 4), (4,)),
    _einsum("ij,jk,kl->il", (2, 3), (3, 4), (4, 2), rtol=8.0),
    _einsum("i,i,i->i", (4,), (4,), (4,)),
    _einsum("ij,ij,ij,jk->k", (3, 4), (3, 4), (3, 4), (4, 2), rtol=8.0),
    _einsum("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 5, 4)),
    _einsum(" i j , jk -> ik ", (3, 4), (4, 2)),
    _einsum("ij,jk->jki", (3, 1), (4, 2)),
    _einsum("ij->ij", (0, 3)),
    row("einsum of lists", lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [0, 2]), _M, _N),
    row("einsum of lists without result", lambda x, y: np.einsum(x, [0, 1], y, [1, 2]), _M, _N),
    row("einsum optimize=", lambda x, y: np.einsum("ij,jk", x, y, optimize=True), _M, _N),
    _einsum("...i,i...->...", (2, 3), (3, 2)),
    _einsum("...ii->...i", (2, 3, 3)),
    _einsum("a...b,b...c->...ac", (2, 1, 3), (3, 4, 2)),
    _einsum("...", (2, 3)),
    _einsum(",...->...", (), (3,)),
    _einsum("ij, ij -> ij", (1, 4), (3, 1)),
    _einsum("ij,jk,ik->", (1, 4), (4, 2), (3, 1)),
    _einsum("i,j,k->kji", (2,), (3,), (4,)),
    _einsum("bB,Ba", (2, 3), (3, 4)),
    _einsum("iij,jkk->ki", (2, 2, 3), (3, 4, 4)),
    row(
        "einsum of lists with an ellipsis",
        lambda x, y: np.einsum(x, [Ellipsis, 27, 1], y, [1, 51], [51, Ellipsis, 27]),
        Operand((2, 3, 4)),
        _N,
    ),
    row(
        "einsum with its own path",
        lambda x, y, z: np.einsum("ij,jk,k->i", x, y, z, optimize=["einsum_path", (1, 2), (0, 1)]),
        _M,
        _N,
        Operand((2,)),
        rtol=8.0,
    ),
    row(
        "einsum optimize=optimal",
        lambda x, y, z: np.einsum("ij,jk,k->i", x, y, z, optimize=("optimal", 100)),
        _M,
        _N,
        Operand((2,)),
        rtol=8.0,
    ),
    row(
        "einsum all at once",
        lambda x, y, z: np.einsum("ij,jk,k", x, y, z, optimize=["einsum_path", (0, 1, 2)]),
        _M,
        _N,
        Operand((2,)),
        rtol=8.0,
    ),
    row("einsum dtype=", lambda x, y: np.einsum("ij,jk", x, y, dtype=np.float64), _M, _N),
    row(
        "einsum casting=",
        lambda x, y: np.einsum("ij,jk", x, y, dtype=np.float32, casting="unsafe"),
        _M,
        _N,
        differentiable=False,
        corners=False,
        rtol=1e8,
    ),
    _error(
        "einsum to a narrower dtype",
        lambda x, y: np.einsum("i,i", x, y, dtype=np.int8),
        Operand((4,), dtype="float64"),
        _V,
    ),
    row(
        "einsum_path",
        lambda x, y: int("einsum" in np.einsum_path("ij,jk", x, y)[0][0]),
        _M,
        _N,
        differentiable=False,
        mapped=False,
    ),
    _error("einsum of unequal repeated axes", lambda x: np.einsum("ii", x), _M),
    _error("einsum without a place for ...", lambda x: np.einsum("...i->i", x), _M),
    _error("einsum of two arrows", lambda x: np.einsum("ij->->i", x), _M),
    _error("einsum of a digit", lambda x: np.einsum("i1", x), _M),
    _error("einsum of two ellipses", lambda x: np.einsum("...i...", x), _M),
    _error("einsum of too many operands", lambda x: np.einsum("ij", x, x), _M),
    _error("einsum of a list beyond 51", lambda x: np.einsum(x, [0, 52]), _M),
    row(
        "einsum of a missing label",
        lambda x: np.einsum("ij->k", x),
        _M,
        differentiable=False,
        mapped=False,
    ),
    row(
        "einsum of a repeated result",
        lambda x: np.einsum("ij->ii", x),
        _M,
        differentiable=False,
        mapped=False,
    ),
    row(
        "einsum of too few axes",
        lambda x: np.einsum("ijk->k", x),
        _M,
        differentiable=False,
        mapped=False,
    ),
    row(
        "einsum of unequal lengths",
        lambda x, y: np.einsum("ij,jk", x, y),
        _M,
        _M,
        differentiable=False,
        mapped=False,
    ),
]

if hasattr(np, "matvec"):  # since NumPy 2.2
    ROWS += [
        row("matvec", np.matvec, _M, _V, shapes=(((0, 4), (4,)), ((2, 3, 4), (2, 4)))),
        row("matvec stacks", np.matvec, _STACKED, Operand((5, 1, 4))),
        row("matvec stack vector", np.matvec, _STACKED, _V),
        row("vecmat", np.vecmat, _V, _N, shapes=(((0,), (0, 2)), ((2, 4), (2, 4, 3)))),
        row("vecmat stack", np.vecmat, Operand((2, 4)), _N),
        _error("matvec of unequal lengths", np.matvec, _M, _V3),
    ]
