"""Callbacks: code that runs between training steps, under Keras's names.

A callback sees the model whole: weights and optimizer state are those after the last full step.
``on_train_end`` is called however training ends, by an error or Ctrl-C too.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bital.errors import ArgumentError
from bital.keras import checks

Logs = dict[str, float]


class Callback:
    """Base: subclasses define the hooks that they need.

    ``self.model`` is the model and ``self.params`` a dict with ``epochs`` and ``steps``. A hook
    that no callback defines costs nothing.

    Examples
    --------
    >>> class Print(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs["loss"])
    """

    model: Any = None
    params: dict[str, Any]

    def set_model(self, model: Any) -> None:
        """Take the model; called before training."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Take the parameters of the training; called before training."""
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch, or an error, or Ctrl-C."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch; they are counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """After an epoch and its validation, with the epoch's logs."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a training step."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a training step, with the means over the epoch so far."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before an evaluation or validation."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """After an evaluation or validation, with its logs."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of an evaluation, with the means so far."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Before a prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """After a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """After a batch of a prediction, with its ``outputs``."""


class CallbackList:
    """All callbacks of one training, evaluation or prediction, called in order.

    Parameters
    ----------
    model : Sequential
        Handed to each callback.
    callbacks : sequence of Callback
        A `History` is put before them.
    params : dict
        Handed to each callback.

    Raises
    ------
    ArgumentError
        If one is not a callback.
    """

    def __init__(self, model: Any, callbacks: Sequence[Any], params: dict[str, Any]) -> None:
        self.history = History()
        self.callbacks: list[Callback] = [self.history, *callbacks]
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                hint = " Write an instance, with ()." if isinstance(callback, type) else ""
                raise ArgumentError(f"callbacks holds {callback!r}, which is not a Callback.{hint}")
            callback.set_params(params)
            callback.set_model(model)
        self.hears_train_batches = self._hears("on_train_batch_end")
        self.hears_test_batches = self._hears("on_test_batch_end")
        self._logs: Logs = {}
        self._begin_train_batch = self._hearers("on_train_batch_begin")
        self._end_train_batch = self._hearers("on_train_batch_end")

    @contextmanager
    def training(self) -> Iterator[None]:
        """Call ``on_train_begin`` now and ``on_train_end`` of every callback in any case."""
        with ExitStack() as stack:
            for callback in reversed(self.callbacks):
                stack.callback(lambda ended=callback: ended.on_train_end(self._logs))
            for callback in self.callbacks:
                callback.on_train_begin({})
            yield

    def epoch_begin(self, epoch: int) -> None:
        """Call ``on_epoch_begin``."""
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, {})

    def epoch_end(self, epoch: int, logs: Logs) -> None:
        """Call ``on_epoch_end``."""
        self._logs = logs
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)

    def train_batch_begin(self, batch: int) -> None:
        """Call ``on_train_batch_begin`` where it is defined."""
        for callback in self._begin_train_batch:
            callback.on_train_batch_begin(batch, {})

    def train_batch_end(self, batch: int, logs: Logs) -> None:
        """Call ``on_train_batch_end`` where it is defined."""
        for callback in self._end_train_batch:
            callback.on_train_batch_end(batch, logs)

    def test_begin(self) -> None:
        """Call ``on_test_begin``."""
        for callback in self.callbacks:
            callback.on_test_begin({})

    def test_end(self, logs: Logs) -> None:
        """Call ``on_test_end``."""
        for callback in self.callbacks:
            callback.on_test_end(logs)

    def test_batch_begin(self, batch: int) -> None:
        """Call ``on_test_batch_begin``."""
        for callback in self.callbacks:
            callback.on_test_batch_begin(batch, {})

    def test_batch_end(self, batch: int, logs: Logs) -> None:
        """Call ``on_test_batch_end``."""
        for callback in self.callbacks:
            callback.on_test_batch_end(batch, logs)

    def predict_begin(self) -> None:
        """Call ``on_predict_begin``."""
        for callback in self.callbacks:
            callback.on_predict_begin({})

    def predict_end(self) -> None:
        """Call ``on_predict_end``."""
        for callback in self.callbacks:
            callback.on_predict_end({})

    def predict_batch_begin(self, batch: int) -> None:
        """Call ``on_predict_batch_begin``."""
        for callback in self.callbacks:
            callback.on_predict_batch_begin(batch, {})

    def predict_batch_end(self, batch: int, logs: dict[str, Any]) -> None:
        """Call ``on_predict_batch_end``."""
        for callback in self.callbacks:
            callback.on_predict_batch_end(batch, logs)

    def _hearers(self, hook: str) -> list[Callback]:
        base = getattr(Callback, hook)
        return [c for c in self.callbacks if getattr(type(c), hook) is not base]

    def _hears(self, hook: str) -> bool:
        return bool(self._hearers(hook))


class History(Callback):
    """Keeps the logs of every epoch; ``fit`` returns it.

    Attributes
    ----------
    epoch : list of int
        Numbers of the epochs.
    history : dict of str to list of float
        A list for each name in the logs.
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Keep the logs."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


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


class CSVLogger(Callback):
    """Writes the logs of each epoch as a line of a CSV file, at once.

    Parameters
    ----------
    filename : str or path
        Where to.
    separator : str, default ","
        Between the fields.
    append : bool, default False
        Go on with a file that exists, which must have the same fields.

    Raises
    ------
    ArgumentError
        At the first epoch, if the file to append to has other fields.

    Examples
    --------
    >>> CSVLogger("log.csv").append
    False
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        self.filename = Path(filename)
        self.separator = separator
        self.append = checks.boolean("CSVLogger", "append", append)
        self._file: Any = None
        self._writer: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the file."""
        names = ["epoch", *self.params["logged"]]
        header = None
        if self.append and self.filename.exists():
            with self.filename.open(newline="", encoding="utf-8") as file:
                header = next(csv.reader(file, delimiter=self.separator), None)
            if header is not None and header != names:
                raise ArgumentError(
                    f"CSVLogger({str(self.filename)!r}, append=True): the file has the fields "
                    f"{', '.join(header)} and training logs {', '.join(names)}. Choose another "
                    "file, or append=False to write it anew."
                )
        mode = "a" if self.append else "w"
        self._file = self.filename.open(mode, newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, names, "NA", delimiter=self.separator)
        if header is None:
            self._writer.writeheader()
            self._file.flush()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a line."""
        known = {k: v for k, v in (logs or {}).items() if k in self._writer.fieldnames}
        self._writer.writerow({"epoch": epoch, **known})
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


class LambdaCallback(Callback):
    """A callback of functions, named as the hooks that they stand for.

    Raises
    ------
    ArgumentError
        If a name is not that of a hook.

    Examples
    --------
    >>> LambdaCallback(on_epoch_end=lambda epoch, logs: None).on_epoch_end(0, {})
    """

    def __init__(self, **hooks: Callable[..., Any]) -> None:
        for name, function in hooks.items():
            if not name.startswith("on_") or not hasattr(Callback, name):
                known = ", ".join(key for key in vars(Callback) if key.startswith("on_"))
                raise ArgumentError(f"LambdaCallback({name}=...): the hooks are {known}.")
            if not callable(function):
                raise ArgumentError(f"LambdaCallback({name}={function!r}): must be a function.")
        # A class of its own, so that hooks that are not given stay free of cost.
        if hooks:
            members = {name: staticmethod(function) for name, function in hooks.items()}
            self.__class__ = type("LambdaCallback", (type(self),), members)


__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "ModelCheckpoint",
]
