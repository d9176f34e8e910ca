"""Initializer, regularizer and constraint of a weight, as arguments of a layer."""

from __future__ import annotations

from typing import Any

from bital.keras import constraints, initializers, regularizers
from bital.keras.layers.base import Layer
from bital.keras.variables import Variable

_GET = {
    "initializer": initializers.get,
    "regularizer": regularizers.get,
    "constraint": constraints.get,
}


def keep(layer: Layer, **options: Any) -> None:
    """Store arguments such as ``kernel_initializer`` under their names, as what they mean."""
    for name, value in options.items():
        setattr(layer, name, _GET[name.rpartition("_")[2]](value))


def add(layer: Layer, name: str, shape: tuple[int, ...], options: str | None = None) -> Variable:
    """Make the weight that arguments such as ``kernel_initializer`` describe.

    They begin with ``options``, by default with the weight's name.
    """
    found = {kind: getattr(layer, f"{options or name}_{kind}", None) for kind in _GET}
    return layer.add_weight(shape, name=name, **found)
