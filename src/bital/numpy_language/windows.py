"""Sliding windows over an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.numpy_language.dispatch import implements, normalize_axis, trace_of, unsupported
from bital.numpy_language.shapes import as_shape, copy
from bital.numpy_language.tracer import Tracer, bind
from bital.primitives import windows as primitive


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any,
    window_shape: Any,
    axis: Any = None,
    *,
    subok: bool = False,
    writeable: bool = False,
) -> Tracer:
    """Every window of the given lengths, in new axes at the end."""
    if writeable:
        raise unsupported(
            "np.lib.stride_tricks.sliding_window_view(..., writeable=True)",
            "np.add.at(x, places, values): windows of a trace do not share memory",
        )
    result = copy(trace_of(x))
    lengths = as_shape(window_shape)
    axes = range(result.ndim) if axis is None else as_shape(axis)
    if len(lengths) != len(axes):
        raise ValueError(
            f"sliding_window_view: windows of {len(lengths)} axes over {len(axes)} axes of {x!r}"
        )
    places = [normalize_axis(each, result.ndim) for each in axes]
    left = list(result.shape)
    for length, place in zip(lengths, places, strict=True):
        left[place] -= length - 1
        if length < 0 or left[place] < 1:
            raise ValueError(
                f"sliding_window_view: a window of length {length} does not fit the axis of length "
                f"{result.shape[place]} of {x!r}"
            )
    pairs = list(zip(lengths, places, strict=True))
    while pairs:  # an axis that is named twice has windows of windows
        first: dict[int, int] = {}
        while pairs and pairs[0][1] not in first:
            length, place = pairs.pop(0)
            first[place] = length
        ones = (1,) * len(first)
        result = bind(
            primitive.windows,
            result,
            axes=tuple(first),
            sizes=tuple(first.values()),
            strides=ones,
            dilations=ones,
        )
    return result
