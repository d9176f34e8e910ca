"""Symbolic values: what a layer returns when it is called on an `Input`.

Each value knows the call, a `Node`, that makes it, so that a model can be cut out between any
values: see `bital.keras.Model`. NumPy functions and operators on symbolic values become calls of a
`NumPyFunction` layer.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from bital import tree
from bital.errors import ArgumentError, ModelStateError, ShapeError
from bital.keras.layers import calling

if TYPE_CHECKING:
    from bital.keras.layers.base import Layer


class Symbol(NDArrayOperatorsMixin):
    """A value of a functional model that has no number yet: its shape, and where it comes from."""

    def __init__(self, node: Node, index: int, shape: tuple[Any, ...], dtype: Any) -> None:
        self.node = node
        self.index = index
        self.shape = shape
        self.dtype = np.dtype(dtype)

    @property
    def ndim(self) -> int:
        """Number of axes, that of the batch included."""
        return len(self.shape)

    @property
    def name(self) -> str:
        """That of the layer."""
        return self.node.layer.name

    @property
    def T(self) -> Any:
        """The transposed value."""
        return np.transpose(self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options.get("out") is not None:
            raise ArgumentError(
                f"np.{ufunc.__name__}.{method} on the symbolic value {self!r}: only plain calls "
                "without out= become part of a functional model. Write x = x + y, not x += y, or "
                "use a layer."
            )
        return _numpy_call(ufunc, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return _numpy_call(function, args, options)

    def __getitem__(self, index: Any) -> Any:
        return _numpy_call(operator.getitem, (self, index), {})

    def _refuse(self, what: str) -> Any:
        raise ArgumentError(
            f"{what} of the symbolic value {self!r}: a functional model has no numbers before it "
            "is called on data. Use NumPy functions or layers (Add, Concatenate, Reshape, ...), or "
            "write a layer whose call does this."
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._refuse("np.asarray")

    def __bool__(self) -> bool:
        return self._refuse("bool")

    def __float__(self) -> float:
        return self._refuse("float")

    def __len__(self) -> int:
        return self._refuse("len")

    def __iter__(self) -> Any:
        return self._refuse("a loop over the samples")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        hint = f"np.{name}(x, ...)" if hasattr(np, name) else "a layer"
        raise AttributeError(f"the symbolic value {self!r} has no .{name}: write {hint}.")

    __hash__ = object.__hash__  # values are told apart by identity; == is a NumPy call

    def __repr__(self) -> str:
        sizes = ", ".join("batch" if size is None else str(size) for size in self.shape)
        return f"<Symbol {self.name!r} ({sizes}) {self.dtype}>"


@dataclass(eq=False)
class Node:
    """One call of a layer on symbolic values."""

    layer: Layer
    arguments: tuple[Any, ...]
    named: dict[str, Any]
    training: bool | None = None
    mask: Any = None
    outputs: Any = None
    sources: list[Symbol] = field(default_factory=list)

    @property
    def symbols(self) -> list[Symbol]:
        """The outputs in order."""
        return tree.leaves(self.outputs)


def is_symbolic(value: Any) -> bool:
    """Whether there is a `Symbol` in lists, tuples and dicts."""
    if isinstance(value, Symbol):
        return True
    if isinstance(value, (list, tuple)):
        return any(is_symbolic(item) for item in value)
    return isinstance(value, dict) and any(is_symbolic(item) for item in value.values())


def symbols_in(value: Any) -> list[Symbol]:
    """The symbols in a tree, from left to right."""
    return [leaf for leaf in tree.leaves(value) if isinstance(leaf, Symbol)]


def record(
    layer: Layer, arguments: tuple[Any, ...], named: dict[str, Any], training: Any, mask: Any
) -> Any:
    """Build the layer for these symbols, note the call, and return its symbolic outputs.

    Raises
    ------
    ShapeError
        If the layer does not take values of these shapes.
    """
    first, *more = arguments
    if not is_symbolic(first):
        raise ArgumentError(
            f"layer {layer.name!r} was called with an array first and a symbolic value behind it; "
            "the first input of a recorded call must be symbolic."
        )
    further = dict(zip(layer._call_names[1:], more, strict=False)) | named
    shapes = calling.shapes_of(first)
    if not layer.built:
        layer._build_for(shapes, {k: v for k, v in further.items() if is_symbolic(v)})
    layer.check_input(shapes)
    try:
        found, dtypes = _results(layer, arguments, named, shapes)
    except (ValueError, IndexError, TypeError) as error:
        raise ShapeError(
            f"layer {layer.name!r} cannot take inputs of shape {shapes}: {error}"
        ) from error
    node = Node(layer, arguments, named, training, mask)
    node.sources = symbols_in((arguments, named, mask))
    places = iter(range(len(dtypes)))

    def symbol(shape: tuple[Any, ...]) -> Symbol:
        index = next(places)
        return Symbol(node, index, shape, dtypes[index])

    node.outputs = calling.map_shapes(symbol, found)
    layer._nodes.append(node)
    return node.outputs


def _results(
    layer: Any, arguments: tuple[Any, ...], named: dict[str, Any], shapes: Any
) -> tuple[Any, list[Any]]:
    """The outputs' shapes and dtypes; by calling the layer on zeros if it does not say them.

    Nor does it say them for further arguments, such as ``return_attention_scores=True``.
    """
    if not layer._probed and len(arguments) == 1 and not named:
        found = layer.compute_output_shape(shapes)
        return found, [layer.dtype] * _count(found)
    return calling.by_probing(layer, (arguments, named))


def _count(shapes: Any) -> int:
    found: list[Any] = []
    calling.map_shapes(found.append, shapes)
    return len(found)


def _numpy_call(function: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    from bital.keras.layers.numpy_function import NumPyFunction

    return NumPyFunction.on(function, arguments, options)


def only_node(layer: Layer, what: str) -> Node:
    """The one call of a layer.

    Raises
    ------
    ModelStateError
        If it has not been called on symbolic values, or several times.
    """
    if len(layer._nodes) != 1:
        times = "not been called" if not layer._nodes else f"been called {len(layer._nodes)} times"
        raise ModelStateError(
            f"{layer.name}.{what}: the layer has {times} on symbolic values"
            + (". Call it on an Input." if not layer._nodes else "; keep the values it returned.")
        )
    return layer._nodes[0]


__all__ = ["Node", "Symbol", "is_symbolic", "only_node", "record", "symbols_in"]
