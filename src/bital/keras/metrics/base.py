"""What a metric is: sums over samples, and what they are in the end.

So the value over an epoch is exact for any size of the batches. The pure half, ``sums(y_true,
y_pred, sample_weight)``, runs inside of the compiled step, where sums are added up in float64; then
``finish(*sums)`` gives the value. The other half, ``update_state``, ``result`` and
``reset_state``, is for use by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from bital import tree
from bital.keras import checks, functions
from bital.keras.configuration import Configured
from bital.keras.losses import align, spread_weights
from bital.keras.vocabulary import snake_case


class Metric(Configured):
    """Base of the metrics: subclasses define ``values(y_true, y_pred) -> (batch, ...)``.

    The metric is then the mean of the values. Another one defines ``zero_sums``, ``sums`` and
    ``finish`` instead.

    Parameters
    ----------
    name : str, optional
        Under which it stands in logs. Default: the class's name in snake case.
    """

    direction: str | None = None
    """``"max"`` or ``"min"``: which is better, where that is known."""

    built = True
    """Whether the outputs' shape is known, for metrics whose sums depend on it."""

    def __init__(self, name: str | None = None) -> None:
        who = type(self).__name__
        self.name = snake_case(who) if name is None else checks.object_name(who, name)
        self._sums: Any = None

    def build(self, output_shape: tuple[Any, ...]) -> None:
        """Take notice of the outputs' shape, ``(None, ...)``."""
        del output_shape

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        raise NotImplementedError(f"{type(self).__name__} must define values(y_true, y_pred)")

    def zero_sums(self) -> Any:
        """Return the sums before the first batch: a tuple of numbers or arrays, as `sums` has."""
        return 0.0, 0.0

    def sums(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the sum of the values, each times its weight, and the sum of the weights."""
        return weighted_sums(self.values(y_true, y_pred), sample_weight)

    def finish(self, *sums: Any) -> Any:
        """Return the metric for sums over all samples: for those of values, their mean."""
        total, count = sums
        return total / count if count else 0.0

    def finished(self, sums: Any) -> Any:
        """Return the metric for a tuple of sums over all samples."""
        return self.finish(*sums)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and outputs."""
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        if not self.built:
            self.build((None, *y_pred.shape[1:]))
        self._add(self.sums(y_true, y_pred, sample_weight))

    def _add(self, found: Any) -> None:
        before = self.zero_sums() if self._sums is None else self._sums
        self._sums = tree.map(lambda a, b: np.add(a, b, dtype=np.float64), before, found)

    def result(self) -> Any:
        """Return the metric over all batches since ``reset_state``: a float, or an array."""
        sums = self.zero_sums() if self._sums is None else self._sums
        with np.errstate(divide="ignore", invalid="ignore"):
            found = self.finished(sums)
        return float(found) if np.ndim(found) == 0 else np.asarray(found)

    def reset_state(self) -> None:
        """Forget all batches."""
        self._sums = None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Add a batch; return the metric over all batches so far."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.get_config()}>"


class OfFunction(Metric):
    """Base: the mean of ``_function(y_true, y_pred, ...)``.

    What follows are attributes of the metric, by the names in ``arguments``.
    """

    _function: ClassVar[Callable[..., Any]]
    arguments: ClassVar[tuple[str, ...]] = ()

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        options = {name: getattr(self, name) for name in self.arguments}
        return type(self)._function(align(y_true, y_pred), y_pred, **options)


class FunctionMetric(Metric):
    """The mean of a user's function ``(y_true, y_pred) -> (batch, ...)``."""

    def __init__(self, function: Callable[[Any, Any], Any], name: str | None = None) -> None:
        own = getattr(function, "__name__", "metric")
        super().__init__(name or (own if own.isidentifier() else "metric"))
        self.function = functions.own(function)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return what the function returns."""
        return self.function(align(y_true, y_pred), y_pred)


class MeanMetricWrapper(FunctionMetric):
    """The mean of ``fn(y_true, y_pred, **options)``.

    Examples
    --------
    >>> import numpy as np
    >>> largest = MeanMetricWrapper(lambda t, o, p: np.max(np.abs(t - o), axis=-1) ** p, "big", p=2)
    >>> largest([[0.0, 0.0]], [[1.0, 3.0]])
    9.0
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, **options: Any) -> None:
        def function(y_true: Any, y_pred: Any) -> Any:
            return fn(y_true, y_pred, **options)

        own = getattr(fn, "__name__", "metric")
        function.__name__ = own if own.isidentifier() else "metric"
        super().__init__(function, name)


class _OfValues(Metric):
    """Base of the metrics of one argument, for use by hand."""

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add values, with weights."""
        self._add(weighted_sums(np.asarray(values, dtype=np.float64), sample_weight))

    def __call__(self, values: Any, sample_weight: Any = None) -> float:  # type: ignore[override]
        """Add values; return the metric so far."""
        self.update_state(values, sample_weight)
        return self.result()


class Mean(_OfValues):
    """The mean of the values given to ``update_state``.

    Examples
    --------
    >>> m = Mean()
    >>> m.update_state([1.0, 3.0])
    >>> m.result()
    2.0
    """


class Sum(_OfValues):
    """The sum of the values given to ``update_state``, each times its weight.

    Examples
    --------
    >>> m = Sum()
    >>> m.update_state([1.0, 3.0])
    >>> m.result()
    4.0
    """

    def finish(self, *sums: Any) -> Any:
        """Return the sum."""
        return sums[0]


def weighted_sums(values: Any, sample_weight: Any) -> tuple[Any, Any]:
    """Return the sum of the values, each times its weight, and the sum of the weights."""
    if sample_weight is None:
        return np.sum(values), math.prod(values.shape)
    if np.dtype(values.dtype).kind != "f":
        values = values.astype(np.float64)
    weights = spread_weights(sample_weight, values)
    return np.sum(values * weights), np.sum(weights)


def divided(numerator: Any, denominator: Any) -> Any:
    """Return the quotient, and 0 where the denominator is 0, of plain arrays."""
    denominator = np.asarray(denominator, np.float64)
    none = denominator == 0
    return np.where(none, 0.0, numerator / np.where(none, 1.0, denominator))
