"""Whole programs of drawn steps: traced, differentiated, optimised and run as NumPy runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import bital
from bital.passes import optimize
from bital.primitives import REGISTRY, evaluate
from bital.program import check, parse
from bital.transforms import batch, jvp, vjp

# Some above the size from which buffers are planned, some below.
_SHAPES = ((), (3,), (2, 3), (3, 2), (20, 17), (17, 20), (3, 1))


def _written(x: Any, y: Any) -> Any:
    x = x.copy()
    x[..., -1] = np.mean(y)
    x[0] += np.sin(x[-1])
    x[0] *= 0.5
    return x


def _accumulated(x: Any, y: Any) -> Any:
    total = np.zeros_like(x)
    total += x
    total *= np.tanh(y.sum())
    return total


# Each keeps values within about [-1, 1], so that long programs stay in range; all are smooth.
_UNARY: dict[str, Callable[[Any], Any]] = {
    "sin": np.sin,
    "tanh": np.tanh,
    "square": lambda x: x * x,
    "power": lambda x: (1.5 + x) ** 1.5 / 4,
    "minus": lambda x: -x,
    "minus twice": lambda x: -np.negative(x),
    "root": lambda x: np.sqrt(1 + x**2) / 2,
    "inverse": lambda x: 1 / (2 + x),
    "exp": lambda x: np.exp(x) / 3,
    "log": lambda x: np.log(1.5 + x) / 2,
    "transposed": lambda x: x.T,
    "row": lambda x: x[0] if x.ndim else x,
    "backwards": lambda x: x[::-1] if x.ndim else x,
    "flat": lambda x: x.reshape(-1),
    "mean": lambda x: np.mean(x, axis=-1, keepdims=True) if x.ndim else x,
    "sum": lambda x: x.sum(axis=0) / 20 if x.ndim else x,
    "softmax": lambda x: np.exp(x) / np.sum(np.exp(x)),
    "picked": lambda x: x[np.array([0, 0, -1])] if x.ndim else x,
    "stopped": lambda x: x * 1 + 0 * np.sum(x),
    "self product": lambda x: x @ x.T / 20 if x.ndim == 2 else x,
    "padded": lambda x: np.pad(x, 1) if x.ndim else x,
    "float32": lambda x: x.astype(np.float64, copy=False),
}
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: (x + y) / 2,
    "subtract": lambda x, y: (x - y) / 2,
    "multiply": np.multiply,
    "divide": lambda x, y: x / (2 + y),
    "arctan2": lambda x, y: np.arctan2(x, 2 + y),
    "matmul": lambda x, y: x @ y / 20,
    "outer": lambda x, y: np.outer(x[:3], y[:3]),
    "joined": lambda x, y: np.concatenate([x, y]),
    "stacked": lambda x, y: np.stack([x, y], axis=-1),
    "chosen": lambda x, y: np.where(np.arange(x.shape[-1]) % 2 == 0, x, y),
    "written": _written,
    "accumulated": _accumulated,
    "einsum": lambda x, y: np.einsum("ij,ij->i", x, y) / 20,
}


# These have kinks, jumps and other dtypes on the way.
_ROUGH_UNARY: dict[str, Callable[[Any], Any]] = {
    "abs": np.abs,
    "sign": np.sign,
    "clip": lambda x: np.clip(x, -0.5, 0.5),
    "round": lambda x: np.round(x, 1),
    "largest": lambda x: np.max(x, axis=0) if x.ndim else x,
    "prod": lambda x: np.prod(x, axis=-1) if x.ndim else x,
    "integers": lambda x: (x * 10).astype(np.int64) % 3 * 0.25,
    "small integers": lambda x: ((x * 100).astype(np.int8) // np.int8(7) & 3) / 4,
    "half precision": lambda x: x.astype(np.float16).astype(np.float64),
    "counts": lambda x: (x > 0).sum(axis=0) / 20 if x.ndim else x,
    "place of largest": lambda x: x.reshape(-1)[np.argmax(x)],
    "rectified": lambda x: np.maximum(x, 0),
    "assigned by mask": lambda x: _masked(x) if x.ndim else x,
}
_ROUGH_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "maximum": np.maximum,
    "minimum": np.minimum,
    "greater of": lambda x, y: np.where(x > y, x, -y),
    "both": lambda x, y: np.logical_and(x > 0, y > 0) * 0.5,
    "picked by": lambda x, y: x[(y.reshape(-1) * 9).astype(np.int64) % x.shape[0]],
    "remainder": lambda x, y: np.remainder(x, 0.5 + y * y),
}
_FUNCTIONS = {**_UNARY, **_BINARY, **_ROUGH_UNARY, **_ROUGH_BINARY}


def _masked(x: Any) -> Any:
    x = x.copy()
    x[x > 0.3] = -0.3
    return x


@dataclass(frozen=True)
class Steps:
    """A drawn program: each step names a function and the earlier values that it takes."""

    shapes: tuple[tuple[int, ...], ...]
    steps: tuple[tuple[str, tuple[int, ...]], ...]
    outputs: tuple[int, ...]

    def __call__(self, *inputs: Any) -> list[Any]:
        values = list(inputs)
        for name, places in self.steps:
            values.append(_FUNCTIONS[name](*(values[place] for place in places)))
        return [values[place] for place in self.outputs]

    def inputs(self, seed: int) -> list[Any]:
        rng = np.random.default_rng(seed)
        return [np.asarray(rng.uniform(-0.9, 0.9, shape)) for shape in self.shapes]


@st.composite
def programs(draw: Any, rough: bool = False) -> Steps:
    unary = sorted({**_UNARY, **_ROUGH_UNARY} if rough else _UNARY)
    binary = sorted({**_BINARY, **_ROUGH_BINARY} if rough else _BINARY)
    shapes = draw(st.lists(st.sampled_from(_SHAPES), min_size=1, max_size=3))
    values: list[Any] = [np.full(shape, 0.5) for shape in shapes]
    steps: list[tuple[str, tuple[int, ...]]] = []
    for _ in range(draw(st.integers(1, 14))):
        count = draw(st.sampled_from((1, 2, 2)))
        name = draw(st.sampled_from(unary if count == 1 else binary))
        recent = st.integers(max(0, len(values) - 4), len(values) - 1)
        places = tuple(draw(recent) for _ in range(count))
        try:
            value = np.asarray(_FUNCTIONS[name](*(values[place] for place in places)))
        except (ValueError, IndexError):
            continue  # shapes do not fit: the step is left out
        if value.size <= 2000 and value.ndim <= 3 and value.size:
            steps.append((name, places))
            values.append(value)
    outputs = draw(st.lists(st.integers(0, len(values) - 1), min_size=1, max_size=3))
    return Steps(tuple(shapes), tuple(steps), (*outputs, len(values) - 1))


def assert_close(got: Any, want: Any, rtol: float = 1e-10) -> None:
    for a, b in zip(got, want, strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def loss(steps: Steps) -> Callable[..., Any]:
    return lambda *xs: sum(np.sum(np.tanh(y)) / np.size(y) for y in steps(*xs))


@given(programs())
def test_values(steps: Steps) -> None:
    """The second call must not disturb the results of the first, nor either the arguments."""
    traced = bital.jit(steps)
    first, second = steps.inputs(0), steps.inputs(1)
    before = [x.copy() for x in first]
    result = traced(*first)
    assert_close(result, steps(*first))
    kept = [np.copy(y) for y in result]
    assert_close(traced(*second), steps(*second))
    assert_close(traced(*first), kept, 0.0)
    assert_close(result, kept, 0.0)
    assert_close(first, before, 0.0)


@given(programs(rough=True))
def test_values_with_jumps_and_other_dtypes(steps: Steps) -> None:
    traced = bital.jit(steps)
    for seed in range(2):
        inputs = steps.inputs(seed)
        assert_close(traced(*inputs), steps(*inputs))
    every = tuple(range(len(inputs)))
    eager = bital.grad(loss(steps), argnums=every)(*inputs)
    assert_close(bital.jit(bital.grad(loss(steps), argnums=every))(*inputs), eager)


@given(programs())
def test_results_are_the_callers_own(steps: Steps) -> None:
    """Writing to a result changes neither another result nor what later calls give."""
    traced = bital.jit(steps)
    inputs = steps.inputs(0)
    want = steps(*inputs)
    for index, result in enumerate(traced(*inputs)):
        if isinstance(result, np.ndarray):
            rest = traced(*inputs)
            rest[index][...] = 99.0
            del rest[index]
            assert_close(rest, want[:index] + want[index + 1 :])
    assert_close(inputs, steps.inputs(0), 0.0)
    assert_close(traced(*inputs), want)


@given(programs())
def test_donated_arguments(steps: Steps) -> None:
    donating = bital.jit(steps, donate_argnums=tuple(range(len(steps.shapes))))
    for seed in range(2):
        assert_close(donating(*steps.inputs(seed)), steps(*steps.inputs(seed)))


@given(programs())
@settings(max_examples=40)
def test_gradients(steps: Steps) -> None:
    """By differences, in both modes; compiled, and of a compiled function, alike."""
    inputs = tuple(steps.inputs(0))
    bital.check_grads(loss(steps), inputs, order=1, atol=1e-6, rtol=1e-6)
    every = tuple(range(len(inputs)))
    eager = bital.grad(loss(steps), argnums=every)(*inputs)
    assert_close(bital.jit(bital.grad(loss(steps), argnums=every))(*inputs), eager)
    assert_close(bital.grad(bital.jit(loss(steps)), argnums=every)(*inputs), eager)


@given(programs())
@settings(max_examples=25)
def test_second_derivatives(steps: Steps) -> None:
    """Forward over reverse equals reverse over forward, and a difference of gradients."""
    xs = tuple(steps.inputs(0))
    every = tuple(range(len(xs)))
    directions = tuple(np.asarray(np.sin(2.0 + np.arange(x.size))).reshape(x.shape) for x in xs)

    def along(*values: Any) -> Any:
        slopes = bital.grad(loss(steps), argnums=every)(*values)
        return sum(np.sum(s * d) for s, d in zip(slopes, directions, strict=True))

    _, forward = bital.jvp(along, xs, directions)
    reverse = bital.grad(along, argnums=every)(*xs)
    pulled = sum(np.sum(r * d) for r, d in zip(reverse, directions, strict=True))
    np.testing.assert_allclose(forward, pulled, rtol=1e-9, atol=1e-9)
    above, below = (
        along(*(x + h * d for x, d in zip(xs, directions, strict=True))) for h in (1e-4, -1e-4)
    )
    np.testing.assert_allclose(forward, (above - below) / 2e-4, rtol=1e-5, atol=1e-5)


@given(programs(rough=True))
@settings(max_examples=40)
def test_mapping(steps: Steps) -> None:
    rows = [steps.inputs(seed) for seed in range(3)]
    stacked = [np.stack(column) for column in zip(*rows, strict=True)]
    wanted = [np.stack(ys) for ys in zip(*(steps(*row) for row in rows), strict=True)]
    assert_close(bital.vmap(steps)(*stacked), wanted)


@given(programs())
@settings(max_examples=25)
def test_mapping_and_differentiating_in_any_order(steps: Steps) -> None:
    rows = [tuple(steps.inputs(seed)) for seed in range(2)]
    stacked = tuple(np.stack(column) for column in zip(*rows, strict=True))
    every = tuple(range(len(stacked)))
    slope = bital.grad(loss(steps), argnums=every)
    want = [np.stack(parts) for parts in zip(*(slope(*row) for row in rows), strict=True)]
    assert_close(bital.vmap(slope)(*stacked), want)
    total = bital.grad(lambda *xs: np.sum(bital.vmap(loss(steps))(*xs)), argnums=every)
    assert_close(total(*stacked), want)
    assert_close(bital.jit(bital.vmap(bital.jit(slope)))(*stacked), want)


@given(programs(), st.floats(-0.5, 0.5))
@settings(max_examples=25)
def test_branches_on_values(steps: Steps, threshold: float) -> None:
    """Under ``grad`` alone Python may branch on what was computed so far."""

    def branching(*xs: Any) -> Any:
        value = loss(steps)(*xs)
        if value > threshold:
            return value * value
        return loss(steps)(*(x + 0.01 for x in xs)) if value < -threshold else 3.0 * value

    inputs = steps.inputs(0)
    every = tuple(range(len(inputs)))
    value, slopes = bital.value_and_grad(branching, argnums=every)(*inputs)
    np.testing.assert_allclose(value, branching(*inputs), rtol=1e-12)
    direction = [np.cos(x) for x in inputs]
    above, below = (
        branching(*(x + h * d for x, d in zip(inputs, direction, strict=True)))
        for h in (1e-5, -1e-5)
    )
    along = sum(np.sum(s * d) for s, d in zip(slopes, direction, strict=True))
    np.testing.assert_allclose(along, (above - below) / 2e-5, rtol=1e-5, atol=1e-7)


@given(programs())
@settings(max_examples=40)
def test_every_transform_and_pass_keeps_programs_well_formed(steps: Steps) -> None:
    inputs = steps.inputs(0)
    program = check(bital.trace(steps, *inputs))
    wrt = [True] * len(inputs)
    assert parse(str(program), REGISTRY).structure() == program.structure() or program.constants
    for each in (program, jvp(program, wrt), vjp(program, wrt), batch(program, 2)):
        optimized = optimize(check(each), checked=True)
        rng = np.random.default_rng(1)
        values = tuple(np.asarray(rng.uniform(-0.9, 0.9, t.shape)) for t in each.input_types)
        assert_close(evaluate(optimized, values), evaluate(each, values))
