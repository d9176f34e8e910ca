"""Random bits from a counter: the same key gives the same bits on every executor.

The generator is Philox-4x64-10 as NumPy lays it out (Salmon, Moraes, Dror, Shaw: "Parallel random
numbers: as easy as 1, 2, 3", SC 2011, section 4.3): the key is two 64-bit words, block i of four
words is the cipher of the counter (i + 1, 0, 0, stream).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.primitives.loops import lane_by_lane
from bital.primitives.primitive import NOT_DIFFERENTIABLE, NOT_LINEAR, Primitive, require
from bital.program import ArrayType, Atom

KEY_TYPE = ArrayType((2,), np.dtype(np.uint64))


def _abstract_eval(
    key: ArrayType, shape: tuple[int, ...], dtype: np.dtype[Any], stream: int
) -> ArrayType:
    require(key == KEY_TYPE, lambda: f"a key is {KEY_TYPE}, got {key}")
    require(
        dtype in (np.uint32, np.uint64),
        lambda: f"random bits come as uint32 or uint64, not {dtype}",
    )
    return ArrayType(shape, dtype)


def _reference(key: Any, shape: tuple[int, ...], dtype: np.dtype[Any], stream: int) -> Any:
    count = int(np.prod(shape, dtype=int))
    words = -(-count * dtype.itemsize // 8)
    generator = np.random.Philox(key=key, counter=[0, 0, 0, stream])
    raw = generator.random_raw(words) if words else np.empty(0, np.uint64)
    bits = raw.astype("<u8", copy=False).view(dtype.newbyteorder("<"))[:count].reshape(shape)
    return bits.view(dtype) if bits.dtype.isnative else bits.astype(dtype)


def _batch(
    primitive: Primitive, size: int, inputs: list[Atom], mapped: list[bool], **params: Any
) -> list[Atom]:
    """One stream a key, as a Python loop over the keys would give."""
    return lane_by_lane(primitive, size, inputs, mapped, params)


random_bits: Primitive = Primitive(
    "random_bits",
    abstract_eval=_abstract_eval,
    reference=_reference,
    jvp=NOT_DIFFERENTIABLE,
    transpose=NOT_LINEAR,
    batch=_batch,
)
