"""Numbers that XLA, left to itself, would change."""

from __future__ import annotations

import numpy as np
import pytest

import bital

jax = pytest.importorskip("jax", reason="the xla executor needs JAX")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_divisors_that_are_numbers_rows_or_columns_divide(dtype: str) -> None:
    """A product with the reciprocal would make 0.99 of 49 / 49."""
    x = np.arange(1, 101, dtype=dtype)
    table = x[:, np.newaxis] * x
    divide = bital.jit(lambda a: (a / 49, a / a[0], a / a[:, :1], a / a.sum()), executor="xla")
    want = table / 49, table / table[0], table / table[:, :1], table / table.sum()
    for got, expected in zip(divide(table), want, strict=True):
        np.testing.assert_array_equal(got, expected)
