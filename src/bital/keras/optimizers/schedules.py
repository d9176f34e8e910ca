"""Learning rates as functions of the step: ``bital.nn.schedules``, by name and as plain data."""

from __future__ import annotations

from typing import Any

from bital.errors import ArgumentError
from bital.keras.vocabulary import Vocabulary
from bital.nn.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
    StepDecay,
    Warmup,
)

_ALL = (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
    StepDecay,
    Warmup,
)

VOCABULARY = Vocabulary("learning rate schedule", LearningRateSchedule, _ALL)


def serialize(schedule: Any) -> dict[str, Any]:
    """Return a schedule as plain data.

    Raises
    ------
    ArgumentError
        If it is a function or a class of your own.

    Examples
    --------
    >>> serialize(Warmup(0.1, 5))["class_name"]
    'Warmup'
    """
    if not isinstance(schedule, LearningRateSchedule):
        raise ArgumentError(
            f"learning_rate={schedule!r} is a function of your own: a model file holds data, never "
            "code. Use one of keras.optimizers.schedules, or save with model.save_weights(path)."
        )
    return VOCABULARY.serialize(schedule)


def deserialize(data: dict[str, Any]) -> LearningRateSchedule:
    """Return the schedule that `serialize` described.

    Raises
    ------
    ArgumentError
        If ``data`` is not what `serialize` writes.
    """
    found: LearningRateSchedule = VOCABULARY.deserialize(data)
    return found


__all__ = [*(cls.__name__ for cls in _ALL), "LearningRateSchedule", "deserialize", "serialize"]
