"""Mixed precision: products of float32 arrays taken of their roundings to bfloat16.

Weights, sums, elementwise functions and everything that is kept stay float32, so no scaling of the
loss is needed: bfloat16 has float32's range. Sums of products are float32 too (Kalamkar et al.,
2019, arXiv:1905.12322).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jax import lax
from jax import numpy as jnp

from bital.executors.xla import convolutions


def applies(operands: Any) -> bool:
    """Whether a product of these is one that is meant."""
    return all(np.result_type(operand) == np.float32 for operand in operands)


def dot_general(x: Any, y: Any, contract: Any, batch: Any) -> Any:
    """A product of float32 arrays, each factor rounded to 8 bits, the sums float32."""
    left, right = (jnp.asarray(operand, jnp.bfloat16) for operand in (x, y))
    return lax.dot_general(left, right, (contract, batch), preferred_element_type=np.float32)


def convolution(x: Any, kernel: Any, **params: Any) -> Any:
    """The same of a convolution."""
    left, right = (jnp.asarray(operand, jnp.bfloat16) for operand in (x, kernel))
    return convolutions.convolution(left, right, dtype=np.float32, **params)


RULES: dict[str, Callable[..., Any]] = {"dot_general": dot_general, "convolution": convolution}
