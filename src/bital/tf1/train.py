"""Optimizers under TensorFlow's names: an update is one operation, fused with its gradient."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from bital.tf1.control import group
from bital.tf1.gradients import gradients
from bital.tf1.graph import Operation, control_dependencies, get_default_graph
from bital.tf1.initializers import Constant
from bital.tf1.operation import Any_, Anys, convert_to_tensor, operation
from bital.tf1.variables import (
    Variable,
    _outside,
    assign,
    assign_add,
    get_variable_scope,
    trainable_variables,
)


class Optimizer:
    """Base of the optimizers, which takes their arguments from a subclass's `rule`.

    ``rule(w, g, *slots, *powers, **numbers)`` gives the new weights and slots. `slots` are the
    names and first values of variables beside each weight; `powers` are the numbers of which powers
    are kept; `options` choose another class: ``use_nesterov=True``.
    """

    GATE_NONE, GATE_OP, GATE_GRAPH = range(3)
    slots: ClassVar[dict[str, Any]] = {}
    powers: ClassVar[Sequence[str]] = ()
    options: ClassVar[dict[str, type[Optimizer]]] = {}

    def __init_subclass__(cls) -> None:
        rule, skipped = vars(cls)["rule"], 2 + len(cls.slots) + len(cls.powers)
        arguments = [*inspect.signature(rule).parameters.values()][skipped:]
        cls.title = cls.__name__.removeprefix("_").removesuffix("Optimizer")
        more = {"use_locking": False, "name": cls.title.removeprefix("Centered")}
        more |= dict.fromkeys(cls.options, False)
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        arguments += [inspect.Parameter(key, kind, default=value) for key, value in more.items()]
        cls.__signature__ = inspect.Signature(arguments)

        def apply(var: Any_, state: Anys, powers: Anys, grad: Any_, numbers: Anys) -> Anys:
            found = zip(rule(var, grad, *state, *powers, *numbers), [var, *state], strict=True)
            return [new.astype(old.dtype) for new, old in found]

        cls.apply = staticmethod(operation(f"Apply{cls.title}", assigns=1 + len(cls.slots))(apply))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        bound = self.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        self._numbers = dict(bound.arguments)
        self._name = self._numbers.pop("name")
        del self._numbers["use_locking"]
        for key, other in self.options.items():
            if self._numbers.pop(key):
                self.__class__ = other
        firsts = {slot: self._numbers.pop(start, start) for slot, start in self.slots.items()}
        self._firsts, self._slots = firsts, {slot: {} for slot in firsts}
        self._powers: dict[str, Variable] = {}

    def get_name(self) -> str:
        """Its name, the default name of its operations."""
        return self._name

    def minimize(
        self, loss: Any, global_step: Any = None, var_list: Any = None, *args: Any, **options: Any
    ) -> Operation:
        """An operation that makes one step against the gradient, and counts it."""
        name = options.pop("name", None)
        found = self.compute_gradients(loss, var_list, *args, **options)
        if all(gradient is None for gradient, _ in found):
            raise ValueError(
                "No gradients provided for any variable, check your graph for ops that do not "
                f"support gradients, between variables {[v for _, v in found]} and loss {loss!r}."
            )
        return self.apply_gradients(found, global_step, name)

    def compute_gradients(
        self,
        loss: Any,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> list[tuple[Any, Variable]]:
        """Pairs (gradient or None, variable), for all trainable variables by default."""
        found = list(trainable_variables() if var_list is None else var_list)
        if not found:
            raise ValueError("No variables to optimize.")
        return list(zip(gradients(loss, found, grad_loss), found, strict=True))

    def apply_gradients(
        self, grads_and_vars: Any, global_step: Any = None, name: str | None = None
    ) -> Operation:
        """An operation that makes one step with these gradients, and counts it."""
        pairs = [(g, v) for g, v in grads_and_vars if g is not None]
        if not pairs:
            raise ValueError("No gradients provided for any variable: all of them are None.")
        for _, variable in pairs:
            self._create_slots(variable)
        with get_default_graph().name_scope(name or self._name) as scope:
            numbers = {key: convert_to_tensor(v, name=key) for key, v in self._numbers.items()}
            updates = [self._step(gradient, v, list(numbers.values())) for gradient, v in pairs]
            with control_dependencies(updates):
                for key, power in self._powers.items():
                    updates.append(assign(power, power * numbers[key]).op)
            if global_step is None:
                return group(*updates, name=scope)
            with control_dependencies([group(*updates, name="update")]):
                return assign_add(global_step, 1, name=scope).op

    def _create_slots(self, of: Variable) -> None:
        if not isinstance(of, Variable):
            raise TypeError(f"an optimizer changes tf.Variables, got {of!r}")
        for key in self.powers if not self._powers else ():
            number, name = float(self._numbers[key]), f"{key}_power"
            self._powers[key] = Variable(number, trainable=False, name=name)
        name = f"{get_variable_scope().name}/{of.op.name}/{self._name}".lstrip("/")
        for slot, start in self._firsts.items():
            if of not in self._slots[slot]:
                with _outside(get_default_graph()):
                    first = functools.partial(Constant(start), of.shape, of.dtype)
                    self._slots[slot][of] = Variable(first, trainable=False, name=name)

    def _step(self, gradient: Any, variable: Variable, numbers: Sequence[Any]) -> Operation:
        state = [self._slots[slot][variable] for slot in self.slots]
        title = f"update_{variable.op.name}/Apply{self.title}"
        powers = list(self._powers.values())
        found = self.apply(variable, state, powers, gradient, numbers, name=title)[0].op
        if variable.constraint is None:
            return found
        with control_dependencies([found]):
            return assign(variable, variable.constraint(variable)).op

    def get_slot(self, var: Variable, name: str) -> Variable | None:
        """The slot of this name beside a variable, if there is one."""
        return self._slots.get(name, {}).get(var)

    def get_slot_names(self) -> list[str]:
        """The names of its slots."""
        return sorted(self._slots)

    def variables(self) -> list[Variable]:
        """All variables that it has made."""
        slots = [slot for of in self._slots.values() for slot in of.values()]
        return sorted([*slots, *self._powers.values()], key=lambda variable: variable.name)


_ONE = np.float32(1)


class GradientDescentOptimizer(Optimizer):
    """``w -= rate g``."""

    def rule(w, g, learning_rate):
        return [w - learning_rate * g]


class _NesterovMomentum(Optimizer):
    slots: ClassVar = {"momentum": 0.0}

    def rule(w, g, a, learning_rate, momentum):
        a = momentum * a + g
        return w - learning_rate * (g + momentum * a), a


class MomentumOptimizer(Optimizer):
    """``a = momentum a + g; w -= rate a``, or with use_nesterov ``w -= rate (g + momentum a)``."""

    slots, options = _NesterovMomentum.slots, {"use_nesterov": _NesterovMomentum}

    def rule(w, g, a, learning_rate, momentum):
        a = momentum * a + g
        return w - learning_rate * a, a


class AdamOptimizer(Optimizer):
    """Adam, with the epsilon of the end of its section 2 (Kingma and Ba, 2015)."""

    slots, powers = {"m": 0.0, "v": 0.0}, ("beta1", "beta2")

    def rule(w, g, m, v, power1, power2, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8):
        m, v = m + (g - m) * (_ONE - beta1), v + (g * g - v) * (_ONE - beta2)
        rate = learning_rate * np.sqrt(_ONE - power2) / (_ONE - power1)
        return w - rate * m / (np.sqrt(v) + epsilon), m, v


class _CenteredRMSProp(Optimizer):
    slots: ClassVar = {"rms": 1.0, "mg": 0.0, "momentum": 0.0}

    def rule(w, g, s, mean, a, learning_rate, decay, momentum, epsilon):
        s, mean = s + (g * g - s) * (_ONE - decay), mean + (g - mean) * (_ONE - decay)
        a = momentum * a + learning_rate * g / np.sqrt(s - mean * mean + epsilon)
        return w - a, s, mean, a


class RMSPropOptimizer(Optimizer):
    """``s = mean of g**2; a = momentum a + rate g / sqrt(s + epsilon); w -= a`` (Hinton, 2012)."""

    slots, options = {"rms": 1.0, "momentum": 0.0}, {"centered": _CenteredRMSProp}

    def rule(w, g, s, a, learning_rate, decay=0.9, momentum=0.0, epsilon=1e-10):
        s = s + (g * g - s) * (_ONE - decay)
        a = momentum * a + learning_rate * g / np.sqrt(s + epsilon)
        return w - a, s, a


class AdagradOptimizer(Optimizer):
    """``a += g**2; w -= rate g / sqrt(a)`` (Duchi et al., 2011)."""

    slots: ClassVar = {"accumulator": "initial_accumulator_value"}

    def rule(w, g, a, learning_rate, initial_accumulator_value=0.1):
        a = a + g * g
        return w - learning_rate * g / np.sqrt(a), a
