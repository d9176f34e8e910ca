"""bital.keras: many batches in one call of fit."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from benchmarks.contenders.bital_keras import network
from benchmarks.problem import BATCH, batch

STEPS = 100  # a call


def prepare() -> Callable[[], float]:
    model = network()
    x, t = batch()
    x, t = np.tile(x, (STEPS, 1)), np.tile(t, STEPS)

    def run() -> float:
        model.fit(x, t, batch_size=BATCH, shuffle=False, verbose=0)
        return math.nan  # it reports a mean over the call

    return run
