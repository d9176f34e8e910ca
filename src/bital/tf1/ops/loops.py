"""Functions of the slices of tensors, written and compiled once: `map_fn`, `scan`, folds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bital import tree
from bital.tf1.operation import convert_to_tensor
from bital.tf1.ops import exported
from bital.tf1.ops.arrays import concat, expand_dims
from bital.tf1.rnn import loop


def _loop(title: str, fn: Any, elems: Any, start: Any, reverse: bool = False) -> tuple[Any, Any]:
    """The last state, and all outputs, of ``fn(state, slices) -> (state, output)``."""
    leaves, structure = tree.flatten(tree.map(convert_to_tensor, elems))
    made: Any = None

    def step(time: Any, slices: Any, state: Any) -> Any:
        nonlocal made
        new, output = fn(state, tree.unflatten(structure, slices))
        outputs, made = tree.flatten(tree.map(convert_to_tensor, output))
        return new, outputs

    last, outputs = loop(step, leaves, start, reverse, title)
    return last, tree.unflatten(made, outputs)


def map_fn(fn: Callable[..., Any], elems: Any, dtype: Any = None, **options: Any) -> Any:
    """What fn gives for each slice along the first axis of the tensors, side by side."""
    return _loop("tf.map_fn", lambda state, item: (state, fn(item)), elems, ())[1]


def _first(elems: Any, initializer: Any, reverse: bool) -> tuple[Any, Any]:
    """Where a loop starts, and what is left then: with the first slice if no start is given."""
    if initializer is not None:
        return initializer, elems
    tensors = tree.map(convert_to_tensor, elems)
    first = tree.map(lambda x: x[-1 if reverse else 0], tensors)
    return first, tree.map(lambda x: x[:-1] if reverse else x[1:], tensors)


def _fold(title: str, reverse: bool) -> Any:
    def fold(fn: Any, elems: Any, initializer: Any = None, **options: Any) -> Any:
        """The last of all ``state = fn(state, slice)``."""
        start, rest = _first(elems, initializer, reverse)
        return _loop(title, lambda state, item: (fn(state, item), ()), rest, start, reverse)[0]

    return fold


foldl, foldr = _fold("tf.foldl", False), _fold("tf.foldr", True)


def scan(
    fn: Any, elems: Any, initializer: Any = None, reverse: bool = False, **options: Any
) -> Any:
    """All of ``state = fn(state, slice)``, side by side."""

    def step(state: Any, item: Any) -> Any:
        new = fn(state, item)
        return new, new

    start, rest = _first(elems, initializer, reverse)
    states = _loop("tf.scan", step, rest, start, reverse)[1]
    if initializer is not None:
        return states
    parts = tree.map(lambda x: expand_dims(x, 0), start)
    return tree.map(lambda a, b: concat([b, a] if reverse else [a, b], 0), parts, states)


__all__ = exported(dict(globals()))
