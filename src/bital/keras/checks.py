"""Checks of arguments that many classes share: each returns the value in its plain Python form."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.errors import ArgumentError

_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.\- ]{0,199}")


def integer(who: str, name: str, value: Any, low: int = 1) -> int:
    """``value`` as an int that is at least ``low``.

    Raises
    ------
    ArgumentError
        For anything but a whole number of integer type in range.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        hint = f" Write {name}={int(value)}." if _is_whole(value) else ""
        raise ArgumentError(
            f"{who}({name}={value!r}): must be an integer, not {type(value).__name__}.{hint}"
        )
    if value < low:
        raise ArgumentError(f"{who}({name}={value!r}): must be at least {low}.")
    return int(value)


def number(
    who: str, name: str, value: Any, low: float = -math.inf, high: float = math.inf
) -> float:
    """``value`` as a finite float in ``[low, high]``.

    Raises
    ------
    ArgumentError
        For anything else.
    """
    kinds = (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds) or not _is_finite(value):
        raise ArgumentError(f"{who}({name}={value!r}): must be a finite number.")
    if not low <= value <= high:
        raise ArgumentError(f"{who}({name}={value!r}): must lie between {low:g} and {high:g}.")
    return float(value)


def boolean(who: str, name: str, value: Any) -> bool:
    """``value`` if it is True or False.

    Raises
    ------
    ArgumentError
        For anything else.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise ArgumentError(f"{who}({name}={value!r}): must be True or False.")
    return bool(value)


def shape(
    who: str, name: str, value: Any, unknown: bool = False, wildcard: bool = False
) -> tuple[Any, ...]:
    """``value`` as a tuple of positive ints.

    ``unknown`` allows None for a size that the data decides, ``wildcard`` allows one -1.

    Raises
    ------
    ArgumentError
        For anything else.
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise ArgumentError(
            f"{who}({name}={value!r}): must be a tuple of sizes without the batch, such as (784,) "
            "or (28, 28)."
        )
    if wildcard and sum(size == -1 for size in value) > 1:
        raise ArgumentError(f"{who}({name}={value!r}): at most one size can be -1.")
    sizes: list[int | None] = []
    for size in value:
        if (unknown and size is None) or (wildcard and size == -1 and type(size) is int):
            sizes.append(size)
        else:
            sizes.append(integer(who, name, size))
    return tuple(sizes)


def floating_dtype(who: str, value: Any) -> np.dtype[Any]:
    """``value`` as float32 or float64.

    Raises
    ------
    ArgumentError
        For anything else.
    """
    try:
        dtype = np.dtype(value)
    except TypeError:
        dtype = None
    if dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ArgumentError(f'{who}(dtype={value!r}): must be "float32" or "float64".')
    return dtype


def object_name(who: str, value: Any) -> str:
    """``value`` as a name of a layer or a weight: it becomes part of keys in model files.

    Raises
    ------
    ArgumentError
        For anything but letters, digits, ``_ . -`` and spaces.
    """
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ArgumentError(
            f"{who}(name={value!r}): must be 1 to 200 letters, digits, '_', '.', '-' or spaces."
        )
    return value


def choice(who: str, name: str, value: Any, options: Sequence[str]) -> str:
    """``value`` if it is one of ``options``.

    Raises
    ------
    ArgumentError
        For anything else.
    """
    if not isinstance(value, str) or value not in options:
        raise ArgumentError(
            f"{who}({name}={value!r}): must be one of {', '.join(map(repr, options))}."
        )
    return value


def data_format(who: str, value: Any) -> str:
    """``"channels_last"``, also for None.

    Raises
    ------
    ArgumentError
        For ``"channels_first"``, and for anything else.
    """
    if value in (None, "channels_last"):
        return "channels_last"
    if value == "channels_first":
        raise ArgumentError(
            f"{who}(data_format='channels_first'): channels stand last in bital. Write "
            "x = np.moveaxis(x, 1, -1) and leave data_format out."
        )
    raise ArgumentError(f"{who}(data_format={value!r}): must be 'channels_last'.")


def absent(who: str, options: dict[str, Any], later: Sequence[str] = ()) -> None:
    """Raise if any option is left over: ``later`` are Keras's names that bital lacks so far.

    Raises
    ------
    ArgumentError
        If an option has another value than None, or an unknown name.
    """
    for name, value in options.items():
        if name not in later:
            raise ArgumentError(f"{who}() has no argument {name!r} (received {name}={value!r}).")
        if value is not None:
            raise ArgumentError(
                f"{who}({name}={value!r}): bital has no {name.replace('_', ' ')} yet. Leave it out."
            )


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the floating numbers
        return False


def _is_whole(value: Any) -> bool:
    return isinstance(value, (float, np.floating)) and math.isfinite(value) and value == int(value)
