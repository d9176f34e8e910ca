"""Loops and branches: those of JAX, with the fault so far as one more value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jax import lax
from jax import numpy as jnp

from bital.primitives.inner import cut
from bital.program import Program

if TYPE_CHECKING:
    from bital.executors.xla.lowering import Lowering


def scan(
    lowering: Lowering,
    operands: list[Any],
    body: Program,
    length: int,
    n_consts: int,
    n_carry: int,
    reverse: bool,
) -> list[Any]:
    consts, carry, xs = cut([*map(jnp.asarray, operands)], n_consts, n_carry)

    def turn(state: Any, slices: Any) -> Any:
        fault, outputs = lowering.inner(body, state[0], [*consts, *state[1], *slices])
        new, ys = cut(outputs, n_carry)
        return (fault, new), ys

    start = lowering.start(body), carry
    (fault, carry), ys = lax.scan(turn, start, xs, length=length, reverse=reverse)
    lowering.go_on(fault)
    return [*carry, *ys]


def while_loop(
    lowering: Lowering,
    operands: list[Any],
    cond: Program,
    body: Program,
    cond_nconsts: int,
    body_nconsts: int,
) -> list[Any]:
    """A fault ends the loop. The condition, which may have one too, is a value that is carried."""
    tests, consts, carry = cut([*map(jnp.asarray, operands)], cond_nconsts, body_nconsts)

    def judged(fault: Any, carry: list[Any]) -> Any:
        fault, (holds,) = lowering.inner(cond, fault, [*tests, *carry])
        return fault, holds if fault is None else holds & (fault[0] == 0), carry

    def turn(state: Any) -> Any:
        fault, _, carry = state
        return judged(*lowering.inner(body, fault, [*consts, *carry]))

    first = judged(lowering.start(cond, body), carry)
    fault, _, carry = lax.while_loop(lambda state: state[1], turn, first)
    lowering.go_on(fault)
    return list(carry)


def cond(
    lowering: Lowering, operands: list[Any], true_branch: Program, false_branch: Program
) -> list[Any]:
    predicate, *rest = map(jnp.asarray, operands)
    start = lowering.start(true_branch, false_branch)
    branches = [
        lambda fault, *values, branch=branch: lowering.inner(branch, fault, values)
        for branch in (true_branch, false_branch)
    ]
    fault, outputs = lax.cond(predicate, *branches, start, *rest)
    lowering.go_on(fault)
    return list(outputs)
