"""eval_shape: the types of results, with nothing computed."""

import numpy as np
import pytest

import bital
from bital.errors import TracerConversionError


def test_trees_dtypes_and_static_values():
    def f(data, n):
        x = data["x"]
        return {"a": np.tile(x, (n, n)), "b": (x.sum(), 3.0), "c": None}

    found = bital.eval_shape(f, {"x": np.ones((2, 3), np.float32)}, 10**6)
    assert found["a"].shape == (2_000_000, 3_000_000)
    assert found["a"].dtype == np.float32
    assert [t.shape for t in found["b"]] == [(), ()]
    assert found["c"] is None


def test_what_has_a_shape_and_a_dtype_stands_for_an_array():
    types = bital.eval_shape(lambda x, w: x @ w, np.ones((2, 3)), np.ones((3, 4)))
    assert bital.eval_shape(np.exp, types) == types


def test_faults_are_those_of_the_function():
    with pytest.raises(ValueError, match="not aligned"):
        bital.eval_shape(np.matmul, np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(TracerConversionError):
        bital.eval_shape(lambda x: float(x), np.ones(()))
