"""Points made by formula and seed."""

import doctest
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_circles, make_moons

from bital import datasets
from bital.errors import ArgumentError

MAKERS = {
    "xor": datasets.xor,
    "spirals": datasets.spirals,
    "moons": datasets.moons,
    "circles": datasets.circles,
}
makers = pytest.mark.parametrize("name", sorted(MAKERS))


def sorted_rows(x, y):
    rows = np.column_stack([y, np.round(x, 9)])
    return rows[np.lexsort(rows.T[::-1])]


@pytest.mark.parametrize("module", [datasets, datasets.planar, datasets.mnist])
def test_the_examples_in_docstrings_run(module):
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


def test_xor_is_the_truth_table():
    x, y = datasets.xor()
    assert x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert y.tolist() == [0, 1, 1, 0]


def test_noisy_xor_stays_around_its_corners():
    x, y = datasets.xor(n=4000, noise=0.1, seed=3)
    assert np.array_equal(y, np.logical_xor(*(np.round(x).T > 0.5)))
    spread = x - np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (1000, 1))
    assert spread.std() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("n", [2, 7, 100])
def test_moons_are_those_of_scikit_learn(n):
    ours = datasets.moons(n, noise=0.0)
    assert np.allclose(sorted_rows(*ours), sorted_rows(*make_moons(n, shuffle=False)), atol=1e-8)


@pytest.mark.parametrize("n", [2, 7, 100])
def test_circles_are_those_of_scikit_learn(n):
    ours = datasets.circles(n, factor=0.3, noise=0.0)
    theirs = make_circles(n, shuffle=False, factor=0.3)
    assert np.allclose(sorted_rows(*ours), sorted_rows(*theirs), atol=1e-8)


def test_a_spiral_worked_by_hand():
    # One class has r = 1/2 and 1; turns=1/2 and 2 classes: angle = pi r + pi c.
    x, y = datasets.spirals(n=4, classes=2, turns=0.5, noise=0.0)
    expected = {(0, 0.0, 0.5), (0, -1.0, 0.0), (1, 0.0, -0.5), (1, 1.0, 0.0)}
    found = {(c, *(np.round(p, 12) + 0.0).tolist()) for c, p in zip(y.tolist(), x, strict=True)}
    assert found == expected


@makers
@settings(max_examples=25, deadline=None)
@given(n=st.integers(4, 200), seed=st.integers(0, 2**32 - 1), noise=st.floats(0, 10))
def test_shapes_types_balance_and_repeatability(name, n, seed, noise):
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    x, y = MAKERS[name](n, noise=noise, seed=seed)
    again = MAKERS[name](n, noise=noise, seed=seed)
    assert np.array_equal(np.random.get_state()[1], before)
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((n, 2), np.float64, (n,), np.int64)
    assert np.isfinite(x).all()
    counts = np.bincount(y)
    assert counts.max() - counts.min() <= (2 if name == "xor" else 1)
    assert np.array_equal(x, again[0])
    assert np.array_equal(y, again[1])


@makers
def test_noise_is_normal_with_the_given_deviation(name):
    exact, labels = MAKERS[name](5000, noise=0.0, seed=4)
    noisy, same = MAKERS[name](5000, noise=0.2, seed=4)
    assert np.array_equal(labels, same)
    error = (noisy - exact) / 0.2
    assert error.mean(axis=0) == pytest.approx([0, 0], abs=0.05)
    assert np.cov(error.T) == pytest.approx(np.eye(2), abs=0.06)
    assert (np.abs(error) < 1).mean() == pytest.approx(0.6827, abs=0.02)


@pytest.mark.parametrize("name", ["spirals", "moons", "circles"])
def test_another_seed_is_another_sample_and_rows_are_mixed(name):
    x, y = MAKERS[name](120, seed=1)
    assert not np.array_equal(x, MAKERS[name](120, seed=2)[0])
    assert len(set(y[:20].tolist())) == len(set(y.tolist()))


def test_the_stream_of_a_seed_is_frozen():
    """The random part, written down: it may never change, in no version of NumPy or bital."""
    x, _ = datasets.xor(n=6, noise=1.0, seed=7)
    digest = hashlib.sha256(np.round(x, 10).tobytes()).hexdigest()
    assert x[0] == pytest.approx([1.690525703800356, -0.4659373705408328], abs=1e-12)
    assert digest == "973bd70fe86ef8525a87a1cb1a28255ca343f93d048d240bc8ad896dcc3055a3"


@makers
@pytest.mark.parametrize(
    "wrong",
    [
        {"n": 0},
        {"n": -4},
        {"n": 2.0},
        {"n": "10"},
        {"n": True},
        {"noise": -0.1},
        {"noise": float("nan")},
        {"noise": float("inf")},
        {"noise": "a lot"},
        {"seed": -1},
        {"seed": 2**32},
        {"seed": 0.5},
        {"seed": None},
    ],
    ids=repr,
)
def test_wrong_arguments_are_named(name, wrong):
    ((argument, value),) = wrong.items()
    with pytest.raises(ArgumentError) as caught:
        MAKERS[name](**wrong)
    assert f"datasets.{name}: {argument}={value!r}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("moons", {"n": 1}),
        ("circles", {"n": 1}),
        ("circles", {"factor": 1.0}),
        ("circles", {"factor": -0.1}),
        ("circles", {"factor": float("nan")}),
        ("spirals", {"classes": 1}),
        ("spirals", {"classes": 301}),
        ("spirals", {"classes": 2.5}),
        ("spirals", {"turns": float("nan")}),
        ("spirals", {"turns": "twice"}),
    ],
    ids=repr,
)
def test_wrong_arguments_of_one_function_are_named(name, wrong):
    ((argument, value),) = wrong.items()
    with pytest.raises(ArgumentError, match=f"{argument}="):
        MAKERS[name](**{argument: value})
