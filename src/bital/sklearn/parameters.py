"""Checks of the estimators' parameters, before anything is looked at."""

from __future__ import annotations

import math
from typing import Any

from bital.errors import ArgumentError
from bital.keras import checks, optimizers

RATES = ("constant", "invscaling", "adaptive", "cosine")

_NUMBERS = {  # name: lowest, highest
    "alpha": (0, math.inf),
    "learning_rate_init": (1e-300, math.inf),
    "power_t": (0, math.inf),
    "tol": (0, math.inf),
    "momentum": (0, 1),
    "validation_fraction": (1e-300, 1 - 1e-16),
    "beta_1": (0, 1 - 1e-16),
    "beta_2": (0, 1 - 1e-16),
    "epsilon": (1e-300, math.inf),
}
_BOOLEANS = (
    "shuffle",
    "warm_start",
    "nesterovs_momentum",
    "early_stopping",
    "restore_best",
    "standardize",
)


def check(estimator: Any) -> None:
    """Raise `ArgumentError`, a ValueError, for the first parameter that cannot be meant."""
    who = type(estimator).__name__
    for name, (low, high) in _NUMBERS.items():
        checks.number(who, name, getattr(estimator, name), low, high)
    for name in _BOOLEANS:
        checks.boolean(who, name, getattr(estimator, name))
    checks.choice(who, "learning_rate", estimator.learning_rate, RATES)
    checks.integer(who, "max_iter", estimator.max_iter)
    checks.integer(who, "max_fun", estimator.max_fun)
    if estimator.n_iter_no_change != math.inf:
        checks.integer(who, "n_iter_no_change", estimator.n_iter_no_change)
    if estimator.steps is not None:
        checks.integer(who, "steps", estimator.steps)
    if estimator.batch_size != "auto":
        checks.integer(who, "batch_size", estimator.batch_size)
    solver = estimator.solver
    if isinstance(solver, str) and solver != "lbfgs":
        optimizers.get(solver)
    elif not isinstance(solver, (str, optimizers.Optimizer)):
        raise ArgumentError(
            f"{who}(solver={solver!r}): must be 'adam', 'sgd', 'lbfgs', another name or an "
            "instance of bital.keras.optimizers."
        )
    if is_lbfgs(estimator) and (estimator.early_stopping or estimator.steps is not None):
        raise ArgumentError(
            f"{who}(solver='lbfgs'): takes all samples in each step and ends by itself; "
            "early_stopping and steps belong to the other solvers."
        )


def is_lbfgs(estimator: Any) -> bool:
    """Whether the solver is L-BFGS."""
    return isinstance(estimator.solver, str) and estimator.solver == "lbfgs"
