"""TensorFlow's names for what can go wrong while a graph runs."""

from __future__ import annotations

from bital.errors import BitalError


class OpError(BitalError):
    """Base of the errors of a running graph.

    Attributes
    ----------
    message : str
    """

    @property
    def message(self) -> str:
        """What went wrong."""
        return str(self)


class InvalidArgumentError(OpError, ValueError):
    """A value that the graph cannot work with: a placeholder that was not fed, a wrong index."""


class FailedPreconditionError(OpError, RuntimeError):
    """A variable was read before it had a value.

    Fails::

        with tf.Session() as sess:
            sess.run(w)

    Works::

        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            sess.run(w)
    """


class NotFoundError(OpError, KeyError):
    """A checkpoint, or a variable in it, is not there."""

    def __str__(self) -> str:  # a KeyError would put its message in quotes
        return str(self.args[0]) if self.args else ""


class DataLossError(OpError, ValueError):
    """A checkpoint is damaged."""


class UnimplementedError(OpError, NotImplementedError):
    """A name of TensorFlow 1 that is left out on purpose; the message says what to write."""
