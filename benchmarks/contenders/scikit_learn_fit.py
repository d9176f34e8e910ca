"""scikit-learn: MLPClassifier, many batches in one call of fit: its quickest way."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from benchmarks.contenders.scikit_learn import classifier
from benchmarks.problem import batch

STEPS = 100  # a call


def prepare() -> Callable[[], float]:
    warnings.simplefilter("ignore", ConvergenceWarning)  # one epoch is what is wanted
    model = classifier(max_iter=1, warm_start=True)
    x, t = batch()
    x, t = np.tile(x, (STEPS, 1)), np.tile(t, STEPS)

    def run() -> float:
        model.fit(x, t)
        return math.nan  # it reports a mean over the call

    return run
