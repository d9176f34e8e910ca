"""The tables of optimizers and of schedules: a row for each, and for each option that matters.

See ``keras_losses``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class OptimizerRow:
    """An optimizer, and how to make it.

    Attributes
    ----------
    name : str
    make : callable
        ``make(k)`` is the optimizer, where ``k`` is ``bital.keras`` or Keras itself.
    tolerance : float
        Of the comparison with Keras, which computes powers of the step in float32.
    """

    name: str
    make: Callable[[Any], Any]
    tolerance: float = 2e-5

    def __str__(self) -> str:
        return self.name


_O = OptimizerRow
ROWS = [
    _O("sgd", lambda k: k.optimizers.SGD(0.05)),
    _O("momentum", lambda k: k.optimizers.SGD(0.05, momentum=0.9)),
    _O("nesterov", lambda k: k.optimizers.SGD(0.05, momentum=0.9, nesterov=True)),
    _O("rmsprop", lambda k: k.optimizers.RMSprop(0.05)),
    _O(
        "rmsprop, centered",
        lambda k: k.optimizers.RMSprop(0.05, rho=0.8, momentum=0.5, centered=True),
    ),
    _O("adam", lambda k: k.optimizers.Adam(0.05)),
    _O("amsgrad", lambda k: k.optimizers.Adam(0.05, beta_1=0.8, epsilon=1e-3, amsgrad=True)),
    _O("adamw", lambda k: k.optimizers.AdamW(0.05, 0.2)),
    _O("adadelta", lambda k: k.optimizers.Adadelta(1.0, rho=0.9, epsilon=1e-3)),
    _O("adagrad", lambda k: k.optimizers.Adagrad(0.05, initial_accumulator_value=0.2)),
    _O("adamax", lambda k: k.optimizers.Adamax(0.05, beta_2=0.9)),
    _O("nadam", lambda k: k.optimizers.Nadam(0.05)),
    _O("ftrl", lambda k: k.optimizers.Ftrl(0.05)),
    _O(
        "ftrl, all",
        lambda k: k.optimizers.Ftrl(
            0.05,
            learning_rate_power=-0.3,
            initial_accumulator_value=0.3,
            l1_regularization_strength=0.1,
            l2_regularization_strength=0.2,
            l2_shrinkage_regularization_strength=0.1,
            beta=0.5,
        ),
    ),
    _O("lion", lambda k: k.optimizers.Lion(0.05, beta_1=0.7)),
    _O("lamb", lambda k: k.optimizers.Lamb(0.05)),
    _O("adafactor", lambda k: k.optimizers.Adafactor(0.05)),
    _O(
        "adafactor, all",
        lambda k: k.optimizers.Adafactor(
            0.8, beta_2_decay=-0.5, epsilon_2=0.5, clip_threshold=0.6, relative_step=False
        ),
    ),
    _O("muon", lambda k: k.optimizers.Muon(0.05), 2e-4),
    _O(
        "muon, all",
        lambda k: k.optimizers.Muon(
            0.05,
            nesterov=False,
            momentum=0.8,
            ns_steps=3,
            rms_rate=None,
            adam_lr_ratio=0.5,
            weight_decay=0.1,
            adam_weight_decay=None,
        ),
        2e-4,
    ),
    _O("schedule-free", lambda k: k.optimizers.ScheduleFreeAdamW(0.05)),
    _O(
        "schedule-free, warm-up",
        lambda k: k.optimizers.ScheduleFreeAdamW(0.05, warmup_steps=3, weight_decay=0.1),
    ),
    _O("clipvalue", lambda k: k.optimizers.SGD(0.05, weight_decay=0.1, clipvalue=0.4)),
    _O("clipnorm", lambda k: k.optimizers.Adam(0.05, clipnorm=0.5)),
    _O("global clipnorm", lambda k: k.optimizers.Adam(0.05, global_clipnorm=0.5)),
    _O("average", lambda k: k.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.7)),
    _O(
        "average, overwriting",
        lambda k: k.optimizers.Adam(
            0.05, use_ema=True, ema_momentum=0.6, ema_overwrite_frequency=2
        ),
    ),
    _O("accumulation", lambda k: k.optimizers.Adam(0.05, gradient_accumulation_steps=2)),
    _O(
        "accumulation with everything",
        lambda k: k.optimizers.SGD(
            0.05,
            momentum=0.9,
            weight_decay=0.1,
            clipnorm=0.7,
            use_ema=True,
            ema_momentum=0.5,
            ema_overwrite_frequency=2,
            gradient_accumulation_steps=2,
        ),
    ),
    _O(
        "schedule",
        lambda k: k.optimizers.Adam(k.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)),
    ),
    _O(
        "schedule with decay and accumulation",
        lambda k: k.optimizers.SGD(
            k.optimizers.schedules.PolynomialDecay(0.1, 4),
            weight_decay=0.2,
            gradient_accumulation_steps=2,
        ),
    ),
]

SCHEDULES = [
    _O("exponential", lambda s: s.ExponentialDecay(0.1, 7, 0.6)),
    _O("exponential, staircase", lambda s: s.ExponentialDecay(0.1, 7, 0.6, staircase=True)),
    _O("inverse time", lambda s: s.InverseTimeDecay(0.1, 7, 0.6)),
    _O("inverse time, staircase", lambda s: s.InverseTimeDecay(0.1, 7, 0.6, staircase=True)),
    _O("polynomial", lambda s: s.PolynomialDecay(0.1, 12, 0.01, power=2.0)),
    _O("polynomial, cycle", lambda s: s.PolynomialDecay(0.1, 12, 0.01, power=0.5, cycle=True)),
    _O("cosine", lambda s: s.CosineDecay(0.1, 12, alpha=0.1)),
    _O(
        "cosine, warm-up",
        lambda s: s.CosineDecay(0.01, 12, alpha=0.1, warmup_target=0.1, warmup_steps=5),
    ),
    _O("restarts", lambda s: s.CosineDecayRestarts(0.1, 5, m_mul=0.8, alpha=0.05), 2e-4),
    _O("restarts, equal", lambda s: s.CosineDecayRestarts(0.1, 5, t_mul=1.0), 2e-4),
    _O("piecewise", lambda s: s.PiecewiseConstantDecay([3, 9, 20], [0.5, 0.2, 0.1, 0.05])),
    _O("piecewise, two", lambda s: s.PiecewiseConstantDecay([4], [0.5, 0.2])),
]
