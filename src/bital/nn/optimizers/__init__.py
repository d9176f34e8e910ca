"""Optimizers as pure functions of weights, gradients and state.

``init(weights) -> state`` and ``update(gradients, state, weights) -> (weights, state)``. Weights
are any nested container of floating arrays; state is a dict whose ``"iterations"`` counts the
calls and whose other entries ("slots") have the weights' form: one array for each weight, as a
rule of its shape and dtype. Formulas, defaults and the place of epsilon are those of Keras 3.
"""

from bital.nn.optimizers.adaptive import (
    Adam,
    Adamax,
    AdamW,
    Lamb,
    Nadam,
    ScheduleFreeAdamW,
)
from bital.nn.optimizers.base import Optimizer
from bital.nn.optimizers.descent import SGD, Adadelta, Adagrad, Ftrl, Lion, RMSprop
from bital.nn.optimizers.lbfgs import LBFGSResult, minimize_lbfgs
from bital.nn.optimizers.matrices import Adafactor, Muon

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "LBFGSResult",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "ScheduleFreeAdamW",
    "minimize_lbfgs",
]
