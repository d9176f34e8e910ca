"""Rows of functions that change shape, join, cut and repeat."""

from __future__ import annotations

from typing import Any

import numpy as np

from tables.row import FLOATS, Operand, Row, row

_X = Operand((2, 3, 4))
_M = Operand((3, 4))
_V = Operand((6,))

RESHAPING: list[Row] = [
    row("reshape", lambda x: np.reshape(x, (4, 6)), _X),
    row("reshape -1", lambda x: np.reshape(x, (3, -1)), _X, shapes=(((0, 3),), ((3,),))),
    row("reshape to a number", lambda x: np.reshape(x, ()), Operand((1, 1)), shapes=(((),),)),
    row(
        "reshape of nothing",
        lambda x: np.reshape(x, (3, 0, 2)),
        Operand((0,)),
        differentiable=False,
    ),
    row("reshape in Fortran order", lambda x: np.reshape(x, (4, 6), order="F"), _X),
    row("reshape by an int", lambda x: np.reshape(x, 24), _X),
    row("reshape copy=True", lambda x: np.reshape(x, (6, 4), copy=True), _X),
    row("ravel", np.ravel, _X, shapes=(((),), ((0, 2),))),
    row("ravel in Fortran order", lambda x: np.ravel(x, order="F"), _X),
    row("transpose", np.transpose, _X, shapes=(((),), ((3,),), ((0, 3),))),
    row("transpose axes=", lambda x: np.transpose(x, (1, 2, 0)), _X),
    row("transpose negative axes", lambda x: np.transpose(x, (-1, 0, 1)), _X),
    row("matrix_transpose", np.matrix_transpose, _X),
    row("swapaxes", lambda x: np.swapaxes(x, 0, -1), _X),
    row("moveaxis", lambda x: np.moveaxis(x, 0, -1), _X),
    row("moveaxis of two", lambda x: np.moveaxis(x, (0, 1), (-1, 0)), _X),
    row("expand_dims", lambda x: np.expand_dims(x, 1), _M, shapes=(((3,),),)),
    row("expand_dims of two", lambda x: np.expand_dims(x, (0, -1)), _M, shapes=(((),),)),
    row("squeeze", np.squeeze, Operand((1, 3, 1)), shapes=(((),), ((1, 0),), ((1, 1),))),
    row("squeeze axis=", lambda x: np.squeeze(x, axis=-1), Operand((1, 3, 1)), shapes=(((3,),),)),
    row("squeeze axes", lambda x: np.squeeze(x, axis=(0, 2)), Operand((1, 3, 1))),
    row(
        "broadcast_to",
        lambda x: np.broadcast_to(x, (2, 3, 4)),
        Operand((3, 1)),
        shapes=(((),), ((2,),)),
    ),
    row(
        "broadcast_to nothing",
        lambda x: np.broadcast_to(x, (0, 3)),
        Operand((1, 3)),
        differentiable=False,
    ),
    row("broadcast_arrays", lambda x, y: np.broadcast_arrays(x, y), Operand((3, 1)), Operand((4,))),
    row("atleast_1d", lambda x: np.atleast_1d(x), Operand(()), shapes=(((3,),),)),
    row("atleast_2d", lambda x: np.atleast_2d(x), Operand((3,)), shapes=(((),), ((1, 2, 3),))),
    row("atleast_3d", lambda x: np.atleast_3d(x), _M, shapes=(((),), ((3,),), ((1, 2, 3, 4),))),
    row("atleast_1d of two", lambda x, y: np.atleast_1d(x, y), Operand(()), Operand((2,))),
    row("copy", np.copy, _M),
    row("astype", lambda x: np.astype(x, np.float32), _M, differentiable=False),
    row("astype float64", lambda x: np.astype(x, np.float64), _M),
    row("astype int16", lambda x: np.astype(x, np.int16), _M, differentiable=False, corners=False),
    row("astype bool", lambda x: np.astype(x, bool), _M, differentiable=False),
    row("shape", lambda x: np.shape(x), _M, differentiable=False, mapped=False),
    row("ndim", lambda x: np.ndim(x), _M, differentiable=False, mapped=False),
    row("size", lambda x: (np.size(x), np.size(x, 0)), _M, differentiable=False, mapped=False),
    row("iscomplexobj", lambda x: np.iscomplexobj(x), _M, differentiable=False, mapped=False),
    row("isrealobj", lambda x: np.isrealobj(x), _M, differentiable=False, mapped=False),
    row(
        "result_type",
        lambda x: np.zeros(2, np.result_type(x, np.float32), like=x),
        _M,
        differentiable=False,
    ),
]

