"""vmap's arguments."""

import numpy as np
import pytest

import bital
from bital.errors import ArgumentError, ShapeError


def test_keyword_arguments_are_mapped_over_axis_0():
    mapped = bital.vmap(lambda x, k=1.0: x * k)
    np.testing.assert_array_equal(mapped(np.ones(2), k=np.array([1.0, 3.0])), [1.0, 3.0])
    with pytest.raises(ShapeError, match="no axis 0 to map over"):
        mapped(np.ones(2), k=3.0)


def test_an_argument_that_cannot_be_traced_is_named():
    with pytest.raises(ArgumentError, match=r"argument \[1\]\['a'\] is a str"):
        bital.vmap(lambda x, y: x)(np.ones(2), {"a": "b"})


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**400])
def test_integers_beyond_int64_are_refused_by_name(value):
    doubled = bital.jit(lambda x: x * 2)
    with pytest.raises(ArgumentError, match=r"argument \[0\] is an int beyond int64"):
        doubled(value)
    assert doubled(1) == 2
    with pytest.raises(ArgumentError, match="beyond int64"):  # an int was recorded before
        doubled(value)
    assert bital.jit(lambda x: x)(-(2**63)) == -(2**63)
