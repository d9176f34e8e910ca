"""Losses: Keras's names, over the pure functions of ``bital.nn.losses``.

``base`` says what a loss is; ``elementwise`` and ``classes`` hold those that there are.
"""

from __future__ import annotations

from typing import Any

from bital.errors import ArgumentError
from bital.keras.losses.base import FunctionLoss, Loss, align, match_outputs, spread_weights
from bital.keras.losses.classes import (
    CTC,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    Circle,
    SparseCategoricalCrossentropy,
)
from bital.keras.losses.elementwise import (
    CategoricalHinge,
    CosineSimilarity,
    Dice,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Pinball,
    Poisson,
    SquaredHinge,
    Tversky,
)
from bital.keras.vocabulary import Vocabulary
from bital.nn.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    categorical_hinge,
    circle,
    cosine_similarity,
    ctc,
    dice,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    pinball,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
    tversky,
)

_ALL = (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CTC,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    CategoricalHinge,
    Circle,
    CosineSimilarity,
    Dice,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Pinball,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    Tversky,
)

VOCABULARY = Vocabulary(
    "loss",
    Loss,
    _ALL,
    {
        "mse": MeanSquaredError,
        "mae": MeanAbsoluteError,
        "mape": MeanAbsolutePercentageError,
        "msle": MeanSquaredLogarithmicError,
        "bce": BinaryCrossentropy,
        "kld": KLDivergence,
        "quantile": Pinball,
    },
    wrap=FunctionLoss,
)

# A named function means its class: the class also checks targets, and trains from logits.
_FUNCTIONS = {
    binary_crossentropy: BinaryCrossentropy,
    binary_focal_crossentropy: BinaryFocalCrossentropy,
    ctc: CTC,
    categorical_crossentropy: CategoricalCrossentropy,
    categorical_focal_crossentropy: CategoricalFocalCrossentropy,
    categorical_generalized_cross_entropy: CategoricalGeneralizedCrossEntropy,
    categorical_hinge: CategoricalHinge,
    circle: Circle,
    cosine_similarity: CosineSimilarity,
    dice: Dice,
    hinge: Hinge,
    huber: Huber,
    kl_divergence: KLDivergence,
    log_cosh: LogCosh,
    mean_absolute_error: MeanAbsoluteError,
    mean_absolute_percentage_error: MeanAbsolutePercentageError,
    mean_squared_error: MeanSquaredError,
    mean_squared_logarithmic_error: MeanSquaredLogarithmicError,
    pinball: Pinball,
    poisson: Poisson,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
    squared_hinge: SquaredHinge,
    tversky: Tversky,
}


def get(identifier: Any) -> Loss:
    """Return the loss that a name, config, function, class or instance means.

    Raises
    ------
    ArgumentError
        If it means none, or one without a reduction.

    Examples
    --------
    >>> get("mse").name
    'mean_squared_error'
    """
    if callable(identifier) and not isinstance(identifier, (Loss, type)):
        identifier = _FUNCTIONS.get(identifier, identifier)
    loss = VOCABULARY.get(identifier)
    if loss.reduction == "none":
        raise ArgumentError(
            f"loss {loss.name!r} has reduction='none'; training lowers one number. Use "
            "reduction='sum_over_batch_size' or 'sum'."
        )
    return loss


__all__ = [
    *(cls.__name__ for cls in _ALL),
    *(function.__name__ for function in _FUNCTIONS),
    "FunctionLoss",
    "Loss",
    "align",
    "get",
    "match_outputs",
    "spread_weights",
]
