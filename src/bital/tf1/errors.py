"""TensorFlow's names for what can go wrong while a graph runs."""

from __future__ import annotations

from bital.errors import BitalError


class OpError(BitalError):
    """Base of the errors of a running graph."""

    message = property(str, doc="What went wrong.")


class InvalidArgumentError(OpError, ValueError):
    """A value that the graph cannot work with: a placeholder that was not fed, a wrong index."""


class FailedPreconditionError(OpError, RuntimeError):
    """A variable was read before it had a value: run the initializer, or restore, first."""


class NotFoundError(OpError, LookupError):
    """A checkpoint, or a variable in it, is not there."""


class DataLossError(OpError, ValueError):
    """A checkpoint is damaged."""


class OutOfRangeError(OpError, IndexError):
    """There is no more input."""


class UnimplementedError(OpError, NotImplementedError):
    """A name of TensorFlow 1 that is left out on purpose; the message says what to write."""
