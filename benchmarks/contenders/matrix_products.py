"""The floor: the matrix products of a training step and nothing else; ``FLOOR`` names the BLAS."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np

from benchmarks import contenders
from benchmarks.workloads import Workload, initial_weights

BLAS = os.environ.get("FLOOR", "numpy")


class Network(contenders.Network):
    CASES: ClassVar = {"step": ("matmul, out=" if BLAS == "numpy" else "sgemm",)}

    def __init__(self, workload: Workload, variant: str) -> None:
        super().__init__(workload, variant)
        weights = initial_weights(workload)[::2]
        rng = np.random.default_rng(0)
        outputs = [rng.random((workload.batch, n), np.float32) for n in workload.sizes]
        deltas = [np.empty_like(h) for h in outputs]
        last = len(weights) - 1
        products = [(outputs[i], w, deltas[i + 1]) for i, w in enumerate(weights)]
        for i in range(last, -1, -1):
            products.append((outputs[i].T, outputs[i + 1], np.empty_like(weights[i])))
            if i:
                products.append((outputs[i + 1], weights[i].T, deltas[i]))
        if BLAS == "numpy":
            self.call, self.products = np.matmul, products
        else:
            from scipy.linalg.blas import sgemm

            self.call, self.products = sgemm, [_transposed(*product) for product in products]

    def step(self, x: np.ndarray, t: np.ndarray) -> None:
        for arguments in self.products:
            self.call(*arguments)


def _transposed(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> tuple[Any, ...]:
    """Arguments of BLAS for ``c = a @ b``: it counts columns first, so ``c.T = b.T @ a.T``."""
    left, right = b.T, a.T
    flip = [not side.flags.f_contiguous for side in (left, right)]
    left, right = (s.T if f else s for s, f in zip((left, right), flip, strict=True))
    return (1.0, left, right, 0.0, c.T, *flip, True)
