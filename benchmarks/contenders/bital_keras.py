"""bital.keras: ``fit`` over all batches, and ``predict``."""

from __future__ import annotations

from typing import Any, ClassVar

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


class ConvNet(Network):
    """Layers as Keras has them."""

    CASES: ClassVar = {"fit": ("fit",)}

    def __init__(self, workload: Workload, variant: str) -> None:
        contenders.Network.__init__(self, workload, variant)
        act = workload.activation
        layers: list[Any] = [keras.Input((workload.side, workload.side, 1))]
        for filters in workload.filters:
            if workload.normalized:
                layers += [
                    keras.layers.Conv2D(filters, 3),
                    keras.layers.BatchNormalization(),
                    keras.layers.Activation(act),
                ]
            else:
                layers.append(keras.layers.Conv2D(filters, 3, activation=act))
            layers.append(keras.layers.MaxPooling2D(2))
        layers.append(keras.layers.Flatten())
        layers += [keras.layers.Dense(n, act) for n in workload.sizes[1:-1]]
        layers.append(keras.layers.Dense(workload.sizes[-1], "softmax"))
        self.model = keras.Sequential(layers)
        self.model.compile(
            keras.optimizers.Adam(workload.rate, epsilon=EPSILON),
            "sparse_categorical_crossentropy",
        )
        for variable, value in zip(
            self.model.trainable_variables, initial_weights(workload), strict=True
        ):
            variable.assign(value)

    def weights(self) -> Arrays:
        return [np.array(variable) for variable in self.model.trainable_variables]
