"""The ufuncs of ``scipy.special`` that can be traced: entered once SciPy has been imported."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.errors import ArgumentError
from bital.numpy_language.dispatch import (
    UFUNCS,
    cast,
    kind_of,
    operand,
    resolve,
    trace_of,
)
from bital.numpy_language.tracer import Tracer, bind
from bital.primitives import Primitive
from bital.primitives import elementwise as p
from bital.primitives.special import DERIVATIVES, erf, special, ufunc_of


@functools.cache
def enter() -> None:
    """Enter the ufuncs that the installed SciPy has."""
    for name in DERIVATIVES:
        try:
            ufunc = ufunc_of(name)
        except AttributeError:  # a SciPy without it
            continue
        UFUNCS[ufunc] = _entry(name, ufunc)
    for name, primitive in _COMPILED.items():
        UFUNCS[ufunc_of(name)] = _one_primitive(name, primitive)
    UFUNCS[ufunc_of("expit")] = expit
    UFUNCS[ufunc_of("log_expit")] = log_expit
    UFUNCS[ufunc_of("logit")] = logit


# Those for which compiled code has formulas.
_COMPILED = {"erf": erf, "log1p": p.log1p, "expm1": p.expm1, "exp2": p.exp2, "cbrt": p.cbrt}


def _one_primitive(name: str, primitive: Primitive) -> Callable[[Any], Tracer]:
    def handler(x: Any) -> Tracer:
        result: Tracer = bind(primitive, *_in_loop(name, x))
        return result

    return handler


def _in_loop(name: str, *values: Any) -> list[Tracer]:
    operands = [operand(value) for value in values]
    loop = resolve(ufunc_of(name), *map(kind_of, operands))
    if any(kind.kind == "c" for kind in loop):
        raise ArgumentError(
            f"scipy.special.{name} of complex numbers cannot be traced; its operands are "
            + ", ".join(map(repr, operands))
        )
    return [trace_of(cast(value, kind)) for value, kind in zip(operands, loop, strict=False)]


def _entry(name: str, ufunc: np.ufunc) -> Callable[..., Any]:
    def handler(*values: Any) -> Any:
        operands = _in_loop(name, *values)
        results = tuple(
            bind(special, *operands, name=name, output=output) for output in range(ufunc.nout)
        )
        return results if ufunc.nout > 1 else results[0]

    return handler


def expit(x: Any) -> Tracer:
    """``1 / (1 + exp(-x))``, to full relative precision in both tails."""
    (x,) = _in_loop("expit", x)
    positive = x >= 0
    small = np.exp(np.where(positive, -x, x))
    result: Any = np.where(positive, 1, small) / (1 + small)
    return trace_of(result)


def log_expit(x: Any) -> Tracer:
    """``-log(1 + exp(-x))`` without overflow."""
    (x,) = _in_loop("log_expit", x)
    zero = cast(0, x.dtype)
    result: Tracer = -bind(p.logaddexp, zero, -x)
    return result


def logit(x: Any) -> Tracer:
    """``log(x / (1 - x))``, near 1/2 by way of 2 x - 1, which is small there."""
    (x,) = _in_loop("logit", x)
    middle = np.abs(x - 0.5) < 0.2
    small: Any = np.where(middle, 2 * (x - 0.5), 0)
    far: Any = np.where(middle, 0.25, x)
    result = np.where(middle, np.log1p(small) - np.log1p(-small), np.log(far / (1 - far)))
    return trace_of(result)
