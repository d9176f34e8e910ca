"""What Hypothesis draws: shapes, arrays, indices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
DTYPES = st.sampled_from(("bool", "int8", "int64", "uint8", "float16", "float32", "float64"))
REAL = st.floats(-3, 3, width=32).map(float)


def counting(shape: tuple[int, ...], dtype: str = "float64") -> Any:
    """An array whose elements tell their places apart."""
    return (np.arange(math.prod(shape)) + 1).reshape(shape).astype(dtype)


def floats(shape: Any) -> st.SearchStrategy[Any]:
    return hnp.arrays(np.float64, shape, elements=REAL)


def any_array(dtype: str, shape: Any) -> st.SearchStrategy[Any]:
    """Values of a dtype, NaN and infinities among them."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return hnp.arrays(kind, shape, elements=st.floats(width=kind.itemsize * 8))
    return hnp.arrays(kind, shape)


@st.composite
def slices(draw: Any, length: int) -> slice:
    bound = st.none() | st.integers(-length - 2, length + 2)
    step = st.none() | st.integers(-3, 3).filter(bool)
    return slice(draw(bound), draw(bound), draw(step))


@st.composite
def indices(draw: Any, shape: tuple[int, ...]) -> Any:
    """Any index of an array of this shape: all of NumPy's kinds, mixed."""
    lead = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=3))
    items: list[Any] = []
    axis, dotted = 0, False
    for _ in range(draw(st.integers(0, len(shape) + 2))):
        kind = draw(st.sampled_from(("int", "slice", "slice", "array", "mask", "none", "dots")))
        if kind == "none":
            items.append(None)
        elif kind == "dots" and not dotted:
            items.append(Ellipsis)
            dotted = True
            axis += draw(st.integers(0, len(shape) - axis))
        elif kind == "mask" and axis < len(shape) and shape[axis]:
            items.append(draw(hnp.arrays(bool, (shape[axis],))))
            axis += 1
        elif kind != "dots" and axis < len(shape):
            items.append(draw(_item(kind, shape[axis], lead)))
            axis += 1
    return tuple(items) if draw(st.booleans()) or len(items) != 1 else items[0]


@st.composite
def _item(draw: Any, kind: str, length: int, lead: tuple[int, ...]) -> Any:
    if kind == "slice" or not length:
        return draw(slices(length))
    place = st.integers(-length, length - 1)
    if kind == "int":
        return draw(place)
    shape = draw(st.sampled_from((lead, lead[-1:], ())))
    return draw(hnp.arrays(np.int64, shape, elements=place))
