"""Activation functions by name; the functions themselves live in ``bital.nn``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bital import nn
from bital.errors import ArgumentError
from bital.keras import functions
from bital.nn import (
    celu,
    elu,
    exponential,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    linear,
    log_sigmoid,
    log_softmax,
    mish,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    tanh,
    tanh_shrink,
    threshold,
)

swish = silu
hard_swish = hard_silu


def relu(
    x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Any:
    """Return ``x`` above ``threshold``, kept below ``max_value``; else ``negative_slope`` times
    what ``x`` lies below the threshold.

    Examples
    --------
    >>> import numpy as np
    >>> relu(np.array([-1.0, 0.5, 3.0]), negative_slope=0.1, max_value=2.0)
    array([-0.1,  0.5,  2. ])
    """
    above = nn.relu(x) if threshold == 0 else np.where(x > threshold, x, 0)
    if max_value is not None:
        above = np.clip(above, 0, max_value)
    return above - negative_slope * nn.relu(threshold - x) if negative_slope else above


def gelu(x: Any, approximate: bool = False) -> Any:
    """Return ``x * Phi(x)``, or with ``approximate`` its tanh form: see ``bital.nn.gelu``.

    Examples
    --------
    >>> import numpy as np
    >>> gelu(np.array([1.0])).round(4)
    array([0.8413])
    """
    return nn.gelu(x, approximate)


def gelu_tanh(x: Any) -> Any:
    """Return the tanh form of ``gelu``; Keras spells it ``gelu(x, approximate=True)``."""
    return nn.gelu(x, approximate=True)


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    function.__name__: function
    for function in (
        celu,
        elu,
        exponential,
        gelu,
        gelu_tanh,
        glu,
        hard_shrink,
        hard_sigmoid,
        hard_silu,
        hard_tanh,
        leaky_relu,
        linear,
        log_sigmoid,
        log_softmax,
        mish,
        relu,
        relu6,
        selu,
        sigmoid,
        silu,
        soft_shrink,
        softmax,
        softplus,
        softsign,
        sparse_plus,
        sparse_sigmoid,
        sparsemax,
        squareplus,
        tanh,
        tanh_shrink,
    )
}
_ALIASES = {"swish": silu, "hard_swish": hard_silu}
_NAMES = {function: name for name, function in _FUNCTIONS.items()} | {nn.relu: "relu"}


def get(identifier: Any) -> Callable[[Any], Any]:
    """Return the function that a name, a function or what `serialize` wrote means.

    None means ``linear``. A function of the user's becomes one that can be saved.

    Raises
    ------
    ArgumentError
        If it means none.

    Examples
    --------
    >>> get("relu") is relu
    True
    """
    if identifier is None:
        return linear
    if isinstance(identifier, str) and identifier in {**_FUNCTIONS, **_ALIASES}:
        return _FUNCTIONS.get(identifier) or _ALIASES[identifier]
    if isinstance(identifier, dict):
        return functions.deserialize(identifier)
    if callable(identifier) and identifier in _NAMES:
        return identifier
    if callable(identifier):
        return functions.own(identifier)
    hint = (
        " It needs numbers of its own: give lambda x: threshold(x, 0.0, 0.0)."
        if identifier == "threshold"
        else ""
    )
    raise ArgumentError(
        f"activation={identifier!r} is not an activation: give a function of NumPy code, or one of "
        f"{', '.join(sorted(_FUNCTIONS))}.{hint}"
    )


def serialize(function: Callable[[Any], Any]) -> Any:
    """Return the name of one of bital's activations, or what a user's function computes.

    Raises
    ------
    ArgumentError, ModelStateError
        If a user's function cannot be saved: see `bital.keras.functions`.
    """
    name = _NAMES.get(function)
    return functions.serialize(function) if name is None else name


__all__ = [*_FUNCTIONS, "get", "hard_swish", "serialize", "swish", "threshold"]
