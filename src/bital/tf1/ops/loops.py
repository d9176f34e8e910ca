"""Functions of the slices of tensors, written and compiled once: `map_fn`, `scan`, folds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bital import tree
from bital.graphs.operation import convert_to_tensor
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


def scan(fn: Any, elems: Any, initializer: Any = None, reverse=False, **options: Any) -> Any:
    """All of ``state = fn(state, slice)``, side by side; the first slice may be the first state."""
    given, elems = initializer is not None, tree.map(convert_to_tensor, elems)
    start = initializer if given else tree.map(lambda x: x[-1 if reverse else 0], elems)
    rest = elems if given else tree.map(lambda x: x[:-1] if reverse else x[1:], elems)
    states = _loop("tf.scan", lambda state, item: (fn(state, item),) * 2, rest, start, reverse)[1]
    if given:
        return states
    parts = tree.map(lambda x: expand_dims(x, 0), start)
    return tree.map(lambda a, b: concat([b, a] if reverse else [a, b], 0), parts, states)


def foldl(fn: Any, elems: Any, initializer: Any = None, **options: Any) -> Any:
    """The last of all ``state = fn(state, slice)``."""
    return tree.map(lambda x: x[-1], scan(fn, elems, initializer))


def foldr(fn: Any, elems: Any, initializer: Any = None, **options: Any) -> Any:
    """The last of all ``state = fn(state, slice)``, from the last slice to the first."""
    return tree.map(lambda x: x[0], scan(fn, elems, initializer, True))


__all__ = exported(dict(globals()))
