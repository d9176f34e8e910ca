"""Metrics of errors: the losses as metrics, and how well numbers agree over all samples."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from bital import nn
from bital.errors import ArgumentError, ShapeError
from bital.keras import checks
from bital.keras.losses import align, spread_weights
from bital.keras.metrics.base import Metric, OfFunction, divided


class MeanSquaredError(OfFunction):
    """``mean((y_pred - y_true)**2)``.

    Examples
    --------
    >>> round(MeanSquaredError()([[0.0], [0.0]], [[1.0], [3.0]]), 4)
    5.0
    """

    direction = "min"
    _function = nn.mean_squared_error


class MeanAbsoluteError(OfFunction):
    """``mean(|y_pred - y_true|)``.

    Examples
    --------
    >>> round(MeanAbsoluteError()([[0.0], [0.0]], [[1.0], [-3.0]]), 4)
    2.0
    """

    direction = "min"
    _function = nn.mean_absolute_error


class MeanAbsolutePercentageError(OfFunction):
    """``100 * mean(|y_pred - y_true| / |y_true|)``.

    Examples
    --------
    >>> round(MeanAbsolutePercentageError()([[2.0], [4.0]], [[1.0], [5.0]]), 4)
    37.5
    """

    direction = "min"
    _function = nn.mean_absolute_percentage_error


class MeanSquaredLogarithmicError(OfFunction):
    """``mean((log(1 + y_pred) - log(1 + y_true))**2)``.

    Examples
    --------
    >>> round(MeanSquaredLogarithmicError()([[0.0]], [[1.0]]), 4)
    0.4805
    """

    direction = "min"
    _function = nn.mean_squared_logarithmic_error


class Hinge(OfFunction):
    """``mean(max(1 - y_true * y_pred, 0))``; targets are -1 and 1, or 0 and 1.

    Examples
    --------
    >>> round(Hinge()([[-1.0, 1.0]], [[0.5, 0.5]]), 4)
    1.0
    """

    direction = "min"
    _function = nn.hinge


class SquaredHinge(OfFunction):
    """``mean(max(1 - y_true * y_pred, 0)**2)``; targets are -1 and 1, or 0 and 1.

    Examples
    --------
    >>> round(SquaredHinge()([[-1.0, 1.0]], [[0.5, 0.5]]), 4)
    1.25
    """

    direction = "min"
    _function = nn.squared_hinge


class CategoricalHinge(OfFunction):
    """``mean(max(1 + largest wrong output - right output, 0))``.

    Examples
    --------
    >>> round(CategoricalHinge()([[0.0, 1.0]], [[0.75, 0.25]]), 4)
    1.5
    """

    direction = "min"
    _function = nn.categorical_hinge


class Poisson(OfFunction):
    """``mean(y_pred - y_true * log(y_pred))``.

    Examples
    --------
    >>> round(Poisson()([[2.0]], [[1.0]]), 4)
    1.0
    """

    direction = "min"
    _function = nn.poisson


class KLDivergence(OfFunction):
    """``mean(sum(y_true * log(y_true / y_pred)))``.

    Examples
    --------
    >>> round(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]]), 4)
    0.1438
    """

    direction = "min"
    _function = nn.kl_divergence


class RootMeanSquaredError(MeanSquaredError):
    """The square root of ``MeanSquaredError`` over all samples.

    Examples
    --------
    >>> RootMeanSquaredError()([[0.0], [0.0]], [[1.0], [7.0]])
    5.0
    """

    def finish(self, *sums: Any) -> Any:
        """Return the square root of the mean."""
        return np.sqrt(super().finish(*sums))


class LogCoshError(OfFunction):
    """``mean(log(cosh(y_pred - y_true)))``.

    Examples
    --------
    >>> round(LogCoshError()([[0.0]], [[1.0]]), 4)
    0.4338
    """

    direction = "min"
    _function = nn.log_cosh

    def __init__(self, name: str | None = "logcosh") -> None:
        super().__init__(name)


class MeanRelativeError(Metric):
    """``mean(|y_pred - y_true| / normalizer)``, and 0 where the normalizer is 0.

    Parameters
    ----------
    normalizer : float or list of float
        What an error of 1 would be: a number, or one for each output.

    Examples
    --------
    >>> MeanRelativeError([1.0, 2.0])([[1.0, 2.0]], [[2.0, 4.0]])
    1.0
    """

    direction = "min"

    def __init__(self, normalizer: Any, name: str | None = None) -> None:
        super().__init__(name)
        found = np.asarray(normalizer, np.float64)
        if not np.isfinite(found).all():
            raise ArgumentError(f"MeanRelativeError(normalizer={normalizer!r}): must be finite.")
        self.normalizer = found.tolist()

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each element."""
        error = np.abs(y_pred - align(y_true, y_pred))
        scale = np.asarray(self.normalizer, dtype=error.dtype)
        return np.where(scale == 0, 0, error / np.where(scale == 0, 1, scale))


