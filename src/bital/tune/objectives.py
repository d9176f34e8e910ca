"""What a trial does: train with its hyperparameters, report, and give a score."""

from __future__ import annotations

import copy
import inspect
import math
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from bital import keras
from bital.errors import ArgumentError
from bital.keras import random_state
from bital.tune.data import Data, Part, take
from bital.tune.optional import load_optuna, load_sklearn

REPORTS = 50
"""A training reports at most so often: each report is written to the disk."""
TRAINING = ("batch_size", "epochs", "class_weight", "shuffle", "validation_freq")
"""Arguments of a model's fit that can be searched."""


class Outcome(NamedTuple):
    """Scores of the folds, and how many epochs each was trained for (empty where unknown)."""

    scores: list[float]
    epochs: list[int]


class Watch:
    """Hands the scores of a trial that runs to its study, which may end it.

    Reported is the mean over the folds so far, the one that runs included.
    """

    def __init__(self, trial: Any) -> None:
        self._trial = trial
        self._reported = 0
        self.scores: list[float] = []

    def report(self, step: int, score: float) -> None:
        """Report the score of the fold that runs.

        Raises
        ------
        optuna.TrialPruned
            If the study thinks that the trial is not worth going on.
        """
        self._reported += 1
        self._trial.report(float(np.mean([*self.scores, score])), step)
        if self._trial.should_prune():
            raise load_optuna().TrialPruned

    def end_fold(self, score: float, pruning: bool) -> None:
        """Take the score of a fold; report it, if nothing was reported while it was trained."""
        if pruning and not self._reported:
            self.report(len(self.scores), score)
        self._reported = 0
        self.scores.append(score)

    def callback(self, measure: Callable[[dict[str, float]], float]) -> Any:
        """The callback that reports after epochs; it raises where the trial is to end."""
        return Reporter(self, len(self.scores), measure)


