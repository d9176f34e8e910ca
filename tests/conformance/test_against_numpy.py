"""Each row under ``bital.jit`` on each executor: value, shape and dtype as NumPy's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from agreement import attempt, brief, compare, run_all
from tables import COMPLEX, DTYPES, FLOATS, ROWS, Operand, Row
from tables.calls import CALLS

import bital

COMPILED = [row for row in ROWS if row.jit]
Cases = Iterator[Callable[[], None]]
NUMBERS = (2, -1, 300, 0, 2.5, 1e300, True, np.float32(1.5))
CORNERS = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-7, 6e4)
BINARY = [
    row
    for row in COMPILED
    if isinstance(row.function, np.ufunc) and row.function.nin == 2 and not row.function.signature
]


def named(rows: list[Row]) -> Any:
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.name)


class _Counted:
    """A row's function under ``bital.jit``, and how often it was traced."""

    def __init__(self, row: Row) -> None:
        self.traces = 0

        def counted(*arguments: Any) -> Any:
            self.traces += 1
            return row.function(*arguments)

        self.jitted = bital.jit(counted)


@named(COMPILED)
def test_row(row: Row, executor: str) -> None:
    """One jitted function for all: what was compiled for a type once serves again."""
    counted = _Counted(row)
    traced = counted.jitted
    run_all(
        [
            *_dtypes(row, traced),
            *_shapes(row, traced),
            *_layouts(row, traced),
            *_corner_values(row, traced),
        ]
    )
    before = counted.traces
    arguments = row.arguments(row.main_dtype, seed=1)
    if row.mapped and not isinstance(attempt(row.function, arguments), Exception):
        compare(row, traced, arguments, f"{row.name}, second call")
        assert counted.traces == before, f"{row.name} was traced again"


def _dtypes(row: Row, traced: Callable[..., Any]) -> Cases:
    for dtype in row.dtypes:
        yield partial(compare, row, traced, row.arguments(dtype), f"{row.name} in {dtype}")


def _shapes(row: Row, traced: Callable[..., Any]) -> Cases:
    """0-d, empty and broadcasting operands."""
    for shapes in row.shapes:
        arguments = row.arguments(row.main_dtype, shapes)
        yield partial(compare, row, traced, arguments, f"{row.name} {shapes}")


def _layouts(row: Row, traced: Callable[..., Any]) -> Cases:
    """Fortran order, negative strides, gaps, read-only memory."""
    arguments = row.arguments(row.main_dtype)
    for layout in range(4):
        laid = [_lying(a)[layout] if np.ndim(a) else a for a in arguments]
        yield partial(compare, row, traced, laid, f"{row.name}, layout {layout}")


def _lying(array: Any) -> list[Any]:
    """The same elements, lying differently in memory."""
    wide = np.repeat(array, 2, axis=-1)
    backwards = array[(slice(None, None, -1),) * array.ndim].copy()
    frozen = array.copy()
    frozen.flags.writeable = False
    return [
        np.asfortranarray(array),
        backwards[(slice(None, None, -1),) * array.ndim],
        wide[..., ::2],
        frozen,
    ]


def _corner_values(row: Row, traced: Callable[..., Any]) -> Cases:
    """NaN, infinities, signed zeros; the ends of integer ranges."""
    dtypes = ("float64", "float32", "complex128", "int8", "int64", "uint8")
    for dtype in (d for d in dtypes if row.corners and d in row.dtypes):
        for seed in range(4 if dtype in ("float64", "complex128") else 1):
            rng = np.random.default_rng(seed)
            arguments = [
                _corners(rng, argument) if row.is_free(index) else argument
                for index, argument in enumerate(row.arguments(dtype, seed=seed))
            ]
            yield partial(compare, row, traced, arguments, f"{row.name} of {brief(arguments)}")


def _corners(rng: np.random.Generator, like: Any) -> Any:
    if like.dtype.kind == "c":
        parts = np.empty((2, *like.shape), like.real.dtype)
        like = like.copy()
        like.real, like.imag = (_corners(rng, part) for part in parts)
        return like
    if like.dtype.kind == "f":
        return rng.choice(np.array(CORNERS), like.shape).astype(like.dtype)
    limits = np.iinfo(like.dtype)
    values = np.array([limits.min, limits.max, 0, 1, limits.max // 2, 7], like.dtype)
    return rng.choice(values, like.shape)


@named(BINARY)
def test_corner_pairs(row: Row, executor: str) -> None:
    traced = bital.jit(row.function)
    cases = []
    for dtype in () if row.is_complex else FLOATS:
        values = np.array(CORNERS).astype(dtype)
        pair = [values[:, np.newaxis], values]
        cases.append(partial(compare, row, traced, pair, f"{row.name} of corners in {dtype}"))
    run_all(cases)


@pytest.mark.compiles
@named(BINARY)
def test_promotion(row: Row, executor: str) -> None:
    """Operands of two dtypes, and Python numbers beside arrays, which are weak (NEP 50)."""
    traced = bital.jit(row.function)
    cases = []
    for dtype in COMPLEX if row.is_complex else DTYPES:
        x = row.arguments(dtype)[0]
        for other in (*DTYPES, *COMPLEX) if row.is_complex else DTYPES:
            pair = [x, row.arguments(other)[1]]
            cases.append(partial(compare, row, traced, pair, f"{row.name} of {dtype}, {other}"))
        numbers = (*NUMBERS, 0.5 - 2j) if row.is_complex else NUMBERS
        cases += [case for number in numbers for case in _with_number(row, x, number)]
    run_all(cases)


def _with_number(row: Row, x: Any, number: Any) -> Iterator[Callable[[], None]]:
    for left in (False, True):
        function = (
            (lambda a: row.function(number, a)) if left else lambda a: row.function(a, number)
        )
        closed = Row(row.name, function, row.operands[:1], ())
        where = f"{row.name} of {x.dtype} and {number!r}{' in front' if left else ''}"
        yield partial(compare, closed, bital.jit(function), [x if left else x[0, 0]], where)


@pytest.mark.compiles
@named(BINARY)
def test_numbers_as_arguments(row: Row, executor: str) -> None:
    """A Python number that is an argument stays weak inside of the trace."""
    traced = bital.jit(row.function)
    cases = []
    for dtype in ("complex64", "float32") if row.is_complex else ("int8", "float32"):
        x = row.arguments(dtype)[0]
        numbers = (1, 2.0, 1j) if row.is_complex else (1, 2.0)
        pairs = [pair for number in numbers for pair in ([x, number], [number, x])]
        cases += [partial(compare, row, traced, p, f"{row.name} of {brief(p)}") for p in pairs]
    for pair in ([1, 2], [2, 0.5], [1.5, 1], [0.5, 1.5], [True, 2], [0.5, False]):
        cases.append(partial(compare, row, traced, pair, f"{row.name} of {pair}"))
    run_all(cases)


@pytest.mark.parametrize("text", CALLS)
def test_ways_of_calling(text: str, executor: str) -> None:
    called = Row(text, eval(f"lambda x: {text}", {"np": np}), (Operand((2, 3, 4)),), (), rtol=8.0)
    traced = bital.jit(called.function)
    run_all(
        partial(compare, called, traced, called.arguments(dtype), f"{text} in {dtype}")
        for dtype in ("float64", "float32", "int8", "bool")
    )