class _Crossentropy(OfFunction):
    direction = "min"

    def __init__(
        self,
        name: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        super().__init__(name)
        who = type(self).__name__
        self.from_logits = checks.boolean(who, "from_logits", from_logits)
        self.label_smoothing = checks.number(who, "label_smoothing", label_smoothing, 0, 1)
        self.axis = checks.integer(who, "axis", axis, low=-32)

    arguments = ("from_logits", "label_smoothing", "axis")


class BinaryCrossentropy(_Crossentropy):
    """``mean(-(t log p + (1 - t) log(1 - p)))``.

    Examples
    --------
    >>> round(BinaryCrossentropy()([[1.0]], [[0.5]]), 4)
    0.6931
    """

    _function = nn.binary_crossentropy


class CategoricalCrossentropy(_Crossentropy):
    """``mean(-sum(y_true * log p))``, for one-hot targets.

    Examples
    --------
    >>> round(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]]), 4)
    0.6931
    """

    _function = nn.categorical_crossentropy


class SparseCategoricalCrossentropy(Metric):
    """``mean(-log p[label])``, of the labels that are not ``ignore_class``.

    Examples
    --------
    >>> round(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]]), 4)
    0.6931
    """

    direction = "min"

    def __init__(
        self,
        name: str | None = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(name)
        who = "SparseCategoricalCrossentropy"
        self.from_logits = checks.boolean(who, "from_logits", from_logits)
        self.ignore_class = None
        if ignore_class is not None:
            self.ignore_class = checks.integer(who, "ignore_class", ignore_class, low=-(2**62))
        self.axis = checks.integer(who, "axis", axis, low=-32)

    def sums(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the sum of the values, each times its weight, and the sum of the weights."""
        if y_true.ndim == y_pred.ndim and y_true.shape[self.axis] == 1:
            y_true = np.squeeze(y_true, self.axis)
        if np.dtype(y_true.dtype).kind == "f":
            y_true = y_true.astype(np.int64)
        values = nn.sparse_categorical_crossentropy(
            y_true, y_pred, self.from_logits, self.ignore_class, self.axis
        )
        if self.ignore_class is None and sample_weight is None:
            return np.sum(values), values.size
        weights = 1 if sample_weight is None else spread_weights(sample_weight, values)
        if self.ignore_class is not None:
            weights = weights * (y_true != self.ignore_class).astype(values.dtype)
        return np.sum(values * weights), np.sum(weights)


class CosineSimilarity(OfFunction):
    """The mean cosine of the angle between ``y_true`` and ``y_pred``: 1 for equal directions.

    Examples
    --------
    >>> CosineSimilarity()([[1.0, 0.0]], [[3.0, 4.0]])
    0.6
    """

    direction = "max"
    _function = nn.cosine_similarity
    arguments = ("axis",)

    def __init__(self, name: str | None = None, axis: int = -1) -> None:
        super().__init__(name)
        self.axis = checks.integer("CosineSimilarity", "axis", axis, low=-32)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        return -super().values(y_true, y_pred)


class PearsonCorrelation(Metric):
    """The mean, over samples, of the correlation of ``y_true`` and ``y_pred`` along an axis.

    Examples
    --------
    >>> round(PearsonCorrelation()([[0.0, 1.0, 2.0]], [[3.0, 4.0, 5.0]]), 4)
    1.0
    """

    direction = "max"

    def __init__(self, name: str | None = None, axis: int = -1) -> None:
        super().__init__(name)
        self.axis = checks.integer(type(self).__name__, "axis", axis, low=-32)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        first, second = _centred(align(y_true, y_pred), y_pred, self.axis)
        spread = np.std(first, axis=self.axis) * np.std(second, axis=self.axis)
        return np.mean(first * second, axis=self.axis) / spread


class ConcordanceCorrelation(PearsonCorrelation):
    """The mean, over samples, of a correlation that also asks for equal means and spreads.

    Source: Lin 1989, "A Concordance Correlation Coefficient to Evaluate Reproducibility".

    Examples
    --------
    >>> round(ConcordanceCorrelation()([[0.0, 1.0, 2.0]], [[1.0, 2.0, 3.0]]), 4)
    0.5714
    """

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        y_true = align(y_true, y_pred)
        first, second = _centred(y_true, y_pred, self.axis)
        apart = np.mean(y_true, axis=self.axis) - np.mean(y_pred, axis=self.axis)
        spread = np.var(first, axis=self.axis) + np.var(second, axis=self.axis)
        both = np.mean(first * second, axis=self.axis)
        return 2 * both / (spread + np.square(apart) + 1e-7)


class R2Score(Metric):
    """The share of the variance of the targets that the outputs explain, over all samples.

    Parameters
    ----------
    class_aggregation : {"uniform_average", "variance_weighted_average", None}
        How the scores of the outputs become one: their mean, by the variance of the targets, or not
        at all (for use by hand).
    num_regressors : int, default 0
        How many inputs there are, to adjust the score for them.

    Notes
    -----
    Outputs are ``(batch, n)``. In an adjusted score ``n`` counts elements, as in Keras.

    Examples
    --------
    >>> round(R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]]), 4)
    0.5714
    """

    direction = "max"
    built = False

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.class_aggregation = class_aggregation
        if class_aggregation is not None:
            ways = ("uniform_average", "variance_weighted_average")
            checks.choice("R2Score", "class_aggregation", class_aggregation, ways)
        self.num_regressors = checks.integer("R2Score", "num_regressors", num_regressors, low=0)

    def build(self, output_shape: tuple[Any, ...]) -> None:
        """Take notice of the number of outputs."""
        if len(output_shape) != 2:
            raise ShapeError(
                f"R2Score takes outputs (batch, n), and the model's are {output_shape}. End the "
                "model in a Dense layer."
            )
        self._outputs = output_shape[1]
        self.built = True

    def zero_sums(self) -> Any:
        """Return zeros: sums of targets, of squares, of squared errors, of weights; a count."""
        return (*(np.zeros(self._outputs if self.built else 1) for _ in range(4)), 0.0)

    def sums(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the sums of a batch."""
        y_true = align(y_true, y_pred).astype(y_pred.dtype)
        weights = np.ones(y_pred.shape, y_pred.dtype)
        if sample_weight is not None:
            weights = spread_weights(sample_weight, y_pred)
        parts = (weights * y_true, weights * y_true * y_true, weights * np.square(y_true - y_pred))
        # In float64: the variance is a small difference of large sums.
        found = [np.sum(part.astype(np.float64), axis=0) for part in (*parts, weights)]
        return (*found, y_pred.shape[0] * y_pred.shape[1])

    def finish(self, *sums: Any) -> Any:
        """Return the score, or the scores."""
        total, squares, errors, count, n = sums
        spread = squares - total * divided(total, count)
        with np.errstate(divide="ignore", invalid="ignore"):
            scores: Any = 1 - np.divide(errors, spread)
        scores = np.where(np.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = np.mean(scores)
        elif self.class_aggregation is not None:
            scores = np.sum(spread * scores) / np.sum(spread)
        p = self.num_regressors
        if p == 0 or n == 0:
            return scores
        if p >= n - 1:
            warnings.warn(
                f"R2Score(num_regressors={p}): {int(n)} values are too few to adjust the score.",
                stacklevel=2,
            )
            return scores
        return 1 - (1 - scores) * (n - 1) / (n - p - 1)


def _centred(y_true: Any, y_pred: Any, axis: int) -> tuple[Any, Any]:
    y_true = y_true.astype(y_pred.dtype)
    return (
        y_true - np.mean(y_true, axis=axis, keepdims=True),
        y_pred - np.mean(y_pred, axis=axis, keepdims=True),
    )
