"""bital.random: keys, shapes, dtypes, errors; the same numbers wherever they are drawn."""

import doctest
import importlib
import itertools

import numpy as np
import pytest

import bital
from bital import random
from bital.errors import ArgumentError, ShapeError

KEY = random.key(20)
MODULES = ["keys", "uniforms", "normals", "continuous", "gammas", "discrete"]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    module = importlib.import_module(f"bital.random.{name}")
    names = {each: getattr(random, each) for each in random.__all__}
    assert doctest.testmod(module, extraglobs={**names, "np": np}).failed == 0


def test_every_name_is_documented_and_importable():
    import bital.random as module

    assert module is random
    for name in random.__all__:
        assert ">>>" in getattr(random, name).__doc__, name


# --- keys -----------------------------------------------------------------------------------


def test_keys_of_a_split_differ_from_each_other_and_from_the_numbers():
    keys = random.split(KEY, (50, 4)).reshape(-1, 2)
    folded = np.stack([random.fold_in(KEY, i) for i in range(50)])
    words = random.bits(KEY, (400,), np.uint64).reshape(-1, 2)
    every = np.concatenate([keys, folded, words])
    assert len(np.unique(every, axis=0)) == len(every)
    assert len(np.unique(every)) == every.size


def test_what_is_folded_in():
    keys = [random.fold_in(KEY, data) for data in (-1, 2**64 - 1, np.int32(-1), np.uint64(3), 3)]
    assert np.array_equal(keys[0], keys[1])
    assert np.array_equal(keys[0], keys[2])
    assert np.array_equal(keys[3], keys[4])
    for data in (1.5, np.ones(2, int), "a", None):
        with pytest.raises(ArgumentError, match="fold_in takes one integer"):
            random.fold_in(KEY, data)


def test_streams_of_different_keys_are_not_related():
    draws = np.stack([random.normal(k, (4000,)) for k in random.split(KEY, 6)])
    other = np.stack([random.normal(random.fold_in(KEY, i), (4000,)) for i in range(6)])
    correlations = np.corrcoef(np.concatenate([draws, other])) - np.eye(12)
    assert np.abs(correlations).max() < 5 / np.sqrt(4000)


def test_a_key_from_a_traced_seed():
    keys = bital.vmap(random.key)(np.arange(3))
    np.testing.assert_array_equal(keys, np.stack([random.key(i) for i in range(3)]))
    assert keys.dtype == np.uint64


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, True, "0", None])
def test_what_is_no_seed(seed):
    with pytest.raises(ArgumentError, match=r"a seed"):
        random.key(seed)


@pytest.mark.parametrize(
    "key", [0, [0, 1], np.zeros(2), np.zeros(2, np.int64), np.zeros((3, 2), np.uint64), None]
)
def test_what_is_no_key(key):
    with pytest.raises(ArgumentError, match=r"a key is two uint64 words.*got"):
        random.normal(key, (2,))
    if isinstance(key, np.ndarray):
        with pytest.raises(ArgumentError, match=r"a key is two uint64 words.*got"):
            bital.jit(random.normal)(key)


# --- the same numbers everywhere ------------------------------------------------------------

P = np.array([0.2, 0.3, 0.5])
DRAWS = {
    "bits": lambda k: random.bits(k, (5,)),
    "split": lambda k: random.split(k, (2, 2)),
    "fold_in": lambda k: random.fold_in(k, 3),
    "uniform": lambda k: random.uniform(k, (3,), np.float32, -1.0, 2.0),
    "normal": lambda k: random.normal(k, (3,)),
    "truncated_normal": lambda k: random.truncated_normal(k, np.array([-1.0, 0.0]), 2.0),
    "multivariate_normal": lambda k: random.multivariate_normal(k, np.zeros(2), np.eye(2) + 0.5),
    "exponential": lambda k: random.exponential(k, (3,)),
    "gumbel": lambda k: random.gumbel(k, (3,), np.float32),
    "laplace": lambda k: random.laplace(k, (3,)),
    "logistic": lambda k: random.logistic(k, (3,)),
    "cauchy": lambda k: random.cauchy(k, (3,)),
    "gamma": lambda k: random.gamma(k, np.array([0.3, 2.0, 700.0])),
    "loggamma": lambda k: random.loggamma(k, 0.3, (2,), np.float32),
    "beta": lambda k: random.beta(k, 0.3, 2.0, (3,)),
    "dirichlet": lambda k: random.dirichlet(k, np.ones(3) * 0.1, (2,)),
    "poisson": lambda k: random.poisson(k, np.array([0.5, 5.0, 50.0])),
    "bernoulli": lambda k: random.bernoulli(k, np.array([0.3, 0.7])),
    "randint": lambda k: random.randint(k, (5,), -3, 10, np.int32),
    "randint, wide": lambda k: random.randint(k, (5,), -(2**62), 2**63 - 1),
    "randint, all": lambda k: random.randint(k, (), 0, 2**64, np.uint64),
    "categorical": lambda k: random.categorical(k, np.log(np.stack([P, P[::-1]])), shape=(4, 2)),
    "choice": lambda k: random.choice(k, np.arange(12.0).reshape(4, 3), (2, 2)),
    "choice with p": lambda k: random.choice(k, 3, (4,), p=P),
    "choice without replacement": lambda k: random.choice(k, 5, (4,), replace=False),
    "choice with p without replacement": lambda k: random.choice(k, 3, (2,), replace=False, p=P),
    "permutation": lambda k: random.permutation(k, np.arange(12.0).reshape(4, 3)),
    "permutation, independent": lambda k: random.permutation(
        k, np.arange(12.0).reshape(4, 3), 1, independent=True
    ),
}