# A name of its own for vstack, which newer versions of NumPy do not have.
_VSTACK = ("np.vstack", *(["np.row_stack"] if "row_stack" in vars(np) else []))

JOINING: list[Row] = [
    row(
        "concatenate",
        lambda x, y: np.concatenate([x, y]),
        _M,
        Operand((2, 4)),
        shapes=(((0, 4), (2, 4)),),
    ),
    row("concatenate axis=-1", lambda x, y: np.concatenate((x, y), axis=-1), _M, Operand((3, 1))),
    row("concatenate axis=None", lambda x, y: np.concatenate([x, y], axis=None), _M, Operand((2,))),
    row("concatenate of one", lambda x: np.concatenate([x]), _M),
    row(
        "concatenate with a plain array",
        lambda x: np.concatenate([x, np.ones(2), x]),
        Operand((3,)),
    ),
    row("concatenate dtype=", lambda x, y: np.concatenate([x, y], dtype=np.float64), _M, _M),
    row(
        "stack to a narrower dtype=",
        lambda x: np.stack([x, x], dtype=np.int32),
        _M,
        differentiable=False,
    ),
    row(
        "concatenate of unequal shapes",
        lambda x, y: np.concatenate([x, y]),
        _M,
        Operand((3, 3)),
        differentiable=False,
        mapped=False,
    ),
    row("stack", lambda x, y: np.stack([x, y]), _M, _M, shapes=(((), ()), ((0,), (0,)))),
    row("stack axis=-1", lambda x, y: np.stack([x, y, x], axis=-1), _M, _M),
    row("stack axis=1", lambda x: np.stack([x, 2 * x], axis=1), _M),
    row("vstack", lambda x, y: np.vstack([x, y]), Operand((4,)), _M, covers=_VSTACK),
    row(
        "hstack",
        lambda x, y: np.hstack([x, y]),
        Operand((4,)),
        Operand((3,)),
        shapes=(((), (2,)), ((2, 1), (2, 3))),
    ),
    row("column_stack", lambda x, y: np.column_stack([x, y]), Operand((3,)), Operand((3, 2))),
    row("append", lambda x, y: np.append(x, y), _M, Operand(())),
    row("append axis=", lambda x, y: np.append(x, y, axis=1), _M, Operand((3, 2))),
    row("split", lambda x: np.split(x, 3), _V),
    row("split at points", lambda x: np.split(x, [2, 5]), _V),
    row("split at points from the end", lambda x: np.split(x, [-4, 5, 9]), _V),
    row("split axis=", lambda x: np.split(x, 2, axis=1), _M),
    row(
        "split into unequal parts", lambda x: np.split(x, 4), _V, differentiable=False, mapped=False
    ),
    row("array_split", lambda x: np.array_split(x, 4), _V),
    row("vsplit", lambda x: np.vsplit(x, 3), _M, shapes=(((3,),),)),
    row("hsplit", lambda x: np.hsplit(x, 2), _M, shapes=(((4,),), ((),))),
    row("unstack", lambda x: np.unstack(x), _M),
    row("unstack axis=", lambda x: np.unstack(x, axis=-1), _M),
    row("flip", np.flip, _X, shapes=(((),), ((0,),))),
    row("flip axis=", lambda x: np.flip(x, axis=1), _X),
    row("flip axes", lambda x: np.flip(x, axis=(0, -1)), _X),
    row("flipud", np.flipud, _M, shapes=(((3,),),)),
    row("fliplr", np.fliplr, _M, shapes=(((3,),),)),
]


