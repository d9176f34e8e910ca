"""Layers that make one array of several."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.errors import ArgumentError, ShapeError
from bital.keras import checks
from bital.keras.layers.base import Layer, Shape

# Below this norm a vector is divided by it instead of by its own, as in Keras.
_SMALLEST_NORM = 1e-7


class Merge(Layer):
    """Base: takes a list of arrays ``(batch, ...)`` whose shapes broadcast, returns one array.

    Inputs of fewer axes get axes of size 1 behind the batch. Masks are joined by "or"; the output
    has one if all inputs do.
    """

    supports_masking = True
    _fewest = 1

    def build(self, input_shape: Any) -> None:
        """Make nothing; the shapes are checked."""
        self.check_input(input_shape)

    def check_input(self, input_shape: Any) -> None:
        """Raise `ShapeError` unless this is a list of shapes that broadcast."""
        self.compute_output_shape(input_shape)

    def call(self, inputs: Sequence[Any], mask: Any = None) -> Any:
        """Return the inputs, merged."""
        masks = [None] * len(inputs) if mask is None else list(mask)
        ndim = max(x.ndim for x in inputs)
        return self.merge([_expanded(x, ndim) for x in inputs], masks)

    def merge(self, inputs: list[Any], masks: list[Any]) -> Any:
        """Return the merged inputs; they have one number of axes."""
        raise NotImplementedError

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return where any input counts, if all have a mask."""
        if mask is None or any(m is None for m in mask):
            return None
        found = mask[0]
        for other in mask[1:]:
            found = np.logical_or(found, other)
        return found

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape to which the inputs' broadcast."""
        shapes = _shapes(self, input_shape, self._fewest)
        ndim = max(map(len, shapes))
        whole = [(*s[:1], *(1,) * (ndim - len(s)), *s[1:]) for s in shapes]
        return tuple(_broadcast(self, sizes, shapes) for sizes in zip(*whole, strict=True))


class Add(Merge):
    """The sum of the inputs.

    Examples
    --------
    >>> import numpy as np
    >>> Add()([np.array([[1.0]]), np.array([[2.0]])])
    array([[3.]], dtype=float32)
    """

    def merge(self, inputs: list[Any], masks: list[Any]) -> Any:
        """Return the sum."""
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total


class Average(Add):
    """The mean of the inputs.

    Examples
    --------
    >>> import numpy as np
    >>> Average()([np.array([[1.0]]), np.array([[2.0]])])
    array([[1.5]], dtype=float32)
    """

    def merge(self, inputs: list[Any], masks: list[Any]) -> Any:
        """Return the mean."""
        return super().merge(inputs, masks) / len(inputs)


class Subtract(Merge):
    """The first input minus the second.

    Examples
    --------
    >>> import numpy as np
    >>> Subtract()([np.array([[1.0]]), np.array([[3.0]])])
    array([[-2.]], dtype=float32)
    """

    def check_input(self, input_shape: Any) -> None:
        """Raise `ShapeError` unless there are two shapes that broadcast."""
        _two(self, input_shape)
        super().check_input(input_shape)

    def merge(self, inputs: list[Any], masks: list[Any]) -> Any:
        """Return the difference."""
        return inputs[0] - inputs[1]


class Multiply(Merge):
    """The product of the inputs; a masked place counts as 1.

    Examples
    --------
    >>> import numpy as np
    >>> Multiply()([np.array([[2.0]]), np.array([[3.0]])])
    array([[6.]], dtype=float32)
    """

    def merge(self, inputs: list[Any], masks: list[Any]) -> Any:
        """Return the product; 0 where all inputs are masked."""
        product = None
        for x, mask in zip(inputs, masks, strict=True):
            x = x if mask is None else np.where(mask[..., np.newaxis], x, 1)
            product = x if product is None else product * x
        kept = self.compute_mask(inputs, masks)
        return product if kept is None else np.where(kept[..., np.newaxis], product, 0)


class _Extreme(Merge):
    """Base of `Maximum` and `Minimum`: a masked place takes the other inputs' value."""

    choose: Any

    def merge(self, inputs: list[Any], masks: list[Any]) -> Any:
        """Return the largest or smallest."""
        found, kept = inputs[0], masks[0]
        for x, mask in zip(inputs[1:], masks[1:], strict=True):
            if mask is not None:
                x = np.where(mask[..., np.newaxis], x, found)
            if kept is not None:
                found = np.where(kept[..., np.newaxis], found, x)
            kept = None if mask is None or kept is None else np.logical_or(kept, mask)
            found = self.choose(found, x)
        return found


