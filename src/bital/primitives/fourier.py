"""Discrete Fourier transforms along one axis: one linear primitive, transposed by itself.

The transform's matrix is symmetric, so `fft` and `ifft` are their own transposes. `rfft` keeps
half of a spectrum and `irfft` reads half of one as a whole: the transpose of either is the other,
with weights of 1/2 or 2 for what occurs twice, and a conjugate. Transposes are those of
``Re(sum(cotangent * tangent))`` (see `complex`), as JAX has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bital.primitives.complex import conj, part_dtype, whole_dtype
from bital.primitives.elementwise import mul
from bital.primitives.primitive import Operand, Primitive, Tangent, full, linear_jvp, require
from bital.primitives.shape import concatenate, reshape
from bital.program import ArrayType, Atom

_TRANSFORMS: dict[str, Callable[..., Any]] = {
    "fft": np.fft.fft,
    "ifft": np.fft.ifft,
    "rfft": np.fft.rfft,
    "irfft": np.fft.irfft,
}
_TRANSPOSED = {"fft": "fft", "ifft": "ifft", "rfft": "irfft", "irfft": "rfft"}
# The norm with which an inverse has the factor that the transform itself has with this one.
SWAPPED_NORMS = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def half_length(n: int) -> int:
    """How many frequencies describe the spectrum of n real numbers."""
    return n // 2 + 1


def _abstract_eval(x: ArrayType, kind: str, n: int, axis: int, norm: str) -> ArrayType:
    taken = half_length(n) if kind == "irfft" else n
    given = half_length(n) if kind == "rfft" else n
    wanted = "f" if kind == "rfft" else "c"
    require(
        n > 0 and 0 <= axis < x.ndim and x.shape[axis] == taken and x.dtype.kind == wanted,
        lambda: f"{kind} of length {n} along axis {axis} does not fit {x}",
    )
    dtype = x.dtype
    if kind == "rfft":
        require(dtype.itemsize in (4, 8), lambda: f"rfft needs float32 or float64, got {x}")
        dtype = whole_dtype(dtype)
    elif kind == "irfft":
        dtype = part_dtype(dtype)
    return ArrayType((*x.shape[:axis], given, *x.shape[axis + 1 :]), dtype)


def _transpose(ct: Atom, x: Operand, kind: str, n: int, axis: int, norm: str) -> list[Tangent]:
    if kind in ("fft", "ifft"):
        return [fft(ct, kind=kind, n=n, axis=axis, norm=norm)]
    other = {"kind": _TRANSPOSED[kind], "n": n, "axis": axis, "norm": SWAPPED_NORMS[norm]}
    if kind == "rfft":
        return [fft(_weighted(conj(ct), n, axis, 0.5), **other)]
    return [_weighted(conj(fft(ct, **other)), n, axis, 2.0)]


def _weighted(x: Atom, n: int, axis: int, weight: float) -> Atom:
    """Half a spectrum times `weight`, but for the frequencies that occur once: 0 and n/2."""
    counts = {"zero": 1, "pairs": (n - 1) // 2, "middle": 1 - n % 2}
    pieces = [
        full(ArrayType((count,), x.type.dtype), weight if name == "pairs" else 1)
        for name, count in counts.items()
        if count
    ]
    weights = concatenate(*pieces, axis=0) if len(pieces) > 1 else pieces[0]
    shape = (half_length(n),) + (1,) * (x.type.ndim - 1 - axis)
    result: Atom = mul(x, reshape(weights, shape=shape))
    return result


def _batch(
    primitive: Primitive,
    size: int,
    inputs: list[Atom],
    mapped: list[bool],
    axis: int,
    **params: Any,
) -> list[Atom]:
    return primitive.bind(inputs, {**params, "axis": axis + 1})


def _reference(x: Any, kind: str, n: int, axis: int, norm: str) -> Any:
    return _TRANSFORMS[kind](x, n, axis, norm)


fft: Primitive = Primitive(
    "fft",
    abstract_eval=_abstract_eval,
    reference=_reference,
    jvp=linear_jvp(),
    transpose=_transpose,
    batch=_batch,
)
