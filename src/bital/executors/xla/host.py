"""What NumPy, LAPACK and SciPy compute on the host, in the middle of a compiled Program."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from jax import core, lax
from jax import numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import mlir

from bital.program import Array, ArrayType, Equation

if TYPE_CHECKING:
    from bital.executors.xla.lowering import Lowering

_WORD = np.dtype(np.uint32)
_KEPT = 64  # faults, of which a call raises one
_faults: OrderedDict[int, BaseException] = OrderedDict()
_numbers = itertools.count(1)

# `jax.pure_callback` would hand over arrays of JAX, and halve the precision of 64-bit ones where
# the thread that it runs in knows nothing of the switch for them. This one hands over NumPy's.
_call = Primitive("bital_host_call")
_call.multiple_results = True
_call.def_abstract_eval(lambda *_, function, types: [core.ShapedArray(*type) for type in types])


def _lower_call(ctx: Any, *operands: Any, function: Callable[..., Any], types: Any) -> Any:
    results, _, _ = mlir.emit_python_callback(
        *(ctx, function, None, list(operands), ctx.avals_in, ctx.avals_out),
        has_side_effect=False,
        returns_token=False,
    )
    return results


mlir.register_lowering(_call, _lower_call)


def on_host(lowering: Lowering, equation: Equation, *operands: Any) -> Any:
    """The results of a primitive's reference; what it raises is a fault."""
    types = [var.type for var in equation.outputs]
    found = _call.bind(
        *map(jnp.asarray, operands),
        function=partial(_run, equation, types),
        types=(((), _WORD), *map(_carried, types)),
    )
    lowering.note(lambda number, place: _faults.pop(number), found[0] != 0, found[0])
    results = [_arrived(value, type) for value, type in zip(found[1:], types, strict=True)]
    return results if equation.primitive.multiple_results else results[0]


def _run(equation: Equation, types: Sequence[ArrayType], *operands: Array) -> list[Array]:
    """The number of a fault or 0, then the results as they are carried."""
    number, results = 0, [np.zeros(type.shape, type.dtype) for type in types]
    try:
        with np.errstate(all="ignore"):
            values = equation.primitive.reference(*(x[()] for x in operands), **equation.params)
        results = values if equation.primitive.multiple_results else [values]
    except Exception as fault:  # nothing may be raised through compiled code
        number = next(_numbers)
        _faults[number] = fault
        while len(_faults) > _KEPT:
            _faults.popitem(last=False)
    carried = []
    for value, type in zip(results, types, strict=True):
        shape, dtype = _carried(type)
        carried.append(
            np.ascontiguousarray(value, type.dtype).reshape(-1).view(dtype).reshape(shape)
        )
    return [np.array(number, _WORD), *carried]


def _carried(type: ArrayType) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """How a result travels: 64-bit numbers as words, which no switch changes."""
    if type.dtype.itemsize // (2 if type.dtype.kind == "c" else 1) < 8:
        return type.shape, type.dtype
    return (*type.shape, type.dtype.itemsize // _WORD.itemsize), _WORD


def _arrived(value: Any, type: ArrayType) -> Any:
    if value.dtype == type.dtype:
        return value
    if type.dtype.kind != "c":
        return lax.bitcast_convert_type(value, type.dtype)
    parts = lax.bitcast_convert_type(value.reshape((*type.shape, 2, 2)), np.float64)
    return lax.complex(parts[..., 0], parts[..., 1])
