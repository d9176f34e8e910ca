"""Nested containers: tuples, lists, dicts and named tuples of leaves.

``None`` is a container without leaves. Dicts are read in the order of their sorted keys, so two
equal dicts always give their leaves in the same order. Everything else is a leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from bital.errors import ArgumentError

__all__ = ["Structure", "flatten", "flatten_with_path", "leaves", "map", "structure", "unflatten"]


class Structure(NamedTuple):  # hashed and compared at every call of a jitted function
    """The shape of a tree without its leaves. Hashable; equal for equal containers.

    ``kind`` is None for a leaf, else the container's class; ``keys`` are a dict's keys.
    """

    kind: type | None
    children: tuple[Structure, ...] = ()
    keys: tuple[Any, ...] = ()

    @property
    def leaf_count(self) -> int:
        if self.kind is None:
            return 1
        return sum(child.leaf_count for child in self.children)

    def __str__(self) -> str:
        return repr(unflatten(self, [_Star()] * self.leaf_count))


class _Star:
    def __repr__(self) -> str:
        return "*"


LEAF = Structure(None)


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """Leaves of a tree from left to right, and the structure that holds them.

    Examples
    --------
    >>> leaves, structure = flatten({"W": [1.0, 2.0], "b": 3.0})
    >>> leaves
    [1.0, 2.0, 3.0]
    >>> unflatten(structure, leaves)
    {'W': [1.0, 2.0], 'b': 3.0}
    """
    found: list[Any] = []
    return found, _flatten_into(tree, found)


def _flatten_into(tree: Any, found: list[Any]) -> Structure:
    kind = type(tree)
    if tree is None:
        return Structure(kind)
    if isinstance(tree, (tuple, list)):
        return Structure(kind, tuple([_flatten_into(item, found) for item in tree]))
    if isinstance(tree, dict):
        keys = _sorted_keys(tree)
        return Structure(kind, tuple([_flatten_into(tree[key], found) for key in keys]), keys)
    found.append(tree)
    return LEAF


def _sorted_keys(tree: dict[Any, Any]) -> tuple[Any, ...]:
    try:
        return tuple(sorted(tree))
    except TypeError:
        kinds = sorted({type(key).__name__ for key in tree})
        raise ArgumentError(
            f"a dict with keys of types {', '.join(kinds)} has no order to read its leaves in; "
            "use keys of one type, such as str"
        ) from None


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Any:
    """The tree of this structure with these leaves.

    Raises
    ------
    ArgumentError
        Where there are more or fewer leaves than the structure has places.
    """
    items = list(leaves)
    if len(items) != structure.leaf_count:
        raise ArgumentError(
            f"a structure of {structure.leaf_count} leaves was given {len(items)} leaves"
        )
    return _unflatten(structure, iter(items))


def _unflatten(structure: Structure, leaves: Any) -> Any:
    kind: Any = structure.kind
    if kind is None:
        return next(leaves)
    if kind is type(None):
        return None
    return _built(kind, structure.keys, [_unflatten(child, leaves) for child in structure.children])


def _built(kind: Any, keys: tuple[Any, ...], children: list[Any]) -> Any:
    """A container of a kind with these children."""
    if kind is list:
        return children
    if kind is tuple:
        return tuple(children)
    if issubclass(kind, dict):
        filled = kind()  # not kind(pairs), which a defaultdict does not take
        filled.update(zip(keys, children, strict=True))
        return filled
    if hasattr(kind, "_fields"):  # a named tuple
        return kind(*children)
    return kind(children)


def leaves(tree: Any) -> list[Any]:
    """Leaves of a tree, from left to right."""
    found: list[Any] = []
    _leaves_into(tree, found)
    return found


def _leaves_into(tree: Any, found: list[Any]) -> None:
    if isinstance(tree, (tuple, list)):
        for item in tree:
            _leaves_into(item, found)
    elif isinstance(tree, dict):
        for key in _sorted_keys(tree):
            _leaves_into(tree[key], found)
    elif tree is not None:
        found.append(tree)


def structure(tree: Any) -> Structure:
    """The structure of a tree."""
    return flatten(tree)[1]


def map(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """Apply a function to corresponding leaves of trees of one structure.

    Raises
    ------
    ArgumentError
        Where the structures differ.

    Examples
    --------
    >>> map(lambda w, g: w - g, {"W": 3.0}, {"W": 1.0})
    {'W': 2.0}
    """
    if not rest:
        return _mapped(function, tree)
    columns, shape = flatten(tree)
    others = []
    for other in rest:
        items, other_shape = flatten(other)
        if other_shape != shape:
            raise ArgumentError(f"trees differ in structure: {shape} and {other_shape}")
        others.append(items)
    return unflatten(shape, [function(*items) for items in zip(columns, *others, strict=True)])


def _mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    if isinstance(tree, (tuple, list)):
        items = [_mapped(function, item) for item in tree]
        return _built(type(tree), (), items)
    if isinstance(tree, dict):
        keys = _sorted_keys(tree)
        return _built(type(tree), keys, [_mapped(function, tree[key]) for key in keys])
    return None if tree is None else function(tree)


def flatten_with_path(tree: Any) -> list[tuple[str, Any]]:
    """Leaves with the path to each: ``[0]``, ``['W']``, ``.field``; empty for a bare leaf."""
    found: list[tuple[str, Any]] = []
    _walk(tree, "", found)
    return found


def _walk(tree: Any, path: str, found: list[tuple[str, Any]]) -> None:
    if tree is None:
        return
    if isinstance(tree, dict):
        for key in _sorted_keys(tree):
            _walk(tree[key], f"{path}[{key!r}]", found)
    elif isinstance(tree, (tuple, list)):
        fields: Sequence[str] | None = getattr(tree, "_fields", None)
        for index, item in enumerate(tree):
            _walk(item, f"{path}.{fields[index]}" if fields else f"{path}[{index}]", found)
    else:
        found.append((path, tree))
