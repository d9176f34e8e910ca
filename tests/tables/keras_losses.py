"""The table of losses: a row for each, and for each way of making it that matters.

``tests/unit/keras/test_training_rows.py`` runs a row with ``bital.keras`` alone,
``tests/peers/test_keras3_training.py`` runs the same expression with Keras 3 too and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

SAMPLES, CLASSES = 12, 4

KINDS: dict[str, Callable[[np.random.Generator], Any]] = {
    "numbers": lambda rng: rng.normal(size=(SAMPLES, CLASSES)),
    "positive": lambda rng: rng.uniform(0.1, 3.0, (SAMPLES, CLASSES)),
    "counts": lambda rng: rng.poisson(2.0, (SAMPLES, CLASSES)).astype(float),
    "logits": lambda rng: rng.normal(size=(SAMPLES, CLASSES), scale=2.0),
    "shares": lambda rng: rng.dirichlet(np.full(CLASSES, 2.0), SAMPLES),
    "units": lambda rng: rng.uniform(0.02, 0.98, (SAMPLES, CLASSES)),
    "unit": lambda rng: rng.uniform(0.02, 0.98, (SAMPLES, 1)),
    "binary": lambda rng: rng.integers(0, 2, (SAMPLES, CLASSES)).astype(float),
    "bit": lambda rng: rng.integers(0, 2, (SAMPLES, 1)).astype(float),
    "bits": lambda rng: rng.integers(0, 2, SAMPLES).astype(float),
    "signs": lambda rng: rng.choice([-1.0, 1.0], (SAMPLES, CLASSES)),
    "labels": lambda rng: rng.integers(0, CLASSES, SAMPLES),
    "column of labels": lambda rng: rng.integers(0, CLASSES, (SAMPLES, 1)),
    "labels or -1": lambda rng: rng.integers(-1, CLASSES, SAMPLES),
    "labels of steps": lambda rng: rng.integers(0, CLASSES, (SAMPLES, 3)),
    "logits of steps": lambda rng: rng.normal(size=(SAMPLES, 3, CLASSES)),
    "one-hot": lambda rng: np.eye(CLASSES)[rng.integers(0, CLASSES, SAMPLES)],
    "one number": lambda rng: rng.normal(size=(SAMPLES, 1)),
    "row of numbers": lambda rng: rng.normal(size=SAMPLES),
    "vectors": lambda rng: _unit(rng.normal(size=(SAMPLES, CLASSES))),
    "texts": lambda rng: rng.integers(1, CLASSES, (SAMPLES, 3)) * np.array([1, 1, 0]),
    "logits of time": lambda rng: rng.normal(size=(SAMPLES, 7, CLASSES)),
}


def _unit(x: Any) -> Any:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def draw(kind: str, seed: int = 0) -> Any:
    """Return the operand of this kind, always the same."""
    return KINDS[kind](np.random.default_rng([seed, *kind.encode()]))


@dataclass(frozen=True)
class LossRow:
    """A loss, how to make it, and the kinds of targets and outputs that it compares.

    Attributes
    ----------
    name : str
    make : callable
        ``make(k)`` is the loss, where ``k`` is ``bital.keras`` or Keras itself.
    targets, outputs : str
        Keys of ``KINDS``.
    weighted : bool
        Whether there is a value for each sample, so that sample weights mean something.
    peer : bool
        Whether Keras has it.
    """

    name: str
    make: Callable[[Any], Any]
    targets: str
    outputs: str
    weighted: bool = True
    peer: bool = True

    def __str__(self) -> str:
        return self.name


_L = LossRow
ROWS = [
    _L("mse", lambda k: k.losses.MeanSquaredError(), "numbers", "logits"),
    _L("mse, one output", lambda k: k.losses.MeanSquaredError(), "row of numbers", "one number"),
    _L("mse, sum", lambda k: k.losses.MeanSquaredError(reduction="sum"), "numbers", "logits"),
    _L(
        "mse, mean with sample weight",
        lambda k: k.losses.MeanSquaredError(reduction="mean_with_sample_weight"),
        "numbers",
        "logits",
    ),
    _L("mse, none", lambda k: k.losses.MeanSquaredError(reduction=None), "numbers", "logits"),
    _L("mae", lambda k: k.losses.MeanAbsoluteError(), "numbers", "logits"),
    _L("mape", lambda k: k.losses.MeanAbsolutePercentageError(), "numbers", "logits"),
    _L("msle", lambda k: k.losses.MeanSquaredLogarithmicError(), "positive", "units"),
    _L("huber", lambda k: k.losses.Huber(), "numbers", "logits"),
    _L("huber, delta", lambda k: k.losses.Huber(delta=0.4), "numbers", "logits"),
    _L("log cosh", lambda k: k.losses.LogCosh(), "numbers", "logits"),
    _L("cosine", lambda k: k.losses.CosineSimilarity(), "numbers", "logits"),
    _L(
        "cosine, axis 0",
        lambda k: k.losses.CosineSimilarity(axis=0),
        "numbers",
        "logits",
        weighted=False,
    ),
    _L("hinge of signs", lambda k: k.losses.Hinge(), "signs", "numbers"),
    _L("hinge of bits", lambda k: k.losses.Hinge(), "binary", "numbers"),
    _L("squared hinge", lambda k: k.losses.SquaredHinge(), "binary", "numbers"),
    _L("categorical hinge", lambda k: k.losses.CategoricalHinge(), "one-hot", "shares"),
    _L("kl divergence", lambda k: k.losses.KLDivergence(), "shares", "units"),
    _L("poisson", lambda k: k.losses.Poisson(), "counts", "positive"),
    _L("binary", lambda k: k.losses.BinaryCrossentropy(), "binary", "units"),
    _L(
        "binary, smoothed logits",
        lambda k: k.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2),
        "binary",
        "logits",
    ),
    _L("binary, one output", lambda k: k.losses.BinaryCrossentropy(), "bits", "unit"),
    _L("binary focal", lambda k: k.losses.BinaryFocalCrossentropy(), "binary", "units"),
    _L(
        "binary focal, balanced logits",
        lambda k: k.losses.BinaryFocalCrossentropy(
            apply_class_balancing=True, alpha=0.3, gamma=1.5, from_logits=True, label_smoothing=0.1
        ),
        "binary",
        "logits",
    ),
    _L("categorical", lambda k: k.losses.CategoricalCrossentropy(), "one-hot", "shares"),
    _L(
        "categorical, smoothed logits",
        lambda k: k.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        "one-hot",
        "logits",
    ),
    _L("categorical focal", lambda k: k.losses.CategoricalFocalCrossentropy(), "one-hot", "shares"),
    _L(
        "categorical focal, logits",
        lambda k: k.losses.CategoricalFocalCrossentropy(
            alpha=0.5, gamma=3.0, from_logits=True, label_smoothing=0.1
        ),
        "one-hot",
        "logits",
    ),
    _L("sparse", lambda k: k.losses.SparseCategoricalCrossentropy(), "labels", "shares"),
    _L(
        "sparse, column",
        lambda k: k.losses.SparseCategoricalCrossentropy(),
        "column of labels",
        "shares",
    ),
    _L(
        "sparse, steps of logits",
        lambda k: k.losses.SparseCategoricalCrossentropy(from_logits=True),
        "labels of steps",
        "logits of steps",
        weighted=False,  # Keras cannot spread weights of samples over steps
    ),
    _L(
        "sparse, ignoring a class",
        lambda k: k.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1),
        "labels or -1",
        "logits",
    ),
    _L(
        "generalized",
        lambda k: k.losses.CategoricalGeneralizedCrossEntropy(q=0.7),
        "labels",
        "shares",
    ),
    _L("dice", lambda k: k.losses.Dice(), "binary", "units", False),
    _L("dice, axis", lambda k: k.losses.Dice(axis=(1,)), "binary", "units"),
    _L("tversky", lambda k: k.losses.Tversky(alpha=0.3, beta=0.7), "binary", "units", False),
    _L("tversky, axis", lambda k: k.losses.Tversky(axis=(1,)), "binary", "units"),
    _L("circle", lambda k: k.losses.Circle(gamma=2.0, margin=0.3), "labels", "vectors"),
    _L(
        "circle with itself",
        lambda k: k.losses.Circle(gamma=2.0, remove_diagonal=False),
        "labels",
        "vectors",
    ),
    _L("ctc", lambda k: k.losses.CTC(), "texts", "logits of time"),
    _L("pinball", lambda k: k.losses.Pinball(0.8), "numbers", "logits", peer=False),
    _L(
        "pinball, several",
        lambda k: k.losses.Pinball([0.1, 0.4, 0.6, 0.9]),
        "row of numbers",
        "logits",
        peer=False,
    ),
]
