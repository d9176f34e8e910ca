"""What convolutions and pooling share: windows that slide over the spatial axes of a batch.

A batch is ``(batch, *spatial, channels)``. Lengths follow Dumoulin and Visin 2016, "A guide to
convolution arithmetic for deep learning"; "same" pads as TensorFlow does, the odd element at the
end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.errors import ArgumentError, ShapeError

Array = Any
Sizes = tuple[int, ...]


def per_axis(who: str, name: str, value: Any, rank: int, low: int = 1) -> Sizes:
    """``value``, an int or one for each of ``rank`` axes, as a tuple of ints.

    Raises
    ------
    ArgumentError
        For anything else, or below ``low``.
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    values = (value,) * rank if whole else value
    if (
        not isinstance(values, Sequence)
        or len(values) != rank
        or not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in values)
        or min(values) < low
    ):
        many = "an integer" if rank == 1 else f"an integer, or a tuple of {rank} integers"
        raise ArgumentError(f"{who}({name}={value!r}): must be {many}, each at least {low}.")
    return tuple(int(n) for n in values)


def spatial_rank(who: str, x: Array) -> int:
    """Return the number of spatial axes of a batch.

    Raises
    ------
    ShapeError
        Unless it is 1, 2 or 3.
    """
    if not 3 <= x.ndim <= 5:
        raise ShapeError(
            f"{who} received inputs of shape {tuple(x.shape)}; they must be (batch, *spatial, "
            "channels) with 1 to 3 spatial axes. Write x[..., np.newaxis] if there is one channel."
        )
    return int(x.ndim) - 2


def span(size: int, dilation: int) -> int:
    """Return how far a window of ``size`` elements reaches that lie ``dilation`` apart."""
    return (size - 1) * dilation + 1


def padding_of(length: int, size: int, stride: int, dilation: int, padding: str) -> tuple[int, int]:
    """Return how many elements to add before and after an axis."""
    reach = span(size, dilation)
    if padding == "causal":
        return reach - 1, 0
    if padding == "same":
        total = max((-(-length // stride) - 1) * stride + reach - length, 0)
        return total // 2, total - total // 2
    return 0, 0


def output_length(
    length: int | None, size: int, stride: int, dilation: int, padding: str
) -> int | None:
    """Return how many windows fit, at most 0 if none; None if ``length`` is."""
    if length is None:
        return None
    total = length + sum(padding_of(length, size, stride, dilation, padding))
    return (total - span(size, dilation)) // stride + 1


def check_padding(who: str, padding: Any, causal: bool = False) -> str:
    """Return ``padding`` in lower case.

    Raises
    ------
    ArgumentError
        Unless it is "valid" or "same", or "causal" where that is allowed.
    """
    allowed = ("valid", "same", "causal") if causal else ("valid", "same")
    if not isinstance(padding, str) or padding.lower() not in allowed:
        names = ", ".join(map(repr, allowed))
        raise ArgumentError(f"{who}(padding={padding!r}): must be one of {names}.")
    return padding.lower()


def padded(
    x: Array, sizes: Sizes, strides: Sizes, dilations: Sizes, padding: str, value: Any = 0
) -> Array:
    """Return ``x`` with ``value`` around its spatial axes, as ``padding`` asks."""
    spatial = zip(x.shape[1:-1], sizes, strides, dilations, strict=True)
    around = [padding_of(*each, padding) for each in spatial]
    if not any(map(any, around)):
        return x
    return np.pad(x, [(0, 0), *around, (0, 0)], constant_values=value)


def windows(who: str, x: Array, sizes: Sizes, strides: Sizes, dilations: Sizes) -> Array:
    """Return every window: ``(n, *spatial, c) -> (n, *counts, c, *sizes)``.

    Raises
    ------
    ShapeError
        If none fits.
    """
    spans = tuple(map(span, sizes, dilations))
    if any(length < reach for length, reach in zip(x.shape[1:-1], spans, strict=True)):
        raise ShapeError(
            f"{who}: windows of {spans} do not fit into {x.shape[1:-1]}, the spatial axes of "
            f"inputs of shape {tuple(x.shape)}. Use smaller ones, or padding='same'."
        )
    found = np.lib.stride_tricks.sliding_window_view(x, spans, axis=tuple(range(1, x.ndim - 1)))
    starts = tuple(slice(None, None, stride) for stride in strides)
    inner = tuple(slice(None, None, dilation) for dilation in dilations)
    if max(strides + dilations) == 1:
        return found
    return found[(slice(None), *starts, slice(None), *inner)]
