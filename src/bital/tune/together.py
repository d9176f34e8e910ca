"""Several trials at once: their networks, and those of their folds, as one program (`fit_many`)."""

from __future__ import annotations

import copy
import math
import threading
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from bital import keras
from bital.errors import ArgumentError, NonFiniteLossError
from bital.tune.objectives import REPORTS, ModelObjective, Outcome, Watch, kept_epochs, seeded
from bital.tune.optional import endings

TAKEN = {"batch_size", "epochs", "class_weight", "sample_weight", "shuffle", "steps_per_epoch"}
"""Arguments of ``fit`` that ``fit_many`` has too."""


class Network:
    """One fold of one trial."""

    def __init__(self, task: int, fold: int, model: Any, arguments: dict[str, Any]) -> None:
        self.task, self.fold, self.model, self.arguments = task, fold, model, arguments
        self.callbacks: list[Any] = []

    @property
    def kind(self) -> str:
        """Text that is equal for networks that can be one program."""
        arguments = {n: v for n, v in self.arguments.items() if n not in ("sample_weight",)}
        shapes = [w.shape for w in self.model.weights]
        try:
            config = _without_floats(self.model.get_config())
        except (NotImplementedError, ArgumentError):
            config = id(self.model)
        return repr((sorted(map(repr, arguments.items())), shapes, config))


def evaluate(
    objective: ModelObjective, asked: Sequence[tuple[dict[str, Any], Watch]], pruning: bool
) -> list[Outcome | Exception]:
    """Train and score trials at once; return what each came to.

    Networks that cannot be one program are trained one after the other, as by
    `ModelObjective.evaluate`. Exceptions that end one trial (pruned, a loss that is not finite) are
    returned, others raised.
    """
    kinds: dict[str, list[Network]] = {}
    for task, (params, _) in enumerate(asked):
        folds = range(len(objective.data))
        networks = [Network(task, fold, *_built(objective, params, fold)) for fold in folds]
        kinds.setdefault(networks[0].kind, []).extend(networks)
    found: dict[int, Outcome | Exception] = {}
    for group in kinds.values():
        try:
            found |= _train(objective, group, asked, pruning)
        except ArgumentError:
            for task in dict.fromkeys(network.task for network in group):
                found[task] = alone(objective, *asked[task], pruning)
    return [found[task] for task in range(len(asked))]


def alone(
    objective: Any, params: dict[str, Any], watch: Watch, pruning: bool
) -> Outcome | Exception:
    """Train and score one trial; return what it came to."""
    try:
        return objective.evaluate(params, watch, pruning)
    except (*endings(), NonFiniteLossError) as error:
        return error


def _built(
    objective: ModelObjective, params: dict[str, Any], fold: int
) -> tuple[Any, dict[str, Any]]:
    with seeded(objective.seed + fold):
        model, chosen = objective.build_model(params)
    return model, {**objective.arguments, **chosen}


def _train(
    objective: ModelObjective,
    group: list[Network],
    asked: Sequence[tuple[dict[str, Any], Watch]],
    pruning: bool,
) -> dict[int, Outcome | Exception]:
    data = objective.data
    arguments = {n: v for n, v in group[0].arguments.items() if n not in ("verbose", "callbacks")}
    if set(arguments) - TAKEN or not all(network.model.built for network in group):
        raise ArgumentError(f"fit_many does not take {sorted(set(arguments) - TAKEN)}.")
    watched = {n.task: _Joined(asked[n.task][1], len(data)) for n in group}

    def callbacks(number: int) -> list[Any]:
        network = group[number]
        network.callbacks = copy.deepcopy(list(network.arguments.get("callbacks") or []))
        reporter = _FoldReporter(objective, network, watched[network.task])
        return [*network.callbacks, reporter] if pruning else network.callbacks

    if data.validation is None:
        arguments["rows"] = [data.rows[n.fold][0] for n in group]
        arguments["validation_rows"] = [data.rows[n.fold][1] for n in group]
    else:
        arguments["validation_data"] = data.validation
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fit_many: the losses", RuntimeWarning)
        keras.fit_many([n.model for n in group], data.x, data.y, callbacks=callbacks,
                       seeds=[objective.seed + n.fold for n in group], **arguments)  # fmt: skip
    by_task: dict[int, list[Network]] = {}
    for network in group:
        by_task.setdefault(network.task, []).append(network)
    return {
        task: watched[task].error or _scored(objective, networks, asked[task][1])
        for task, networks in by_task.items()
    }


def _scored(
    objective: ModelObjective, networks: list[Network], watch: Watch
) -> Outcome | Exception:
    epochs = []
    for network in networks:
        losses = network.model.history.history["loss"]
        if not np.isfinite(losses[-1]):
            return NonFiniteLossError(f"the loss became {losses[-1]} in epoch {len(losses)}")
        part = objective.data.part(network.fold)
        watch.end_fold(objective.score(network.model, part), pruning=False)
        epochs.append(kept_epochs(network.callbacks, network.model.history))
    return Outcome(watch.scores, epochs)


class _Joined:
    """The folds of a trial that are trained at once: after each epoch their mean is reported."""

    def __init__(self, watch: Watch, folds: int) -> None:
        self._watch = watch
        self._lock = threading.Lock()
        self._seen: list[list[float]] = [[] for _ in range(folds)]
        self._ended = [False] * folds
        self._reported = 0
        self.error: Exception | None = None

    def tell(self, fold: int, score: float, epochs: int) -> None:
        """Take the score of a fold after its next epoch."""
        with self._lock:
            self._seen[fold].append(score)
            self._report(epochs)

    def end(self, fold: int, epochs: int) -> None:
        """A fold has been trained; from now on its last score counts."""
        with self._lock:
            self._ended[fold] = True
            self._report(epochs)

    def _report(self, epochs: int) -> None:
        while self.error is None and all(self._seen) and not all(self._ended):
            step = self._reported
            if any(len(s) <= step and not end
                   for s, end in zip(self._seen, self._ended, strict=True)):  # fmt: skip
                return
            self._reported += 1
            mean = float(np.mean([s[min(step, len(s) - 1)] for s in self._seen]))
            if (step + 1) % math.ceil(epochs / REPORTS) == 0:
                try:
                    self._watch.report(step, mean)
                except endings() as error:
                    self.error = error


class _FoldReporter(keras.callbacks.Callback):
    """Reports the epochs of one fold; ends it where its trial has been ended."""

    def __init__(self, objective: ModelObjective, network: Network, joined: _Joined) -> None:
        self._objective, self._network, self._joined = objective, network, joined
        self._part = objective.data.part(network.fold) if callable(objective.scoring) else None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Report, and stop if the trial is over."""
        score = self._objective.measure(self.model, self._part, logs or {})
        self._joined.tell(self._network.fold, score, self.params["epochs"])
        if self._joined.error is not None:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Let the others go on without this fold."""
        self._joined.end(self._network.fold, self.params["epochs"])


def _without_floats(item: Any) -> Any:
    """A configuration without names, and without the numbers that networks may differ in."""
    if isinstance(item, dict):
        return {n: _without_floats(v) for n, v in sorted(item.items()) if n != "name"}
    if isinstance(item, (list, tuple)):
        return [_without_floats(each) for each in item]
    return "number" if isinstance(item, float) else repr(item)
