"""Primitives that hold Programs: functions with the user's own derivative."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bital.errors import DifferentiationError
from bital.primitives.primitive import (
    NOT_LINEAR,
    Primitive,
    Tangent,
    instantiate,
    program_transforms,
    require,
)
from bital.primitives.shape import batched
from bital.program import ArrayType, Atom, Literal, Program, current_builder, inline

# custom_vjp_call(*xs): primal(*xs) -> outputs; forward(*xs) -> outputs, residuals;
# backward(*residuals, *cotangents) -> cotangents of xs.


def _call_abstract_eval(
    *xs: ArrayType, primal: Program, forward: Program, backward: Program
) -> list[ArrayType]:
    require(
        primal.input_types == xs == forward.input_types, lambda: "operands do not fit the Program"
    )
    return list(primal.output_types)


Observer = Callable[[Program, Sequence[Any]], list[Any]]


class _Watch(threading.local):
    observer: Observer | None = None


_watch = _Watch()


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Let `observer` compute the inner Programs of what references compute in this thread."""
    previous, _watch.observer = _watch.observer, observer
    try:
        yield
    finally:
        _watch.observer = previous


def evaluate(program: Program, arguments: tuple[Any, ...]) -> list[Any]:
    """Run a Program equation by equation with the primitives' references.

    Where somebody is `observing`, who computes the Program instead.
    """
    if _watch.observer is not None:
        return _watch.observer(program, arguments)
    env = dict(zip(program.inputs, arguments, strict=True)) | program.constants

    def read(atom: Atom) -> Any:
        return atom.value if isinstance(atom, Literal) else env[atom]

    for equation in program.equations:
        result = equation.primitive.reference(*map(read, equation.inputs), **equation.params)
        results = result if equation.primitive.multiple_results else [result]
        env.update(zip(equation.outputs, results, strict=True))
    return [read(atom) for atom in program.outputs]


def _call_jvp(
    primitive: Primitive,
    primals: list[Atom],
    tangents: list[Tangent],
    primal: Program,
    forward: Program,
    backward: Program,
) -> tuple[list[Atom], list[Tangent]]:
    results = inline(current_builder(), forward, primals)
    outputs, residuals = results[: len(primal.outputs)], results[len(primal.outputs) :]
    moved = [instantiate(t, x.type) for t, x in zip(tangents, primals, strict=True)]
    out_types = tuple(out.type for out in outputs)
    return outputs, custom_linear(*residuals, *moved, backward=backward, out_types=out_types)


def _batch_call(
    primitive: Primitive,
    size: int,
    inputs: list[Atom],
    mapped: list[bool],
    **programs: Program,
) -> list[Atom]:
    full = [batched(x, is_mapped, size) for x, is_mapped in zip(inputs, mapped, strict=True)]
    batch = program_transforms["batch"]
    return primitive.bind(full, {name: batch(p, size) for name, p in programs.items()})


custom_vjp_call: Primitive = Primitive(
    "custom_vjp_call",
    abstract_eval=_call_abstract_eval,
    reference=lambda *xs, primal, forward, backward: evaluate(primal, xs),
    jvp=_call_jvp,
    transpose=NOT_LINEAR,
    batch=_batch_call,
    multiple_results=True,
)

# custom_jvp_call(*xs): primal(*xs) -> outputs; rule(*xs, *tangents) -> outputs, their tangents.


def _rule_abstract_eval(*xs: ArrayType, primal: Program, rule: Program) -> list[ArrayType]:
    require(
        primal.input_types == xs and rule.input_types == (*xs, *xs),
        lambda: "operands do not fit the Program",
    )
    return list(primal.output_types)


def _rule_jvp(
    primitive: Primitive,
    primals: list[Atom],
    tangents: list[Tangent],
    primal: Program,
    rule: Program,
) -> tuple[list[Atom], list[Tangent]]:
    moved = [instantiate(t, x.type) for t, x in zip(tangents, primals, strict=True)]
    results = inline(current_builder(), rule, [*primals, *moved])
    count = len(primal.outputs)
    return results[:count], list(results[count:])


custom_jvp_call: Primitive = Primitive(
    "custom_jvp_call",
    abstract_eval=_rule_abstract_eval,
    reference=lambda *xs, primal, rule: evaluate(primal, xs),
    jvp=_rule_jvp,
    transpose=NOT_LINEAR,
    batch=_batch_call,
    multiple_results=True,
)

# custom_linear(*residuals, *tangents): a linear map that is known by its transpose alone.


def no_forward_mode(*args: Any, **params: Any) -> Any:
    raise DifferentiationError(
        "forward mode met a function with a custom vjp: only its backward rule is known, so there "
        "is no jvp to run. Use bital.grad, bital.vjp or bital.jacobian on it"
    )


def _linear_transpose(
    cts: list[Tangent],
    *operands: Any,
    backward: Program,
    out_types: tuple[ArrayType, ...],
) -> list[Tangent]:
    residuals = operands[: len(backward.inputs) - len(out_types)]
    full = [instantiate(ct, type) for ct, type in zip(cts, out_types, strict=True)]
    results = inline(current_builder(), backward, [*residuals, *full])
    return [*([None] * len(residuals)), *results]


def _batch_linear(
    primitive: Primitive,
    size: int,
    inputs: list[Atom],
    mapped: list[bool],
    backward: Program,
    out_types: tuple[ArrayType, ...],
) -> list[Atom]:
    full = [batched(x, is_mapped, size) for x, is_mapped in zip(inputs, mapped, strict=True)]
    wider = tuple(ArrayType((size, *type.shape), type.dtype) for type in out_types)
    params = {"backward": program_transforms["batch"](backward, size), "out_types": wider}
    return primitive.bind(full, params)


custom_linear: Primitive = Primitive(
    "custom_linear",
    abstract_eval=lambda *xs, backward, out_types: list(out_types),
    reference=no_forward_mode,
    jvp=no_forward_mode,
    transpose=_linear_transpose,
    batch=_batch_linear,
    multiple_results=True,
)
