"""Libraries that only a search needs, imported at first use."""

from __future__ import annotations

import importlib
from typing import Any

from bital.errors import MissingExtraError


def load_optuna() -> Any:
    """Import Optuna.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    return _load("optuna", "A search")


def endings() -> tuple[type[Exception], ...]:
    """What Optuna raises where a trial is over: pruned, or ended by another process.

    Optuna 4.0 raises a RuntimeError for the second, which is not told from one of the user's.
    """
    optuna = load_optuna()
    ended = getattr(optuna.exceptions, "UpdateFinishedTrialError", optuna.TrialPruned)
    return optuna.TrialPruned, ended


def load_sklearn(name: str, why: str) -> Any:
    """Import a module of scikit-learn.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    return _load(f"sklearn.{name}", why)


def load_joblib() -> Any:
    """Import joblib, which starts the workers.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    return _load("joblib", "A search with n_jobs > 1")


def _load(name: str, why: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = {"sklearn": "scikit-learn"}.get(name.split(".")[0], name.split(".")[0])
        raise MissingExtraError(
            f"{why} needs {package}, which is not installed: pip install {package}, or install "
            'bital with its extra "tune".'
        ) from error
