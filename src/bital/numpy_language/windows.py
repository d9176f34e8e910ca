"""Sliding windows over an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.numpy_language.dispatch import implements, normalize_axis, trace_of, unsupported
from bital.numpy_language.shapes import as_shape, copy
from bital.numpy_language.tracer import Tracer


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any,
    window_shape: Any,
    axis: Any = None,
    *,
    subok: bool = False,
    writeable: bool = False,
) -> Tracer:
    """Every window of the given lengths, in new axes at the end; elements are copied."""
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
    ndim = result.ndim
    for length, each in zip(lengths, axes, strict=True):
        place = normalize_axis(each, ndim)
        count = result.shape[place] - length + 1
        if length < 0 or count < 1:
            raise ValueError(
                f"sliding_window_view: a window of length {length} does not fit the axis of length "
                f"{result.shape[place]} of {x!r}"
            )
        places = np.arange(count)[:, np.newaxis] + np.arange(length)
        windows: Any = np.take(result, places, axis=place)
        result = np.moveaxis(windows, place + 1, -1)
    return result
