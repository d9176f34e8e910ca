"""The floor: the matrix products of a training step and nothing else, by NumPy's BLAS."""

from __future__ import annotations

import numpy as np

from benchmarks import sequences as data


class Network:
    def __init__(self, network: str) -> None:
        self.products: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        if network == "transformer":
            tokens, dim = data.ROWS * data.TOKENS, data.DIM
            sizes = [(dim, 3 * dim), (dim, dim), (dim, 4 * dim), (4 * dim, dim)] * data.LAYERS
            for rows, columns in [*sizes, (dim, data.VOCABULARY)]:
                self._add((), tokens, rows, columns)
            many = (data.ROWS * data.HEADS,)
            for _ in range(data.LAYERS):
                self._add(many, data.TOKENS, dim // data.HEADS, data.TOKENS)
                self._add(many, data.TOKENS, data.TOKENS, dim // data.HEADS)
            return
        columns = data.UNITS * (4 if network == "lstm" else 3)
        for _ in range(data.STEPS):
            self._add((), data.BATCH, data.UNITS, columns)
        self._add((), data.STEPS * data.BATCH, data.FEATURES, columns, last=False)
        self._add((), data.BATCH, data.UNITS, data.CLASSES)

    def _add(self, many: tuple[int, ...], m: int, k: int, n: int, last: bool = True) -> None:
        """``x @ w``, and the slopes of w and, unless x is the input, of x."""
        rng = np.random.default_rng(0)
        x, w, y = (rng.random((*many, *s), np.float32) for s in ((m, k), (k, n), (m, n)))
        self.products.append((x, w, np.empty_like(y)))
        self.products.append((np.swapaxes(x, -1, -2), y, np.empty_like(w)))
        if last:
            self.products.append((y, np.swapaxes(w, -1, -2), np.empty_like(x)))

    def step(self) -> None:
        for x, w, y in self.products:
            np.matmul(x, w, out=y)

    def finish(self) -> None:
        pass

    def loss(self) -> None:
        return None
