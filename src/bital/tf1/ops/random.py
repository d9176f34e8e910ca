"""Random numbers: others in each run, and the same in every session where a seed is set."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital import random
from bital.graphs.operation import Any_, Index, Key, Value
from bital.tf1.ops import exported, op, traced


@op("RandomStandardNormal", "random_normal")
def random_normal(shape: Index, mean=0.0, stddev=1.0, dtype="float32", seed=None, *,
                  key: Key) -> Value:  # fmt: skip
    """Normally distributed numbers."""
    kind = np.dtype(dtype).type
    return kind(mean) + kind(stddev) * random.normal(key, tuple(shape), dtype)


@op("TruncatedNormal", "truncated_normal")
def truncated_normal(shape: Index, mean=0.0, stddev=1.0, dtype="float32", seed=None, *,
                     key: Key) -> Value:  # fmt: skip
    """Normally distributed numbers, none more than two standard deviations from the mean."""
    kind = np.dtype(dtype).type
    return kind(mean) + kind(stddev) * random.truncated_normal(key, -2, 2, tuple(shape), dtype)


@op("RandomUniform", "random_uniform")
def random_uniform(shape: Index, minval=0, maxval=None, dtype="float32", seed=None, *,
                   key: Key) -> Value:  # fmt: skip
    """Uniformly distributed numbers, from minval up to and without maxval."""
    if np.dtype(dtype).kind == "f":
        top = 1 if maxval is None else maxval
        return random.uniform(key, tuple(shape), dtype, minval, top)
    if maxval is None:
        raise ValueError("random_uniform of integers needs maxval")
    return random.randint(key, tuple(shape), minval, maxval, dtype)


@op("RandomShuffle")
def random_shuffle(value: Any_, seed: Any = None, *, key: Key) -> Any_:
    """The rows of a tensor in another order."""
    return random.permutation(key, value)


@op("Multinomial", "multinomial")
def multinomial(logits: Value, num_samples: int, seed: Any = None, *, key: Key) -> Index:
    """Indices drawn with probabilities ``softmax(logits)``: ``(batch, n) -> (batch, samples)``."""
    return random.categorical(key, logits, shape=(num_samples, logits.shape[0])).T


@op("RandomCrop", "random_crop")
def random_crop(value: Any_, size: Index, seed: Any = None, *, key: Key) -> Any_:
    """A block of this size from a random place."""
    for axis, (length, whole) in enumerate(zip(tuple(size), value.shape, strict=True)):
        start = random.randint(random.fold_in(key, axis), (), 0, whole - length + 1)
        value = np.take(traced(value, start), start + np.arange(length), axis)
    return value


__all__ = exported(dict(globals()))
