"""Functions about complex numbers: parts, angles, tests."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.numpy_language.dispatch import cast, implements, trace_of, unsupported
from bital.numpy_language.shapes import broadcast_to
from bital.numpy_language.tracer import Tracer, bind
from bital.primitives import complex as p


def is_complex(x: Any) -> bool:
    return bool(x.dtype.kind == "c")


@implements(np.real)
def real(val: Any) -> Tracer:
    x = trace_of(val)
    return bind(p.real, x) if is_complex(x) else x


@implements(np.imag)
def imag(val: Any) -> Tracer:
    """Of real numbers zeros."""
    x = trace_of(val)
    result: Tracer = bind(p.imag, x) if is_complex(x) else np.zeros_like(x)
    return result


def require_real(name: str, *xs: Any) -> None:
    """What NumPy refuses for complex numbers is refused here, too, with a way on."""
    for x in map(trace_of, xs):
        if is_complex(x):
            raise TypeError(
                f"{name} takes real numbers, got {x!r}; pass z.real, z.imag or np.abs(z)"
            )


def from_parts(x: Tracer, y: Any) -> Tracer:
    """``x + iy`` in the precision of x, exactly: no part mixes with the other."""
    y = broadcast_to(trace_of(cast(y, x.dtype)), x.shape)
    result: Tracer = bind(p.complex_, x, y)
    return result


def by_parts(function: Callable[[Tracer], Any], z: Tracer) -> Tracer:
    """A function of real numbers, of both parts."""
    return from_parts(function(real(z)), function(imag(z)))


def with_part(z: Tracer, name: str, value: Any) -> Tracer:
    """What ``z.real = value`` or ``z.imag = value`` makes of z."""
    if not is_complex(z):
        if name == "imag":
            raise TypeError(f"{z!r} is real: it has no imaginary part to set")
        return broadcast_to(trace_of(cast(value, z.dtype)), z.shape)
    parts = {"real": real(z), "imag": imag(z)}
    parts[name] = broadcast_to(trace_of(cast(value, parts[name].dtype)), z.shape)
    return from_parts(parts["real"], parts["imag"])


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """``arctan2(imag, real)``; its derivative at 0 is NaN, as the angle there is anything."""
    x = trace_of(z)
    result = np.arctan2(imag(x) if is_complex(x) else 0, real(x))
    return result * (180 / math.pi) if deg else result


@implements(np.iscomplex)
def iscomplex(x: Any) -> Any:
    """Whether each element has an imaginary part that is not zero."""
    return imag(trace_of(x)) != 0


@implements(np.isreal)
def isreal(x: Any) -> Any:
    return imag(trace_of(x)) == 0


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    return is_complex(trace_of(x))


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    return not is_complex(trace_of(x))


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Tracer:
    """Of real numbers the array itself; of complex ones the values would decide on the dtype."""
    x = trace_of(a)
    if is_complex(x):
        raise unsupported("real_if_close of complex numbers", "z.real, or z as it is")
    return x
