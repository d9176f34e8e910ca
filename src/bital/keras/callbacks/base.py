"""What a callback is, and how a training calls its callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from bital.errors import ArgumentError

Logs = dict[str, float]


class Callback:
    """Base: subclasses define the hooks that they need.

    ``self.model`` is the model and ``self.params`` a dict with ``epochs`` and ``steps``. A hook
    that no callback defines costs nothing. A hook for batches makes the model come back to Python
    after each of them; where that is more than is needed, as for a bar, set ``every_batch``.

    Attributes
    ----------
    every_batch : bool, default True
        Whether the hooks for batches are called for each batch. If False, many batches may pass
        between two calls (about a tenth of a second): a begin hook gets the number of the next
        batch, an end hook that of the last one, and the last batch of an epoch is always told.

    Examples
    --------
    >>> class Print(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs["loss"])
    """

    model: Any = None
    params: dict[str, Any]
    every_batch = True
    adds: tuple[str, ...] = ()
    """Names that the callback puts into the logs of an epoch."""

    def set_model(self, model: Any) -> None:
        """Take the model; called before training."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Take the parameters of the training; called before training."""
        self.params = params

    def get_state(self) -> dict[str, Any]:
        """Return what the callback has learnt in this training, for a checkpoint.

        Plain data: numbers, strings, None and arrays, in dicts, lists and tuples. The arrays are
        copied, not kept. ``fit(resume=...)`` asks between two batches, where it writes a
        checkpoint. Default: nothing.
        """
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take back what ``get_state`` returned, where a training goes on.

        Called after ``on_train_begin``, and after ``on_epoch_begin`` if the training stopped
        within an epoch. Not called for an empty state.
        """

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch, or an error, or Ctrl-C."""

    def on_error(self, error: BaseException) -> bool:
        """Return whether a training that this error ends shall return instead of raising it.

        Called before ``on_train_end``. Default: no.
        """
        del error
        return False

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

    def get_state(self) -> dict[str, Any]:
        """Return all logs so far."""
        return {"epoch": self.epoch, "history": self.history}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take the logs of the epochs before."""
        self.epoch = list(state["epoch"])
        self.history = {name: list(values) for name, values in state["history"].items()}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Keep the logs."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def plot(self, *names: str) -> Any:
        """Draw the values over the epochs, training and validation together.

        Needs the extra ``plot``.

        Parameters
        ----------
        *names : str
            Which values, without ``val_``. Default: all.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from bital.keras.callbacks.plotting import plot_history

        return plot_history(self.history, self.epoch, names or None)


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


class CallbackList:
    """All callbacks of one training, evaluation or prediction, called in order.

    Parameters
    ----------
    model : Sequential
        Handed to each callback.
    callbacks : sequence of Callback
        A `History` is put after them, so that it keeps what they add to the logs.
    params : dict
        Handed to each callback.

    Raises
    ------
    ArgumentError
        If one is not a callback.
    """

    def __init__(self, model: Any, callbacks: Sequence[Any], params: dict[str, Any]) -> None:
        self.history = History()
        self.callbacks: list[Callback] = [*callbacks, self.history]
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                hint = " Write an instance, with ()." if isinstance(callback, type) else ""
                raise ArgumentError(f"callbacks holds {callback!r}, which is not a Callback.{hint}")
        added = dict.fromkeys(name for callback in callbacks for name in callback.adds)
        if "logged" in params:
            logged = params["logged"]
            params["logged"] = [*logged, *(name for name in added if name not in logged)]
        for callback in self.callbacks:
            callback.set_params(params)
            callback.set_model(model)
        self.hears_train_batches = bool(self._hearers("on_train_batch_end"))
        self.hears_test_batches = bool(self._hearers("on_test_batch_end"))
        self.every_train_batch = self._wants_every("on_train_batch_begin", "on_train_batch_end")
        self.every_test_batch = self._wants_every("on_test_batch_begin", "on_test_batch_end")
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
            try:
                yield
            except Exception as error:
                if not any(callback.on_error(error) for callback in self.callbacks):
                    raise

    def epoch_begin(self, epoch: int) -> None:
        """Call ``on_epoch_begin``."""
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, {})

    def epoch_end(self, epoch: int, logs: Logs) -> None:
        """Call ``on_epoch_end``; the history has the epoch whatever another callback raises."""
        self._logs = logs
        try:
            for callback in self.callbacks[:-1]:
                callback.on_epoch_end(epoch, logs)
        finally:
            self.history.on_epoch_end(epoch, logs)

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

    def _wants_every(self, *hooks: str) -> bool:
        return any(callback.every_batch for hook in hooks for callback in self._hearers(hook))
