"""New models like old ones."""

from __future__ import annotations

from typing import Any

from bital.errors import ArgumentError
from bital.keras.models.model import Model


def clone_model(model: Any) -> Any:
    """Return a model with the same layers and new first weights.

    Parameters
    ----------
    model : Sequential or functional model

    Raises
    ------
    ArgumentError
        If it is a class of your own that cannot be described as data.

    Examples
    --------
    >>> from bital import keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> clone_model(model).count_params()
    5
    """
    if not isinstance(model, Model):
        raise ArgumentError(f"clone_model({model!r}): must be a model.")
    other = type(model).from_config(model.get_config())
    if not other.built and other.given_input_shape is not None:
        other.build(other.given_input_shape)
    return other


__all__ = ["clone_model"]
