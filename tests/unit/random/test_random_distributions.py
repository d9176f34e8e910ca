"""Distributions: Kolmogorov-Smirnov and chi-square tests with fixed keys, and derivatives.

A correct generator fails such a test for one key in a thousand; the keys here are fixed, so that a
failure means a change.
"""

import itertools
import sys

import numpy as np
import pytest

import bital
from bital import random

stats = pytest.importorskip("scipy.stats")
special = pytest.importorskip("scipy.special")

KEY = random.key(5)
N = 20_000


@pytest.fixture(autouse=True)
def interpreted():
    with bital.config.executor("numpy"):
        yield


CONTINUOUS = {
    "uniform": (lambda d: random.uniform(KEY, (N,), d, -2.0, 3.0), stats.uniform(-2, 5)),
    "normal": (lambda d: random.normal(KEY, (N,), d), stats.norm),
    "truncated": (lambda d: random.truncated_normal(KEY, -0.5, 2.0, (N,), d),
                  stats.truncnorm(-0.5, 2)),
    "far tail": (lambda d: random.truncated_normal(KEY, 2.0, 6.0, (N,), d), stats.truncnorm(2, 6)),
    "extreme tail": (lambda d: random.truncated_normal(KEY, 7.0, 8.0, (N,), d),
                     stats.truncnorm(7, 8)),
    "exponential": (lambda d: random.exponential(KEY, (N,), d), stats.expon),
    "gumbel": (lambda d: random.gumbel(KEY, (N,), d), stats.gumbel_r),
    "laplace": (lambda d: random.laplace(KEY, (N,), d), stats.laplace),
    "logistic": (lambda d: random.logistic(KEY, (N,), d), stats.logistic),
    "cauchy": (lambda d: random.cauchy(KEY, (N,), d), stats.cauchy),
    **{f"gamma {a}": (lambda d, a=a: random.gamma(KEY, a, (N,), d), stats.gamma(a))
       for a in (0.2, 0.7, 1.0, 2.5, 40.0, 5000.0)},
    "loggamma": (lambda d: random.loggamma(KEY, 0.3, (N,), d), stats.loggamma(0.3)),
    "beta": (lambda d: random.beta(KEY, 0.4, 2.0, (N,), d), stats.beta(0.4, 2)),
    "beta, large": (lambda d: random.beta(KEY, 70.0, 30.0, (N,), d), stats.beta(70, 30)),
    "dirichlet": (lambda d: random.dirichlet(KEY, np.array([0.5, 1.5, 3.0]), (N,), d)[:, 1],
                  stats.beta(1.5, 3.5)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_distribution(name, dtype):
    draw, distribution = CONTINUOUS[name]
    x = draw(dtype).astype(np.float64)
    assert stats.kstest(x, distribution.cdf).pvalue > 1e-3
    mean, variance, kurtosis = (float(m) for m in distribution.stats(moments="mvk"))
    if np.isfinite(mean):
        error = np.sqrt(variance / N)
        assert abs(x.mean() - mean) < 5 * error
        assert abs(x.var() - variance) < 6 * variance * np.sqrt((kurtosis + 2) / N)


def test_vectors_have_the_covariance():
    cov = np.array([[2.0, 0.6, 0.0], [0.6, 1.0, -0.3], [0.0, -0.3, 0.5]])
    x = random.multivariate_normal(KEY, np.array([1.0, -1.0, 0.0]), cov, (N,))
    np.testing.assert_allclose(x.mean(axis=0), [1, -1, 0], atol=5 * np.sqrt(2 / N))
    np.testing.assert_allclose(np.cov(x.T), cov, atol=5 * 2 * np.sqrt(2 / N))


def assert_counts(counts, probabilities):
    total = counts.sum()
    assert stats.chisquare(counts, np.asarray(probabilities) * total).pvalue > 1e-3


def test_bits_are_even():
    words = random.bits(KEY, (N,))
    ones = (words[:, None] >> np.arange(32, dtype=np.uint32) & 1).sum(axis=0)
    np.testing.assert_allclose(ones, N / 2, atol=5 * np.sqrt(N) / 2)


@pytest.mark.parametrize(("low", "high"), [(0, 2), (-3, 4), (5, 105)])
def test_integers(low, high):
    x = random.randint(KEY, (N,), low, high)
    assert_counts(np.bincount(x - low, minlength=high - low), [1 / (high - low)] * (high - low))


def test_integers_of_a_range_that_a_modulus_would_favour():
    """Of three quarters of 2**64, a modulus would give the lower third twice as often."""
    span = 3 * 2**62
    x = random.randint(KEY, (N,), 0, span, np.uint64)
    assert_counts(np.histogram(x.astype(float) / span, 12, (0, 1))[0], [1 / 12] * 12)


P = np.array([0.05, 0.0, 0.25, 0.7])


def test_weighted_draws():
    with np.errstate(divide="ignore"):
        logits = np.log(P) + 3.0
    for x in (
        random.categorical(KEY, logits, shape=(N,)),
        random.categorical(KEY, np.stack([logits] * 2, axis=1), axis=0, shape=(N, 2))[:, 1],
        random.choice(KEY, 4, (N,), p=P),
        random.choice(KEY, 4, (N,), p=7 * P),
    ):
        counts = np.bincount(x, minlength=4)
        assert counts[1] == 0
        assert_counts(counts[P > 0], P[P > 0])
    assert_counts(np.bincount(random.choice(KEY, 6, (N,))), [1 / 6] * 6)
    hits = [random.bernoulli(KEY, p, (N,)).sum() for p in (0.03, 0.5)]
    np.testing.assert_allclose(hits, [0.03 * N, 0.5 * N], atol=5 * 0.5 * np.sqrt(N))


def test_every_order_is_as_likely():
    keys = random.split(KEY, 6000)
    orders = list(map(tuple, bital.vmap(lambda k: random.permutation(k, 4))(keys)))
    counts = np.array([orders.count(each) for each in itertools.permutations(range(4))])
    assert_counts(counts, [1 / 24] * 24)


def test_draws_one_after_the_other_with_weights():
    """p_i p_j / (1 - p_i) for i, then j."""
    p = np.array([0.5, 0.3, 0.2])
    draw = bital.vmap(lambda k: random.choice(k, 3, (2,), replace=False, p=p))
    pairs = list(map(tuple, draw(random.split(KEY, 6000))))
    places = list(itertools.permutations(range(3), 2))
    want = [p[i] * p[j] / (1 - p[i]) for i, j in places]
    assert_counts(np.array([pairs.count(place) for place in places]), want)


@pytest.mark.parametrize("lam", [0.2, 3.0, 9.99, 10.0, 12.5, 80.0, 3000.0])
def test_poisson(lam):
    x = random.poisson(KEY, lam, (N,))
    np.testing.assert_allclose(x.mean(), lam, atol=5 * np.sqrt(lam / N))
    np.testing.assert_allclose(x.var(), lam, rtol=6 * np.sqrt((2 + 1 / lam) / N))
    edges = np.unique(stats.poisson(lam).ppf(np.linspace(0.02, 0.98, 15)))
    cells = np.searchsorted(edges, x)
    below = np.concatenate([[0.0], stats.poisson(lam).cdf(edges), [1.0]])
    assert_counts(np.bincount(cells, minlength=len(edges) + 1), np.diff(below))


# --- derivatives by the parameters ----------------------------------------------------------


def test_derivatives_that_the_formula_shows():
    for f in (
        lambda a, b: np.sum(random.uniform(KEY, (3,), minval=a, maxval=b) ** 2),
        lambda a, b: np.sum(a + b * random.gumbel(KEY, (3,))),
        lambda a, b: np.sum(a + np.exp(b) * random.laplace(KEY, (3,))),
    ):
        bital.check_grads(f, (0.5, 2.0))
    root = np.array([[1.0, 0.2], [0.3, 1.5]])
    bital.check_grads(
        lambda m, r: np.sum(np.sin(random.multivariate_normal(KEY, m, r @ r.T, (2,)))),
        (np.array([0.5, -0.5]), root),
    )


QUANTILES = np.array([1e-6, 1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 1e-6])


@pytest.mark.parametrize("a", [1.0, 1.5, 4.0, 30.0, 499.0, 501.0, 3000.0, 1e6])
def test_slope_of_a_gamma_quantile(a):
    """dx/da at one probability, by central differences of SciPy's inverse function."""
    slope = sys.modules["bital.random.gammas"]._slope
    x, h = special.gammaincinv(a, QUANTILES), 1e-4 * a
    steps = [special.gammaincinv(a + k * h, QUANTILES) for k in (-2, -1, 1, 2)]
    want = (steps[0] - 8 * steps[1] + 8 * steps[2] - steps[3]) / (12 * h)
    np.testing.assert_allclose(slope(np.full(7, a), x), want, rtol=3e-8)


def test_digamma_and_factorials():
    x = np.linspace(1.0, 60.0, 200)
    digamma = sys.modules["bital.random.gammas"]._digamma
    np.testing.assert_allclose(digamma(x), special.digamma(x), atol=1e-13)
    k = np.arange(300.0)
    logarithm = sys.modules["bital.random.discrete"]._log_factorial
    np.testing.assert_allclose(logarithm(k), special.gammaln(k + 1), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("a", [0.2, 0.9, 3.0, 600.0])
def test_the_mean_derivative_is_the_derivative_of_the_mean(a):
    """d E[x] / da = 1 and d E[x**2] / da = 2 a + 1; d E[log x] / da = trigamma(a)."""
    draw = lambda a: random.gamma(KEY, a, (N,))  # noqa: E731
    x, slope = bital.jvp(draw, (a,), (1.0,))
    for values, want in ((slope, 1.0), (2 * x * slope, 2 * a + 1)):
        assert abs(values.mean() - want) < 5 * values.std() / np.sqrt(N)
    _, slope = bital.jvp(lambda a: random.loggamma(KEY, a, (N,)), (a,), (1.0,))
    assert abs(slope.mean() - special.polygamma(1, a)) < 5 * slope.std() / np.sqrt(N)
    gradient = bital.grad(lambda a: np.mean(draw(a)))(a)
    np.testing.assert_allclose(gradient, bital.jvp(draw, (a,), (1.0,))[1].mean(), rtol=1e-10)


def test_derivatives_of_beta_and_dirichlet():
    a, b = 0.7, 2.5
    _, by_a = bital.jvp(lambda a: random.beta(KEY, a, b, (N,)), (a,), (1.0,))
    assert abs(by_a.mean() - b / (a + b) ** 2) < 5 * by_a.std() / np.sqrt(N)
    alpha = np.array([0.5, 1.0, 2.0])
    j = bital.jacfwd(lambda alpha: random.dirichlet(KEY, alpha, (N,)))(alpha)
    total = alpha.sum()
    want = np.eye(3) / total - alpha[:, None] / total**2
    np.testing.assert_allclose(j.mean(axis=0), want, atol=5 * j.std() / np.sqrt(N))
    reverse = bital.jacrev(lambda alpha: random.dirichlet(KEY, alpha, (4,)))(alpha)
    forward = bital.jacfwd(lambda alpha: random.dirichlet(KEY, alpha, (4,)))(alpha)
    np.testing.assert_allclose(reverse, forward, rtol=1e-10)


def test_second_derivatives_of_gamma_in_forward_mode():
    draw = lambda a: np.sum(random.gamma(KEY, a, (3,)))  # noqa: E731
    first = bital.grad(draw)
    second = bital.jvp(first, (2.5,), (1.0,))[1]
    np.testing.assert_allclose(second, bital.jacfwd(bital.jacfwd(draw))(2.5), rtol=1e-9)
    with pytest.raises(bital.errors.DifferentiationError, match="while_loop"):
        bital.grad(bital.grad(draw))(2.5)


def test_draws_of_integers_have_no_derivative():
    for draw in (
        lambda p: np.sum(random.bernoulli(KEY, p, (9,)) * 1.0),
        lambda p: np.sum(random.poisson(KEY, p, (9,)) * 1.0),
        lambda p: np.sum(random.categorical(KEY, np.stack([p, 1 - p]), shape=(9,)) * 1.0),
    ):
        assert bital.grad(draw)(0.3) == 0.0
