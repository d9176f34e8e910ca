"""One training of an estimator: what `_begin` makes, the model runs and `_end` reads."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from bital.keras import optimizers
from bital.keras.callbacks import Callback


class Progress(Callback):
    """Follows one value, changes the learning rate, ends training, keeps the best weights.

    An epoch counts as better by scikit-learn's rule: the loss falls by more than ``tol``, or the
    score rises by ``tol``. More than ``patience`` epochs in a row without that are the end. It
    goes on from one training to the next, as ``partial_fit`` needs it.

    Parameters
    ----------
    monitor : str
        Name of the value in the logs.
    score : bool
        Whether more of it is better.
    tol, patience : float
    rates : {"constant", "invscaling", "adaptive", "cosine"}
    power : float
        Exponent of "invscaling".
    restore : bool
        Whether the best weights are put back at the end.
    """

    def __init__(
        self,
        monitor: str,
        score: bool,
        tol: float,
        patience: float,
        rates: str = "constant",
        power: float = 0.5,
        restore: bool = False,
    ) -> None:
        self.monitor, self.score, self.tol, self.patience = monitor, score, tol, patience
        self.rates, self.power, self.restore = rates, power, restore
        self.best: float | None = None
        self.best_weights: list[Any] | None = None
        self.waited = self.epochs = self.samples = self.size = 0
        self.stopped = self.incremental = False
        self.first_rate: float | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Note the learning rate that the others follow from."""
        if self.first_rate is None:
            self.first_rate = self.model.optimizer.learning_rate
        self.begun = self.epochs

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Compare, and set the learning rate of the next epoch."""
        self.epochs += 1
        self.samples += self.size
        value = logs[self.monitor]
        self._compare(value if self.score else -value)
        open_end = self.rates != "cosine" or self.monitor.startswith("val_")
        if self.waited > self.patience and open_end:
            self.waited = 0
            if self.rates == "adaptive" and self.model.optimizer.learning_rate > 1e-6:
                self.model.optimizer.learning_rate /= 5
            else:
                self.stopped = self.model.stop_training = True
        self._set_rate(epoch)

    def state(self) -> dict[str, Any]:
        """Return everything as plain data; ``best_weights`` are a list of arrays or None."""
        names = ("model", "params", "begun")
        found = {name: value for name, value in vars(self).items() if name not in names}
        patience = None if math.isinf(self.patience) else int(self.patience)
        return {**found, "patience": patience, "tol": float(self.tol), "power": float(self.power)}

    @classmethod
    def from_state(cls, state: dict[str, Any], best_weights: list[Any] | None) -> Progress:
        """Return what `state` described."""
        found = cls(str(state["monitor"]), state["score"] is True, 0.0, 0)
        if set(state) != set(found.state()) - {"best_weights"}:
            raise ValueError(f"'progress' has the keys {', '.join(sorted(state))}")
        patience = math.inf if state["patience"] is None else int(state["patience"])
        vars(found).update({**state, "patience": patience, "best_weights": best_weights})
        return found

    def _compare(self, value: float) -> None:
        known = -math.inf if self.best is None else self.best
        better = value >= known + self.tol if self.score else value > known + self.tol
        self.waited = 0 if better or self.best is None else self.waited + 1
        if value > known:
            self.best = value
            if self.restore:
                self.best_weights = self.model.get_weights()

    def _set_rate(self, epoch: int) -> None:
        if self.rates == "invscaling":
            factor = (self.samples + 1) ** -self.power
        elif self.rates == "cosine":
            done = self.epochs - self.begun
            share = done / (self.params["epochs"] - (epoch + 1 - done))
            factor = 0.5 * (1 + math.cos(math.pi * share))
        else:
            return
        self.model.optimizer.learning_rate = self.first_rate * max(factor, 1e-9)

    def on_train_end(self, logs: Any = None) -> None:
        """Put the best weights back; ``partial_fit`` only where it has come to its end."""
        if self.rates == "cosine":  # the next training starts as this one did
            self.model.optimizer.learning_rate = self.first_rate
        if self.best_weights is not None and (self.stopped or not self.incremental):
            self.model.set_weights(self.best_weights)


@dataclass(frozen=True)
class Plan:
    """How samples are cut into batches, and how often they are gone through.

    Attributes
    ----------
    samples, size, steps, epochs : int
        Of all, in a batch; batches in an epoch; epochs at most.
    limit : int or None
        Batches to which an epoch is cut.
    """

    samples: int
    size: int
    steps: int
    epochs: int
    limit: int | None = None

    @classmethod
    def of(
        cls, samples: int, size: int | None, epochs: int, steps: int | None, shuffle: bool
    ) -> Plan:
        """Return the plan for these parameters; ``size`` is None for "auto".

        "auto" makes batches of one size, so that one compiled step serves all. What is left over,
        less samples than there are batches, is left out, others in each epoch.
        """
        auto = min(200, max(32, samples // 300))
        limit = None
        if size is None:
            count = -(-samples // auto)
            size = samples // count if shuffle else min(auto, samples)
            limit = count if shuffle and count > 1 else None
        per_epoch = limit or -(-samples // size)
        if steps is None:
            return cls(samples, size, per_epoch, epochs, limit)
        epochs = -(-steps // per_epoch)
        per_epoch = -(-steps // epochs)
        return cls(samples, size, per_epoch, epochs, per_epoch)


@dataclass
class Training:
    """A model and the data that it is about to be trained with.

    ``model.fit(x, y, **arguments)`` is the training; `run` does that, or L-BFGS.

    Attributes
    ----------
    model : bital.keras.Model
        Built and compiled.
    x, y : array, or dict or list of arrays
        As the model reads them.
    arguments : dict
        Keyword arguments of ``model.fit``.
    progress : Progress
    lbfgs : LBFGSResult or None
    """

    model: Any
    x: Any
    y: Any
    arguments: dict[str, Any]
    progress: Progress
    solver: Any = "adam"
    tol: float = 0.0
    before: Any = None
    lbfgs: Any = None
    max_fun: int = 15000

    @property
    def sample_weight(self) -> Any:
        """Weights of the samples, ``(samples,)``, or None."""
        return self.arguments.get("sample_weight")

    def run(self) -> None:
        """Train the model; not one that has come to its end in a ``partial_fit`` before."""
        if isinstance(self.solver, str) and self.solver == "lbfgs":
            self._run_lbfgs()
        elif not self.progress.stopped:
            self.model.fit(self.x, self.y, **self.arguments)

    def _run_lbfgs(self) -> None:
        limit = self.arguments["epochs"] - self.arguments["initial_epoch"]
        found = optimizers.fit_lbfgs(
            self.model,
            self.x,
            self.y,
            self.sample_weight,
            limit,
            max(self.tol, 1e-12),
            seed=self.arguments["seed"],
            max_evaluations=self.max_fun,
        )
        self.lbfgs = found
        if not found.converged and (found.iterations >= limit or found.evaluations >= self.max_fun):
            warnings.warn(
                f"lbfgs has not come to an end in {found.iterations} iterations and "
                f"{found.evaluations} evaluations. Raise max_iter or max_fun.",
                ConvergenceWarning,
                stacklevel=4,
            )

    @property
    def logs(self) -> dict[str, list[float]]:
        """Values by epoch, of this training alone."""
        if self.lbfgs is not None:
            return {"loss": [float(value) for value in self.lbfgs.values[1:] or self.lbfgs.values]}
        history = self.model.history
        return {} if history is self.before else history.history
