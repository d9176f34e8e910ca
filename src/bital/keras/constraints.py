"""What weights must stay: a function of a weight that is applied after every update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bital.keras import checks, functions
from bital.keras.configuration import Configured
from bital.keras.vocabulary import Vocabulary

_EPSILON = 1e-7


class Constraint(Configured):
    """A function of a weight that returns an allowed one near it. Subclass it, or give a function.

    ``axis`` of the constraints of norms says over which axes a norm is taken: 0 (the default) for
    the weights that lead to one unit of a ``Dense`` layer, ``[0, 1, 2]`` for those of one filter of
    a ``Conv2D``.
    """

    def __call__(self, weight: Any) -> Any:
        """Return the allowed weight: an array of any shape -> one of its shape and dtype."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(weight)")

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({inner})"


class NonNeg(Constraint):
    """``max(w, 0)``.

    Examples
    --------
    >>> import numpy as np
    >>> NonNeg()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __call__(self, weight: Any) -> Any:
        """Return the allowed weight."""
        return np.where(weight > 0, weight, 0)


class _OfNorms(Constraint):
    """Base: ``w * (target(norms) / (1e-7 + norms))``."""

    def __init__(self, axis: Any) -> None:
        self.axis = _axes(type(self).__name__, axis)

    def target(self, norms: Any) -> Any:
        """Return the norms that are wanted in place of these."""
        raise NotImplementedError

    def __call__(self, weight: Any) -> Any:
        """Return the allowed weight."""
        axes = tuple(self.axis) if isinstance(self.axis, list) else self.axis
        norms = np.sqrt(np.sum(np.square(weight), axis=axes, keepdims=True))
        return weight * (self.target(norms) / (_EPSILON + norms))


class MaxNorm(_OfNorms):
    """Norms are at most ``max_value``.

    Parameters
    ----------
    max_value : float, default 2
    axis : int or list of int, default 0
        Over which axes a norm is taken.

    Notes
    -----
    Source: Srivastava et al. 2014, "Dropout", section 5.1.

    Examples
    --------
    >>> import numpy as np
    >>> MaxNorm(1.0)(np.array([[3.0, 0.3], [4.0, 0.4]])).round(3)
    array([[0.6, 0.3],
           [0.8, 0.4]])
    """

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        super().__init__(axis)
        self.max_value = checks.number("MaxNorm", "max_value", max_value, 0)

    def target(self, norms: Any) -> Any:
        """Return the norms that are wanted in place of these."""
        return np.minimum(norms, self.max_value)


class UnitNorm(_OfNorms):
    """Norms are 1.

    Parameters
    ----------
    axis : int or list of int, default 0
        Over which axes a norm is taken.

    Examples
    --------
    >>> import numpy as np
    >>> UnitNorm()(np.array([[3.0], [4.0]])).round(3)
    array([[0.6],
           [0.8]])
    """

    def __init__(self, axis: Any = 0) -> None:
        super().__init__(axis)

    def target(self, norms: Any) -> Any:
        """Return the norms that are wanted in place of these."""
        return 1.0


class MinMaxNorm(_OfNorms):
    """Norms are between ``min_value`` and ``max_value``, or on their way.

    Parameters
    ----------
    min_value : float, default 0
    max_value : float, default 1
    rate : float, default 1
        How much of the way a norm goes in one update: 1 is all of it.
    axis : int or list of int, default 0
        Over which axes a norm is taken.

    Examples
    --------
    >>> import numpy as np
    >>> MinMaxNorm(0.0, 1.0, rate=0.5)(np.array([[3.0], [4.0]])).round(3)
    array([[1.8],
           [2.4]])
    """

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: Any = 0,
    ) -> None:
        super().__init__(axis)
        self.min_value = checks.number("MinMaxNorm", "min_value", min_value, 0)
        self.max_value = checks.number("MinMaxNorm", "max_value", max_value, self.min_value)
        self.rate = checks.number("MinMaxNorm", "rate", rate, 0, 1)

    def target(self, norms: Any) -> Any:
        """Return the norms that are wanted in place of these."""
        kept = np.clip(norms, self.min_value, self.max_value)
        return self.rate * kept + (1 - self.rate) * norms


class _Function(Constraint):
    """A user's own function of a weight."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = functions.own(function, any_rows=False)

    def __call__(self, weight: Any) -> Any:
        return self.function(weight)

    def __repr__(self) -> str:
        return repr(self.function)


def _axes(who: str, axis: Any) -> int | list[int]:
    if isinstance(axis, (list, tuple)):
        return [checks.integer(who, "axis", one, low=-32) for one in axis]
    return checks.integer(who, "axis", axis, low=-32)


VOCABULARY = Vocabulary(
    "constraint", Constraint, (MaxNorm, MinMaxNorm, NonNeg, UnitNorm), wrap=_Function
)


def get(identifier: Any) -> Constraint | None:
    """Return the constraint that a name (``"max_norm"``), config, function or instance means.

    Raises
    ------
    ArgumentError
        If it means none.

    Examples
    --------
    >>> get("non_neg")
    NonNeg()
    """
    return None if identifier is None else VOCABULARY.get(identifier)


def serialize(constraint: Constraint | None) -> dict[str, Any] | None:
    """Return a constraint as plain data."""
    return None if constraint is None else VOCABULARY.serialize(constraint)


__all__ = ["Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "get", "serialize"]
