"""What large weights cost: a penalty that is added to the loss in training and evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bital.errors import ShapeError
from bital.keras import checks, functions
from bital.keras.configuration import Configured
from bital.keras.vocabulary import Vocabulary


class Regularizer(Configured):
    """A function of one weight that returns a scalar. Subclass it, or give a function."""

    def __call__(self, weight: Any) -> Any:
        """Return the penalty: an array of any shape -> a scalar of its dtype."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(weight)")


class L1L2(Regularizer):
    """``l1 * sum(|w|) + l2 * sum(w^2)``.

    Parameters
    ----------
    l1, l2 : float, default 0
        Factors, at least 0.

    Raises
    ------
    ArgumentError
        If a factor is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> float(L1L2(l1=1.0, l2=10.0)(np.array([1.0, -2.0])))
    53.0
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = checks.number(type(self).__name__, "l1", l1, low=0.0)
        self.l2 = checks.number(type(self).__name__, "l2", l2, low=0.0)

    def __call__(self, weight: Any) -> Any:
        """Return the penalty."""
        absolute = self.l1 * np.sum(np.abs(weight)) if self.l1 else 0.0
        squared = self.l2 * np.sum(np.square(weight)) if self.l2 else 0.0
        return absolute + squared


class L1(L1L2):
    """``l1 * sum(|w|)``: drives weights to exactly zero.

    Parameters
    ----------
    l1 : float, default 0.01
    """

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1=l1)


class L2(L1L2):
    """``l2 * sum(w^2)``: keeps weights small.

    Parameters
    ----------
    l2 : float, default 0.01
    """

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2=l2)


class OrthogonalRegularizer(Regularizer):
    """``factor`` times the mean size of the cosine between two rows, or columns, of a matrix.

    Parameters
    ----------
    factor : float, default 0.01
    mode : {"rows", "columns"}, default "rows"
        What is to become orthogonal; 0 is added for rows that are.

    Raises
    ------
    ArgumentError
        If an argument is wrong.
    ShapeError
        When it is called on what is not a matrix of two rows or columns at least.

    Examples
    --------
    >>> import numpy as np
    >>> float(OrthogonalRegularizer(factor=1.0)(np.array([[1.0, 0.0], [3.0, 4.0]])))
    0.6
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        who = "OrthogonalRegularizer"
        self.factor = checks.number(who, "factor", factor, low=0.0)
        self.mode = checks.choice(who, "mode", mode, ("rows", "columns"))

    def __call__(self, weight: Any) -> Any:
        """Return the penalty."""
        axis = 1 if self.mode == "rows" else 0
        if len(weight.shape) != 2 or weight.shape[1 - axis] < 2:
            raise ShapeError(
                f"OrthogonalRegularizer compares the {self.mode} of a matrix; it received a weight "
                f"of shape {tuple(weight.shape)}. Give it to the kernel of a Dense layer."
            )
        squares = np.sum(np.square(weight), axis=axis, keepdims=True)
        units = weight / np.sqrt(np.maximum(squares, 1e-14))
        cosines = units @ units.T if axis == 1 else units.T @ units
        size = cosines.shape[0]
        others = np.abs(cosines) * (1 - np.eye(size, dtype=cosines.dtype))
        return self.factor / (size * (size - 1)) * np.sum(others)


class _Function(Regularizer):
    """A user's own penalty."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = functions.own(function, any_rows=False)

    def __call__(self, weight: Any) -> Any:
        return self.function(weight)


VOCABULARY = Vocabulary(
    "regularizer",
    Regularizer,
    (L1L2, L1, L2, OrthogonalRegularizer),
    aliases={"l1_l2": L1L2},
    wrap=_Function,
)


def get(identifier: Any) -> Regularizer | None:
    """Return the regularizer that a name (``"l2"``), config, function or instance means.

    Raises
    ------
    ArgumentError
        If it means none.
    """
    return None if identifier is None else VOCABULARY.get(identifier)


def serialize(regularizer: Regularizer | None) -> dict[str, Any] | None:
    """Return a regularizer as plain data."""
    return None if regularizer is None else VOCABULARY.serialize(regularizer)


__all__ = ["L1", "L1L2", "L2", "OrthogonalRegularizer", "Regularizer", "get", "serialize"]
