"""What is taken for rounding, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from rounding import bounds, explained

import bital

EPS = np.finfo(float).eps


def bound(function: Any, *values: Any) -> Any:
    values = tuple(np.asarray(value) for value in values)
    want = function(*values)
    return bounds(bital.trace(function, *values), values, [np.asarray(want)])[0]


def test_a_sum_is_measured_against_its_terms() -> None:
    x = np.array([1e8, 1.0, -1e8, 3.0])
    assert 1e8 * EPS < bound(np.sum, x) < 30e8 * EPS
    assert bound(np.sum, x[1:2]) < 30 * EPS


def test_elements_have_bounds_of_their_own() -> None:
    found = bound(lambda a, b: a @ b, np.diag([1.0, 1e6]), np.ones(2))
    assert 0 < found[0] < 30 * EPS < found[1] < 30e6 * EPS


def test_what_came_before_a_difference_counts() -> None:
    assert bound(lambda x: np.exp(x) - np.exp(3.0), np.array([3.0]))[0] > np.exp(3.0) * EPS


def test_moves_choices_and_integers_are_exact() -> None:
    x = np.array([[3.0, 1.0], [0.1, 7.0]])
    for function in (np.transpose, np.sort, np.abs, lambda x: np.maximum(x[::-1], 2.0)):
        np.testing.assert_array_equal(bound(function, x), 0)
    np.testing.assert_array_equal(bound(lambda n: np.cumsum(n), np.arange(5)), 0)


def test_only_rounding_is_explained() -> None:
    x = np.array([1e8, 1.0, -1e8, 3.0])
    program = bital.trace(np.sum, x)
    near, far = np.array(4.0 + 1e-8), np.array(4.001)
    assert explained(program, [x], [near], [np.array(4.0)])[0] == 4.0
    assert explained(program, [x], [far], [np.array(4.0)])[0] == far
    zero = np.array(0.0)
    assert np.signbit(explained(bital.trace(np.negative, zero), [zero], [-zero], [zero])[0])
