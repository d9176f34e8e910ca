"""Whole programs of drawn steps, dtypes and sizes: every executor gives what ``numpy`` gives.

Sizes reach from single elements over full vectors to what is left behind them. The ``native``
executor runs with red zones: a store beside a buffer fails, and memory that was not written is NaN.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import plain_loops
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from test_random_programs import _BINARY, _ROUGH_BINARY, _ROUGH_UNARY, _UNARY

import bital
from bital.executors import get_executor
from bital.program import Array, Program
from bital.transforms import vjp

pytest.importorskip("llvmlite")

_DTYPES = ("float64", "float64", "float32", "float32", "int32", "int64", "bool", "uint8", "int8")
_LENGTHS = st.integers(1, 40) | st.sampled_from((1, 3, 4, 8, 16, 17, 32, 33, 64, 100, 129))
_MOST = 20_000  # elements of a value
_LARGEST = 100.0  # of the values


def _rows(x: Any) -> Any:
    return x.reshape(-1, x.shape[-1]) if x.ndim != 2 else x


def _whole(x: Any) -> Any:
    """Small integers, of any dtype; never of what no integer is near."""
    return (x * 1).astype(np.int64) % 7 - 3


_TYPED_UNARY: dict[str, Callable[[Any], Any]] = {
    "single": lambda x: x.astype(np.float32),
    "double": lambda x: x.astype(np.float64),
    "int8": lambda x: _whole(x).astype(np.int8),
    "uint8": lambda x: (_whole(x) + 3).astype(np.uint8),
    "positive": lambda x: x > 0,
    "negated": lambda x: ~(x > 0),
    "bits": lambda x: (_whole(x) << 2) ^ 5,
    "quotient": lambda x: _whole(x) // 2,
    "any": lambda x: np.any(x > 0, axis=-1) if x.ndim else x > 0,
    "all": lambda x: np.all(x > -0.5, axis=0) if x.ndim else x > 0,
    "least": lambda x: np.min(x, axis=-1, keepdims=True) if x.ndim else x,
    "all summed": lambda x: np.sum(x) / x.size,
    "middle axis": lambda x: np.sum(x, axis=1) / x.shape[1] if x.ndim > 1 else x,
    "place of least": lambda x: np.argmin(x, axis=-1) if x.ndim else x,
    "mean of squares": lambda x: np.mean(x * x, axis=0) if x.ndim else x,
    "variance": lambda x: np.var(x, axis=-1) if x.ndim else x,
    "log softmax": lambda x: x - np.log(np.sum(np.exp(x), axis=-1, keepdims=True)) if x.ndim else x,
    "gram": lambda x: _rows(x).T @ _rows(x) / _rows(x).size if x.ndim else x,
    "every other": lambda x: x[::2] if x.ndim else x,
    "without the first": lambda x: x[..., 1:] if x.ndim and x.shape[-1] > 1 else x,
    "in threes": lambda x: x.reshape(3, -1) if x.size % 3 == 0 else x,
    "stretched": lambda x: np.broadcast_to(x, (5, *x.shape)) if x.ndim < 3 else x,
    "sorted out": lambda x: np.take(x, (np.arange(7) * 5) % x.shape[0], axis=0) if x.ndim else x,
    "column": lambda x: x[:, None] if x.ndim == 1 else x,
    "decayed": lambda x: np.floor(x) * 0.5 + np.ceil(x),
    "hyperbolic": lambda x: np.arctan(np.sinh(np.clip(x, -2, 2))),
    "gaussian": lambda x: np.expm1(-np.square(x)) + np.log1p(np.abs(x)),
    "set block": lambda x: _block(x) if x.ndim == 2 else x,
}
_TYPED_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "plus": np.add,
    "minus": np.subtract,
    "times": np.multiply,
    "layer": lambda x, y: np.tanh(_rows(x) @ y / y.shape[0] + 0.1),
    "transposed product": lambda x, y: _rows(x).T @ y / y.shape[0],
    "product with transposed": lambda x, y: _rows(x) @ y.T / y.shape[-1],
    "batched product": lambda x, y: np.stack([x, x]) @ y / x.shape[-1],
    "chosen by mask": lambda x, y: np.where(x > 0, y, x),
    "rows picked by": lambda x, y: x[_whole(y).reshape(-1)[:50] % x.shape[0]],
    "along": lambda x, y: np.take_along_axis(x, _whole(y) % x.shape[-1], axis=-1),
    "less": lambda x, y: x < y,
    "bits of both": lambda x, y: _whole(x) & _whole(y) | 1,
    "divided down": lambda x, y: _whole(x) // (np.abs(_whole(y)) + 1),
    "side by side": lambda x, y: np.concatenate([x, y], axis=-1),
    "block set": lambda x, y: _set_rows(x, y),
    "outer sum": lambda x, y: x.reshape(-1)[:30, None] + y.reshape(-1)[None, :30],
}


def _block(x: Any) -> Any:
    x = x.copy()
    x[: x.shape[0] // 2, x.shape[1] // 2 :] = 1
    return x


def _set_rows(x: Any, y: Any) -> Any:
    x = x + 0 * y
    x[0] = y[-1]
    return x


def _loops(lib: Any) -> dict[str, Callable[[Any], Any]]:
    """Loops and branches in bital's words, or in Python's."""

    def running(c: Any, row: Any) -> tuple[Any, Any]:
        c = np.tanh(c * 0.5 + row)
        return c, c * row

    def recurrent(x: Any) -> Any:
        w = np.cos(x.T @ x) / x.shape[1]
        return lib.scan(lambda c, row: (np.tanh(c @ w + row), np.sum(c)), x[0] * 0.5, x)[0]

    def halved(x: Any) -> Any:
        whole = _whole(x)
        return lib.while_loop(lambda s: np.max(np.abs(s)) > 1, lambda s: s // 2, whole)

    def turns(x: Any) -> Any:
        most = np.sum(x > 0) % 9
        return x * (lib.while_loop(lambda n: n * n < most, lambda n: n + 1, 0) * 0.25)

    def start(x: Any) -> Any:
        return np.tanh(x[0] * 0.5)  # the dtype that `running` gives back

    return {
        "scan": lambda x: lib.scan(running, start(x), x)[1],
        "reversed scan": lambda x: lib.scan(running, start(x), x, reverse=True)[0],
        "recurrent": recurrent,
        "branch": lambda x: lib.cond(np.sum(x) > 0, np.sin, np.cos, x),
        "halved": halved,
        "turns": turns,
    }


_UNARIES = {**_UNARY, **_ROUGH_UNARY, **_TYPED_UNARY, **_loops(plain_loops)}
_BINARIES = {**_BINARY, **_ROUGH_BINARY, **_TYPED_BINARY}
_NAMES = sorted({**_UNARIES, **_BINARIES})
_PLAIN = {**_UNARIES, **_BINARIES}
_FUNCTIONS = {**_PLAIN, **_loops(bital)}


@dataclass(frozen=True)
class Case:
    """A drawn program: each step names a function and the earlier values that it takes."""

    types: tuple[tuple[tuple[int, ...], str], ...]
    steps: tuple[tuple[str, tuple[int, ...]], ...]
    outputs: tuple[int, ...]
    donated: tuple[int, ...]

    def __call__(self, *inputs: Any) -> list[Any]:
        values = list(inputs)
        for name, places in self.steps:
            values.append(_FUNCTIONS[name](*(values[place] for place in places)))
        return [values[place] for place in self.outputs]


def _inputs(types: Sequence[tuple[tuple[int, ...], str]]) -> list[Any]:
    rng = np.random.default_rng(len(types))
    return [
        np.asarray(
            rng.uniform(-1, 1, shape)
            if dtype.startswith("f")
            else rng.integers(0 if dtype[0] in "ub" else -3, 2 if dtype == "bool" else 4, shape)
        ).astype(dtype)
        for shape, dtype in types
    ]


def _step(name: str, arguments: Sequence[Any]) -> Any:
    """What a step gives, or None where its arguments do not fit it or go too far."""
    try:
        with np.errstate(all="raise"):
            value = np.asarray(_PLAIN[name](*arguments))
    except (ValueError, IndexError, TypeError, FloatingPointError):
        return None
    fits = value.dtype.kind in "biuf" and 0 < value.size <= _MOST and value.ndim <= 3
    if not fits or not np.all(np.isfinite(value)) or np.max(np.abs(value * 1.0)) > _LARGEST:
        return None
    return value


@st.composite
def cases(draw: Any) -> Case:
    lengths = [draw(_LENGTHS) for _ in range(2)]
    axes = st.sampled_from((*lengths, *lengths, 1))
    shapes = st.lists(axes, min_size=1, max_size=2).map(tuple) | st.just(())
    types = tuple(
        (draw(shapes), draw(st.sampled_from(_DTYPES))) for _ in range(draw(st.integers(1, 3)))
    )
    values = _inputs(types)
    steps: list[tuple[str, tuple[int, ...]]] = []
    for number in draw(st.lists(st.integers(0, len(_NAMES) - 1), min_size=4, max_size=14)):
        name = _NAMES[number]
        count = 1 if name in _UNARIES else 2
        recent = st.integers(max(0, len(values) - 4), len(values) - 1)
        places = tuple(draw(recent) for _ in range(count))
        value = _step(name, [values[place] for place in places])
        if value is not None:
            steps.append((name, places))
            values.append(value)
    outputs = draw(st.lists(st.integers(0, len(values) - 1), max_size=2))
    donated = draw(st.sets(st.integers(0, len(types) - 1)))
    return Case(types, tuple(steps), (*outputs, len(values) - 1), tuple(sorted(donated)))


# --- what must agree ------------------------------------------------------------------------

_TOLERANCE = {2: 2e-2, 4: 2e-4, 8: 1e-9}  # by the bytes of the narrowest float on the way


def _dtypes(program: Program) -> set[Any]:
    found = {atom.type.dtype for e in program.equations for atom in (*e.inputs, *e.outputs)}
    for equation in program.equations:
        for value in equation.params.values():
            if isinstance(value, Program):
                found |= _dtypes(value)
    return found | {type.dtype for type in program.input_types}


def _is_close(got: Array, want: Array, tolerance: float) -> bool:
    scale = max(1.0, float(np.max(np.abs(want), initial=0.0, where=np.isfinite(want))))
    return bool(np.allclose(got, want, rtol=tolerance, atol=tolerance * scale, equal_nan=True))


def _jumps(reference: Any, values: list[Any], number: int, tolerance: float) -> bool:
    """Whether a result leaps where the inputs change by less than its tolerance."""
    rng = np.random.default_rng(0)
    want = reference(values)[number]
    for _ in range(20):
        moved = [
            np.asarray(x * (1 + rng.uniform(-1, 1, x.shape) * tolerance / 50)).astype(x.dtype)
            if x.dtype.kind == "f"
            else x
            for x in values
        ]
        if not _is_close(reference(moved)[number], want, tolerance / 2):
            return True
    return False


def _agree(program: Program, values: list[Any], donated: Sequence[int] = ()) -> None:
    reference = get_executor("numpy").compile(program)
    with mock.patch.dict(os.environ, {"BITAL_RED_ZONES": "1", "BITAL_CACHE": "0"}):
        native = get_executor("native").compile(program, donated)
    floats = [dtype.itemsize for dtype in _dtypes(program) if dtype.kind == "f"]
    tolerance = _TOLERANCE[min(floats, default=8)]
    before = [x.copy() for x in values]
    wants = reference([x.copy() for x in values])
    for _ in range(2):  # a second call finds the memory as the first one left it
        given_away = [x.copy() if n in donated else x for n, x in enumerate(values)]
        gots = native(given_away)
        assert all(
            np.array_equal(x, y, equal_nan=True) for x, y in zip(values, before, strict=True)
        )
        for number, (got, want) in enumerate(zip(gots, wants, strict=True)):
            assert np.shape(got) == np.shape(want)
            assert np.asarray(got).dtype == np.asarray(want).dtype
            got, want = (np.asarray(y).astype(np.float64) for y in (got, want))
            if not _is_close(got, want, tolerance) and not _jumps(
                reference, before, number, tolerance
            ):
                np.testing.assert_allclose(got, want, tolerance, tolerance, err_msg=str(program))


def _check(case: Case) -> None:
    inputs = _inputs(case.types)
    with np.errstate(all="ignore"):
        program = bital.trace(case, *inputs)
        _agree(program, inputs, case.donated)
        wrt = [type.dtype.kind == "f" for type in program.input_types]
        slopes = vjp(program, wrt)
        count = len(inputs)
        rng = np.random.default_rng(7)
        pulled = [
            np.asarray(rng.uniform(-1, 1, type.shape)).astype(type.dtype)
            for type in slopes.input_types[count:]
        ]
        if any(wrt) and pulled:
            _agree(slopes, [*inputs, *pulled], case.donated)


@settings(max_examples=100)
@given(cases())
def test_values_and_gradients(case: Case) -> None:
    _check(case)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_values_and_gradients_of_ten_thousand_programs(part: int) -> None:
    @seed(part)
    @settings(max_examples=2500)
    @given(cases())
    def check(case: Case) -> None:
        _check(case)

    check()
