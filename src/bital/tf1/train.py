# ruff: noqa: F403
"""Optimizers, learning rates and averages: updates are operations, fused with their gradients."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from bital.graphs.control import group
from bital.graphs.gradients import gradients
from bital.graphs.graph import Graph, GraphKeys, Operation, control_dependencies, get_default_graph
from bital.graphs.operation import Any_, Anys, Value, convert_to_tensor, operation
from bital.nn import schedules
from bital.tf1.ops.arrays import fill
from bital.tf1.saver import *
from bital.tf1.variables import (
    Variable,
    _outside,
    assign,
    assign_add,
    get_variable_scope,
    global_variables,
    trainable_variables,
)

_ONE = np.float32(1)


def _beside(variable: Variable, suffix: str, start: Any) -> Variable:
    """A variable that an optimizer keeps for another one, under that one's name."""
    name = f"{get_variable_scope().name}/{variable.op.name}/{suffix}".lstrip("/")
    with _outside(get_default_graph()):
        return Variable(start, trainable=False, name=name)


class Optimizer:
    """Base of the optimizers, whose arguments are those of a subclass's `rule`.

    ``rule(w, g, *slots, *powers, **numbers)`` gives the new weights and slots. `slots` are the
    names and first values (or what number is it) of variables beside each weight; `powers` are the
    numbers of which powers are kept; `options` choose another class: ``use_nesterov=True``.
    """

    GATE_NONE, GATE_OP, GATE_GRAPH = range(3)
    slots: ClassVar[dict[str, Any]] = {}
    powers: ClassVar[Sequence[str]] = ()
    options: ClassVar[dict[str, type[Optimizer]]] = {}

    def __init_subclass__(cls) -> None:
        cls.title = cls.__name__.removeprefix("_").removesuffix("Optimizer")

        def apply(var: Any_, state: Anys, powers: Anys, grad: Any_, numbers: Anys) -> Anys:
            new = cls.rule(var, grad, *state, *powers, *numbers)
            return [a.astype(b.dtype) for a, b in zip(new, [var, *state], strict=True)]

        cls.apply = staticmethod(operation(f"Apply{cls.title}", assigns=1 + len(cls.slots))(apply))

    def __init__(self, *args: Any, name: Any = None, use_locking: bool = False, **kwargs: Any):
        self._name = name or self.title
        for key, other in self.options.items():
            if kwargs.pop(key, False):
                self.__class__ = other
        known = [None] * (2 + len(self.slots) + len(self.powers))
        bound = inspect.signature(type(self).rule).bind(*known, *args, **kwargs)
        bound.apply_defaults()
        numbers = self._numbers = dict([*bound.arguments.items()][len(known) :])
        self._starts = {slot: numbers.get(start, start) for slot, start in self.slots.items()}
        self._slots: dict[str, dict[Variable, Variable]] = {slot: {} for slot in self.slots}
        self._powers: dict[str, Variable] = {}

    def minimize(self, loss, global_step=None, var_list=None, *, name=None, **options) -> Operation:
        """An operation that makes one step against the gradient, and counts it."""
        found = self.compute_gradients(loss, var_list, **options)
        return self.apply_gradients(found, global_step, name)

    def compute_gradients(self, loss, var_list=None, *, grad_loss=None, gate_gradients=1) -> Any:
        """Pairs (gradient or None, variable), for all trainable variables by default."""
        found = list(trainable_variables() if var_list is None else var_list)
        if not found:
            raise ValueError("No variables to optimize.")
        return list(zip(gradients(loss, found, grad_loss), found, strict=True))

    def apply_gradients(self, grads_and_vars, global_step=None, name=None) -> Operation:
        """An operation that makes one step with these gradients, and counts it."""
        given = list(grads_and_vars)
        pairs = [(gradient, variable) for gradient, variable in given if gradient is not None]
        if not pairs:
            variables = [variable for _, variable in given]
            raise ValueError(f"No gradients provided for any variable: {variables}")
        for key in self.powers if not self._powers else ():
            start, title = float(self._numbers[key]), f"{key}_power"
            self._powers[key] = Variable(start, trainable=False, name=title)
        for slot, of in [(slot, v) for _, v in pairs for slot in self.slots]:
            if of not in self._slots[slot]:
                start = np.asarray(self._starts[slot], of.dtype.numpy)
                shaped = lambda v=of, s=start: fill(v.shape, s)  # noqa: E731
                self._slots[slot][of] = _beside(of, self._name, shaped)
        with get_default_graph().name_scope(name or self._name) as scope:
            numbers = {key: convert_to_tensor(v, name=key) for key, v in self._numbers.items()}
            rest, updates = list(numbers.values()), []
            for gradient, v in pairs:
                state = [self._slots[slot][v] for slot in self.slots]
                powers, title = [*self._powers.values()], f"update_{v.op.name}/Apply{self.title}"
                updates += self.apply(v, state, powers, gradient, rest, name=title)[:1]
                if v.constraint is not None:
                    with control_dependencies(updates):
                        updates.append(assign(v, v.constraint(v)))
            with control_dependencies(updates):
                updates += [assign(p, p * numbers[key]) for key, p in self._powers.items()]
            if global_step is None:
                return group(*updates, name=scope)
            with control_dependencies([group(*updates, name="update")]):
                return assign_add(global_step, 1, name=scope).op

    def get_name(self) -> str:
        """Its name, which is the default name of its operations."""
        return self._name

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

    def rule(w, g, s, mean, a, learning_rate, decay=0.9, momentum=0.0, epsilon=1e-10):
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


