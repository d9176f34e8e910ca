"""What an optimizer is: a rule of ``bital.nn.optimizers``, and what training changes.

The rule never changes. The object around it holds what training changes: the learning rate, which
callbacks may set at any time, and the state.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bital import DeviceArray, tree
from bital.errors import ArgumentError
from bital.keras import checks
from bital.keras.optimizers import schedules
from bital.keras.variables import Variable, commit
from bital.nn import optimizers as rules

_BY_VARIABLE = ("undecayed", "adam_weights")
"""Arguments of rules that name weights by their places: known when the variables are."""

_LOSS_SCALE = (
    "{who}(loss_scale_factor={value!r}): gradients are computed in float32 or float64, which need "
    "no scaling of the loss. Leave it out."
)


class Optimizer:
    """Base of the optimizers: subclasses name their ``rule_class``.

    Parameters
    ----------
    learning_rate : float or schedule
        The size of the steps; see ``keras.optimizers.schedules``.
    name : str, optional
        Default: the class's name in lower case.
    weight_decay, clipnorm, clipvalue, global_clipnorm : float, optional
    use_ema, ema_momentum, ema_overwrite_frequency, gradient_accumulation_steps
        See ``bital.nn.optimizers.Optimizer``. With ``use_ema`` the model ends a ``fit`` with the
        averages as its weights.
    **options
        The other arguments of the rule.
    """

    rule_class: type[rules.Optimizer]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # What help() and editors show: the rule's own arguments, and a name.
        own = inspect.signature(cls.rule_class)
        name = inspect.Parameter("name", inspect.Parameter.KEYWORD_ONLY, default=None)
        shown = [p for p in own.parameters.values() if p.name not in _BY_VARIABLE]
        cls.__signature__ = own.replace(parameters=[*shown, name])

    def __init__(self, *arguments: Any, name: str | None = None, **options: Any) -> None:
        who = type(self).__name__
        scale = options.pop("loss_scale_factor", None)
        if scale is not None:
            raise ArgumentError(_LOSS_SCALE.format(who=who, value=scale))
        names = self._argument_names()
        checks.absent(who, {key: value for key, value in options.items() if key not in names})
        rate = arguments[0] if arguments else options.get("learning_rate")
        if isinstance(rate, dict):
            arguments = (schedules.deserialize(rate), *arguments[1:])
            options.pop("learning_rate", None)
        self.rule = self.rule_class(*arguments, **options)
        self.name = who.lower() if name is None else checks.object_name(who, name)
        given = self.rule.learning_rate
        self._learning_rate = None if callable(given) else float(given)
        self._variables: list[Variable] | None = None
        self._excluded: dict[str, list[str]] = {}
        self._state: dict[str, Any] | None = None

    @property
    def state(self) -> dict[str, Any] | None:
        """What the rule remembers: counts, and arrays like the weights. None before ``build``.

        What was left on a device comes from there now, and is given back at the next step.
        """
        self._state = tree.map(
            lambda leaf: np.asarray(leaf) if isinstance(leaf, DeviceArray) else leaf, self._state
        )
        return self._state

    @state.setter
    def state(self, value: dict[str, Any] | None) -> None:
        self._state = value

    @classmethod
    def _argument_names(cls) -> list[str]:
        names = [field.name for field in dataclasses.fields(cls.rule_class)]
        return [name for name in names if name not in _BY_VARIABLE]

    @property
    def learning_rate(self) -> float:
        """The size of the next step. Setting it takes effect then; nothing is compiled again.

        A schedule's cannot be set.
        """
        if self._learning_rate is not None:
            return self._learning_rate
        state = self._state or {"iterations": np.int64(0)}
        return float(self.rule.rate(state))

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if self._learning_rate is None:
            if not callable(value) and float(value) == self.learning_rate:
                return
            raise ArgumentError(
                f"{self.name}.learning_rate = {value!r}: the optimizer follows the schedule "
                f"{self.rule.learning_rate!r}. Make it with a number, to set others later; or make "
                "a new optimizer with another schedule."
            )
        if callable(value):
            raise ArgumentError(
                f"{self.name}.learning_rate = {value!r}: a schedule is part of the compiled step. "
                f"Make the optimizer with it, {type(self).__name__}(schedule), and compile again."
            )
        dataclasses.replace(self.rule, learning_rate=value)  # checks it
        self._learning_rate = float(value)

    @property
    def iterations(self) -> int:
        """Number of steps taken."""
        return 0 if self._state is None else int(self._state["iterations"])

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
        self.rule = dataclasses.replace(self.rule, **self._places(variables))
        self.state = self.rule.init(tuple(variable.value for variable in variables))
        self._variables = variables

    def _places(self, variables: list[Variable]) -> dict[str, tuple[int, ...]]:
        """The rule's arguments that name weights by their places."""
        pattern = "|".join(self._excluded.get("var_names", ()))
        paths = self._excluded.get("paths", ())
        undecayed = [
            place
            for place, variable in enumerate(variables)
            if variable.path in paths or (pattern and re.search(pattern, variable.name))
        ]
        return {"undecayed": tuple(undecayed)}

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        """Choose variables that do not decay, before the first step.

        Parameters
        ----------
        var_list : list of Variable, optional
        var_names : list of str, optional
            Regular expressions that are searched in the variables' names, such as ``"bias"``.

        Raises
        ------
        ArgumentError
            After the first step.
        """
        if self._variables is not None:
            raise ArgumentError(
                f"{self.name}.exclude_from_weight_decay: the optimizer has been built already. "
                "Call it before the first fit."
            )
        self._excluded = {
            "paths": [variable.path for variable in var_list or ()],
            "var_names": list(var_names or ()),
        }

    def swap_averages(self) -> None:
        """Exchange the weights and their averages.

        Raises
        ------
        ArgumentError
            Without ``use_ema``.
        """
        if not self.rule.use_ema:
            raise ArgumentError(
                f"optimizer {self.name!r} keeps no averages of the weights: write "
                f"{type(self).__name__}(..., use_ema=True)."
            )
        if self.state is not None and self._variables is not None:
            averages = self.state["ema"]
            self.state["ema"] = tuple(variable.value for variable in self._variables)
            commit(self._variables, averages)

    def finalize_variable_values(self, variables: Iterable[Variable] | None = None) -> None:
        """Give the variables their averages, if ``use_ema`` keeps some; at the end of ``fit``."""
        del variables
        if self.rule.use_ema and self.state is not None and self.iterations:
            averages = [np.array(average) for average in self.state["ema"]]
            commit(self._variables or (), averages)

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
        pairs = zip(self._variables, new, strict=True)
        commit(self._variables, [v.constraint(w) if v.constraint else w for v, w in pairs])

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> None:
        """Take one step against pairs of a gradient and its variable."""
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        config = {name: _plain(getattr(self.rule, name)) for name in self._argument_names()}
        rate: Any = self._learning_rate
        if rate is None:
            rate = schedules.serialize(self.rule.learning_rate)
        excluded = {"exclude_from_weight_decay": self._excluded} if self._excluded else {}
        return {**config, "learning_rate": rate, "name": self.name, **excluded}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Optimizer:
        """Return an optimizer with these constructor arguments."""
        config = dict(config)
        excluded = config.pop("exclude_from_weight_decay", {})
        found = cls(**config)
        found._excluded = excluded
        return found

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.get_config()}>"


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
