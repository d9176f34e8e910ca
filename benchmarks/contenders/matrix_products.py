"""The floor: the matrix products of a training step and nothing else; ``FLOOR`` names the BLAS."""

from __future__ import annotations

import itertools
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
        self._prepare(products)

    def _prepare(self, products: list[Any]) -> None:
        if BLAS == "numpy":
            self.call, self.products = np.matmul, products
        else:
            from scipy.linalg.blas import sgemm

            self.call, self.products = sgemm, [_transposed(*product) for product in products]

    def step(self, x: np.ndarray, t: np.ndarray) -> None:
        for arguments in self.products:
            self.call(*arguments)


class ConvNet(Network):
    """Convolutions as products with matrices of patches, which lie there already."""

    def __init__(self, workload: Workload, variant: str) -> None:
        contenders.Network.__init__(self, workload, variant)
        shapes = []
        side, channels = workload.side, 1
        for filters in workload.filters:
            shapes.append((workload.batch * (side - 2) ** 2, 9 * channels, filters))
            side, channels = (side - 2) // 2, filters
        shapes += [(workload.batch, *sizes) for sizes in itertools.pairwise(workload.dense_sizes)]
        rng = np.random.default_rng(0)
        products: list[Any] = []
        for number, (rows, inner, columns) in enumerate(shapes):
            x, w = (rng.random(shape, np.float32) for shape in ((rows, inner), (inner, columns)))
            delta = rng.random((rows, columns), np.float32)
            products += [(x, w, np.empty_like(delta)), (x.T, delta, np.empty_like(w))]
            if number:
                products.append((delta, w.T, np.empty_like(x)))
        self._prepare(products)


def _transposed(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> tuple[Any, ...]:
    """Arguments of BLAS for ``c = a @ b``: it counts columns first, so ``c.T = b.T @ a.T``."""
    left, right = b.T, a.T
    flip = [not side.flags.f_contiguous for side in (left, right)]
    left, right = (s.T if f else s for s, f in zip((left, right), flip, strict=True))
    return (1.0, left, right, 0.0, c.T, *flip, True)
