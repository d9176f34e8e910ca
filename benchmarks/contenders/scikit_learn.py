"""scikit-learn: MLPClassifier, one call of partial_fit with one batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.problem import BATCH, LEARNING_RATE, SIZES, batch, weights


def classifier(**options: object) -> MLPClassifier:
    """Plain SGD from the common weights."""
    model = MLPClassifier(
        SIZES[1:-1],
        solver="sgd",
        batch_size=BATCH,
        learning_rate_init=LEARNING_RATE,
        alpha=0.0,
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=False,
        **options,
    )
    model.partial_fit(*batch(), classes=np.arange(SIZES[-1]))
    model.coefs_[:] = weights()[::2]
    model.intercepts_[:] = weights()[1::2]
    return model


def prepare() -> Callable[[], float]:
    model = classifier()
    x, t = batch()

    def run() -> float:
        model.partial_fit(x, t)
        return float(model.loss_)

    return run
