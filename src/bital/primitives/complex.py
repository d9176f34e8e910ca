"""Complex numbers: their parts, how they are made of these, and conjugates.

Derivatives of functions that are not holomorphic are linear over the reals only. Transposes are
therefore with respect to ``Re(sum(cotangent * tangent))``, without a conjugate: so the gradient of
a real function of ``z = x + iy`` is ``df/dx - i df/dy``, and a holomorphic function's transpose is
a multiplication by its derivative, as for real numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.primitives.elementwise import batch_broadcasting, elementwise, neg
from bital.primitives.primitive import (
    Operand,
    Primitive,
    Tangent,
    linear_jvp,
    require,
    zeros,
)
from bital.primitives.shape import batched
from bital.program import ArrayType, Atom


def part_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of a complex number's parts."""
    return np.dtype(f"f{dtype.itemsize // 2}")


def whole_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of complex numbers with parts of this one."""
    return np.dtype(f"c{2 * dtype.itemsize}")


def _part_abstract_eval(z: ArrayType) -> ArrayType:
    require(z.dtype.kind == "c", lambda: f"only complex numbers have two parts, got {z}")
    return ArrayType(z.shape, part_dtype(z.dtype))


real: Primitive = Primitive(
    "real",
    abstract_eval=_part_abstract_eval,
    reference=np.real,
    jvp=linear_jvp(),
    transpose=lambda ct, z: [complex_(ct, zeros(ct.type))],
    batch=batch_broadcasting,
)
imag: Primitive = Primitive(
    "imag",
    abstract_eval=_part_abstract_eval,
    reference=np.imag,
    jvp=linear_jvp(),
    transpose=lambda ct, z: [complex_(zeros(ct.type), neg(ct))],
    batch=batch_broadcasting,
)


def _complex_abstract_eval(x: ArrayType, y: ArrayType) -> ArrayType:
    require(
        x == y and x.dtype.kind == "f" and x.dtype.itemsize in (4, 8),
        lambda: f"complex needs two float32 or two float64 of one shape, got {x} and {y}",
    )
    return ArrayType(x.shape, whole_dtype(x.dtype))


def _complex_reference(x: Any, y: Any) -> Any:
    z = np.empty(np.shape(x), whole_dtype(x.dtype))
    z.real, z.imag = x, y
    return z[()]


def _complex_transpose(ct: Atom, x: Operand, y: Operand) -> list[Tangent]:
    return [real(ct), neg(imag(ct))]


def _batch_complex(
    primitive: Primitive, size: int, inputs: list[Atom], mapped: list[bool]
) -> list[Atom]:
    full = [batched(x, is_mapped, size) for x, is_mapped in zip(inputs, mapped, strict=True)]
    return primitive.bind(full, {})


complex_: Primitive = Primitive(
    "complex",
    abstract_eval=_complex_abstract_eval,
    reference=_complex_reference,
    jvp=linear_jvp(),
    transpose=_complex_transpose,
    batch=_batch_complex,
)
conj: Primitive = elementwise(
    "conj", np.conjugate, lambda t, out, z: conj(t), transpose=lambda ct, z: [conj(ct)]
)
