"""Random bits: Philox-4x64-10 as NumPy lays it out, so the bits of all other executors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jax import lax
from jax import numpy as jnp

_U64 = np.dtype(np.uint64)
_MULTIPLIERS = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_WEYL = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


def random_bits(key: Any, shape: tuple[int, ...], dtype: np.dtype[Any], stream: int) -> Any:
    """Block i of four words is the cipher of the counter (i + 1, 0, 0, stream)."""
    count = math.prod(shape)
    blocks = -(-count * dtype.itemsize // 32)
    zero = jnp.zeros(blocks, _U64)
    counter = [lax.iota(_U64, blocks) + np.uint64(1), zero, zero, zero + np.uint64(stream)]
    words = jnp.stack(_philox(counter, [key[0], key[1]]), axis=-1)
    parts = words if dtype == _U64 else lax.bitcast_convert_type(words, dtype)
    return parts.reshape(-1)[:count].reshape(shape)


def _philox(counter: list[Any], key: list[Any]) -> list[Any]:
    """Salmon, Moraes, Dror and Shaw, SC 2011, section 4.3."""
    a, b, c, d = counter
    for turn in range(10):
        if turn:
            key = [word + step for word, step in zip(key, _WEYL, strict=True)]
        (high_a, low_a), (high_c, low_c) = map(_product, (a, c), _MULTIPLIERS)
        a, b, c, d = high_c ^ b ^ key[0], low_c, high_a ^ d ^ key[1], low_a
    return [a, b, c, d]


def _product(x: Any, m: np.uint64) -> tuple[Any, Any]:
    """The upper and the lower 64 bits of a product, of products of halves."""
    x_high, x_low, m_high, m_low = x >> _HALF, x & _LOW, m >> _HALF, m & _LOW
    low, middle = x_low * m_low, x_high * m_low
    carried = (low >> _HALF) + (middle & _LOW) + x_low * m_high
    return x_high * m_high + (middle >> _HALF) + (carried >> _HALF), x * m
