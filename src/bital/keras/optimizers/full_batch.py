"""L-BFGS for models: the whole data set in every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import bital
from bital.keras import random_state
from bital.keras.variables import arrays_of, commit
from bital.nn.optimizers import LBFGSResult, minimize_lbfgs


def fit_lbfgs(
    model: Any,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    max_iterations: int = 200,
    tolerance: float = 1e-5,
    memory: int = 10,
    callback: Callable[[int, float], Any] | None = None,
    seed: int | None = None,
    max_evaluations: int | None = None,
) -> LBFGSResult:
    """Train a compiled model on all samples at once by L-BFGS, in place of ``fit``.

    For small networks and data sets: no learning rate, few iterations, a precise end. Each
    evaluation is one call of a compiled program on all samples. The optimizer that the model was
    compiled with is left as it is. Layers compute as in training; what is random in them, as in
    ``Dropout``, is drawn once.

    Parameters
    ----------
    model : Model
        Compiled with a loss.
    x, y, sample_weight
        As in ``fit``: arrays.
    max_iterations, tolerance, memory, callback
        See ``bital.nn.optimizers.minimize_lbfgs``.
    seed : int, optional
        Of what is random in layers; as in ``fit``.
    max_evaluations : int, optional
        See ``bital.nn.optimizers.minimize_lbfgs``.

    Returns
    -------
    LBFGSResult
        The model's trainable weights are then ``weights``.

    Raises
    ------
    DataError, ShapeError, ModelStateError
        As ``fit``.

    Examples
    --------
    >>> import numpy as np
    >>> from bital import keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], dtype="float64")
    >>> model.compile(loss="mse")
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    >>> keras.optimizers.fit_lbfgs(model, x, x @ [3.0, -2.0] + 0.5, tolerance=1e-9).converged
    True
    >>> model.get_weights()[1].round(6)
    array([0.5])
    """
    from bital.keras.models import data  # models import this package

    samples = model._data("fit_lbfgs", x, y, sample_weight).in_place(model.dtype)
    model._require_trainable("fit_lbfgs")
    steps = model._steps()
    placing = data.Placing(model.executor)
    arrays, others = placing.resident(samples.whole()), arrays_of(steps.others)

    def made(steps: Any) -> Any:
        def loss(weights: Any, arrays: Any, others: Any, key: Any) -> Any:
            inputs, targets, counts = arrays
            inputs = steps.model._as_inputs(inputs)
            with steps.model._lock, random_state.keys(key, np.uint64(0)):
                return steps._forward(weights, others, inputs, targets, counts, True)[0]

        return model._jit(bital.value_and_grad(loss))

    key = bital.random.key(random_state.fresh_seed() if seed is None else seed)
    slope = model._shared_over("lbfgs", steps, made)
    found = minimize_lbfgs(
        lambda weights: slope(weights, arrays, others, key),
        arrays_of(steps.trainable),
        max_iterations,
        tolerance,
        memory,
        callback,
        max_evaluations,
    )
    commit(steps.trainable, found.weights)
    return found