def _pad(mode: str, width: Any, x: Operand = _M, **options: Any) -> Row:
    name = f"pad {mode} {width} {options}".replace("{}", "").strip()
    return row(name, lambda a: np.pad(a, width, mode=mode, **options), x)


JOINING += [
    row("pad", lambda a: np.pad(a, 1), _M, shapes=(((),), ((0,),), ((2, 0),))),
    _pad("constant", (1, 2)),
    _pad("constant", ((1, 0), (0, 2))),
    _pad("constant", ((0, 3), (0, 0))),
    _pad("constant", ((1, 2), (3, 0)), constant_values=((1, 2), (3, 4))),
    _pad("constant", 2, constant_values=5),
    _pad("edge", ((2, 1), (0, 3))),
    _pad("wrap", ((2, 1), (5, 3))),
    _pad("reflect", ((2, 1), (3, 3))),
    _pad("reflect", ((7, 9),), Operand((3,))),
    _pad("reflect", ((3, 1),), Operand((1,))),
    _pad("symmetric", ((2, 1), (0, 3))),
    _pad("symmetric", ((7, 9),), Operand((3,))),
    _pad("wrap", ((7, 9),), Operand((3,))),
    row(
        "pad by negative widths",
        lambda a: np.pad(a, ((-1, 0), (0, 0))),
        _M,
        differentiable=False,
        mapped=False,
    ),
]


def _filled(made: Any, x: Any) -> Any:
    """An empty array holds anything until it is written to."""
    made[...] = x
    return made


CREATION: list[Row] = [
    row("zeros_like", lambda x: np.zeros_like(x) + x, _M),
    row(
        "zeros_like dtype=",
        lambda x: np.zeros_like(x, dtype=np.int8, shape=(2,)),
        _M,
        differentiable=False,
    ),
    row("empty_like", lambda x: _filled(np.empty_like(x), x), _M),
    row("ones_like", lambda x: np.ones_like(x), _M, shapes=(((),), ((0,),))),
    row("full_like", lambda x: np.full_like(x, 2.75), _M),
    row("full_like beyond the dtype", lambda x: np.full_like(x, 300), _M, differentiable=False),
    row("full_like of a traced value", lambda x: np.full_like(x, x[0, 0], shape=(2, 2)), _M),
    row("full_like of an array", lambda x: np.full_like(x, np.arange(4)), _M),
    row("zeros", lambda x: np.zeros((2, 4), like=x) + x, Operand((4,))),
    row("zeros dtype=", lambda x: np.zeros(3, dtype=np.float32, like=x), differentiable=False),
    row("empty", lambda x: _filled(np.empty((2, 4), like=x), x), Operand((4,))),
    row("ones", lambda x: np.ones(3, like=x), differentiable=False),
    row("full", lambda x: np.full((2, 2), 7, like=x), differentiable=False),
    row("full of a traced value", lambda x: np.full((2, 2), x[0], like=x), Operand((4,))),
    row("eye", lambda x: np.eye(3, 4, k=1, like=x) * x, _M),
    row("identity", lambda x: np.identity(3, like=x), differentiable=False),
    row(
        "arange",
        lambda x: (np.arange(4, like=x), np.arange(1, 7, 2, dtype=np.float32, like=x)),
        differentiable=False,
    ),
    row("array", lambda x: np.array([x[0], [1.0, x[1]][1], x[2] * x[2]], like=x), Operand((3,))),
    row("array of lists", lambda x: np.array([[x[0], x[1]], [x[2], x[0]]], like=x), Operand((3,))),
    row("array dtype=", lambda x: np.array([x[0], x[1]], dtype=np.float64, like=x), Operand((3,))),
    row("asarray", lambda x: np.asarray([x[0], x[1]], like=x), Operand((3,))),
    row("asanyarray", lambda x: np.asanyarray([x[0], x[1]], like=x), Operand((3,))),
]