class Reporter(keras.callbacks.Callback):
    """Reports a score after epochs: at most 50 times in a training."""

    def __init__(self, watch: Watch, fold: int, measure: Callable[..., float]) -> None:
        self._watch, self._fold, self._measure = watch, fold, measure

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Report."""
        epochs = self.params["epochs"]
        if (epoch + 1) % math.ceil(epochs / REPORTS) == 0:
            self._watch.report(self._fold * epochs + epoch, self._measure(logs or {}))


class ModelObjective:
    """Trials of a function that builds a compiled model.

    Parameters
    ----------
    build : callable
        Takes hyperparameters as keyword arguments, returns a compiled model of `bital.keras`.
    data : Data
    scoring : str or callable or None
        Name of the loss or of a metric in the model's logs, or ``scoring(model, x, y)``.
    arguments : mapping
        Further arguments of ``fit``.
    seed : int
        Of start weights, order and dropout; the fold is added.
    """

    def __init__(
        self, build: Any, data: Data, scoring: Any, arguments: Mapping[str, Any], seed: int
    ) -> None:
        self.build, self.data, self.seed = build, data, seed
        self.scoring = "loss" if scoring is None else scoring
        if isinstance(self.scoring, str):
            self.scoring = self.scoring.removeprefix("val_")
        self.arguments = dict(arguments)
        unfit = set(self.arguments) & {"x", "y", "validation_data", "validation_split", "seed"}
        if unfit:
            raise ArgumentError(
                f"search(fit_params={{{min(unfit)!r}: ...}}): the search gives this to fit itself."
            )
        parameters = inspect.signature(build).parameters
        self._open = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        self._own = {n for n, p in parameters.items() if p.kind is not p.VAR_KEYWORD}

    @property
    def direction(self) -> str:
        """Which way is better.

        Raises
        ------
        ArgumentError
            If the metric is not one of bital's.
        """
        if callable(self.scoring):
            return "maximize"
        if self.scoring == "loss":
            return "minimize"
        known = {"acc": "max", "accuracy": "max"}
        direction = known.get(self.scoring)
        if direction is None:
            try:
                direction = keras.metrics.get(self.scoring).direction
            except ArgumentError:
                direction = None
        if direction is None:
            raise ArgumentError(
                f"search(scoring={self.scoring!r}): whether more or less of it is better is not "
                "known. Write direction='maximize' or 'minimize'."
            )
        return f"{direction}imize"

    def check(self, names: Any) -> None:
        """Refuse hyperparameters that neither the function nor ``fit`` takes."""
        for name in names:
            if not (name in self._own or name in TRAINING or self._open):
                raise ArgumentError(
                    f"search(space={{{name!r}: ...}}): {self._name} takes "
                    f"{', '.join(sorted(self._own)) or 'nothing'}, and fit "
                    f"{', '.join(TRAINING)}."
                )

    def describe(self) -> dict[str, Any]:
        """What a study keeps to know the search again."""
        return {"learner": self._name, "scoring": _name(self.scoring)}

    def evaluate(self, params: dict[str, Any], watch: Watch, pruning: bool) -> Outcome:
        """Train and score a model for each fold.

        Raises
        ------
        optuna.TrialPruned
            If the study ends the trial.
        """
        epochs = []
        for fold in range(len(self.data)):
            part = self.data.part(fold)
            with seeded(self.seed + fold):
                model, rest = self.build_model(params)
                measure = partial(self.measure, model, part)
                reporting = [watch.callback(measure)] if pruning else []
                epochs.append(self._fit(model, rest, part, reporting, fold))
            watch.end_fold(self.score(model, part), pruning)
        return Outcome(watch.scores, epochs)

    def refit(self, params: dict[str, Any], epochs: list[int]) -> Any:
        """Train on all samples: as in the trial, or for the mean number of its folds' epochs."""
        with seeded(self.seed):
            model, rest = self.build_model(params)
            part = Part(self.data.x, self.data.y, None, None, None)
            if self.data.validation is not None:
                part = self.data.part(0)
            elif epochs:
                rest = {**rest, "epochs": max(1, round(float(np.mean(epochs))))}
            self._fit(model, rest, part, [], 0)
        return model

    @property
    def _name(self) -> str:
        return _name(self.build)

    def build_model(self, params: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The model, and the hyperparameters that ``fit`` takes."""
        rest = {n: v for n, v in params.items() if n in TRAINING}
        self.check(params)
        own = {n: v for n, v in params.items() if n in self._own or n not in rest}
        model = self.build(**own)
        if not hasattr(model, "fit") or getattr(model, "optimizer", None) is None:
            raise ArgumentError(
                f"search: {self._name} returned {type(model).__name__}; it must return a model "
                "of bital.keras that has been compiled."
            )
        return model, rest

    def _fit(
        self, model: Any, rest: dict[str, Any], part: Part, reporting: list[Any], fold: int
    ) -> int:
        """Train; return the number of the epoch, from 1, whose weights the model has."""
        arguments = {"verbose": 0, **self.arguments, **rest}
        callbacks = copy.deepcopy(list(arguments.pop("callbacks", None) or []))
        weights = arguments.get("sample_weight")
        if weights is not None and part.rows is not None:
            arguments["sample_weight"] = take(weights, part.rows)
        if part.x_val is not None:
            arguments["validation_data"] = (part.x_val, part.y_val)
        else:  # nothing is held out where the best one is trained on everything
            callbacks = [c for c in callbacks if not _watches_validation(c)]
        history = model.fit(
            part.x, part.y, seed=self.seed + fold, callbacks=[*callbacks, *reporting], **arguments
        )
        return kept_epochs(callbacks, history)

    def measure(self, model: Any, part: Any, logs: dict[str, float]) -> float:
        """The score after an epoch."""
        if callable(self.scoring):
            return float(self.scoring(model, part.x_val, part.y_val))
        return self._found(logs, f"val_{self.scoring}")

    def score(self, model: Any, part: Part) -> float:
        if callable(self.scoring):
            return float(self.scoring(model, part.x_val, part.y_val))
        found = model.evaluate(part.x_val, part.y_val, verbose=0, return_dict=True)
        return self._found(found, self.scoring)

    def _found(self, logs: dict[str, float], name: str) -> float:
        if name not in logs:
            known = ", ".join(sorted({key.removeprefix("val_") for key in logs}))
            raise ArgumentError(
                f"search(scoring={self.scoring!r}): the model measures {known}. Give compile this "
                "metric, or name one of these."
            )
        return float(logs[name])


class EstimatorObjective:
    """Trials of an estimator with scikit-learn's methods, a pipeline too.

    Parameters
    ----------
    estimator
        It is cloned for each fold.
    data : Data
    scoring : str or callable or None
        As in scikit-learn; default: the estimator's own ``score``.
    arguments : mapping
        Further arguments of ``fit``.
    """

    direction = "maximize"

    def __init__(
        self, estimator: Any, data: Data, scoring: Any, arguments: Mapping[str, Any]
    ) -> None:
        self.estimator, self.data, self.scoring = estimator, data, scoring
        self.arguments = dict(arguments)
        metrics = load_sklearn("metrics", "A search over an estimator")
        self._scorer = metrics.check_scoring(estimator, scoring=scoring)

    def check(self, names: Any) -> None:
        """Refuse hyperparameters that the estimator does not have."""
        known = self.estimator.get_params()
        for name in names:
            if name not in known:
                raise ArgumentError(
                    f"search(space={{{name!r}: ...}}): {type(self.estimator).__name__} has no "
                    f"such parameter. It has {', '.join(sorted(known))}."
                )

    def describe(self) -> dict[str, Any]:
        """What a study keeps to know the search again."""
        given = {name: repr(value) for name, value in self.estimator.get_params().items()}
        stable = {name: text for name, text in given.items() if " at 0x" not in text}
        kind = type(self.estimator).__name__
        return {"learner": kind, "parameters": stable, "scoring": _name(self.scoring)}

    def evaluate(self, params: dict[str, Any], watch: Watch, pruning: bool) -> Outcome:
        """Fit and score a clone for each fold.

        Raises
        ------
        optuna.TrialPruned
            If the study ends the trial.
        """
        for fold in range(len(self.data)):
            part = self.data.part(fold)
            fitted = self._clone(params)
            arguments = self._arguments(part)
            final, x, x_val = fitted, part.x, part.x_val
            if getattr(fitted, "memory", 0) is None and hasattr(fitted[-1], "_begin"):
                final, (x, x_val) = fitted[-1], _prepared(fitted[:-1], part)
            if pruning and hasattr(final, "_begin") and set(arguments) <= {"sample_weight"}:
                self._fit_in_epochs(final, x, x_val, part, arguments, watch)
            else:
                fitted.fit(part.x, part.y, **arguments)
            watch.end_fold(float(self._scorer(fitted, part.x_val, part.y_val)), pruning)
        return Outcome(watch.scores, [])

    def refit(self, params: dict[str, Any], epochs: list[int]) -> Any:
        """Fit a clone to all samples."""
        del epochs
        whole = Part(self.data.x, self.data.y, None, None, None)
        return self._clone(params).fit(self.data.x, self.data.y, **self._arguments(whole))

    def _clone(self, params: dict[str, Any]) -> Any:
        clone = load_sklearn("base", "A search over an estimator").clone
        return clone(self.estimator).set_params(
            **{n: clone(v, safe=False) for n, v in params.items()}
        )

    def _arguments(self, part: Part) -> dict[str, Any]:
        """The arguments of ``fit``; what has a value for each sample is cut too."""
        if part.rows is None:
            return dict(self.arguments)
        n = len(self.data.y)
        return {
            name: take(value, part.rows) if np.ndim(value) and len(value) == n else value
            for name, value in self.arguments.items()
        }

    def _fit_in_epochs(
        self, final: Any, x: Any, x_val: Any, part: Part, arguments: dict[str, Any], watch: Watch
    ) -> None:
        """What ``final.fit`` does, with a callback more."""
        training = final._begin(x, part.y, **arguments)

        def measure(_logs: dict[str, float]) -> float:
            final.model_ = training.model
            return float(self._scorer(final, x_val, part.y_val))

        callbacks = [*(training.arguments.get("callbacks") or []), watch.callback(measure)]
        training.arguments["callbacks"] = callbacks
        training.run()
        final._end(training)


def _prepared(steps: Any, part: Part) -> tuple[Any, Any]:
    """The data of a fold behind the steps of a pipeline before its last, which are fitted."""
    if not len(steps):
        return part.x, part.x_val
    return steps.fit_transform(part.x, part.y), steps.transform(part.x_val)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within the block every generator without a seed starts from this one; then as before."""
    before = random.getstate(), np.random.get_state(), random_state.get_state()
    keras.utils.set_random_seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        random_state.set_state(before[2])


def kept_epochs(callbacks: list[Any], history: Any) -> int:
    """The number of the epoch, from 1, whose weights a model has after its training."""
    for callback in callbacks:
        if getattr(callback, "best_weights", None) is not None:
            return int(callback.best_epoch) + 1
    return len(history.epoch)


def _name(item: Any) -> Any:
    if item is None or isinstance(item, str):
        return item
    return getattr(item, "__qualname__", type(item).__name__)


def _watches_validation(callback: Any) -> bool:
    return str(getattr(callback, "monitor", "")).startswith("val_")
