"""Convolutions, in plain NumPy: windows of the inputs times the kernel.

As everywhere in deep learning the kernel is not turned around: these are cross-correlations.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import bital
from bital.errors import ShapeError
from bital.nn.windows import (
    Array,
    Sizes,
    check_padding,
    padded,
    per_axis,
    span,
    spatial_rank,
    windows,
)


def conv(
    x: Array,
    kernel: Array,
    strides: Any = 1,
    padding: str = "valid",
    dilation: Any = 1,
    groups: int = 1,
) -> Array:
    """Return the convolution over 1 to 3 spatial axes.

    ``(n, *spatial, in), (*sizes, in / groups, out) -> (n, *lengths, out)``; dtypes promote.

    Parameters
    ----------
    x : array
        Inputs, channels last.
    kernel : array
        Weights, in Keras's layout.
    strides : int or tuple of int, default 1
        Steps between windows.
    padding : {"valid", "same", "causal"}, default "valid"
        Zeros around the inputs: none; so many that ``lengths = ceil(spatial / strides)``, the odd
        one at the end; or, with one spatial axis, all before, so that no output sees a later input.
    dilation : int or tuple of int, default 1
        Steps between the elements of a window.
    groups : int, default 1
        Inputs and outputs fall into so many groups of channels; each output sees its own.

    Raises
    ------
    ShapeError
        If kernel and inputs do not fit, or no window fits.
    ArgumentError
        For an argument with a value that is not allowed.

    Notes
    -----
    ``y[n, p, o] = sum(x[n, strides * p + dilation * k, i] * kernel[k, i, o] for k, i)``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([1.0, 2.0, 4.0]).reshape(1, 3, 1)
    >>> conv(x, np.array([10.0, 1.0]).reshape(2, 1, 1))[0, :, 0]
    array([12., 24.])
    """
    sizes, strides, dilation = _window("conv", x, kernel, strides, dilation)
    padding = check_padding("conv", padding, causal=len(sizes) == 1)
    groups = per_axis("conv", "groups", groups, 1)[0]
    channels, filters = kernel.shape[-2:]
    if x.shape[-1] != channels * groups or filters % groups:
        raise ShapeError(
            f"conv with groups={groups} received inputs of shape {tuple(x.shape)} and a kernel of "
            f"shape {tuple(kernel.shape)}; the kernel must be (*sizes, channels / groups, filters)"
            f" with channels = {x.shape[-1]}, and groups must divide both."
        )
    x = padded(x, sizes, strides, dilation, padding)
    w = windows("conv", x, sizes, strides, dilation)
    if groups == 1:
        inner = tuple(range(len(sizes) + 2, w.ndim))
        return np.tensordot(w, kernel, axes=((*inner, len(sizes) + 1), range(len(sizes) + 1)))
    outer = w.shape[: len(sizes) + 1]
    w = w.reshape((*outer, groups, channels, *sizes))
    kernel = kernel.reshape((*sizes, channels, groups, filters // groups))
    here, inside = "xyz"[: len(sizes)], "ijk"[: len(sizes)]
    y = np.einsum(f"n{here}gc{inside},{inside}cgo->n{here}go", w, kernel)
    return y.reshape((*outer, filters))


def depthwise_conv(
    x: Array, kernel: Array, strides: Any = 1, padding: str = "valid", dilation: Any = 1
) -> Array:
    """Return the convolution of each channel by itself.

    ``(n, *spatial, in), (*sizes, in, multiplier) -> (n, *lengths, in * multiplier)``, the outputs
    of one channel side by side.

    Parameters
    ----------
    x, kernel, strides, padding, dilation
        As in `conv`, but for the kernel's last two axes.

    Raises
    ------
    ShapeError
        If kernel and inputs do not fit, or no window fits.
    ArgumentError
        For an argument with a value that is not allowed.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 10.0], [2.0, 20.0]]).reshape(1, 2, 2)
    >>> depthwise_conv(x, np.ones((2, 2, 1)))
    array([[[ 3., 30.]]])
    """
    sizes, _, _ = _window("depthwise_conv", x, kernel, strides, dilation)
    channels, multiplier = kernel.shape[-2:]
    if x.shape[-1] != channels:
        raise ShapeError(
            f"depthwise_conv received inputs of shape {tuple(x.shape)} and a kernel of shape "
            f"{tuple(kernel.shape)}; the kernel must be (*sizes, {x.shape[-1]}, multiplier)."
        )
    kernel = kernel.reshape((*sizes, 1, channels * multiplier))
    return conv(x, kernel, strides, padding, dilation, groups=channels)


def conv_transpose(
    x: Array,
    kernel: Array,
    strides: Any = 1,
    padding: str = "valid",
    dilation: Any = 1,
    output_padding: Any = None,
) -> Array:
    """Return the transpose of a convolution: what `conv` does to gradients of its inputs.

    ``(n, *spatial, in), (*sizes, out, in) -> (n, *lengths, out)``; the kernel is that of the `conv`
    which maps ``out`` channels to ``in``.

    Parameters
    ----------
    x, kernel, strides, dilation
        As in `conv`.
    padding : {"valid", "same"}, default "valid"
        Whether the whole is kept, or cut.
    output_padding : int or tuple of int, optional
        Added to the lengths, which are then ``(spatial - 1) * strides + reach`` for "valid" and
        ``(spatial - 1) * strides + reach % 2`` for "same", where a window reaches over ``reach =
        (sizes - 1) * dilation + 1`` elements. By default they are ``(spatial - 1) * strides +
        max(reach, strides)`` and ``spatial * strides``.

    Raises
    ------
    ShapeError
        If kernel and inputs do not fit.
    ArgumentError
        For an argument with a value that is not allowed.

    Notes
    -----
    Source: Zeiler et al. 2010, "Deconvolutional Networks". Lengths are Keras's.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([1.0, 2.0]).reshape(1, 2, 1)
    >>> conv_transpose(x, np.array([10.0, 1.0]).reshape(2, 1, 1))[0, :, 0]
    array([10., 21.,  2.])
    """
    who = "conv_transpose"
    sizes, strides, dilation = _window(who, x, kernel, strides, dilation)
    padding = check_padding(who, padding)
    if x.shape[-1] != kernel.shape[-1]:
        raise ShapeError(
            f"{who} received inputs of shape {tuple(x.shape)} and a kernel of shape "
            f"{tuple(kernel.shape)}; the kernel must be (*sizes, filters, {x.shape[-1]})."
        )
    extra: Any = (None,) * len(sizes)
    if output_padding is not None:
        extra = per_axis(who, "output_padding", output_padding, len(sizes), low=0)
    whole, cut, missing = [], [], []
    for n, stride, reach, more in zip(
        x.shape[1:-1], strides, map(span, sizes, dilation), extra, strict=True
    ):
        whole.append((n - 1) * stride + reach)
        length, start = transposed_length(n, stride, reach, padding, more)
        cut.append(slice(start, start + length))
        missing.append((0, max(start + length - whole[-1], 0)))
    # Linear in z: where it is taken does not matter, and no value of it is computed under jit.
    z = np.zeros((x.shape[0], *whole, kernel.shape[-2]), x.dtype)
    _, back = bital.vjp(lambda z: conv(z, kernel, strides, "valid", dilation), z)
    (y,) = back(x)
    if any(map(any, missing)):
        y = np.pad(y, [(0, 0), *missing, (0, 0)])
    return y[(slice(None), *cut)]


def transposed_length(
    length: int | None, stride: int, reach: int, padding: str, output_padding: int | None
) -> tuple[Any, int]:
    """Return the length of a transposed convolution, and where in the whole it begins."""
    if padding == "valid":
        more = max(stride - reach, 0) if output_padding is None else output_padding
        return None if length is None else (length - 1) * stride + reach + more, 0
    if output_padding is None:
        total, found = stride + reach - 2, None if length is None else length * stride
    else:
        total = reach + reach % 2 - 2 + output_padding
        found = None if length is None else (length - 1) * stride + reach % 2 + output_padding
    return found, reach - 1 - min((total + 1) // 2, reach - 1)


def _window(
    who: str, x: Array, kernel: Array, strides: Any, dilation: Any
) -> tuple[Sizes, Sizes, Sizes]:
    """Sizes, strides and dilations of the windows, each a tuple with one for every axis."""
    rank = spatial_rank(who, x)
    if kernel.ndim != x.ndim:
        raise ShapeError(
            f"{who} received inputs of shape {tuple(x.shape)} and a kernel of shape "
            f"{tuple(kernel.shape)}; with {rank} spatial axes the kernel has {rank + 2}."
        )
    return (
        tuple(kernel.shape[:-2]),
        per_axis(who, "strides", strides, rank),
        per_axis(who, "dilation", dilation, rank),
    )