TURNING: list[Row] = [
    row("rot90", lambda x: [np.rot90(x, k, (1, 2)) for k in range(-1, 3)], _X),
    row("roll", lambda x: [np.roll(x, 2), np.roll(x, (1, -2), (0, 2))], _X, shapes=(((0, 2, 1),),)),
    row("roll by a traced shift", lambda x, n: np.roll(x, n, 1), _M, Operand((), dtype="int64")),
    row(
        "rollaxis",
        lambda x: [np.rollaxis(x, 2), np.rollaxis(x, 0, 3), np.rollaxis(x, -1, 1)],
        _X,
        dtypes=FLOATS,
    ),
    row(
        "repeat",
        lambda x: [np.repeat(x, 2), np.repeat(x, [1, 0, 2], axis=0), np.repeat(x, 3, axis=1)],
        _M,
    ),
    row("tile", lambda x: [np.tile(x, 2), np.tile(x, (2, 1, 3)), np.tile(x, (0, 1))], _M),
    row("resize", lambda x: [np.resize(x, (4, 5)), np.resize(x, 2)], _M),
    row(
        "delete",
        lambda x: [np.delete(x, 1), np.delete(x, [0, -1], axis=1), np.delete(x, slice(2), axis=0)],
        _M,
    ),
    row(
        "insert",
        lambda x, y: [np.insert(x, 1, y, axis=0), np.insert(x, [0, 2], y[0], axis=1)],
        _M,
        Operand((4,)),
    ),
    row("block", lambda x, y: np.block([[x, x[:, :1]], [y, 1.0]]), _M, Operand((4,))),
    row(
        "dstack",
        lambda x: [np.dstack([x, x]), *np.dsplit(np.atleast_3d(x), [0])],
        _M,
        covers=("np.dstack", "np.dsplit"),
    ),
    row(
        "diag",
        lambda x: [np.diag(x[0]), np.diag(x[0], -2), np.diag(x), np.diag(x, 1), np.diagflat(x, 1)],
        _M,
        covers=("np.diag", "np.diagflat"),
    ),
    row("diagonal", lambda x: [np.diagonal(x), np.diagonal(x, 1, 0, 2)], _X),
    row(
        "tril",
        lambda x: [np.tril(x), np.triu(x, 1), np.tril(x[0, 0], -1)],
        _X,
        covers=("np.tril", "np.triu"),
    ),
    row("tri", lambda x: np.tri(3, 4, 1, like=x) * x, _M),
    row("vander", lambda x: [np.vander(x), np.vander(x, 3, increasing=True)], Operand((4,))),
    row("meshgrid", lambda x, y: np.meshgrid(x, y), Operand((3,)), Operand((2,))),
    row(
        "linspace",
        lambda x, y: [np.linspace(x, y, 5), np.linspace(x[0], 3, 4, False, True, axis=-1)],
        Operand((3,)),
        Operand((2, 1)),
        rtol=4.0,
    ),
    row(
        "logspace",
        lambda x, y: [np.logspace(x[0], y, 4), np.geomspace(x, 3.0, 4)],
        Operand((3,), 0.5, 2),
        Operand((), 0.5, 2),
        covers=("np.logspace", "np.geomspace"),
        dtypes=FLOATS,
        corners=False,  # a zero raises in NumPy, which reads values
        rtol=16.0,
    ),
    row(
        "apply_along_axis",
        lambda x, y: [
            np.apply_along_axis(np.sum, 1, x),
            np.apply_along_axis(lambda v: np.outer(v, y), 1, x),
        ],
        _X,
        Operand((2,)),
        dtypes=FLOATS,
    ),
    row("apply_over_axes", lambda x: np.apply_over_axes(np.sum, x, [0, 2]), _X, rtol=4.0),
    row(
        "pad far with reflect_type=",
        lambda x: np.pad(x, ((7, 9),), "reflect", reflect_type="odd"),
        Operand((3,)),
        dtypes=FLOATS,
        corners=False,
        rtol=16.0,
    ),
    _pad("symmetric", ((2, 1), (0, 3)), reflect_type="odd"),
    _pad("linear_ramp", ((2, 1), (0, 3)), end_values=((1, 2), (3, 4))),
    _pad("mean", ((2, 1), (0, 3)), stat_length=2),
    row(
        "pad maximum and minimum",
        lambda x: [np.pad(x, 1, "maximum"), np.pad(x, (2, 0), "minimum", stat_length=2)],
        Operand((3, 4), spread=True),
    ),
]

