"""Callbacks for trainings that fail, and those of Keras's that are not there."""

from __future__ import annotations

from typing import Any

from bital.errors import ArgumentError, NonFiniteLossError
from bital.keras import checks
from bital.keras.callbacks.base import Callback


class TerminateOnNaN(Callback):
    """Ends training, without an error, when the loss becomes NaN or infinite.

    ``fit`` then returns the history of the epochs before. Without this callback it raises a
    `NonFiniteLossError` that says which batch and which operation made it so.

    Parameters
    ----------
    raise_error : bool, default False
        Whether the error is raised after all.

    Examples
    --------
    >>> TerminateOnNaN().raise_error
    False
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = checks.boolean("TerminateOnNaN", "raise_error", raise_error)

    def on_error(self, error: BaseException) -> bool:
        """Take a loss that is no number as the end."""
        if self.raise_error or not isinstance(error, NonFiniteLossError):
            return False
        print(f"Training ends: {error}".splitlines()[0])
        self.model.stop_training = True
        return True


class RemoteMonitor(Callback):
    """Refused: training sends nothing over a network.

    Raises
    ------
    ArgumentError
        Always.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        raise ArgumentError(
            f"RemoteMonitor({', '.join(map(repr, arguments))}): bital sends nothing over a network "
            "by itself. Use JSONLogger(path) or CSVLogger(path) and let another program send the "
            "file, or write a LambdaCallback(on_epoch_end=...)."
        )
