"""Callbacks that set the learning rate between epochs. Nothing is compiled again."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np

from bital.errors import ArgumentError
from bital.keras import checks
from bital.keras.callbacks.base import Callback, Logs
from bital.keras.callbacks.monitoring import Monitor


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    For a rate that changes at every step, give the optimizer a schedule instead: see
    ``keras.optimizers.schedules``.

    Parameters
    ----------
    schedule : callable
        ``schedule(epoch, learning_rate) -> float``, or ``schedule(epoch) -> float``; epochs are
        counted from 0.
    verbose : int, default 0
        Whether the rate is printed.

    Examples
    --------
    >>> halving = LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch else rate)
    >>> halving.schedule(1, 0.25)
    0.125
    """

    adds = ("learning_rate",)

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            raise ArgumentError(
                f"LearningRateScheduler(schedule={schedule!r}): must be a function of the epoch."
            )
        self.schedule = schedule
        self.verbose = verbose
        try:
            inspect.signature(schedule).bind(0, 0.0)
            self._takes_rate = True
        except (TypeError, ValueError):
            self._takes_rate = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set the rate."""
        optimizer = self.model.optimizer
        rate = optimizer.learning_rate
        rate = self.schedule(epoch, rate) if self._takes_rate else self.schedule(epoch)
        optimizer.learning_rate = checks.number("schedule", f"epoch {epoch} -> rate", rate, 0)
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate {optimizer.learning_rate:g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Log the rate."""
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class ReduceLROnPlateau(Monitor):
    """Lowers the learning rate when a value has not become better for some epochs.

    Parameters
    ----------
    monitor : str, default "val_loss"
        Name of the value in the logs.
    factor : float, default 0.1
        What the rate is multiplied by; below 1.
    patience : int, default 10
        Epochs without a better value, before that.
    verbose : int, default 0
        Whether the new rate is printed.
    mode : {"auto", "min", "max"}, default "auto"
        Which way is better. ``"auto"`` knows the loss and bital's metrics.
    min_delta : float, default 1e-4
        By how much the value must become better to count.
    cooldown : int, default 0
        Epochs after a change that do not count.
    min_lr : float, default 0
        The lowest rate.

    Examples
    --------
    >>> ReduceLROnPlateau(factor=0.5, patience=3).min_delta
    0.0001
    """

    adds = ("learning_rate",)
    _learnt = ("best", "wait", "cooldown_counter")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode)
        who = "ReduceLROnPlateau"
        self.factor = checks.number(who, "factor", factor, 0, np.nextafter(1.0, 0.0))
        self.patience = checks.integer(who, "patience", patience, low=0)
        self.verbose = verbose
        self.min_delta = abs(checks.number(who, "min_delta", min_delta))
        self.cooldown = checks.integer(who, "cooldown", cooldown, low=0)
        self.min_lr = checks.number(who, "min_lr", min_lr, 0)
        self._forget()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier training."""
        self._forget()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare, and lower the rate if it is time."""
        optimizer = self.model.optimizer
        if logs is not None:
            logs["learning_rate"] = float(optimizer.learning_rate)
        value = self.current(logs)
        if value is None:
            return
        if self.cooldown_counter:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.better(value, self.best, self.min_delta):
            self.best, self.wait = value, 0
        elif not self.cooldown_counter:
            self.wait += 1
            if self.wait >= self.patience and optimizer.learning_rate > self.min_lr:
                optimizer.learning_rate = max(optimizer.learning_rate * self.factor, self.min_lr)
                self.cooldown_counter, self.wait = self.cooldown, 0
                if self.verbose:
                    print(f"Epoch {epoch + 1}: learning rate {optimizer.learning_rate:g}")

    def _forget(self) -> None:
        self.best: float | None = None
        self.wait = 0
        self.cooldown_counter = 0


class SwapEMAWeights(Callback):
    """Lets the averages of an optimizer with ``use_ema=True`` be the weights while measuring.

    Parameters
    ----------
    swap_on_epoch : bool, default False
        Whether they also are between the end of an epoch and the next, where a
        `ModelCheckpoint` after this callback saves them.

    Examples
    --------
    >>> SwapEMAWeights().swap_on_epoch
    False
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = checks.boolean("SwapEMAWeights", "swap_on_epoch", swap_on_epoch)
        self._swapped = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Train the weights themselves."""
        self._hold(averages=False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Show the averages, if asked to."""
        self._hold(averages=self.swap_on_epoch)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Leave the weights themselves; ``fit`` puts the averages in their place."""
        self._hold(averages=False)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Measure the averages."""
        self._hold(averages=True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Put the weights back."""
        self._hold(averages=False)

    on_predict_begin = on_test_begin
    on_predict_end = on_test_end

    def _hold(self, averages: bool) -> None:
        if averages is not self._swapped:
            self.model.optimizer.swap_averages()
            self._swapped = averages
