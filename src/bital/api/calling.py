"""What a repeated call of a compiled function costs, kept small: code made for one structure.

`matcher` reads the leaves of arguments that look like earlier ones, `builder` puts results
together. Both print Python source for the one structure that they are made for, as dataclasses do
for their fields; the general way through `tree` does the same in ten times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bital import tree
from bital.program import ArrayType

Matcher = Callable[[Any], "list[Any] | None"]


def matcher(arguments: Any, types: Sequence[ArrayType]) -> Matcher | None:
    """A function from arguments to their leaves, or to None where they differ from these.

    Parameters
    ----------
    arguments : tuple
        Those of an earlier call.
    types : sequence of ArrayType
        What their leaves are in its Program.

    Returns
    -------
    callable or None
        It accepts containers of exactly these classes, lengths and keys, arrays of these shapes
        and dtypes, and scalars of these classes; scalars come out in the Program's dtypes. None
        where there are leaves of other classes.
    """
    writer = _Matcher(types)
    if not writer.visit("arguments", arguments):
        return None
    lines = [*writer.lines, f"return [{', '.join(writer.leaves)}]"]
    made: Matcher = _function("arguments", lines, writer.names)
    return made


class _Matcher:
    def __init__(self, types: Sequence[ArrayType]) -> None:
        self.types = types
        self.lines: list[str] = []
        self.leaves: list[str] = []
        self.names: dict[str, Any] = {"ndarray": np.ndarray}

    def require(self, condition: str) -> None:
        self.lines.append(f"if not ({condition}): return None")

    def visit(self, text: str, value: Any) -> bool:
        """Print what checks a value that `text` stands for; False if that cannot be done."""
        if value is None:
            self.require(f"{text} is None")
            return True
        if isinstance(value, (tuple, list, dict)):
            return self.container(text, value)
        return self.leaf(text, value)

    def container(self, text: str, value: Any) -> bool:
        self.require(f"{text}.__class__ is {self.constant(type(value))}")
        self.require(f"len({text}) == {len(value)}")
        if isinstance(value, dict):
            keys = sorted(value)
            for key in keys:
                self.require(f"{self.constant(key)} in {text}")
            items = [(f"{text}[{self.constant(key)}]", value[key]) for key in keys]
        else:
            items = [(f"{text}[{place}]", item) for place, item in enumerate(value)]
        return all(self.item(source, item) for source, item in items)

    def item(self, source: str, item: Any) -> bool:
        variable = f"x{len(self.lines)}"
        self.lines.append(f"{variable} = {source}")
        return self.visit(variable, item)

    def leaf(self, text: str, value: Any) -> bool:
        type_ = self.types[len(self.leaves)]
        if type(value) is np.ndarray and value.shape:
            self.require(f"{text}.__class__ is ndarray")
            dtype = self.constant(value.dtype)
            self.require(f"{text}.shape == {value.shape}")
            self.require(f"{text}.dtype is {dtype} or {text}.dtype == {dtype}")
            self.leaves.append(text)
            return True
        if type(value) is type_.dtype.type:
            self.require(f"{text}.__class__ is {self.constant(type(value))}")
            self.leaves.append(text)
            return True
        if type(value) in (bool, float):
            self.require(f"{text}.__class__ is {self.constant(type(value))}")
            self.leaves.append(f"{self.constant(type_.dtype.type)}({text})")
            return True
        return False

    def constant(self, value: Any) -> str:
        name = f"v{len(self.names)}"
        self.names[name] = value
        return name


def builder(structure: tree.Structure) -> Callable[[Sequence[Any]], Any]:
    """What ``tree.unflatten(structure, leaves)`` gives, as a function of the leaves."""
    names: dict[str, Any] = {}
    count = structure.leaf_count

    def constant(value: Any) -> str:
        names[name := f"v{len(names)}"] = value
        return name

    places = iter(range(count))

    def text(part: tree.Structure) -> str:
        kind: Any = part.kind
        if kind is None:
            return f"leaves[{next(places)}]"
        if kind is type(None):
            return "None"
        items = [text(child) for child in part.children]
        listed = ", ".join(items)
        if kind is dict:
            pairs = zip(part.keys, items, strict=True)
            return "{" + ", ".join(f"{constant(key)}: {item}" for key, item in pairs) + "}"
        if kind is list:
            return f"[{listed}]"
        if kind is tuple:
            return f"({listed}{',' * (len(items) == 1)})"
        other = tree.Structure(kind, tuple(tree.LEAF for _ in part.children), part.keys)
        return f"{constant(tree.unflatten)}({constant(other)}, [{listed}])"

    made: Callable[[Sequence[Any]], Any] = _function("leaves", [f"return {text(structure)}"], names)
    return made


def _function(parameter: str, lines: Sequence[str], names: dict[str, Any]) -> Any:
    source = "".join([f"def made({parameter}):\n", *(f"    {line}\n" for line in lines)])
    exec(compile(source, "<bital.calling>", "exec"), names)
    return names["made"]
