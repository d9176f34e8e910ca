"""Losses whose targets look like the outputs: of numbers, margins and overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bital import nn
from bital.errors import ArgumentError, ShapeError
from bital.keras import checks
from bital.keras.losses.base import Elementwise, Loss


class MeanSquaredError(Elementwise):
    """``mean((y_pred - y_true)**2)`` over the last axis.

    Examples
    --------
    >>> round(float(MeanSquaredError()([[0.0], [0.0]], [[1.0], [3.0]])), 4)
    5.0
    """

    _function = nn.mean_squared_error


class MeanAbsoluteError(Elementwise):
    """``mean(|y_pred - y_true|)`` over the last axis.

    Examples
    --------
    >>> round(float(MeanAbsoluteError()([[0.0], [0.0]], [[1.0], [-3.0]])), 4)
    2.0
    """

    _function = nn.mean_absolute_error


class MeanAbsolutePercentageError(Elementwise):
    """``100 * mean(|y_pred - y_true| / |y_true|)``: see ``nn.mean_absolute_percentage_error``.

    Examples
    --------
    >>> round(float(MeanAbsolutePercentageError()([[2.0], [4.0]], [[1.0], [5.0]])), 4)
    37.5
    """

    _function = nn.mean_absolute_percentage_error


class MeanSquaredLogarithmicError(Elementwise):
    """``mean((log(1 + y_pred) - log(1 + y_true))**2)``, of values kept above 1e-7.

    Examples
    --------
    >>> round(float(MeanSquaredLogarithmicError()([[0.0]], [[1.0]])), 4)
    0.4805
    """

    _function = nn.mean_squared_logarithmic_error


class LogCosh(Elementwise):
    """``mean(log(cosh(y_pred - y_true)))``: see ``bital.nn.log_cosh``.

    Examples
    --------
    >>> round(float(LogCosh()([[0.0]], [[1.0]])), 4)
    0.4338
    """

    _function = nn.log_cosh


class Hinge(Elementwise):
    """``mean(max(1 - y_true * y_pred, 0))``; targets are -1 and 1, or 0 and 1.

    Examples
    --------
    >>> round(float(Hinge()([[-1.0, 1.0]], [[0.5, 0.5]])), 4)
    1.0
    """

    _function = nn.hinge


class SquaredHinge(Elementwise):
    """``mean(max(1 - y_true * y_pred, 0)**2)``; targets are -1 and 1, or 0 and 1.

    Examples
    --------
    >>> round(float(SquaredHinge()([[-1.0, 1.0]], [[0.5, 0.5]])), 4)
    1.25
    """

    _function = nn.squared_hinge


class CategoricalHinge(Elementwise):
    """``max(1 + largest wrong output - right output, 0)``: see ``nn.categorical_hinge``.

    Examples
    --------
    >>> round(float(CategoricalHinge()([[0.0, 1.0]], [[0.75, 0.25]])), 4)
    1.5
    """

    _function = nn.categorical_hinge


class Poisson(Elementwise):
    """``mean(y_pred - y_true * log(y_pred))``, for counts: see ``bital.nn.poisson``.

    Examples
    --------
    >>> round(float(Poisson()([[2.0]], [[1.0]])), 4)
    1.0
    """

    _function = nn.poisson


class Huber(Elementwise):
    """Quadratic up to ``delta``, linear beyond: see ``bital.nn.huber``.

    Examples
    --------
    >>> float(Huber()([[0.0], [0.0]], [[1.0], [3.0]]))
    1.5
    """

    _function = nn.huber
    arguments = ("delta",)

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.delta = checks.number("Huber", "delta", delta, 1e-300)


class Pinball(Elementwise):
    """The loss of quantiles: see ``bital.nn.pinball``. Keras has no such loss.

    Parameters
    ----------
    quantile : float or list of float, default 0.5
        Between 0 and 1. A list has one for each output: targets ``(batch,)`` or ``(batch, 1)`` then
        serve all of them.

    Examples
    --------
    >>> round(float(Pinball(0.9)([[0.0], [0.0]], [[1.0], [-1.0]])), 4)
    0.5
    """

    _function = nn.pinball
    arguments = ("quantile",)

    def __init__(
        self,
        quantile: float | Sequence[float] = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        several = isinstance(quantile, (list, tuple, np.ndarray))
        shares = list(quantile) if several else [quantile]
        shares = [checks.number("Pinball", "quantile", q, 1e-300, 1 - 1e-16) for q in shares]
        self.quantile = shares if several else shares[0]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        return super().call(self._for_all(y_true, y_pred.shape), y_pred)

    def prepare(self, y: np.ndarray, output_shape: tuple[Any, ...], dtype: Any) -> np.ndarray:
        """Return floating targets of the outputs' shape."""
        return super().prepare(self._for_all(y, output_shape), output_shape, dtype)

    def _for_all(self, y: Any, output_shape: tuple[Any, ...]) -> Any:
        if not isinstance(self.quantile, list):
            return y
        count = len(self.quantile)
        if output_shape[-1] != count:
            raise ShapeError(
                f"Pinball(quantile={self.quantile!r}) has {count} quantiles, and the outputs have "
                f"{output_shape[-1]} elements in the last axis. End the model in Dense({count})."
            )
        if len(y.shape) == len(output_shape) - 1:
            y = y[..., np.newaxis]
        return np.repeat(y, count, axis=-1) if y.shape[-1] == 1 and count > 1 else y


