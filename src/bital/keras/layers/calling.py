"""What surrounds the calls of layers: the training flag, added losses, trees of shapes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

import bital
from bital.errors import ShapeError
from bital.keras.variables import are_given, commit, holding, values_of

Shape = Any
"""Sizes with the batch first, None where the data decide; or a list or dict of such tuples."""

_training: ContextVar[bool] = ContextVar("bital_keras_training", default=False)
_losses: ContextVar[list[Any] | None] = ContextVar("bital_keras_losses", default=None)


@contextmanager
def training_as(training: bool | None) -> Iterator[bool]:
    """Let layers within the block train, or not; None: as those around it do."""
    chosen = _training.get() if training is None else training
    token = _training.set(chosen)
    try:
        yield chosen
    finally:
        _training.reset(token)


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


class ShapeOnly:
    """Stands for an array of which only the shape is known."""

    def __init__(self, shape: tuple[Any, ...], dtype: Any = None) -> None:
        self.shape = shape
        self.dtype = dtype


def as_shapes(shapes: Shape) -> Any:
    """Return a tree of stand-ins for arrays of these shapes."""
    return map_shapes(ShapeOnly, shapes)


def by_probing(layer: Any, call: tuple[Any, dict[str, Any]]) -> tuple[Shape, list[Any]]:
    """Return a layer's output shapes, and their dtypes in order, by calling it on zeros.

    ``call`` holds its arguments by place and by name; what has a shape and no number, such as a
    symbolic value, becomes zeros. Unknown sizes are tried as two numbers: what differs in the
    outputs is unknown there.
    """

    def probed(unknown: int) -> Any:
        def zeros(item: Any) -> Any:
            if isinstance(item, (list, tuple)):
                return type(item)([zeros(part) for part in item])
            if isinstance(item, dict):
                return {key: zeros(part) for key, part in item.items()}
            if not hasattr(item, "shape") or isinstance(item, np.ndarray):
                return item
            shape = (2, *[unknown if size is None else size for size in item.shape[1:]])
            dtype = np.dtype(item.dtype or layer.dtype)
            return ShapeOnly(shape, dtype) if loading else np.zeros(shape, dtype)

        loading = are_given()
        with np.errstate(all="ignore"):
            arguments, named = zeros(call)
            return _types(layer, arguments, named) if loading else layer(*arguments, **named)

    first = probed(32)
    for leaf in bital.tree.leaves(first):
        if leaf.shape[:1] != (2,):
            raise ShapeError(
                f"{layer.name!r} returned shape {leaf.shape} for 2 samples; a layer returns one "
                "row for each sample: keep the first axis, for instance np.mean(x, axis=-1)."
            )
    shapes = map_shapes(_later_batches, shapes_of(first))
    dtypes = [leaf.dtype for leaf in bital.tree.leaves(first)]
    if not any(None in leaf.shape[1:] for leaf in bital.tree.leaves(call) if _unknown(leaf)):
        return shapes, dtypes
    others: list[tuple[Any, ...]] = []
    map_shapes(others.append, shapes_of(probed(64)))
    pairs = iter(others)

    def joined(shape: tuple[Any, ...]) -> tuple[Any, ...]:
        sizes = zip(shape[1:], next(pairs)[1:], strict=True)
        return (shape[0], *(a if a == b else None for a, b in sizes))

    return map_shapes(joined, shapes), dtypes


def _types(layer: Any, arguments: Any, named: dict[str, Any]) -> Any:
    """What the layer returns, as types: a model file must not decide how much is computed."""
    known = layer.weights
    with holding(known, values_of(known)):
        found = bital.eval_shape(lambda x, more: layer(*x, **more), arguments, named)
    for variable in layer.weights:
        if not isinstance(variable.value, np.ndarray):  # it was made, and assigned to, just now
            commit([variable], [np.zeros(variable.shape, variable.dtype)])
    return found


def _unknown(item: Any) -> bool:
    return hasattr(item, "shape") and not isinstance(item, np.ndarray)


def _later_batches(shape: tuple[Any, ...]) -> tuple[Any, ...]:
    return (None, *shape[1:])


def argument_names(function: Any) -> tuple[str, ...]:
    """The names of a method's arguments after ``self``."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return tuple(p.name for p in parameters if p.kind not in kinds)


__all__ = [
    "Shape",
    "ShapeOnly",
    "argument_names",
    "as_shapes",
    "by_probing",
    "collected",
    "collecting_losses",
    "is_shape",
    "map_shapes",
    "shapes_of",
    "training_as",
    "without_batch",
]