SIGNALS: list[Row] = [
    row(
        "interp",
        lambda x, y: [
            np.interp(x, [-1.5, 0, 1], y),
            np.interp(x, [-1.5, 0, 1], y, left=7, right=y[0]),
            np.interp(x, [0, 0.5, 1.7], y, period=2.2),
        ],
        Operand((6,), avoid=(-1.5, -0.5, 0, 0.2, 0.5, 1, 1.7)),
        Operand((3,)),
        rtol=8.0,
    ),
    row(
        "interp of traced samples",
        lambda x, xp, fp: np.interp(x, np.cumsum(np.abs(xp) + 0.5) - 1.5, fp),
        Operand((6,)),
        Operand((3,), avoid=(0.0,)),
        Operand((3,)),
        kink=lambda x, xp, fp: np.min(
            np.abs(x[:, np.newaxis] - (np.cumsum(np.abs(xp) + 0.5) - 1.5)), axis=1
        ),
        dtypes=("float64",),
        rtol=8.0,
    ),
    row(
        "convolve",
        lambda x, y: [np.convolve(x, y, mode) for mode in ("full", "same", "valid")],
        Operand((3,)),
        Operand((6,)),
        rtol=8.0,
        corners=False,
    ),
    row(
        "correlate",
        lambda x, y: [np.correlate(x, y, mode) for mode in ("full", "same", "valid")],
        Operand((3,)),
        Operand((6,)),
        rtol=8.0,
        corners=False,
    ),
    row("i0", np.i0, Operand((5,)), rtol=8.0, corners=False),
    row(
        "polyval",
        lambda p, x: [np.polyval(p, x), np.polyval([1, 2, 3], x), np.polyval(p, 2)],
        Operand((4,)),
        Operand((3,)),
        rtol=4.0,
    ),
    row(
        "polyadd",
        lambda p, q: [
            np.polyadd(p, q),
            np.polysub([1, 2], p),
            np.polymul(p, q),
            np.polyder(p),
            np.polyint(p, 2, 3),
        ],
        Operand((4,), 0.5, 2),
        Operand((3,), 0.5, 2),
        covers=("np.polyadd", "np.polysub", "np.polymul", "np.polyder", "np.polyint"),
        dtypes=("int64", *FLOATS),
        corners=False,
        rtol=4.0,
    ),
    row("poly", np.poly, Operand((4,)), dtypes=("int64", "float64"), corners=False, rtol=8.0),
    row(
        "polyfit",
        lambda x, y: [np.polyfit(x, y, 2), np.polyfit(x, y, 1, w=np.arange(1.0, 7))],
        Operand((6,), spread=True),
        Operand((6,)),
        dtypes=("float64",),
        corners=False,
        rtol=1e3,
    ),
]

ROWS = [*RESHAPING, *JOINING, *CREATION, *TURNING, *SIGNALS]