def assert_same(got, want):
    """Integers to the bit; functions of libraries of their own may differ in the last one."""
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    if want.dtype.kind == "f":
        np.testing.assert_allclose(got, want, rtol=16 * np.finfo(want.dtype).eps)
    else:
        np.testing.assert_array_equal(got, want)


def test_every_function_is_drawn_from():
    drawn = {name.split(",")[0].split(" ")[0] for name in DRAWS}
    assert drawn == set(random.__all__) - {"key"}


@pytest.mark.parametrize("name", DRAWS)
def test_compiled(name, executor):
    want = np.asarray(DRAWS[name](KEY))
    got = np.asarray(bital.jit(DRAWS[name])(KEY))
    assert_same(got, want)


@pytest.mark.parametrize("name", DRAWS)
def test_mapped_over_keys(name):
    keys = random.split(KEY, 3)
    with bital.config.executor("numpy"):
        got = bital.vmap(DRAWS[name])(keys)
        one_for_all = bital.vmap(lambda _, k: DRAWS[name](k), (0, None))(np.ones(2), KEY)
    assert_same(got, np.stack([DRAWS[name](k) for k in keys]))
    assert_same(one_for_all, np.stack([DRAWS[name](KEY)] * 2))


@pytest.mark.parametrize("name", ["normal", "randint", "gamma", "permutation"])
def test_in_a_loop(name):
    def step(key, _):
        key, new = random.split(key)
        return key, DRAWS[name](new)

    with bital.config.executor("numpy"):
        _, got = bital.scan(step, KEY, length=3)
    key, rows = KEY, []
    for _ in range(3):
        key, row = step(key, None)
        rows.append(row)
    assert_same(got, np.stack(rows))


def test_no_rows_and_no_keys():
    assert random.gamma(KEY, np.ones(0)).shape == (0,)
    assert random.permutation(KEY, np.ones((0, 2))).shape == (0, 2)
    assert random.choice(KEY, np.ones(0), (0,)).shape == (0,)
    assert bital.vmap(lambda k: random.normal(k, (3,)))(np.zeros((0, 2), np.uint64)).shape == (0, 3)


# --- shapes and dtypes ----------------------------------------------------------------------

FLOATING = {
    "uniform": lambda shape, dtype: random.uniform(KEY, shape, dtype),
    "normal": lambda shape, dtype: random.normal(KEY, shape, dtype),
    "truncated_normal": lambda shape, dtype: random.truncated_normal(KEY, -1, 1, shape, dtype),
    "exponential": lambda shape, dtype: random.exponential(KEY, shape, dtype),
    "gumbel": lambda shape, dtype: random.gumbel(KEY, shape, dtype),
    "laplace": lambda shape, dtype: random.laplace(KEY, shape, dtype),
    "logistic": lambda shape, dtype: random.logistic(KEY, shape, dtype),
    "cauchy": lambda shape, dtype: random.cauchy(KEY, shape, dtype),
    "gamma": lambda shape, dtype: random.gamma(KEY, 2.0, shape, dtype),
    "loggamma": lambda shape, dtype: random.loggamma(KEY, 2, shape, dtype),
    "beta": lambda shape, dtype: random.beta(KEY, 2.0, np.float32(0.5), shape, dtype),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), 3, (3,), [2, 3], (2, 0)])
