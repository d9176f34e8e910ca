"""What is searched: hyperparameters, written with Python's own containers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bital.errors import ArgumentError
from bital.tune.optional import load_optuna

WRITTEN = (
    "Write a list of choices, a tuple (low, high), Log(low, high), or a distribution of Optuna's"
)
GRID_LIMIT = 100_000


@dataclass(frozen=True)
class Log:
    """A range that is searched by factors: as likely between 0.001 and 0.01 as 0.01 and 0.1.

    Parameters
    ----------
    low, high : int or float
        Both ends belong to it. Two integers give integers.

    Raises
    ------
    ArgumentError
        If they are not numbers with ``0 < low <= high``.

    Examples
    --------
    >>> Log(1e-5, 1e-1)
    Log(low=1e-05, high=0.1)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _ordered("Log", self.low, self.high)
        if self.low <= 0:
            raise ArgumentError(f"{self!r}: low must be more than 0, where a logarithm exists.")


class Space:
    """Named hyperparameters as distributions of Optuna's, and the values that they stand for.

    Parameters
    ----------
    written : mapping of str to list, tuple, Log, dict, distribution; or function
        A list (or array, or range) holds choices; a dict holds choices by name; ``(low, high)`` is
        a range of integers, or of floats if one of the two is a float; a distribution is one of
        Optuna's, or a frozen ``uniform``, ``loguniform`` or ``randint`` of SciPy's. A function
        takes a trial of Optuna's and returns the values: then one may depend on another.

    Raises
    ------
    ArgumentError
        If it is none of these, or empty.
    """

    def __init__(self, written: Any) -> None:
        self.function: Callable[[Any], dict[str, Any]] | None = None
        self.distributions: dict[str, Any] = {}
        self._values: dict[str, dict[Any, Any]] = {}
        if callable(written):
            self.function = written
            return
        if not isinstance(written, Mapping) or not written:
            raise ArgumentError(
                f"search(space={written!r}): must be a dict of hyperparameters that is not empty, "
                "such as {'learning_rate': Log(1e-4, 1e-1), 'units': [32, 64]}; or a function of a "
                "trial that returns their values."
            )
        for name, item in written.items():
            if not isinstance(name, str):
                raise ArgumentError(f"search(space={{{name!r}: ...}}): names must be strings.")
            self._add(name, item)

    def _add(self, name: str, item: Any) -> None:
        optuna = load_optuna()
        kinds = optuna.distributions
        if isinstance(item, kinds.CategoricalDistribution):
            item = list(item.choices)
        if isinstance(item, kinds.BaseDistribution):
            self.distributions[name] = item
            return
        if isinstance(item, Log):
            self.distributions[name] = _range(name, item.low, item.high, log=True)
            return
        if isinstance(item, tuple):
            if len(item) != 2 or not all(map(_is_number, item)):
                raise ArgumentError(
                    f"search(space={{{name!r}: {item!r}}}): a tuple is a range of two numbers, "
                    "(low, high). Choices are a list: [...]."
                )
            self.distributions[name] = _range(name, *item)
            return
        if hasattr(item, "dist") and hasattr(item, "support"):
            self.distributions[name] = _from_scipy(name, item)
            return
        if isinstance(item, dict):
            labels, values = list(item), list(item.values())
        elif isinstance(item, (list, range)) or (isinstance(item, np.ndarray) and item.ndim == 1):
            values = [v.item() if isinstance(v, np.generic) else v for v in item]
            labels = [_label(name, value) for value in values]
        else:
            raise ArgumentError(f"search(space={{{name!r}: {item!r}}}): {WRITTEN}.")
        if not labels or len(set(labels)) < len(labels):
            fault = "two choices with one name or value" if labels else "no choices"
            raise ArgumentError(f"search(space={{{name!r}: {item!r}}}): there are {fault}.")
        self.distributions[name] = kinds.CategoricalDistribution(labels)
        self._values[name] = dict(zip(labels, values, strict=True))

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Ask a trial of Optuna's (or one that is fixed) for values, and return what they mean."""
        if self.function is not None:
            return dict(self.function(trial))
        found = {}
        for name, kind in self.distributions.items():
            value = _suggest(trial, name, kind)
            found[name] = self._values[name][value] if name in self._values else value
        return found

    def values_of(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What the parameters of a finished trial stand for."""
        return self.suggest(load_optuna().trial.FixedTrial(dict(params)))

    def describe(self) -> Any:
        """Text that is equal for equal spaces, also in another process."""
        if self.function is not None:
            return getattr(self.function, "__qualname__", type(self.function).__name__)
        return {name: repr(kind) for name, kind in sorted(self.distributions.items())}

    def grid(self) -> list[dict[str, Any]]:
        """All combinations, the last hyperparameter changing fastest.

        Raises
        ------
        ArgumentError
            If a range has no steps, or there are too many combinations.
        """
        if self.function is not None:
            raise ArgumentError(
                f"search(sampler='grid', space={self.describe()}): a function has no grid; give a "
                "dict of lists."
            )
        axes = {name: _axis(name, kind) for name, kind in self.distributions.items()}
        count = math.prod(map(len, axes.values()))
        if count > GRID_LIMIT:
            raise ArgumentError(
                f"search(sampler='grid'): the grid has {count:,} points, more than "
                f"{GRID_LIMIT:,}. Write sampler='random' or 'tpe'."
            )
        return [dict(zip(axes, point, strict=True)) for point in itertools.product(*axes.values())]


def _suggest(trial: Any, name: str, kind: Any) -> Any:
    kinds = load_optuna().distributions
    if isinstance(kind, kinds.CategoricalDistribution):
        return trial.suggest_categorical(name, kind.choices)
    ask = trial.suggest_int if isinstance(kind, kinds.IntDistribution) else trial.suggest_float
    return ask(name, kind.low, kind.high, step=kind.step, log=kind.log)


def _axis(name: str, kind: Any) -> Sequence[Any]:
    kinds = load_optuna().distributions
    if isinstance(kind, kinds.CategoricalDistribution):
        return list(kind.choices)
    if isinstance(kind, kinds.IntDistribution) and not kind.log:
        return range(kind.low, kind.high + 1, kind.step)
    if kind.step is not None and not kind.log:
        count = round((kind.high - kind.low) / kind.step) + 1
        return [kind.low + i * kind.step for i in range(count)]
    raise ArgumentError(
        f"search(sampler='grid'): {name!r} is a range without steps, {kind}. A grid needs a list: "
        f"{name!r}: [{kind.low:g}, {kind.high:g}]."
    )


def _range(name: str, low: Any, high: Any, log: bool = False) -> Any:
    _ordered(f"search(space={{{name!r}: ...}})", low, high)
    kinds = load_optuna().distributions
    whole = all(isinstance(end, (int, np.integer)) for end in (low, high))
    kind, number = (kinds.IntDistribution, int) if whole else (kinds.FloatDistribution, float)
    return kind(number(low), number(high), log=log)


def _from_scipy(name: str, frozen: Any) -> Any:
    law = getattr(frozen.dist, "name", "")
    low, high = frozen.support()
    if law in ("loguniform", "reciprocal"):
        return _range(name, float(low), float(high), log=True)
    if law == "uniform":
        return _range(name, float(low), float(high))
    if law == "randint":
        return _range(name, int(low), int(high))
    raise ArgumentError(
        f"search(space={{{name!r}: ...}}): of SciPy's laws uniform, loguniform and randint are "
        f"known, not {law!r}. {WRITTEN}."
    )


def _ordered(who: str, low: Any, high: Any) -> None:
    if not (_is_number(low) and _is_number(high) and low <= high and math.isfinite(high - low)):
        raise ArgumentError(
            f"{who}: a range needs two finite numbers, low <= high, not {low!r} and {high!r}."
        )


def _is_number(value: Any) -> bool:
    whole = isinstance(value, (int, float, np.integer, np.floating))
    return whole and not isinstance(value, bool)


def _label(name: str, value: Any) -> Any:
    """A choice as a study keeps it: a plain value, or the text of another one."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if callable(value) and hasattr(value, "__name__"):
        return value.__name__
    text = repr(value)
    if " at 0x" in text:
        raise ArgumentError(
            f"search(space={{{name!r}: [... {text} ...]}}): a study on disk cannot name this "
            "choice. Give names: a dict such as {'small': ..., 'large': ...}."
        )
    return text
