"""Random numbers: others in each run, and the same in every session where a seed is set."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital import random
from bital.tf1.operation import Index, Key, Value, operation


@operation("RandomStandardNormal")
def random_normal(
    shape: Index,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: Any = "float32",
    seed: int | None = None,
    *,
    key: Key,
) -> Value:
    """Normally distributed numbers."""
    return np.dtype(dtype).type(mean) + random.normal(key, tuple(shape), dtype) * np.dtype(
        dtype
    ).type(stddev)


@operation("TruncatedNormal")
def truncated_normal(
    shape: Index,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: Any = "float32",
    seed: int | None = None,
    *,
    key: Key,
) -> Value:
    """Normally distributed numbers, none more than two standard deviations from the mean."""
    kind = np.dtype(dtype).type
    return kind(mean) + random.truncated_normal(key, -2, 2, tuple(shape), dtype) * kind(stddev)


@operation("RandomUniform")
def random_uniform(
    shape: Index,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = "float32",
    seed: int | None = None,
    *,
    key: Key,
) -> Value:
    """Uniformly distributed numbers, from minval up to and without maxval."""
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        if maxval is None:
            raise ValueError("random_uniform of integers needs maxval")
        return random.randint(key, minval, maxval, tuple(shape), dtype)
    return random.uniform(key, tuple(shape), kind, minval, 1 if maxval is None else maxval)


@operation("RandomShuffle")
def random_shuffle(value: Value, seed: int | None = None, *, key: Key) -> Value:
    """The rows of a tensor in another order."""
    return random.permutation(key, value)
