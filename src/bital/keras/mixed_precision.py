"""Keras's name for the precision in which products are computed: see `bital.config.precision`."""

from __future__ import annotations

from bital import config
from bital.errors import ArgumentError

_POLICIES = {"float32": "float32", "mixed_bfloat16": "bfloat16"}


def set_global_policy(policy: str) -> None:
    """Choose in which precision models compute from here on.

    Parameters
    ----------
    policy : {"float32", "mixed_bfloat16"}
        ``"mixed_bfloat16"``: products of float32 arrays are taken of their roundings to bfloat16.
        Weights stay float32. It needs the executor ``xla``.

    Raises
    ------
    ArgumentError
        If it is another: float16 would need the loss to be scaled.

    Examples
    --------
    >>> from bital import keras
    >>> keras.mixed_precision.set_global_policy("float32")
    """
    if policy not in _POLICIES:
        raise ArgumentError(
            f"mixed_precision.set_global_policy({policy!r}): {' or '.join(map(repr, _POLICIES))}"
        )
    config.set_precision(_POLICIES[policy])


__all__ = ["set_global_policy"]
