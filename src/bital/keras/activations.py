"""Activation functions by name; the functions themselves live in ``bital.nn``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bital.errors import ArgumentError
from bital.nn import (
    elu,
    exponential,
    gelu,
    hard_sigmoid,
    leaky_relu,
    linear,
    log_softmax,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    tanh,
)

swish = silu


def gelu_tanh(x: Any) -> Any:
    """Return the tanh form of ``gelu``; Keras spells it ``gelu(x, approximate=True)``."""
    return gelu(x, approximate=True)


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    function.__name__: function
    for function in (
        elu,
        exponential,
        gelu_tanh,
        hard_sigmoid,
        leaky_relu,
        linear,
        log_softmax,
        mish,
        relu,
        relu6,
        selu,
        sigmoid,
        silu,
        softmax,
        softplus,
        softsign,
        tanh,
    )
}
_NAMES = {function: name for name, function in _FUNCTIONS.items()}


def get(identifier: Any) -> Callable[[Any], Any]:
    """Return the function that a name or a function means; None means ``linear``.

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
    if identifier == "swish":
        return silu
    if identifier == "gelu":
        raise ArgumentError(
            "activation='gelu': the exact form needs the error function, which NumPy does not "
            "have. Write activation='gelu_tanh' for the tanh form (at most 5e-4 away)."
        )
    if isinstance(identifier, str) and identifier in _FUNCTIONS:
        return _FUNCTIONS[identifier]
    if callable(identifier):
        return identifier
    raise ArgumentError(
        f"activation={identifier!r} is not an activation: give a function of NumPy code, or one of "
        f"{', '.join(sorted(_FUNCTIONS))}."
    )


def serialize(function: Callable[[Any], Any]) -> str:
    """Return the name of one of bital's activations.

    Raises
    ------
    ArgumentError
        For a user's own function: a model file holds data, never code.
    """
    name = _NAMES.get(function)
    if name is None:
        raise ArgumentError(
            f"activation={function!r} is a function of your own: a model file holds data, never "
            "code, so it cannot be saved. Use a named activation, or save with "
            "model.save_weights(path)."
        )
    return name


__all__ = [*_FUNCTIONS, "gelu", "get", "serialize", "swish"]
