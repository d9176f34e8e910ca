"""What the tensors of a graph are worth: plain Python that `bital.jit` records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import bital
from bital.graphs.graph import Operation, Tensor
from bital.graphs.operation import KERNELS

Values = dict[Tensor, Any]


def ancestors(targets: Iterable[Operation], given: Iterable[Tensor] = ()) -> list[Operation]:
    """The operations that must run for some to run, in the order in which they were written."""
    known = {*given}
    found: set[Operation] = set()
    waiting = list(targets)
    while waiting:
        op = waiting.pop()
        if op in found or (op.outputs and known.issuperset(op.outputs)):
            continue
        found.add(op)
        waiting += op.control_inputs
        waiting += [tensor.op for tensor in op.inputs if tensor not in known]
    return sorted(found, key=lambda op: op.number)


def between(
    results: Sequence[Tensor], parameters: Sequence[Tensor], stops: Sequence[Tensor] = ()
) -> list[Operation]:
    """The operations through which results depend on parameters, by floating values."""
    depending = {*parameters}
    found: dict[Operation, None] = {}
    for op in ancestors([tensor.op for tensor in results], parameters):
        constant = op.type in _CONSTANT or any(tensor in stops for tensor in op.outputs)
        if constant or not depending.intersection(op.inputs):
            continue
        floating = [tensor for tensor in op.outputs if tensor.dtype.numpy.kind in "fc"]
        if floating:
            depending.update(floating)
            found[op] = None
    needed: set[Operation] = set()
    waiting = [tensor for tensor in results if tensor in depending]
    while waiting:
        op = waiting.pop().op
        if op in found and op not in needed:
            needed.add(op)
            waiting += [tensor for tensor in op.inputs if tensor in depending]
    return [op for op in found if op in needed]


# Through which no gradient flows.
_CONSTANT = ("StopGradient", "Variable", "Placeholder", "Assign")


class Part:
    """A part of a graph as a function: of parameters, by operations, to results."""

    def __init__(
        self,
        parameters: Sequence[Tensor],
        operations: Sequence[Operation],
        results: Sequence[Tensor],
    ) -> None:
        self.parameters, self.operations, self.results = parameters, operations, results

    @property
    def captured(self) -> list[Tensor]:
        """What it reads beside its parameters."""
        inner = {*self.parameters} | {t for op in self.operations for t in op.outputs}
        read = [t for op in self.operations for t in op.inputs]
        return list(dict.fromkeys(t for t in [*read, *self.results] if t not in inner))

    def described(self) -> dict[str, list[str]]:
        """Its names, as the attribute of an operation."""
        return {key: [item.name for item in items] for key, items in vars(self).items()}

    @classmethod
    def of(cls, op: Operation, attribute: str) -> Part:
        """What an attribute of an operation describes."""
        names, graph = op.attributes[attribute], op.graph
        tensors = graph.get_tensor_by_name
        return cls(
            [tensors(name) for name in names["parameters"]],
            [graph.get_operation_by_name(name) for name in names["operations"]],
            [tensors(name) for name in names["results"]],
        )


class Evaluation:
    """One run of operations, for given values of what is fed and of variables.

    A tensor is computed once. A variable has the value that it had when the run began, or, for
    operations written after an assignment that is run too, the assigned one. `keys` are what random
    operations draw from; what this run lacks it finds in the outer one, of which it is a part.
    """

    def __init__(
        self, given: Values, keys: dict[Operation, Any], outer: Evaluation | None = None
    ) -> None:
        self.values = dict(given)
        self.keys = keys
        self.outer = outer
        self.assigned: dict[Tensor, list[tuple[int, Any]]] = {}
        self._shared: dict[Operation, Operation] = {}  # to the gradients that compute it too
        self._pullbacks: dict[Operation, Any] = {}

    def run(self, operations: Sequence[Operation]) -> None:
        """Run operations, which stand in the order in which they were written."""
        for op in operations if self.outer is None else ():
            if op.type == "Gradients":
                for inner in Part.of(op, "part").operations:
                    self._shared.setdefault(inner, op)
        for op in operations:
            self._need(op)

    def read(self, tensor: Tensor, reader: int) -> Any:
        """The value of a tensor for the operation of this number."""
        for number, value in reversed(self.assigned.get(tensor, ())):
            if number < reader:
                return value
        if tensor in self.values:
            return self.values[tensor]
        assert self.outer is not None, f"{tensor!r} was not computed"
        return self.outer.read(tensor, reader)

    def _need(self, op: Operation) -> None:
        if op.type == "Variable" or (op.outputs and all(t in self.values for t in op.outputs)):
            return
        gradients = self._shared.get(op)
        if gradients is not None and gradients not in self._pullbacks:
            self._forward(gradients)
            return
        kernel = KERNELS[op.type]
        if op.type == "Gradients":
            results = self._backward(op)
        else:
            extras: dict[str, Any] = {}
            if "key" in kernel.extras:
                extras["key"] = self.keys[op]
            if "run" in kernel.extras:
                extras["run"] = lambda attribute, *args, **more: self._part(
                    op, attribute, args, **more
                )
            fresh = op.type == "Assign"  # what the variable was does not matter
            values = [self.read(tensor, op.number) for tensor in op.inputs[fresh:]]
            values = [None, *values] if fresh else values
            found = kernel.call(values, op.attributes, **extras)
            results = list(found) if isinstance(found, (list, tuple)) else [found]
        self.values.update(zip(op.outputs, results, strict=False))
        for tensor, value in zip(op.inputs[: kernel.assigns], results, strict=False):
            self.assigned.setdefault(tensor, []).append((op.number, value))

    def _part(self, op: Operation, attribute: str, args: Sequence[Any], turn: Any = None) -> Any:
        """Run a part that an operation holds; `turn` is which time round a loop it is."""
        part = Part.of(op, attribute)
        keys = self.keys
        if turn is not None:
            random = [inner for inner in part.operations if KERNELS[inner.type].random]
            keys = keys | {inner: bital.random.fold_in(keys[inner], turn) for inner in random}
        inner = Evaluation(dict(zip(part.parameters, args, strict=True)), keys, self)
        inner.run(part.operations)
        return [inner.read(tensor, _LAST) for tensor in part.results]

    def _forward(self, op: Operation) -> None:
        """Run what lies between a gradient's ends, and keep how to go back through it."""
        self._pullbacks[op] = None  # from here on nobody else asks for it
        part = Part.of(op, "part")
        if self.outer is None:  # what it shares may be asked for before its arguments
            self.run_for(tensor.op for tensor in [*part.parameters, *part.captured])

        def function(parameters: list[Any]) -> Any:
            inner = Evaluation(dict(zip(part.parameters, parameters, strict=True)), self.keys, self)
            inner.run(part.operations)
            made = [inner.values[tensor] for each in part.operations for tensor in each.outputs]
            return [inner.read(tensor, _LAST) for tensor in part.results], made

        at = [self.read(tensor, op.number) for tensor in part.parameters]
        results, pull_back, made = bital.vjp(function, at, has_aux=True)
        self._pullbacks[op] = results, pull_back
        tensors = [tensor for each in part.operations for tensor in each.outputs]
        for tensor, value in zip(tensors, made, strict=True):
            self.values.setdefault(tensor, value)

    def _backward(self, op: Operation) -> list[Any]:
        if op not in self._pullbacks:
            self._forward(op)
        results, pull_back = self._pullbacks[op]
        weights = [self.read(tensor, op.number) for tensor in op.inputs[: op.attributes["weights"]]]
        cotangents = weights or [np.ones_like(result) for result in results]
        return list(pull_back(cotangents)[0])

    def run_for(self, targets: Iterable[Operation]) -> None:
        """Run what some operations need, and them."""
        for op in ancestors(targets, self.values):
            self._need(op)


_LAST = 1 << 62
