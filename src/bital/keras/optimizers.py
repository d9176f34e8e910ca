"""Optimizers: Keras's names and arguments, over the pure rules of ``bital.nn.optimizers``.

The rule never changes. The object around it holds what training changes: the learning rate, which
callbacks may set at any time, and the state.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bital.errors import ArgumentError
from bital.keras import checks
from bital.keras.variables import Variable, commit
from bital.keras.vocabulary import Vocabulary
from bital.nn import optimizers as rules


class Optimizer:
    """Base of the optimizers: subclasses name their ``rule_class``.

    Parameters
    ----------
    learning_rate : float
        The size of the steps.
    name : str, optional
        Default: the class's name in lower case.
    weight_decay, clipnorm, clipvalue, global_clipnorm : float, optional
        See ``bital.nn.optimizers.Optimizer``.
    **options
        The other arguments of the rule.
    """

    rule_class: type[rules.Optimizer]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # What help() and editors show: the rule's own arguments, and a name.
        own = inspect.signature(cls.rule_class)
        name = inspect.Parameter("name", inspect.Parameter.KEYWORD_ONLY, default=None)
        cls.__signature__ = own.replace(parameters=[*own.parameters.values(), name])

    def __init__(self, *arguments: Any, name: str | None = None, **options: Any) -> None:
        who = type(self).__name__
        names = [field.name for field in dataclasses.fields(self.rule_class)]
        unknown = {key: value for key, value in options.items() if key not in names}
        checks.absent(who, unknown, ("use_ema", "ema_momentum", "ema_overwrite_frequency"))
        self.rule = self.rule_class(*arguments, **{k: v for k, v in options.items() if k in names})
        self.name = who.lower() if name is None else checks.object_name(who, name)
        self._learning_rate = float(self.rule.learning_rate)
        self._variables: list[Variable] | None = None
        self.state: dict[str, Any] | None = None

    @property
    def learning_rate(self) -> float:
        """The size of the steps; setting it takes effect at the next step."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        dataclasses.replace(self.rule, learning_rate=value)  # checks it
        self._learning_rate = float(value)

    @property
    def iterations(self) -> int:
        """Number of steps taken."""
        return 0 if self.state is None else int(self.state["iterations"])

    @property
    def variables(self) -> list[np.ndarray]:
        """Copies of the arrays of the state."""
        if self.state is None:
            return []
        slots = [array for name in self.rule.slots for array in self.state[name]]
        return [np.array(array) for array in (self.state["iterations"], *slots)]

    def build(self, variables: Iterable[Variable]) -> None:
        """Make the state for these variables, unless it exists.

        Raises
        ------
        ArgumentError
            If the optimizer has already been built for others.
        """
        variables = list(variables)
        if self._variables is not None:
            same = len(variables) == len(self._variables) and all(
                new is old for new, old in zip(variables, self._variables, strict=True)
            )
            if not same:
                raise ArgumentError(
                    f"optimizer {self.name!r} already trains {len(self._variables)} other weights, "
                    f"and its state is theirs. Make a new one: {type(self).__name__}(...), and "
                    "compile the model with it."
                )
            return
        self.state = self.rule.init(tuple(variable.value for variable in variables))
        self._variables = variables

    def apply(self, gradients: Sequence[Any], variables: Iterable[Variable] | None = None) -> None:
        """Take one step against the gradients, one for each variable.

        Raises
        ------
        ArgumentError
            Without variables, before the first step.
        """
        if variables is not None:
            self.build(variables)
        if self._variables is None:
            raise ArgumentError(
                f"{self.name}.apply(gradients): the first step needs apply(gradients, variables)."
            )
        weights = tuple(variable.value for variable in self._variables)
        new, self.state = self.rule.update(
            tuple(gradients), self.state, weights, self._learning_rate
        )
        commit(self._variables, new)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> None:
        """Take one step against pairs of a gradient and its variable."""
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        config = {
            field.name: getattr(self.rule, field.name) for field in dataclasses.fields(self.rule)
        }
        config = {key: _plain(value) for key, value in config.items()}
        return {**config, "learning_rate": self._learning_rate, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Optimizer:
        """Return an optimizer with these constructor arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.get_config()}>"


class SGD(Optimizer):
    """``SGD(learning_rate=0.01, momentum=0.0, nesterov=False)``: see ``bital.nn.optimizers.SGD``.

    Examples
    --------
    >>> SGD(momentum=0.9).learning_rate
    0.01
    """

    rule_class = rules.SGD


class RMSprop(Optimizer):
    """``RMSprop(learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False)``.

    See ``bital.nn.optimizers.RMSprop``.

    Examples
    --------
    >>> RMSprop().learning_rate
    0.001
    """

    rule_class = rules.RMSprop


class Adam(Optimizer):
    """``Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False)``.

    See ``bital.nn.optimizers.Adam``.

    Examples
    --------
    >>> Adam(1e-4).learning_rate
    0.0001
    """

    rule_class = rules.Adam


class AdamW(Optimizer):
    """``Adam`` with ``weight_decay=0.004``: see ``bital.nn.optimizers.AdamW``.

    Examples
    --------
    >>> AdamW().get_config()["weight_decay"]
    0.004
    """

    rule_class = rules.AdamW


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


_ALL = (SGD, RMSprop, Adam, AdamW)

VOCABULARY = Vocabulary("optimizer", Optimizer, _ALL, spell=str.lower)


def get(identifier: Any) -> Optimizer:
    """Return the optimizer that a name, config, class or instance means.

    Raises
    ------
    ArgumentError
        If it means none.

    Examples
    --------
    >>> get("adam").learning_rate
    0.001
    """
    return VOCABULARY.get(identifier)


__all__ = [*(cls.__name__ for cls in _ALL), "Optimizer", "get"]
