"""What surrounds the calls of layers: the training flag, added losses, trees of shapes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

Shape = Any
"""Sizes with the batch first, None where the data decide; or a list or dict of such tuples."""

training_now: ContextVar[bool] = ContextVar("bital_keras_training", default=False)
_losses: ContextVar[list[Any] | None] = ContextVar("bital_keras_losses", default=None)


@contextmanager
def collecting_losses() -> Iterator[list[Any]]:
    """Yield a list that gets what layers add to the loss within the block."""
    found: list[Any] = []
    token = _losses.set(found)
    try:
        yield found
    finally:
        _losses.reset(token)


def collected(value: Any) -> bool:
    """Hand a loss to the step that is running; False if there is none."""
    found = _losses.get()
    if found is None:
        return False
    found.append(value)
    return True


def is_shape(shape: Any) -> bool:
    """Whether this is one shape, not a list or dict of them."""
    return isinstance(shape, (tuple, list)) and all(
        size is None or not isinstance(size, (tuple, list, dict)) for size in shape
    )


def map_shapes(function: Callable[[tuple[Any, ...]], Any], shapes: Shape) -> Any:
    """Return the tree of shapes with ``function`` applied to each of them."""
    if is_shape(shapes):
        return function(tuple(shapes))
    if isinstance(shapes, dict):
        return {key: map_shapes(function, shape) for key, shape in shapes.items()}
    return [map_shapes(function, shape) for shape in shapes]


def shapes_of(values: Any) -> Shape:
    """Return the tree of the shapes of arrays."""
    if isinstance(values, dict):
        return {key: shapes_of(value) for key, value in values.items()}
    if isinstance(values, (tuple, list)):
        return [shapes_of(value) for value in values]
    return None if values is None else tuple(values.shape)


def without_batch(shapes: Shape) -> Shape:
    """Return the shapes with None for the number of samples."""
    return map_shapes(lambda shape: (None, *shape[1:]), shapes)


def by_probing(layer: Any, shapes: Shape) -> Shape:
    """Return a layer's output shapes by calling it on zeros.

    Unknown sizes are tried as two numbers: what differs in the outputs is unknown there.
    """

    def probed(unknown: int) -> Any:
        def zeros(shape: tuple[Any, ...]) -> Any:
            sizes = [unknown if size is None else size for size in shape[1:]]
            return np.zeros((2, *sizes), layer.dtype)

        with np.errstate(all="ignore"):
            return shapes_of(layer(map_shapes(zeros, shapes)))

    flat: list[tuple[Any, ...]] = []
    map_shapes(flat.append, shapes)
    first = probed(32)
    if not any(None in shape[1:] for shape in flat):
        return without_batch(first)
    others: list[tuple[Any, ...]] = []
    map_shapes(others.append, probed(64))
    pairs = iter(others)

    def joined(shape: tuple[Any, ...]) -> tuple[Any, ...]:
        other = next(pairs)
        sizes = zip(shape[1:], other[1:], strict=True)
        return (None, *(a if a == b else None for a, b in sizes))

    return map_shapes(joined, first)


def argument_names(function: Any) -> tuple[str, ...]:
    """The names of a method's arguments after ``self``."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return tuple(p.name for p in parameters if p.kind not in kinds)


__all__ = [
    "Shape",
    "argument_names",
    "by_probing",
    "collected",
    "collecting_losses",
    "is_shape",
    "map_shapes",
    "shapes_of",
    "training_now",
    "without_batch",
]
