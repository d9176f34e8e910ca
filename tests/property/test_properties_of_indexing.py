"""Any index, read and written: as NumPy does on a copy."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from strategies import SHAPES, counting, indices

import bital


def _numpy(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except (IndexError, ValueError) as fault:
        return fault


@st.composite
def _array_and_index(draw: Any) -> tuple[Any, Any]:
    shape = draw(SHAPES)
    return counting(shape), draw(indices(shape))


def _shift(index: Any, arrays: list[Any]) -> Any:
    """The index with its integer arrays replaced, in order."""
    rest = iter(arrays)
    items = index if isinstance(index, tuple) else (index,)
    return tuple(
        next(rest) if isinstance(item, np.ndarray) and item.dtype == np.int64 else item
        for item in items
    )


def _integer_arrays(index: Any) -> list[Any]:
    items = index if isinstance(index, tuple) else (index,)
    return [i for i in items if isinstance(i, np.ndarray) and i.dtype == np.int64]


@given(_array_and_index())
def test_reading(drawn: tuple[Any, Any]) -> None:
    x, index = drawn
    want = _numpy(lambda: x[index])
    got = _numpy(bital.jit(lambda x: x[index]), x)
    if isinstance(want, Exception):
        assert isinstance(got, Exception), (want, got)
        return
    assert not isinstance(got, Exception), got
    np.testing.assert_array_equal(got, want, strict=True)


@given(_array_and_index())
def test_reading_where_the_arrays_are_traced(drawn: tuple[Any, Any]) -> None:
    x, index = drawn
    arrays = _integer_arrays(index)
    want = _numpy(lambda: x[index])
    got = _numpy(bital.jit(lambda x, arrays: x[_shift(index, arrays)]), x, arrays)
    if isinstance(want, Exception):
        assert isinstance(got, Exception), (want, got)
        return
    assert not isinstance(got, Exception), got
    np.testing.assert_array_equal(got, want, strict=True)


@given(_array_and_index())
def test_gradient_of_reading_counts_how_often_each_place_is_read(drawn: tuple[Any, Any]) -> None:
    x, index = drawn
    want = _numpy(lambda: x[index])
    if isinstance(want, Exception) or not x.size:
        return
    expected = np.zeros_like(x)
    np.add.at(expected, index, 1.0)
    np.testing.assert_array_equal(bital.grad(lambda x: np.sum(x[index]))(x), expected)


def _assigned(x: Any, index: Any, value: Any) -> Any:
    x = x.copy()
    x[index] = value
    return x


@given(_array_and_index(), st.data())
def test_writing(drawn: tuple[Any, Any], data: st.DataObject) -> None:
    x, index = drawn
    selected = _numpy(lambda: x[index])
    shape = () if isinstance(selected, Exception) else selected.shape
    kept = data.draw(st.integers(0, len(shape)))
    shape = tuple(n if data.draw(st.booleans()) else 1 for n in shape[kept:])
    value = -counting(shape)
    want = _numpy(_assigned, x, index, value)
    got = _numpy(bital.jit(lambda x, v: _assigned(x, index, v)), x, value)
    if isinstance(want, Exception):
        assert isinstance(got, Exception), (want, got)
        return
    assert not isinstance(got, Exception), got
    np.testing.assert_array_equal(got, want, strict=True)
    traced = bital.jit(lambda x, v, arrays: _assigned(x, _shift(index, arrays), v))
    np.testing.assert_array_equal(traced(x, value, _integer_arrays(index)), want, strict=True)


@given(_array_and_index())
def test_gradient_of_writing_is_where_values_stay(drawn: tuple[Any, Any]) -> None:
    """Whatever NumPy keeps of a value has slope 1, whatever it overwrites has slope 0."""
    x, index = drawn
    selected = _numpy(lambda: x[index])
    if isinstance(selected, Exception) or not x.size:
        return
    value = -counting(selected.shape)
    after = _assigned(x, index, value)
    for_x, for_value = bital.grad(
        lambda x, v: np.sum(_assigned(x, index, v) * after), argnums=(0, 1)
    )(x, value)
    np.testing.assert_array_equal(for_x, np.where(after > 0, after, 0.0))
    stays = np.isin(value, after)
    np.testing.assert_array_equal(for_value, np.where(stays, value, 0.0))