# --- learning rates -------------------------------------------------------------------------


def _decay(kind: str, schedule: Any) -> Any:
    """A schedule of `bital.nn` as an operation, with its arguments."""

    @operation(kind)
    def at(step: Any_, arguments: Any) -> Value:
        return schedule(*arguments)(step).astype(np.float32)

    def decay(learning_rate: Any, global_step: Any, *args: Any, name: Any = None, **kwargs: Any):
        given = inspect.signature(schedule).bind(learning_rate, *args, **kwargs)
        return at(global_step, list(given.args), name=name)

    decay.__doc__ = schedule.__doc__
    return decay


exponential_decay = _decay("ExponentialDecay", schedules.ExponentialDecay)
inverse_time_decay = _decay("InverseTimeDecay", schedules.InverseTimeDecay)
polynomial_decay = _decay("PolynomialDecay", schedules.PolynomialDecay)
cosine_decay = _decay("CosineDecay", schedules.CosineDecay)
_piecewise = _decay("PiecewiseConstant", schedules.PiecewiseConstantDecay)


def piecewise_constant(x: Any, boundaries: Any, values: Any, name: Any = None) -> Any:
    """The first value up to and with the first boundary, then the next, and so on."""
    return _piecewise(boundaries, x, values, name=name)


def natural_exp_decay(rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, *more: Any):
    """``rate * exp(-decay_rate * global_step / decay_steps)``."""
    return exponential_decay(rate, global_step, decay_steps, math.exp(-decay_rate), *more)


# --- steps and averages ---------------------------------------------------------------------


def get_global_step(graph: Graph | None = None) -> Variable | None:
    """The variable that counts steps, if there is one."""
    found = (graph or get_default_graph()).get_collection(GraphKeys.GLOBAL_STEP)
    return found[0] if found else None


def get_or_create_global_step(graph: Graph | None = None) -> Variable:
    """The variable that counts steps, which is made if there is none."""
    if get_global_step(graph) is None:
        with (graph or get_default_graph()).as_default():
            keys = [GraphKeys.GLOBAL_VARIABLES, GraphKeys.GLOBAL_STEP]
            Variable(np.int64(0), trainable=False, collections=keys, name="global_step")
    return get_global_step(graph)


create_global_step = get_or_create_global_step


def global_step(sess: Any, global_step_tensor: Any) -> int:
    """The count of steps in a session."""
    return int(sess.run(global_step_tensor))


@operation("MovingAverage", assigns=1)
def _average(average: Value, value: Value, decay: Any_, updates: Any_ = None) -> Value:
    if updates is not None:
        decay = np.minimum(decay, ((_ONE + updates) / (10 + updates)).astype(np.float32))
    return (average - (_ONE - decay) * (average - value)).astype(average.dtype)


class ExponentialMovingAverage:
    """Averages ``a = d a + (1 - d) w`` of variables; d is at most ``(1 + n) / (10 + n)``."""

    def __init__(self, decay: Any, num_updates: Any = None, name="ExponentialMovingAverage"):
        self._numbers, self.name = (decay, num_updates), name
        self._averages: dict[Variable, Variable] = {}

    def apply(self, var_list: Any = None) -> Operation:
        """An operation that updates the averages of variables, by default the trainable ones."""
        found, graph = trainable_variables() if var_list is None else var_list, get_default_graph()
        for v in [v for v in found if v not in self._averages]:
            self._averages[v] = _beside(v, self.name, v.initial_value)
            graph.add_to_collection("moving_average_variables", v)
        with graph.name_scope(self.name) as scope:
            return group(
                *[_average(self._averages[v], v, *self._numbers) for v in found], name=scope
            )

    def average(self, var: Variable) -> Variable | None:
        """The average of a variable, if there is one."""
        return self._averages.get(var)

    def average_name(self, var: Variable) -> str:
        """The name under which the average of a variable is saved."""
        found = self.average(var)
        return found.op.name if found is not None else f"{var.op.name}/{self.name}"

    def variables_to_restore(self, moving_avg_variables: Any = None) -> dict[str, Variable]:
        """What a Saver takes to give variables the values of their averages."""
        marked = get_default_graph().get_collection("moving_average_variables")
        averaged = moving_avg_variables or [*trainable_variables(), *marked]
        names = {variable: variable.op.name for variable in global_variables()}
        names |= {variable: self.average_name(variable) for variable in averaged}
        return {name: v for v, name in names.items() if v not in self._averages.values()}
