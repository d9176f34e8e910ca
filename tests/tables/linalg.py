"""Rows of products."""

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
