"""Methods and options of ufuncs: what has no result says why, and what is written in place."""

import numpy as np
import pytest

import bital
from bital.errors import UnsupportedFunctionError, ViewError

X = np.array([[0.5, 2.0, 1.0], [3.0, 0.25, 4.0]])


def test_where_without_out_is_refused():
    with pytest.raises(UnsupportedFunctionError, match=r"np\.where\(mask, np\.exp\(x\), other\)"):
        bital.jit(lambda x: np.exp(x, where=x > 1))(X)


def test_where_keeps_what_stands_in_a_plain_array():
    out = np.arange(6.0).reshape(2, 3)
    got = bital.jit(lambda x: np.exp(x, where=x > 1, out=out))(X)
    np.testing.assert_allclose(got, np.where(X > 1, np.exp(X), np.arange(6.0).reshape(2, 3)))


def test_where_must_be_bools():
    with pytest.raises(TypeError, match="array of bools"):
        bital.jit(lambda x: np.exp(x, where=x, out=np.zeros_like(x)))(X)


@pytest.mark.parametrize(
    ("options", "dtype"),
    [
        ({"dtype": np.float32, "casting": "unsafe"}, np.float32),
        ({"signature": "ff->f", "casting": "unsafe"}, np.float32),
        ({"signature": (None, None, np.float64)}, np.float64),
        ({"casting": "no"}, np.float64),
    ],
)
def test_options_choose_the_loop(options, dtype):
    got = bital.jit(lambda x: np.add(x, x, **options))(X)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, np.add(X, X, **options))


def test_a_loop_that_the_casting_rule_forbids_raises():
    for options in ({"dtype": np.float32, "casting": "safe"}, {"dtype": np.int64}):
        with pytest.raises(TypeError):
            np.add(X, X, **options)
        with pytest.raises(TypeError):
            bital.jit(lambda x, options=options: np.add(x, x, **options))(X)


def test_out_takes_a_result_of_another_kind_only_by_an_unsafe_cast():
    def into_integers(x, **options):
        return np.add(x, x, out=np.zeros((2, 3), np.int64, like=x), **options)

    with pytest.raises(TypeError, match="int64"):
        bital.jit(into_integers)(X)
    got = bital.jit(lambda x: into_integers(x, casting="unsafe"))(X)
    np.testing.assert_array_equal(got, (X + X).astype(np.int64))


@pytest.mark.parametrize(
    "code",
    [
        "np.divmod.reduce(x)",
        "np.sin.reduce(x)",
        "np.subtract.reduce(x, axis=(0, 1))",
        "np.subtract.reduce(x, axis=None)",
        "np.less.reduce(x)",
        "np.fmax.reduce(x[:0])",
        "np.fmax.reduce(x, where=x > 1)",
        "np.add.reduceat(x, [0, 5])",
        "np.sin.accumulate(x)",
        "np.add.at(x, [0, 7], 1.0)",
        "np.add.at(x, [0], np.ones(5))",
        "np.negative.at(x, [0], 1.0)",
    ],
)
def test_what_raises_in_numpy_raises_in_a_trace(code):
    function = eval(f"lambda x: {code}", {"np": np})
    with pytest.raises(Exception):  # noqa: B017, PT011 - of whatever class NumPy's is
        function(X.copy())
    with pytest.raises(Exception) as caught:  # noqa: PT011
        bital.jit(function)(X)
    assert "ProgramError" not in type(caught.value).__name__


def test_at_needs_a_traced_array():
    def f(x):
        total = np.zeros(3)
        np.add.at(total, [0, 0], x[0, :2])
        return total

    with pytest.raises(UnsupportedFunctionError, match="like=x"):
        bital.grad(lambda x: np.sum(f(x)))(X)


def test_at_does_not_write_through_a_view():
    def f(x):
        x = x.copy()
        row = x[0]
        np.add.at(row, [0, 0], 1.0)
        return x + row

    with pytest.raises(ViewError):
        bital.jit(f)(X)


@pytest.mark.parametrize("ufunc", [np.multiply, np.maximum, np.subtract, np.power, np.hypot])
def test_at_writes_in_turn_where_traced_indices_repeat(ufunc):
    def f(x, index, y):
        x = x.copy()
        ufunc.at(x, (index, slice(1, 3)), y)
        return x

    index, y = np.array([0, 1, 0, -2]), np.array([[1.5, 0.5], [2.0, 3.0], [0.7, 0.9], [1.1, 0.3]])
    np.testing.assert_allclose(bital.jit(f)(X, index, y), f(X, index, y), rtol=1e-15)
    bital.check_grads(lambda x, y: f(x, index, y), (X, y), order=2)
    bital.check_grads(bital.jit(lambda x, y: f(x, index + 0, y)), (X, y), order=1)


def test_accumulate_of_maxima_shares_nothing_with_later_ones():
    slope = bital.grad(lambda x: np.sum(np.maximum.accumulate(x)))(np.array([1.0, 3.0, 2.0, 5.0]))
    np.testing.assert_array_equal(slope, [1.0, 2.0, 0.0, 1.0])


def test_the_program_of_a_reduction_is_short():
    """A tree of halves: the number of equations grows with the logarithm of the length."""
    small, large = (
        len(bital.trace(np.hypot.reduce, np.ones(n)).equations) for n in (1 << 4, 1 << 12)
    )
    assert large < 4 * small
