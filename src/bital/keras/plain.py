"""Trees of plain data and arrays, as JSON and tensors, and back without a change.

Dicts with names for keys, lists, strings, booleans, integers, finite floats and None are JSON.
What JSON has no word for is an object with one key that begins with ``$``: an array, a NumPy
scalar, a long list of floats (a tensor too), a tuple, a float that is not finite, a dict with other
keys.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bital.errors import ArgumentError

_LONG = 100


def pack(data: Any, what: str = "the data") -> tuple[Any, dict[str, np.ndarray]]:
    """Return a tree as JSON and a dict of copies of its arrays.

    Raises
    ------
    ArgumentError
        If something in it is none of the above, naming its place.

    Examples
    --------
    >>> pack({"best": (0.5, np.ones(2))})
    ({'best': {'$tuple': [0.5, {'$array': 'best/1'}]}}, {'best/1': array([1., 1.])})
    """
    arrays: dict[str, np.ndarray] = {}
    return _packed(data, "", what, arrays), arrays


def unpack(data: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return the tree that `pack` took apart.

    Raises
    ------
    ArgumentError
        If ``data`` is not what `pack` returns, or an array is missing.
    """
    if isinstance(data, list):
        return [unpack(item, arrays) for item in data]
    if not isinstance(data, dict):
        return data
    tag = next(iter(data)) if len(data) == 1 else ""
    if not tag.startswith("$"):
        return {key: unpack(item, arrays) for key, item in data.items()}
    value = data[tag]
    if tag in ("$array", "$scalar", "$floats"):
        if not isinstance(value, str) or value not in arrays:
            raise ArgumentError(f"there is no tensor {value!r:.80}")
        array = arrays[value]
        return array if tag == "$array" else array[()] if tag == "$scalar" else array.tolist()
    if tag == "$tuple" and isinstance(value, list):
        return tuple(unpack(item, arrays) for item in value)
    if tag == "$float" and value in ("nan", "inf", "-inf"):
        return float(value)
    if tag == "$items" and isinstance(value, list):
        pairs = [unpack(item, arrays) for item in value]
        if all(isinstance(p, list) and len(p) == 2 and _is_key(p[0]) for p in pairs):
            return dict(pairs)
    raise ArgumentError(f"{tag} is not followed by what it needs")


def _packed(data: Any, path: str, what: str, arrays: dict[str, np.ndarray]) -> Any:
    if data is None or isinstance(data, (bool, str)) or type(data) is int:
        return data
    if type(data) is float:
        return data if math.isfinite(data) else {"$float": str(data)}
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.kind in "biuf":
        name = path or "value"
        while name in arrays:
            name += "_"
        arrays[name] = np.array(data, order="C")
        return {"$array" if isinstance(data, np.ndarray) else "$scalar": name}
    if type(data) is list and len(data) > _LONG and all(type(item) is float for item in data):
        return {"$floats": _packed(np.array(data), path, what, arrays)["$array"]}
    if isinstance(data, (list, tuple)):
        items = [_packed(v, _join(path, i), what, arrays) for i, v in enumerate(data)]
        return items if isinstance(data, list) else {"$tuple": items}
    if isinstance(data, dict) and all(_is_key(key) for key in data):
        found = {k: _packed(v, _join(path, k), what, arrays) for k, v in data.items()}
        if all(isinstance(key, str) and not key.startswith("$") for key in found):
            return found
        return {"$items": [[key, item] for key, item in found.items()]}
    raise ArgumentError(
        f"{what} holds a {type(data).__name__} at {path or 'the top'}: {data!r:.80}. Give numbers, "
        "strings, None and arrays, in dicts, lists and tuples."
    )


def _is_key(key: Any) -> bool:
    return key is None or type(key) in (str, int, bool)


def _join(path: str, key: Any) -> str:
    return f"{path}/{key}" if path else str(key)


__all__ = ["pack", "unpack"]