@pytest.mark.parametrize("name", FLOATING)
def test_shapes_and_dtypes(name, shape, dtype):
    x = FLOATING[name](shape, dtype)
    assert x.shape == ((3,) if shape == 3 else tuple(shape))
    assert x.dtype == dtype
    assert np.isfinite(x).all()


@pytest.mark.parametrize("name", FLOATING)
def test_dtypes_that_are_refused(name):
    for dtype in (np.float16, np.int64, np.complex128):
        with pytest.raises(ArgumentError, match=rf"random.{name}: .*float32 or float64, not"):
            FLOATING[name]((2,), dtype)


@pytest.mark.parametrize("shape", [(-1,), 2.0, "ab", (1.5,), [None]])
def test_what_is_no_shape(shape):
    with pytest.raises(ArgumentError, match="a shape is a sequence of integers from 0 on"):
        random.normal(KEY, shape)


def test_parameters_of_another_dtype_do_not_change_it():
    assert random.uniform(KEY, (2,), np.float32, np.float64(0.0), np.ones(2)).dtype == np.float32
    assert random.gamma(KEY, np.ones(2), dtype=np.float32).dtype == np.float32


def test_parameters_give_the_shape_or_fit_it():
    assert random.gamma(KEY, np.ones((2, 1))).shape == (2, 1)
    assert random.beta(KEY, np.ones((2, 1)), np.ones(3)).shape == (2, 3)
    assert random.poisson(KEY, np.ones(3), (4, 3)).shape == (4, 3)
    assert random.bernoulli(KEY, np.full(3, 0.5)).shape == (3,)
    assert random.truncated_normal(KEY, np.zeros(3), 1.0).shape == (3,)
    assert random.dirichlet(KEY, np.ones((2, 3)), (4, 2)).shape == (4, 2, 3)
    assert random.multivariate_normal(KEY, np.ones((5, 1, 2)), np.stack([np.eye(2)] * 3)).shape == (
        5,
        3,
        2,
    )
    for draw in (lambda s: random.uniform(KEY, s, minval=np.zeros(3)),
                 lambda s: random.randint(KEY, s, np.zeros(3, int), 5),
                 lambda s: random.gamma(KEY, np.ones(3), s),
                 lambda s: random.bernoulli(KEY, np.full(3, 0.5), s),
                 lambda s: random.dirichlet(KEY, np.ones((3, 2)), s)):  # fmt: skip
        assert draw((2, 3)).shape[:2] == (2, 3)
        for shape in ((), (2,), (3, 2)):
            with pytest.raises(ShapeError, match=r"random.*do not broadcast to shape="):
                draw(shape)


def test_shapes_of_categorical():
    logits = np.zeros((2, 5, 3))
    assert random.categorical(KEY, logits).shape == (2, 5)
    assert random.categorical(KEY, logits, axis=1).shape == (2, 3)
    assert random.categorical(KEY, logits, axis=0, shape=(7, 5, 3)).shape == (7, 5, 3)
    assert random.categorical(KEY, logits, axis=-3, shape=(7, 5, 3)).max() == 1
    with pytest.raises(ShapeError, match="no axis 3"):
        random.categorical(KEY, logits, axis=3)
    with pytest.raises(ShapeError, match="do not broadcast"):
        random.categorical(KEY, logits, shape=(4,))


# --- integers -------------------------------------------------------------------------------


def test_integers_are_the_products_upper_words():
    """floor(w (max - min) / 2**128) in Python's own integers."""
    for low, high in ((0, 1), (0, 6), (-5, 2**40), (-(2**63), 2**63 - 1), (3, 2**62 + 12345)):
        words = random.bits(KEY, (2, 50), np.uint64)
        wide = [int(a) * 2**64 + int(b) for a, b in words.T]
        want = [low + (w * (high - low) >> 128) for w in wide]
        assert random.randint(KEY, (50,), low, high).tolist() == want


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32", "int64", "uint64"])
def test_integers_reach_both_ends_of_every_dtype(dtype):
    limits = np.iinfo(dtype)
    low, high = int(limits.min), int(limits.max) + 1
    x = random.randint(KEY, (4000,), low, high, dtype)
    assert x.dtype == dtype
    middle = low + (high - low) // 2
    assert abs((x.astype(object) < middle).mean() - 0.5) < 5 * 0.5 / np.sqrt(4000)
    assert set(random.randint(KEY, (99,), high - 2, high, dtype).tolist()) == {high - 2, high - 1}


