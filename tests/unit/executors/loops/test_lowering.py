"""What Programs become: every primitive is lowered, and what should be one loop is one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bital
from bital.executors.loops.control import lower
from bital.executors.loops.form import (
    Kernel,
    Loop,
    Module,
    Multiply,
    Statement,
    Store,
    While,
    kernels_of,
)
from bital.executors.loops.lowering import LAZY, RULES
from bital.executors.loops.scalar import ELEMENTWISE
from bital.passes import optimize
from bital.primitives import REGISTRY

LANES = 8
HOST_CALLS = (Path(__file__).parents[4] / "docs" / "native.md").read_text()


def lowered(function: Any, *arguments: Any, donated: Collection[int] = ()) -> Module:
    return lower(optimize(bital.trace(function, *arguments)), donated, LANES)


def statements(body: list[Statement]) -> Iterator[Statement]:
    for statement in body:
        yield statement
        if isinstance(statement, Loop):
            yield from statements(statement.body)


def products(module: Module) -> int:
    """How many matrix products are computed."""
    return sum(
        any(isinstance(s, Multiply) for s in statements(kernel.body.statements))
        for kernel in kernels_of(module.steps)
    )


def loops_that_store(kernel: Kernel, place: str) -> list[set[int]]:
    """For each innermost loop, the buffers of a place that it stores to, by position."""

    def inner(body: list[Statement]) -> Iterator[set[int]]:
        for statement in body:
            if isinstance(statement, Loop):
                roots = [s.buffer.root for s in statement.body if isinstance(s, Store)]
                found = {b.position for b in roots if b.place == place}
                if found:
                    yield found
                yield from inner(statement.body)

    return list(inner(kernel.body.statements))


# --- every primitive ------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_primitive_is_lowered_or_a_documented_call_of_numpy(name: str) -> None:
    # `optimize` puts their bodies in their place
    never_run = {"custom_vjp_call", "custom_jvp_call", "checkpoint", "custom_linear"}
    calls = HOST_CALLS.partition("## Host calls")[2].partition("\n## ")[0]
    assert (name in LAZY | ELEMENTWISE | RULES.keys() | never_run) != (f"`{name}`" in calls)


def test_no_rule_without_a_primitive() -> None:
    assert set(RULES) | LAZY <= set(REGISTRY)


def test_functions_with_their_own_derivative_are_put_in_place() -> None:
    @bital.custom_vjp
    def twice(x: Any) -> Any:
        return 2 * x

    twice.defvjp(lambda x: (2 * x, None), lambda kept, ct: (2 * ct,))
    module = lowered(lambda x: twice(np.sin(x)), np.ones(5))
    assert [kernel.name for kernel in kernels_of(module.steps)]


# --- a training step ------------------------------------------------------------------------

X = np.ones((50, 784), np.float32)
Y = np.ones((50, 10), np.float32)
W = np.ones((784, 300), np.float32)
V = np.ones((300, 10), np.float32)


def loss(weights: Any, x: Any, y: Any) -> Any:
    w, v = weights
    z = np.tanh(x @ w) @ v
    z = z - np.max(z, axis=1, keepdims=True)
    return -np.sum(y * (z - np.log(np.sum(np.exp(z), axis=1, keepdims=True)))) / len(x)


def sgd(w: Any, v: Any, x: Any, y: Any) -> Any:
    slopes = bital.grad(loss)((w, v), x, y)
    return tuple(each - np.float32(0.1) * s for each, s in zip((w, v), slopes, strict=True))


@pytest.mark.parametrize("donated", [(), (0, 1)])
def test_gradients_are_never_stored(donated: tuple[int, ...]) -> None:
    module = lowered(sgd, W, V, X, Y, donated=donated)
    assert module.arena < W.nbytes / 2
    assert module.arena <= 5 * 50 * 300 * 4  # a few arrays of the hidden layer's size
    for kernel in kernels_of(module.steps):
        for buffer in set.union(*kernel.buffers()):
            assert buffer.place != "arena" or buffer.size < W.size


def test_a_step_is_five_products_and_the_slope_of_the_input_is_none_of_them() -> None:
    assert products(lowered(sgd, W, V, X, Y)) == 5  # two forward, two for weights, one for h

    def with_slope_of_input(w: Any, v: Any, x: Any, y: Any) -> Any:
        return bital.grad(loss, argnums=(0, 1))((w, v), x, y)

    assert products(lowered(with_slope_of_input, W, V, X, Y)) == 6


def test_a_weight_is_updated_by_the_product_that_gives_its_slope() -> None:
    module = lowered(lambda w, x, d: w - 0.1 * (x.T @ d), W, X, X[:, :300], donated=(0,))
    (kernel,) = module.steps
    assert isinstance(kernel, Kernel)
    assert module.arena == 0
    assert {0} in loops_that_store(kernel, "argument")


def test_adams_three_updates_are_one_loop_behind_the_product() -> None:
    def adam(w: Any, m: Any, v: Any, x: Any, d: Any) -> Any:
        slope = x.T @ d
        m = 0.9 * m + 0.1 * slope
        v = 0.999 * v + 0.001 * slope * slope
        return w - 0.01 * m / (np.sqrt(v) + 1e-7), m, v

    module = lowered(adam, W, W, W, X, X[:, :300], donated=(0, 1, 2))
    (kernel,) = module.steps
    assert isinstance(kernel, Kernel)
    assert module.arena == 0
    stored = loops_that_store(kernel, "argument")
    assert stored
    assert all(found == {0, 1, 2} for found in stored)


# --- fusion ---------------------------------------------------------------------------------


def test_rows_of_softmax_are_one_kernel() -> None:
    def softmax(x: Any) -> Any:
        powers = np.exp(x - np.max(x, axis=-1, keepdims=True))
        return powers / np.sum(powers, axis=-1, keepdims=True)

    assert len(lowered(softmax, np.ones((200, 33))).steps) == 1
    assert len(lowered(softmax, np.ones((3000, 1000))).steps) == 1


def test_a_long_chain_of_elementwise_functions_stores_its_result_alone() -> None:
    def chain(x: Any) -> Any:
        for _ in range(50):
            x = np.sin(x) * 0.9 + 0.1 * x
        return x

    big = np.ones(10**6)
    module = lowered(chain, big)
    assert module.arena == 0
    assert len(module.steps) == 1
    module = lowered(lambda x: chain(x) @ np.ones((10**6, 1)), big)
    assert module.arena <= big.nbytes + 1024


def test_memory_is_used_again() -> None:
    def chain(x: Any) -> Any:
        for _ in range(50):
            x = np.tanh(x @ x)
        return x

    square = np.ones((64, 64))
    assert lowered(chain, square).arena <= 2 * square.nbytes


def test_what_is_not_read_is_not_computed() -> None:
    module = lowered(lambda x: (x @ x, x + 1)[1], np.ones((9, 9)))
    assert products(module) == 0
    assert module.arena == 0


# --- whose memory ---------------------------------------------------------------------------


def test_results_lie_in_donated_arguments_of_their_type() -> None:
    def function(w: Any, x: Any, n: Any) -> Any:
        return w + np.sum(x, axis=0), x * 2, np.sum(n)

    arguments = np.ones(33), np.ones((7, 33)), np.arange(4)
    module = lowered(function, *arguments, donated=(0, 1, 2))
    assert [b.place for b in module.results] == ["argument", "argument", "result"]
    assert [b.position for b in module.results[:2]] == [0, 1]
    module = lowered(function, *arguments, donated=(1,))
    assert [b.place for b in module.results] == ["result", "argument", "result"]
    assert all(b.place == "result" for b in lowered(function, *arguments).results)


def test_an_argument_is_given_once() -> None:
    module = lowered(lambda x: (x + 1, x + 2), np.ones(9), donated=(0,))
    assert sorted(b.place for b in module.results) == ["argument", "result"]


def test_what_a_loop_carries_lies_in_one_place() -> None:
    def function(x: Any) -> Any:
        return bital.while_loop(lambda x: np.sum(x) < 1e9, lambda x: x * 2 + 1, x)

    module = lowered(function, np.ones(1000))
    assert any(isinstance(step, While) for step in module.steps)
    assert module.arena <= 2 * 8000 + 1024


def test_turns_of_a_scan_do_not_add_up() -> None:
    def function(x: Any, rows: Any) -> Any:
        return bital.scan(lambda c, row: (np.tanh(c * row), None), x, rows)[0]

    short, long = (lowered(function, np.ones(100), np.ones((n, 100))).arena for n in (3, 3000))
    assert short == long


def test_gates_and_what_they_keep_are_one_kernel_each_way() -> None:
    """What a scan stacks is stored by the kernel that computes it, not copied there."""
    units, batch, steps = 16, 64, 5

    def loss(u: Any, xs: Any) -> Any:
        def step(states: Any, x: Any) -> Any:
            h, c = states
            z = x + h @ u
            i, f, g, o = (np.tanh(z[:, n * units : (n + 1) * units]) for n in range(4))
            c = f * c + i * g
            return (o * np.tanh(c), c), None

        start = np.zeros((batch, units))
        return np.sum(bital.scan(step, (start, start), xs)[0][0])

    module = lowered(
        bital.grad(loss), np.ones((units, 4 * units)), np.ones((steps, batch, 4 * units))
    )
    forward, backward = (step for step in module.steps if isinstance(step, While))
    names = [[kernel.name for kernel in kernels_of(loop.body)] for loop in (forward, backward)]
    assert len(names[0]) <= 4, names[0]  # what is kept of h, the product, the gates, the turn
    assert len(names[1]) <= 5, names[1]  # the gates' slopes, two products, the turn
    assert not any("copy" in name for name in names[0] + names[1])


def test_heads_of_attention_are_not_copied() -> None:
    """A batch of several axes: the operands of products are read where they lie."""
    q, k = (np.ones((2, 32, 4, 16)) for _ in "ab")
    module = lowered(lambda q, k: np.einsum("bthd,bshd->bhts", q, k), q, k)
    assert [kernel.name for kernel in kernels_of(module.steps)] == ["product"]


def test_a_formula_may_be_of_any_length() -> None:
    """It is evaluated recursively, and cut where that would go too deep."""

    def long(x: Any) -> Any:
        for number in range(250):
            x = np.maximum(x, number % 7) - 0.5 * x
        return x

    x = np.linspace(-1, 1, 5)
    with bital.config.executor("native"):
        np.testing.assert_array_equal(bital.jit(long)(x), long(x))