class Maximum(_Extreme):
    """The largest of the inputs, element by element.

    Examples
    --------
    >>> import numpy as np
    >>> Maximum()([np.array([[2.0]]), np.array([[3.0]])])
    array([[3.]], dtype=float32)
    """

    choose = staticmethod(np.maximum)


class Minimum(_Extreme):
    """The smallest of the inputs, element by element.

    Examples
    --------
    >>> import numpy as np
    >>> Minimum()([np.array([[2.0]]), np.array([[3.0]])])
    array([[2.]], dtype=float32)
    """

    choose = staticmethod(np.minimum)


class Concatenate(Merge):
    """The inputs side by side along an axis; all other sizes must be equal.

    Parameters
    ----------
    axis : int, default -1
        Not 0, which is the batch.
    name, dtype
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> Concatenate()([np.ones((2, 3)), np.zeros((2, 1))]).shape
    (2, 4)
    """

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = checks.integer("Concatenate", "axis", axis, low=-32)
        if self.axis == 0:
            raise ArgumentError(
                "Concatenate(axis=0): that is the batch; write np.concatenate for more samples."
            )

    def call(self, inputs: Sequence[Any], mask: Any = None) -> Any:
        """Return the inputs, joined."""
        return np.concatenate(list(inputs), axis=self.axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the masks, joined in the same way; an input without one counts everywhere."""
        if mask is None or all(m is None for m in mask):
            return None
        whole = [
            np.ones(x.shape, bool) if m is None else _widened(m, x.shape)
            for x, m in zip(inputs, mask, strict=True)
        ]
        return np.any(np.concatenate(whole, axis=self.axis), axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shapes' common sizes, with the sum along the axis."""
        shapes = _shapes(self, input_shape, 1)
        ndim = len(shapes[0])
        if not -ndim <= self.axis < ndim or any(len(shape) != ndim for shape in shapes):
            raise ShapeError(
                f"{self.name}: Concatenate(axis={self.axis}) received inputs of shapes "
                f"{_spelt(shapes)}; all must have that axis and as many axes."
            )
        place = self.axis % ndim
        out = []
        for axis, sizes in enumerate(zip(*shapes, strict=True)):
            known = {size for size in sizes if size is not None}
            if axis == place:
                out.append(None if None in sizes else sum(sizes))
            elif len(known) > 1:
                raise ShapeError(
                    f"{self.name}: Concatenate(axis={self.axis}) received inputs of shapes "
                    f"{_spelt(shapes)}; all sizes but those along the axis must be equal."
                )
            else:
                out.append(next(iter(known), None))
        return tuple(out)


class Dot(Merge):
    """Dot products of two inputs along an axis of each, sample by sample.

    ``(batch, a, n), (batch, b, n) -> (batch, a, b)`` with ``axes=2``; two inputs ``(batch, n)``
    give ``(batch, 1)``. The output has no mask.

    Parameters
    ----------
    axes : int or (int, int)
        What is summed over, in the first and in the second input; not 0.
    normalize : bool, default False
        Divide by both norms first: the cosine of the angle.
    name, dtype
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> Dot(axes=1)([np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])])
    array([[11.]], dtype=float32)
    """

    def __init__(self, axes: Any, normalize: bool = False, **options: Any) -> None:
        super().__init__(**options)
        pair = axes if isinstance(axes, (list, tuple)) else (axes, axes)
        if len(pair) != 2:
            raise ArgumentError(f"Dot(axes={axes!r}): must be one axis or two.")
        for axis in pair:
            if checks.integer("Dot", "axes", axis, low=-32) == 0:
                raise ArgumentError(f"Dot(axes={axes!r}): axis 0 is the batch; samples stay apart.")
        self.axes = tuple(pair) if isinstance(axes, (list, tuple)) else int(axes)
        self.normalize = checks.boolean("Dot", "normalize", normalize)

    def call(self, inputs: Sequence[Any], mask: Any = None) -> Any:
        """Return the dot products."""
        x, y = inputs
        a, b = self._places(x.shape, y.shape)
        if self.normalize:
            x, y = _unit(x, a), _unit(y, b)
        letters = iter(string.ascii_letters[2:])
        first = ["a", *(next(letters) for _ in x.shape[1:])]
        second = ["a", *(next(letters) for _ in y.shape[1:])]
        first[a] = second[b] = "b"
        out = [letter for letter in first + second[1:] if letter != "b"]
        product = np.einsum(f"{''.join(first)},{''.join(second)}->{''.join(out)}", x, y)
        return product if product.ndim > 1 else product[:, np.newaxis]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return None."""
        return None

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the sizes of both inputs without those that are summed over."""
        first, second = _two(self, input_shape)
        a, b = self._places(first, second)
        if None not in (first[a], second[b]) and first[a] != second[b]:
            raise ShapeError(
                f"{self.name}: Dot(axes={self.axes}) received inputs of shapes {first} and "
                f"{second}; the sizes {first[a]} and {second[b]} along the axes must be equal."
            )
        batch = first[0] if first[0] is not None else second[0]
        rest = [n for axis, n in enumerate(first) if axis not in (0, a)]
        rest += [n for axis, n in enumerate(second) if axis not in (0, b)]
        return (batch, *(rest or [1]))

    def _places(self, first: Shape, second: Shape) -> tuple[int, int]:
        pair = self.axes if isinstance(self.axes, tuple) else (self.axes, self.axes)
        places = []
        for axis, shape in zip(pair, (first, second), strict=True):
            if not -len(shape) < axis < len(shape):
                raise ShapeError(
                    f"{self.name}: Dot(axes={self.axes}) received inputs of shapes {tuple(first)} "
                    f"and {tuple(second)}, which have no such axis behind the batch."
                )
            places.append(axis % len(shape))
        return places[0], places[1]


def add(inputs: Any, **options: Any) -> Any:
    """Return ``Add(**options)(inputs)``."""
    return Add(**options)(inputs)


def subtract(inputs: Any, **options: Any) -> Any:
    """Return ``Subtract(**options)(inputs)``."""
    return Subtract(**options)(inputs)


def multiply(inputs: Any, **options: Any) -> Any:
    """Return ``Multiply(**options)(inputs)``."""
    return Multiply(**options)(inputs)


def average(inputs: Any, **options: Any) -> Any:
    """Return ``Average(**options)(inputs)``."""
    return Average(**options)(inputs)


def maximum(inputs: Any, **options: Any) -> Any:
    """Return ``Maximum(**options)(inputs)``."""
    return Maximum(**options)(inputs)


def minimum(inputs: Any, **options: Any) -> Any:
    """Return ``Minimum(**options)(inputs)``."""
    return Minimum(**options)(inputs)


def concatenate(inputs: Any, axis: int = -1, **options: Any) -> Any:
    """Return ``Concatenate(axis, **options)(inputs)``."""
    return Concatenate(axis=axis, **options)(inputs)


def dot(inputs: Any, axes: Any = -1, **options: Any) -> Any:
    """Return ``Dot(axes, **options)(inputs)``."""
    return Dot(axes=axes, **options)(inputs)


def _expanded(x: Any, ndim: int) -> Any:
    return x.reshape((x.shape[0], *(1,) * (ndim - x.ndim), *x.shape[1:]))


def _widened(mask: Any, shape: Shape) -> Any:
    return np.broadcast_to(mask.reshape(*mask.shape, *(1,) * (len(shape) - mask.ndim)), shape)


def _unit(x: Any, axis: int) -> Any:
    squares = np.sum(x * x, axis=axis, keepdims=True)
    return x / np.sqrt(np.maximum(squares, _SMALLEST_NORM**2))


def _shapes(layer: Layer, input_shape: Any, fewest: int) -> list[Shape]:
    """The shapes of a list of inputs.

    Raises
    ------
    ShapeError
        If it is the shape of one array.
    """
    listed = isinstance(input_shape, (list, tuple)) and len(input_shape) >= fewest
    if not listed or not all(isinstance(shape, (list, tuple)) for shape in input_shape):
        raise ShapeError(
            f"{layer.name}: {type(layer).__name__} takes a list of at least {fewest} arrays, and "
            f"received the shape {input_shape}. Write {type(layer).__name__}()([x, y])."
        )
    return [tuple(shape) for shape in input_shape]


def _two(layer: Layer, input_shape: Any) -> list[Shape]:
    shapes = _shapes(layer, input_shape, 2)
    if len(shapes) != 2:
        raise ShapeError(
            f"{layer.name}: {type(layer).__name__} takes two arrays, and received {len(shapes)}."
        )
    return shapes


def _broadcast(layer: Layer, sizes: tuple[Any, ...], shapes: list[Shape]) -> Any:
    """The size that sizes of one axis broadcast to; None if they do not tell."""
    known = {size for size in sizes if size not in (None, 1)}
    if len(known) > 1:
        raise ShapeError(
            f"{layer.name}: {type(layer).__name__} received inputs of shapes {_spelt(shapes)}, "
            "which do not broadcast: sizes must be equal or 1."
        )
    return None if None in sizes else next(iter(known), 1)


def _spelt(shapes: Sequence[Shape]) -> str:
    return ", ".join(map(str, shapes))


__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Dot",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]
