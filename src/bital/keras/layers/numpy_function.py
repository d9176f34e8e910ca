"""NumPy functions as layers: what ``np.add(x, y)`` on symbolic values records."""

from __future__ import annotations

import operator
from typing import Any, Self

import numpy as np

import bital
from bital.errors import ArgumentError
from bital.keras.layers.base import Layer
from bital.keras.layers.symbolic import Symbol


class NumPyFunction(Layer):
    """A function of NumPy's as a layer: ``layer([x, y])`` is ``np.function(x, y, ...)``.

    Functional models make them for NumPy functions and operators on symbolic values.

    Parameters
    ----------
    function : str
        Its name in NumPy, such as ``"add"`` or ``"linalg.norm"``; ``"getitem"`` for ``x[index]``.
    arguments : list
        The arguments by place; a value that the layer receives is ``{"input": 0}``, and so on.
        Slices and tuples are ``{"slice": [start, stop, step]}`` and ``{"tuple": [...]}``.
    options : dict, optional
        The arguments by name.
    name, trainable, dtype
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If NumPy has no such function.

    Examples
    --------
    >>> import numpy as np
    >>> NumPyFunction("maximum", [{"input": 0}, 1.5])([np.array([1.0, 2.0])])
    array([1.5, 2. ], dtype=float32)
    """

    _integer_inputs = True
    _casts = False
    supports_masking = True

    def __init__(self, function: str, arguments: Any, options: Any = None, **more: Any) -> None:
        super().__init__(**more)
        self.function = function
        self.arguments = list(arguments)
        self.options = dict(options or {})
        self._function = _by_name(function)

    @classmethod
    def on(cls, function: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Record the call of a NumPy function on symbolic values; return its symbolic outputs."""
        values: list[Any] = []
        described = [_described(item, values) for item in arguments]
        named = {key: _described(item, values) for key, item in options.items()}
        name = _name_of(function)
        layer = cls(name, described, named, dtype=values[0].dtype if _floats(values) else None)
        layer.name = name.split(".")[-1]
        return layer(values)

    def call(self, x: Any) -> Any:
        """Return what the function makes of these arrays."""
        arguments = [_filled(item, x) for item in self.arguments]
        options = {key: _filled(item, x) for key, item in self.options.items()}
        return self._function(*arguments, **options)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """Return the first mask among those of the inputs."""
        del x
        masks = mask if isinstance(mask, list) else [mask]
        return next((item for item in masks if item is not None), None)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return a layer with these constructor arguments."""
        return cls(**config)


def _floats(values: list[Any]) -> bool:
    return values[0].dtype.kind == "f"


def _by_name(name: Any) -> Any:
    if name != "getitem" and f"np.{name}" not in bital.supported():
        raise ArgumentError(
            f"NumPyFunction({name!r:.80}): NumPy has no such function, or it is not one of arrays "
            "that bital traces; see bital.supported()."
        )
    found: Any = operator.getitem if name == "getitem" else np
    for part in [] if name == "getitem" else str(name).split("."):
        found = None if part.startswith("_") else getattr(found, part, None)
    if not callable(found) or isinstance(found, type) or _name_of(found) != name:
        raise ArgumentError(f"NumPyFunction({name!r}): NumPy has no such function.")
    return found


def _name_of(function: Any) -> str:
    if function is operator.getitem:
        return "getitem"
    module = (getattr(function, "__module__", None) or "numpy").removeprefix("numpy")
    name: str = f"{module.removeprefix('.')}.{function.__name__}".removeprefix(".")
    known: Any = np
    for part in name.split("."):
        known = getattr(known, part, None)
    if known is not function:
        raise ArgumentError(
            f"{name} on a symbolic value: only NumPy's own functions become part of a functional "
            "model. Put it into the call of a layer of your own."
        )
    return name


def _described(item: Any, values: list[Any]) -> Any:
    """An argument as plain data; symbols go into ``values``."""
    if isinstance(item, Symbol):
        places = [place for place, known in enumerate(values) if known is item]
        if not places:
            values.append(item)
        return {"input": places[0] if places else len(values) - 1}
    if isinstance(item, tuple):
        return {"tuple": [_described(part, values) for part in item]}
    if isinstance(item, list):
        return [_described(part, values) for part in item]
    if isinstance(item, slice):
        parts = (item.start, item.stop, item.step)
        return {"slice": [_described(part, values) for part in parts]}
    if item is Ellipsis:
        return {"ellipsis": True}
    if isinstance(item, (np.ndarray, np.generic)):
        return {"array": item.tolist(), "dtype": item.dtype.name}
    if isinstance(item, (type, np.dtype)):
        return {"dtype": np.dtype(item).name}
    if item is None or isinstance(item, (bool, int, float, str)):
        return item
    raise ArgumentError(
        f"a NumPy function on a symbolic value received a {type(item).__name__}; only numbers, "
        "arrays, strings and slices can be part of a functional model."
    )


def _filled(item: Any, values: Any) -> Any:
    if isinstance(item, list):
        return [_filled(part, values) for part in item]
    if not isinstance(item, dict):
        return item
    if "input" in item:
        return values[item["input"]]
    if "tuple" in item:
        return tuple(_filled(part, values) for part in item["tuple"])
    if "slice" in item:
        return slice(*[_filled(part, values) for part in item["slice"]])
    if "ellipsis" in item:
        return Ellipsis
    if "array" in item:
        return np.array(item["array"], dtype=item["dtype"])
    return np.dtype(item["dtype"])


__all__ = ["NumPyFunction"]
