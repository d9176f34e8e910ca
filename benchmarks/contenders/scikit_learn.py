"""scikit-learn: MLPClassifier, ``fit`` for one epoch and ``partial_fit`` for one batch."""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks import contenders
from benchmarks.workloads import EPSILON, Arrays, Workload, initial_weights

ACTIVATIONS = {"relu": "relu", "sigmoid": "logistic", "tanh": "tanh"}
warnings.simplefilter("ignore", ConvergenceWarning)  # one epoch is what is wanted


class Network(contenders.Network):
    CASES: ClassVar = {"fit": ("fit",), "step": ("partial_fit",), "predict": ("predict_proba",)}

    def __init__(self, workload: Workload, variant: str) -> None:
        super().__init__(workload, variant)
        sizes = workload.sizes
        self.model = MLPClassifier(
            sizes[1:-1],
            activation=ACTIVATIONS[workload.activation],
            solver=workload.optimizer,
            alpha=0.0,
            batch_size=workload.batch,
            learning_rate_init=workload.rate,
            momentum=0.0,
            nesterovs_momentum=False,
            epsilon=EPSILON,
            shuffle=False,
            max_iter=1,
            warm_start=variant == "fit",
        )
        # It makes its weights at the first batch; the common ones then take their place.
        classes = np.arange(sizes[-1])
        rows = max(workload.batch, len(classes))
        x = np.zeros((rows, sizes[0]), np.float32)
        self.model.partial_fit(x, np.resize(classes, rows), classes=classes)
        values = initial_weights(workload)
        self.model.coefs_[:], self.model.intercepts_[:] = values[::2], values[1::2]
        del self.model._optimizer  # it counted that batch, and holds the weights replaced

    def step(self, x: np.ndarray, t: np.ndarray) -> None:
        self.model.partial_fit(x, t)

    def fit(self, x: np.ndarray, t: np.ndarray) -> None:
        self.model.fit(x, t)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(x)

    def weights(self) -> Arrays:
        pairs = zip(self.model.coefs_, self.model.intercepts_, strict=True)
        return [array for pair in pairs for array in pair]
