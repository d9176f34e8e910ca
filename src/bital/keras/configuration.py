"""Plain data for objects, read off the signatures of their constructors.

A layer, loss or metric that stores each argument of its constructor under the argument's name needs
no ``get_config``: the arguments are found by name along the class's bases, and each becomes plain
data by its type.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any, Self

import numpy as np

from bital.errors import ArgumentError
from bital.keras import activations
from bital.keras.vocabulary import vocabulary_of

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Configured:
    """Base of what is described by its constructor's arguments."""

    _left_out: tuple[str, ...] = ()
    """Arguments that `get_config` does not repeat, since others say the same."""

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data.

        They are read from the attributes of the same names. Define this method, and
        ``from_config`` with it, only where a constructor does not store what it receives.

        Raises
        ------
        ArgumentError
            If an argument is not stored, or cannot be plain data.
        """
        return {name: _described(self, name) for name in constructor_arguments(type(self))}

    def _argument(self, name: str) -> Any:
        """The value that the constructor got for this argument."""
        return getattr(self, name)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return an object with these constructor arguments."""
        return cls(**{name: restored(value) for name, value in config.items()})


@functools.cache
def constructor_arguments(cls: type) -> list[str]:
    """Return the names of a constructor's arguments, through ``**options`` those of its bases."""
    found: dict[str, None] = {}
    for base in cls.__mro__:
        init = base.__dict__.get("__init__")
        if init is None:
            continue
        parameters = list(inspect.signature(init).parameters.values())[1:]
        found |= {p.name: None for p in parameters if p.kind in _NAMED}
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            break
    left_out = getattr(cls, "_left_out", ())
    return [name for name in found if name not in left_out]


def _described(item: Configured, name: str) -> Any:
    who = type(item).__name__
    try:
        value = item._argument(name)
    except AttributeError:
        raise ArgumentError(
            f"{who} cannot be described as plain data: its constructor has an argument {name!r} "
            f"and the object no such attribute. Write self.{name} = {name} in __init__, or define "
            "get_config and from_config."
        ) from None
    return plain(value, f"{who}({name}=...)")


def plain(value: Any, what: str) -> Any:
    """Return ``value`` as plain data: numbers, strings, lists and dicts of them.

    A layer within an argument becomes ``{"layer": {"class_name": ..., "config": ...}}``.

    Raises
    ------
    ArgumentError
        If its type has no such form.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (tuple, list)):
        return [plain(item, what) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item, what) for key, item in value.items()}
    vocabulary = vocabulary_of(value)
    if vocabulary is not None:
        described = vocabulary.serialize(value)
        return {"layer": described} if vocabulary.kind == "layer" else described
    if callable(value):
        return activations.serialize(value)
    raise ArgumentError(
        f"{what} holds a {type(value).__name__}, which cannot be written as plain data. Store a "
        "number, string, array, layer, or a list or dict of them, or define get_config."
    )


def restored(value: Any) -> Any:
    """Return an argument from plain data: layers in it are made; constructors read the rest."""
    if isinstance(value, list):
        return [restored(item) for item in value]
    if isinstance(value, dict):
        if set(value) == {"layer"}:
            from bital.keras.layers.base import LAYERS

            return LAYERS.deserialize(value["layer"])
        if set(value) != {"class_name", "config"}:
            return {key: restored(item) for key, item in value.items()}
    return value


__all__ = ["Configured", "constructor_arguments", "plain", "restored"]
