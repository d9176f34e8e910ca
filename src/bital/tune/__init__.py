"""Search for hyperparameters, on Optuna: see docs/tuning.md."""

from bital.tune.result import Result, Trial
from bital.tune.searching import search
from bital.tune.space import Log, Space

__all__ = ["Log", "Result", "Space", "Trial", "search"]