def test_bounds_that_are_arrays_or_traced():
    low, high = np.array([0, -5, 7]), np.array([1, 5, 1007])
    x = random.randint(KEY, (500, 3), low, high)
    assert ((x >= low) & (x < high)).all()
    np.testing.assert_array_equal(
        bital.jit(lambda k, a, b: random.randint(k, (500, 3), a, b))(KEY, low, high), x
    )
    assert bital.jit(lambda k, n: random.randint(k, (4,), n, n))(KEY, 3).tolist() == [3] * 4


@pytest.mark.parametrize(
    ("bounds", "dtype"),
    [((3, 3), "int64"), ((4, 3), "int64"), ((0, 257), "uint8"), ((-1, 5), "uint8"),
     ((0, 2**64), "int64"), ((np.zeros(2, int), np.array([1, 0])), "int64")],
)  # fmt: skip
def test_bounds_that_are_refused(bounds, dtype):
    with pytest.raises(ArgumentError, match="needs minval < maxval within"):
        random.randint(KEY, (2,), *bounds, dtype)


def test_integers_that_are_none():
    with pytest.raises(ArgumentError, match=r"a bound is an integer, got 1\.5"):
        random.randint(KEY, (2,), 0, 1.5)
    with pytest.raises(ArgumentError, match="integers come in an integer dtype, not float64"):
        random.randint(KEY, (2,), 0, 2, float)


# --- errors of the others -------------------------------------------------------------------


def test_errors_of_choice():
    with pytest.raises(ArgumentError, match="5 elements cannot be drawn from 4 without"):
        random.choice(KEY, 4, (5,), replace=False)
    with pytest.raises(ArgumentError, match="1 elements cannot be drawn from 0"):
        random.choice(KEY, 0)
    for p in ([0.5, -0.5, 1.0], [0.0, 0.0, 0.0], [np.nan, 1.0, 1.0]):
        with pytest.raises(ArgumentError, match="must be finite, not negative, and positive"):
            random.choice(KEY, 3, p=np.array(p))
    with pytest.raises(ArgumentError, match="positive for at least 2"):
        random.choice(KEY, 3, (2,), replace=False, p=np.array([0.0, 1.0, 0.0]))
    with pytest.raises(ShapeError, match=r"p has shape \(2,\), needed is \(3,\)"):
        random.choice(KEY, 3, p=np.ones(2))
    with pytest.raises(ShapeError, match="no axis 1"):
        random.choice(KEY, np.ones(3), axis=1)
    with pytest.raises(ShapeError, match="no axis 0"):
        random.permutation(KEY, np.float64(1.0))


def test_errors_of_bounds_and_matrices():
    with pytest.raises(ArgumentError, match="uniform needs minval < maxval"):
        random.uniform(KEY, (), minval=1.0, maxval=1.0)
    for bounds in ((1.0, 1.0), (-9.0, 0.0), (0.0, np.nan), (np.zeros(2), np.array([1.0, 0.0]))):
        with pytest.raises(ArgumentError, match="needs -8 <= lower < upper <= 8"):
            random.truncated_normal(KEY, *bounds)
    with pytest.raises(ArgumentError, match="the bounds are fixed"):
        bital.grad(lambda a: random.truncated_normal(KEY, a, 1.0))(0.0)
    with pytest.raises(ShapeError, match="needs a covariance"):
        random.multivariate_normal(KEY, np.zeros(3), np.eye(2))
    with pytest.raises(ShapeError, match="alpha has shape"):
        random.dirichlet(KEY, 1.0)
    with pytest.raises(np.linalg.LinAlgError):
        random.multivariate_normal(KEY, np.zeros(2), -np.eye(2))


def test_parameters_that_mean_nothing_give_nan_and_end():
    x = random.gamma(KEY, np.array([-1.0, 0.0, np.nan, np.inf, 2.0]))
    assert np.isnan(x).tolist() == [True, True, True, True, False]
    assert random.poisson(KEY, np.array([-1.0, np.nan, 0.0])).tolist() == [-1, -1, 0]


def test_choice_of_each_axis_and_every_order():
    a = np.arange(24).reshape(2, 3, 4)
    picked = random.choice(KEY, a, (5, 2), axis=1)
    assert picked.shape == (2, 5, 2, 4)
    for place in itertools.product(range(5), range(2)):
        column = picked[:, *place]
        assert any(np.array_equal(column, a[:, k]) for k in range(3))
    whole = random.choice(KEY, a, (3,), replace=False, axis=-2)
    np.testing.assert_array_equal(np.sort(whole, axis=1), a)
    rows = random.permutation(KEY, a, axis=2, independent=True)
    np.testing.assert_array_equal(np.sort(rows, axis=2), a)
    assert len({tuple(np.argsort(row)) for row in rows.reshape(6, 4)}) > 1