class CosineSimilarity(Elementwise):
    """Minus the cosine of the angle between ``y_true`` and ``y_pred``.

    Examples
    --------
    >>> float(CosineSimilarity()([[1.0, 0.0]], [[3.0, 4.0]]))
    -0.6
    """

    _function = nn.cosine_similarity
    arguments = ("axis",)

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.axis = checks.integer("CosineSimilarity", "axis", axis, low=-32)


class KLDivergence(Elementwise):
    """``sum(y_true * log(y_true / y_pred))``: see ``bital.nn.kl_divergence``.

    Examples
    --------
    >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    _function = nn.kl_divergence
    undoes = "softmax"

    def on_logits(self) -> Loss:
        """Return this loss of logits."""
        return _KLDivergenceOfLogits(self.reduction, self.name)


class _KLDivergenceOfLogits(KLDivergence):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        return nn.kl_divergence(y_true, y_pred, from_logits=True)


class Dice(Elementwise):
    """How little two regions overlap: see ``bital.nn.dice``.

    Parameters
    ----------
    axis : int or list of int, optional
        The axes of a region. Default: all, so that the whole batch is one region.

    Examples
    --------
    >>> round(float(Dice()([[1.0, 0.0]], [[0.5, 0.5]])), 4)
    0.5
    """

    _function = nn.dice
    arguments = ("axis",)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: int | Sequence[int] | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.axis = _axes("Dice", axis)


class Tversky(Elementwise):
    """`Dice` with a weight for what is missed and one for what is too much: see ``nn.tversky``.

    Examples
    --------
    >>> round(float(Tversky()([[1.0, 0.0]], [[0.5, 0.5]])), 4)
    0.5
    """

    _function = nn.tversky
    arguments = ("alpha", "beta", "axis")

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: int | Sequence[int] | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.alpha = checks.number("Tversky", "alpha", alpha, 0)
        self.beta = checks.number("Tversky", "beta", beta, 0)
        self.axis = _axes("Tversky", axis)


def _axes(who: str, axis: int | Sequence[int] | None) -> int | tuple[int, ...] | None:
    if axis is None or isinstance(axis, (int, np.integer)):
        return None if axis is None else checks.integer(who, "axis", axis, low=-32)
    if not isinstance(axis, (list, tuple)):
        raise ArgumentError(f"{who}(axis={axis!r}): must be an integer, or a list of them.")
    return tuple(checks.integer(who, "axis", one, low=-32) for one in axis)
