"""Metrics: Keras's names. Each is a tuple of sums over samples, and what they are in the end.

``base`` says what a metric is; the other files hold those that there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import ArgumentError
from bital.keras import losses
from bital.keras.losses import Loss
from bital.keras.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from bital.keras.metrics.base import (
    FunctionMetric,
    Mean,
    MeanMetricWrapper,
    Metric,
    Sum,
)
from bital.keras.metrics.counts import (
    F1Score,
    FalseNegatives,
    FalsePositives,
    FBetaScore,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from bital.keras.metrics.curves import (
    AUC,
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from bital.keras.metrics.errors import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    ConcordanceCorrelation,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanRelativeError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    PearsonCorrelation,
    Poisson,
    R2Score,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from bital.keras.metrics.overlap import (
    BinaryIoU,
    IoU,
    MeanIoU,
    OneHotIoU,
    OneHotMeanIoU,
)
from bital.keras.vocabulary import Vocabulary

_ALL = (
    AUC,
    Accuracy,
    BinaryAccuracy,
    BinaryCrossentropy,
    BinaryIoU,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    CategoricalHinge,
    ConcordanceCorrelation,
    CosineSimilarity,
    F1Score,
    FBetaScore,
    FalseNegatives,
    FalsePositives,
    Hinge,
    IoU,
    KLDivergence,
    LogCoshError,
    Mean,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanIoU,
    MeanRelativeError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    OneHotIoU,
    OneHotMeanIoU,
    PearsonCorrelation,
    Poisson,
    Precision,
    PrecisionAtRecall,
    R2Score,
    Recall,
    RecallAtPrecision,
    RootMeanSquaredError,
    SensitivityAtSpecificity,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy,
    SpecificityAtSensitivity,
    SquaredHinge,
    Sum,
    TopKCategoricalAccuracy,
    TrueNegatives,
    TruePositives,
)

VOCABULARY = Vocabulary(
    "metric",
    Metric,
    _ALL,
    {
        "mse": MeanSquaredError,
        "mae": MeanAbsoluteError,
        "mape": MeanAbsolutePercentageError,
        "msle": MeanSquaredLogarithmicError,
        "rmse": RootMeanSquaredError,
        "bce": BinaryCrossentropy,
        "kld": KLDivergence,
        "logcosh": LogCoshError,
        "fbeta_score": FBetaScore,
        "mean_iou": MeanIoU,
        "binary_iou": BinaryIoU,
    },
    wrap=FunctionMetric,
)

_CHOSEN = {
    "accuracy": (BinaryAccuracy, SparseCategoricalAccuracy, CategoricalAccuracy),
    "acc": (BinaryAccuracy, SparseCategoricalAccuracy, CategoricalAccuracy),
    "crossentropy": (BinaryCrossentropy, SparseCategoricalCrossentropy, CategoricalCrossentropy),
    "ce": (BinaryCrossentropy, SparseCategoricalCrossentropy, CategoricalCrossentropy),
}
"""Names that mean another metric for other losses and shapes: binary, of labels, of one-hot."""


def get(identifier: Any) -> Metric:
    """Return the metric that a name, config, function, class or instance means.

    Raises
    ------
    ArgumentError
        If it means none.

    Examples
    --------
    >>> get("mae").name
    'mean_absolute_error'
    """
    return VOCABULARY.get(identifier)


def resolve(
    identifier: Any, loss: Loss | None, target_shape: tuple[Any, ...], output_shape: tuple[Any, ...]
) -> Metric:
    """Return the metric that ``compile`` was asked for, now that all shapes are known.

    ``"accuracy"`` becomes the binary one for the binary crossentropy or a single output, the
    sparse one if targets have fewer axes than outputs, else the categorical one; likewise
    ``"crossentropy"``. For logits the binary threshold is 0. A name given to ``compile`` stays the
    name in logs.

    Raises
    ------
    ArgumentError
        If the metric is several numbers, which logs cannot hold.
    """
    metric = _chosen(identifier, loss, target_shape, output_shape)
    metric.build(output_shape)
    with np.errstate(all="ignore"):
        several = np.ndim(metric.finished(metric.zero_sums()))
    if several:
        raise ArgumentError(
            f"metric {metric.name!r} gives several numbers, and a training logs one. Choose one of "
            "them: one threshold, average='macro', or a class_id; or use the metric by hand."
        )
    return metric


def _chosen(
    identifier: Any, loss: Loss | None, target_shape: tuple[Any, ...], output_shape: tuple[Any, ...]
) -> Metric:
    if not isinstance(identifier, str):
        return get(identifier)
    if identifier not in _CHOSEN:
        metric = get(identifier)
        metric.name = identifier
        return metric
    binary, sparse, categorical = _CHOSEN[identifier]
    of_logits = bool(getattr(loss, "from_logits", False))
    kinds = (losses.BinaryCrossentropy, losses.BinaryFocalCrossentropy)
    if isinstance(loss, kinds) or output_shape[-1] == 1:
        if binary is BinaryAccuracy:
            return BinaryAccuracy(identifier, threshold=0.0 if of_logits else 0.5)
        return BinaryCrossentropy(identifier, from_logits=of_logits)
    fewer = len(target_shape) < len(output_shape) or target_shape[-1] == 1
    options = {} if identifier in ("accuracy", "acc") else {"from_logits": of_logits}
    return (sparse if fewer else categorical)(name=identifier, **options)


def listed(name: str, requests: Any) -> list[Any]:
    """Return what ``compile`` was asked for as a list, once every name in it means something.

    Raises
    ------
    ArgumentError
        If it is not a metric or a list of metrics.
    """
    if requests is None:
        return []
    found = list(requests) if isinstance(requests, (list, tuple)) else [requests]
    for request in found:
        if isinstance(request, (list, dict)) and "class_name" not in request:
            raise ArgumentError(
                f"compile({name}={requests!r}): must be a list of metrics, for the one output."
            )
        if not isinstance(request, str) or request not in _CHOSEN:
            get(request)  # a wrong name fails here, not at the first fit
    return found


def unique(names: list[str]) -> None:
    """Raise if two metrics have one name.

    Raises
    ------
    ArgumentError
        They would overwrite each other in the logs.
    """
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(
                f"two metrics are named {name!r}; give one of them another name, for instance "
                f"TopKCategoricalAccuracy(k=3, name='top_3')."
            )


__all__ = [*(cls.__name__ for cls in _ALL), "FunctionMetric", "MeanMetricWrapper", "Metric", "get"]
