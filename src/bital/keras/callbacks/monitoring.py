"""Callbacks that follow one value of the logs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from bital.errors import ArgumentError
from bital.keras import checks
from bital.keras.callbacks.base import Callback, Logs


class _Monitor(Callback):
    """Base of the callbacks that follow one value of the logs and know which way is better."""

    def __init__(self, monitor: str, mode: str) -> None:
        who = type(self).__name__
        self.monitor = monitor
        self.mode = checks.choice(who, "mode", mode, ("auto", "min", "max"))
        self.best: float | None = None

    def current(self, logs: Logs | None) -> float | None:
        """Return the value of this epoch; None for an epoch without validation.

        Raises
        ------
        ArgumentError
            If training never logs a value of that name.
        """
        logs = logs or {}
        if self.monitor in logs:
            return float(logs[self.monitor])
        if self.monitor in self.params.get("logged", ()):
            return None
        known = ", ".join(repr(name) for name in logs)
        hint = (
            " Give fit a validation_split or validation_data."
            if self.monitor.startswith("val_") and not self.params.get("validated")
            else ""
        )
        raise ArgumentError(
            f"{type(self).__name__}(monitor={self.monitor!r}): training logs {known}, and no "
            f"value of that name.{hint}"
        )

    def better(self, value: float, than: float | None, margin: float = 0.0) -> bool:
        """Return whether ``value`` is better by more than ``margin``."""
        if than is None:
            return not math.isnan(value)
        if self._direction() == "max":
            return value - margin > than
        return value + margin < than

    def _direction(self) -> str:
        if self.mode != "auto":
            return self.mode
        name = self.monitor.removeprefix("val_")
        if name == "loss":
            return "min"
        for metric in self.model.metrics:
            if metric.name == name and metric.direction is not None:
                return metric.direction
        raise ArgumentError(
            f"{type(self).__name__}(monitor={self.monitor!r}, mode='auto'): whether more or less "
            "of it is better is not known. Write mode='min' or mode='max'."
        )


class EarlyStopping(_Monitor):
    """Ends training when a value has not become better for some epochs.

    Parameters
    ----------
    monitor : str, default "val_loss"
        Name of the value in the logs.
    min_delta : float, default 0
        By how much it must become better to count.
    patience : int, default 0
        Epochs without that, before training ends.
    verbose : int, default 0
        Whether the end is printed.
    mode : {"auto", "min", "max"}, default "auto"
        Which way is better. ``"auto"`` knows the loss and bital's metrics.
    baseline : float, optional
        A value that must also be reached for patience to start anew.
    restore_best_weights : bool, default False
        Whether the model ends with the weights of its best epoch, however training ends.
    start_from_epoch : int, default 0
        Epochs before this one do not count.

    Examples
    --------
    >>> EarlyStopping(patience=3, restore_best_weights=True).patience
    3
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode)
        who = "EarlyStopping"
        self.min_delta = abs(checks.number(who, "min_delta", min_delta))
        self.patience = checks.integer(who, "patience", patience, low=0)
        self.verbose = verbose
        self.baseline = None if baseline is None else checks.number(who, "baseline", baseline)
        self.restore_best_weights = checks.boolean(
            who, "restore_best_weights", restore_best_weights
        )
        self.start_from_epoch = checks.integer(who, "start_from_epoch", start_from_epoch, low=0)
        self._forget()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier training."""
        self._forget()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare, and end training if it is time."""
        value = self.current(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.better(value, self.best, self.min_delta):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.better(value, self.baseline, self.min_delta):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Restore the best weights, if asked to."""
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            self.model.set_weights(self.best_weights)
            if self.verbose:
                print(f"Restored the weights of epoch {self.best_epoch + 1}")

    def _forget(self) -> None:
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None
        self.stopped_epoch = 0
        self.wait = 0


class ModelCheckpoint(_Monitor):
    """Saves the model after epochs. A file is replaced as a whole or not at all.

    Parameters
    ----------
    filepath : str or path
        With fields such as ``"model-{epoch:02d}-{val_loss:.3f}.safetensors"``; epochs are counted
        from 1 here.
    monitor, mode
        As in `EarlyStopping`, for ``save_best_only``.
    verbose : int, default 0
        Whether saving is printed.
    save_best_only : bool, default False
        Save only where the value is better than ever before.
    save_weights_only : bool, default False
        Save with ``save_weights`` instead of ``save``.
    initial_value_threshold : float, optional
        Take this as the best value so far.

    Examples
    --------
    >>> ModelCheckpoint("best.safetensors", monitor="val_accuracy", save_best_only=True).mode
    'auto'
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath = str(filepath)
        self.verbose = verbose
        self.save_best_only = checks.boolean("ModelCheckpoint", "save_best_only", save_best_only)
        self.save_weights_only = checks.boolean(
            "ModelCheckpoint", "save_weights_only", save_weights_only
        )
        self.best = initial_value_threshold

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save, if it is time."""
        if self.save_best_only:
            value = self.current(logs)
            if value is None or not self.better(value, self.best):
                return
            self.best = value
        path = self._path(epoch, logs or {})
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saved {path}")

    def _path(self, epoch: int, logs: Logs) -> Path:
        try:
            return Path(self.filepath.format(epoch=epoch + 1, **logs))
        except (KeyError, IndexError, ValueError) as error:
            known = ", ".join(["epoch", *logs])
            raise ArgumentError(
                f"ModelCheckpoint(filepath={self.filepath!r}): {error!r} is not one of the fields "
                f"{known}."
            ) from error
