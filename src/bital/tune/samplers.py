"""What draws hyperparameters: Optuna's samplers, made anew for each place of a study.

Only `searching` imports this, and only once Optuna is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from bital.errors import ArgumentError
from bital.tune import ledger
from bital.tune.space import Space

SAMPLERS = ("tpe", "random", "grid")


class PlaceSampler(BaseSampler):
    """Hands each trial to a sampler of its own, so that nothing depends on what was drawn before.

    ``make(place)`` makes one; ``study`` is set once there is one (pruners hand in parts of it).
    """

    def __init__(self, make: Callable[[int], BaseSampler]) -> None:
        self._make = make
        self._made: tuple[int, BaseSampler] | None = None
        self.study: Any = None

    def _of(self, trial: Any) -> BaseSampler:
        if self._made is None or self._made[0] != trial.number:
            place = ledger.places(self.study.get_trials(deepcopy=False))[trial.number]
            self._made = trial.number, self._make(place)
        return self._made[1]

    def before_trial(self, study: Any, trial: Any) -> None:
        """Ask the trial's sampler."""
        self._of(trial).before_trial(study, trial)

    def infer_relative_search_space(self, study: Any, trial: Any) -> Any:
        """Ask the trial's sampler."""
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> Any:
        """Ask the trial's sampler."""
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Any, trial: Any, param_name: str, param_distribution: Any
    ) -> Any:
        """Ask the trial's sampler."""
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
        """Tell the trial's sampler, unless the trial is that of another process."""
        if self._made is not None and self._made[0] == trial.number:
            self._made[1].after_trial(study, trial, state, values)


class FixedSampler(BaseSampler):
    """Gives these values: a point of a grid."""

    def __init__(self, params: dict[str, Any]) -> None:
        self._params = params

    def infer_relative_search_space(self, study: Any, trial: Any) -> Any:
        """Nothing is drawn together."""
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> Any:
        """Nothing is drawn together."""
        return {}

    def sample_independent(
        self, study: Any, trial: Any, param_name: str, param_distribution: Any
    ) -> Any:
        """The value of the point."""
        return self._params[param_name]


def make(sampler: Any, space: Space, seed: int, parallel: bool) -> BaseSampler:
    """The sampler of a search.

    Raises
    ------
    ArgumentError
        If its name is unknown, or the space has no grid.
    """
    if isinstance(sampler, BaseSampler):
        return sampler
    if sampler not in SAMPLERS:
        raise ArgumentError(
            f"search(sampler={sampler!r}): must be one of {', '.join(map(repr, SAMPLERS))}, or a "
            "sampler of Optuna's."
        )
    if sampler == "grid":
        points = space.grid()
        return PlaceSampler(lambda place: FixedSampler(points[place % len(points)]))

    def seeded(place: int) -> BaseSampler:
        number = int(np.random.SeedSequence([seed, place]).generate_state(1)[0])
        if sampler == "random":
            return RandomSampler(seed=number)
        return TPESampler(seed=number, constant_liar=parallel)

    return PlaceSampler(seeded)
