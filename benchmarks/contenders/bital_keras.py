"""bital.keras: ``fit`` over all batches, and ``predict``."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from benchmarks import contenders
from benchmarks.contenders import bital_executor
from benchmarks.workloads import EPSILON, Arrays, Workload, initial_weights
from bital import keras

bital_executor.require()


class Network(contenders.Network):
    CASES: ClassVar = {"fit": ("fit",), "predict": ("predict",)}

    def __init__(self, workload: Workload, variant: str) -> None:
        super().__init__(workload, variant)
        sizes = workload.sizes
        self.model = keras.Sequential(
            [
                keras.Input((sizes[0],)),
                *(keras.layers.Dense(n, workload.activation) for n in sizes[1:-1]),
                keras.layers.Dense(sizes[-1], "softmax"),
            ]
        )
        rule = keras.optimizers.SGD(workload.rate)
        if workload.optimizer == "adam":
            rule = keras.optimizers.Adam(workload.rate, epsilon=EPSILON)
        self.model.compile(rule, "sparse_categorical_crossentropy")
        self.model.set_weights(initial_weights(workload))

    def fit(self, x: np.ndarray, t: np.ndarray) -> None:
        self.model.fit(x, t, batch_size=self.workload.batch, shuffle=False, verbose=0)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict(x, verbose=0)

    def weights(self) -> Arrays:
        return self.model.get_weights()
