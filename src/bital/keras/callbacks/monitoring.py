"""Callbacks that follow one value of the logs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from bital.errors import ArgumentError
from bital.keras import checks
from bital.keras.callbacks.base import Callback, Logs


class Monitor(Callback):
    """Base of the callbacks that follow one value of the logs and know which way is better."""

    _learnt: tuple[str, ...] = ("best",)
    """Attributes that a checkpoint keeps."""

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

    def get_state(self) -> dict[str, Any]:
        """Return the best value so far, and what else has been counted."""
        return {name: getattr(self, name) for name in self._learnt}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        for name in self._learnt:
            setattr(self, name, state[name])

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


class EarlyStopping(Monitor):
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

    _learnt = ("best", "best_epoch", "best_weights", "stopped_epoch", "wait")

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


class ModelCheckpoint(Monitor):
    """Saves the model after epochs or steps. A file is replaced as a whole or not at all.

    It saves models, to be used. To go on with a training that was interrupted, see
    ``fit(resume=folder)`` and `BackupAndRestore`.

    Parameters
    ----------
    filepath : str or path
        With fields such as ``"model-{epoch:02d}-{val_loss:.3f}.safetensors"``, and ``{batch}``
        where ``save_freq`` is a number; both are counted from 1 here.
    monitor, mode
        As in `EarlyStopping`, for ``save_best_only``.
    verbose : int, default 0
        Whether saving is printed.
    save_best_only : bool, default False
        Save only where the value is better than ever before.
    save_weights_only : bool, default False
        Save with ``save_weights`` instead of ``save``.
    save_freq : "epoch" or int, default "epoch"
        Save after each epoch, or after so many steps.
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
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath = str(filepath)
        self.verbose = verbose
        self.save_best_only = checks.boolean("ModelCheckpoint", "save_best_only", save_best_only)
        self.save_weights_only = checks.boolean(
            "ModelCheckpoint", "save_weights_only", save_weights_only
        )
        self.save_freq = save_freq
        if save_freq != "epoch":
            self.save_freq = checks.integer("ModelCheckpoint", "save_freq", save_freq)
            self.__class__ = _StepCheckpoint  # only that one comes to Python at every step
        self.best = initial_value_threshold
        self.epoch = self.steps = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save, if it is time."""
        self._save(epoch, logs)

    def _save(self, epoch: int, logs: Logs | None, **fields: int) -> None:
        if self.save_best_only:
            value = self.current(logs)
            if value is None or not self.better(value, self.best):
                return
            self.best = value
        path = self._path(epoch, {**fields, **(logs or {})})
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saved {path}")

    def _path(self, epoch: int, logs: dict[str, Any]) -> Path:
        try:
            return Path(self.filepath.format(epoch=epoch + 1, **logs))
        except (KeyError, IndexError, ValueError) as error:
            known = ", ".join(["epoch", *logs])
            raise ArgumentError(
                f"ModelCheckpoint(filepath={self.filepath!r}): {error!r} is not one of the fields "
                f"{known}."
            ) from error


class _StepCheckpoint(ModelCheckpoint):
    """The one that saves after so many steps."""

    _learnt = ("best", "epoch", "steps")

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the number of the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save, if it is time."""
        self.steps += 1
        if self.steps % self.save_freq == 0:
            self._save(self.epoch, logs, batch=batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Leave it to the steps."""
