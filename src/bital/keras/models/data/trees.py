"""Trees of inputs, targets and sample weights: what belongs to which input and output."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import DataError, ShapeError
from bital.keras.layers import calling
from bital.keras.models.data import arrays


def inputs(model: Any, x: Any) -> Any:
    """Return checked inputs, as the model takes them: an array, or a list or dict of arrays.

    A dict may also name the inputs of a functional model, and a list of arrays give them in order.

    Raises
    ------
    DataError
        If an input is missing, one is left over, they differ in length, or hold no finite numbers.
    ShapeError
        If one has another shape than the model takes.
    """
    expected = model.input_shape
    first = model.layers[0].name if model.layers else model.name
    if expected is None and not _is_tree(x):
        return arrays.features(x, None, model.dtype, first)
    if expected is not None and calling.is_shape(expected):
        if isinstance(x, dict) and len(x) == 1 and list(x) == model.input_names:
            (x,) = x.values()
        return arrays.features(x, expected, model.dtype, first)
    if expected is None:
        found = _each(x, lambda name, value: arrays.features(value, None, model.dtype, first, name))
    else:
        found = _matched(model, x, expected)
    lengths = {name: len(value) for name, value in _named("x", found)}
    if len(set(lengths.values())) > 1:
        raise DataError(
            "the inputs differ in their number of samples: "
            + ", ".join(f"{name} has {count}" for name, count in lengths.items())
            + ". Give one row of each for each sample."
        )
    return found


def _matched(model: Any, x: Any, expected: Any) -> Any:
    names = model.input_names
    if isinstance(expected, list) and isinstance(x, dict) and names:
        _require_keys("x", x, names)
        x = [x[name] for name in names]
    if isinstance(expected, dict):
        if not isinstance(x, dict):
            raise DataError(
                f"x is a {type(x).__name__}; the model takes a dict of arrays with the keys "
                f"{', '.join(map(repr, expected))}."
            )
        _require_keys("x", x, list(expected))
        return {key: _matched_leaf(model, x[key], expected[key], f"x[{key!r}]") for key in expected}
    if not isinstance(x, (list, tuple)) or len(x) != len(expected):
        count = f"{len(x)} arrays" if isinstance(x, (list, tuple)) else f"a {type(x).__name__}"
        known = f", named {', '.join(map(repr, names))}" if names else ""
        raise DataError(f"x is {count}; the model takes a list of {len(expected)} arrays{known}.")
    pairs = enumerate(zip(x, expected, strict=True))
    return [_matched_leaf(model, value, shape, f"x[{place}]") for place, (value, shape) in pairs]


def _matched_leaf(model: Any, value: Any, shape: Any, name: str) -> Any:
    if not calling.is_shape(shape):
        raise ShapeError(f"{name}: lists within lists of inputs are not taken; use one list.")
    return arrays.features(value, shape, model.dtype, name, name)


def outputs(model: Any, y: Any, what: str) -> list[Any]:
    """Return one entry for each output, or None: from a list in order or a dict by name.

    Raises
    ------
    DataError
        If there are more or fewer entries than outputs, or a name is that of none.
    """
    shapes = model.output_shape
    if calling.is_shape(shapes):
        names = model.output_names
        if isinstance(y, dict):
            _require_keys(what, y, names)
            return [y[names[0]]]
        return [y]
    names = model.output_names
    if isinstance(y, dict):
        unknown = [key for key in y if key not in names]
        if unknown:
            raise DataError(
                f"{what} has the keys {', '.join(map(repr, y))}; the model's outputs are "
                f"{', '.join(map(repr, names))}."
            )
        return [y.get(name) for name in names]
    if not isinstance(y, (list, tuple)) or len(y) != len(names):
        count = f"{len(y)} arrays" if isinstance(y, (list, tuple)) else f"a {type(y).__name__}"
        raise DataError(
            f"{what} is {count}; the model has {len(names)} outputs: give a list of as many, or a "
            f"dict with the keys {', '.join(map(repr, names))}."
        )
    return list(y)


def _require_keys(what: str, given: dict[Any, Any], names: list[str]) -> None:
    if set(given) != set(names):
        raise DataError(
            f"{what} has the keys {', '.join(map(repr, given))}; the model's are "
            f"{', '.join(map(repr, names))}."
        )


def _is_tree(x: Any) -> bool:
    """A dict, or a list of arrays; a list of numbers or lists is one array."""
    if isinstance(x, dict):
        return True
    return isinstance(x, (list, tuple)) and any(
        isinstance(item, np.ndarray) and item.ndim for item in x
    )


def _each(x: Any, function: Any, name: str = "x") -> Any:
    if isinstance(x, dict):
        return {key: _each(value, function, f"{name}[{key!r}]") for key, value in x.items()}
    if isinstance(x, (list, tuple)) and _is_tree(x):
        return [_each(value, function, f"{name}[{place}]") for place, value in enumerate(x)]
    return function(name, x)


def _named(name: str, found: Any) -> list[tuple[str, Any]]:
    result: list[tuple[str, Any]] = []
    _each(found, lambda place, value: result.append((place, value)), name)
    return result


__all__ = ["inputs", "outputs"]
