"""Sorting, quantiles, sets and histograms: what the tables of rows do not ask."""

from __future__ import annotations

import numpy as np
import pytest

import bital
from bital.errors import UnsupportedFunctionError, ViewError


class TestSorting:
    def test_a_method_sorts_in_place(self):
        def loss(x):
            y = x * 2
            assert y.sort() is None
            y.partition(1)
            return np.sum(y * np.array([1.0, 10.0, 100.0]))

        x = np.array([3.0, 1.0, 2.0])
        assert loss(x) == bital.jit(loss)(x) == 642.0
        np.testing.assert_array_equal(bital.grad(loss)(x), [200.0, 2.0, 20.0])
        np.testing.assert_array_equal(x, [3.0, 1.0, 2.0])

    def test_sorting_a_view_is_refused(self):
        def loss(x):
            row = x[0]
            row.sort()
            return np.sum(x)

        with pytest.raises(ViewError, match="does not reach the array"):
            bital.grad(loss)(np.eye(3))

    @pytest.mark.parametrize("side", ["left", "right"])
    @pytest.mark.parametrize("length", [0, 1, 2, 3, 7, 8, 9, 100])
    def test_searchsorted_of_repeated_and_special_values(self, length, side):
        rng = np.random.default_rng(length)
        corners = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0])
        table = np.sort(np.concatenate([rng.integers(-5, 5, length) / 2, corners])[:length])
        values = np.concatenate([corners, rng.integers(-6, 6, 40) / 2])
        found = bital.jit(lambda a, v: np.searchsorted(a, v, side), executor="numpy")(table, values)
        np.testing.assert_array_equal(found, np.searchsorted(table, values, side))

    def test_equal_elements_keep_their_tangents_in_order(self):
        x, t = np.array([2.0, 1.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0, 4.0])
        _, moved = bital.jvp(np.sort, (x,), (t,))
        np.testing.assert_array_equal(moved, [2.0, 4.0, 1.0, 3.0])


class TestQuantiles:
    def test_of_a_q_beyond_its_range(self):
        x = np.array([1.0, 2.0, 4.0])
        with pytest.raises(ValueError, match="between 0 and 1"):
            bital.grad(lambda q: np.quantile(x, q))(1.5)
        for q in (-0.5, 1.5):  # where values are unknown, the nearest end
            end = bital.jit(lambda x, q: np.quantile(x, q), executor="numpy")(x, q)
            assert end == (1.0 if q < 0 else 4.0)

    def test_slope_by_q(self):
        x = np.array([1.0, 2.0, 4.0])
        assert bital.grad(lambda q: np.quantile(x, q))(0.25) == 2.0
        assert bital.grad(lambda q: np.percentile(x, q))(75.0) == pytest.approx(0.04)

    def test_weights_must_be_finite_and_not_negative(self):
        for w in ([1.0, -1.0], [1.0, np.nan]):
            with pytest.raises(ValueError, match="finite and not negative"):
                bital.grad(lambda x, w=w: np.quantile(x, 0.5, weights=w, method="inverted_cdf"))(
                    np.ones(2)
                )

    def test_nan_is_skipped_slice_by_slice(self):
        x = np.array([[1.0, np.nan, 5.0], [np.nan, np.nan, 2.0]])
        slopes = bital.grad(lambda x: np.sum(np.nanquantile(x, 0.25, axis=1)))(x)
        np.testing.assert_array_equal(slopes, [[0.75, 0.0, 0.25], [0.0, 0.0, 1.0]])


class TestSets:
    def test_the_first_of_equal_elements_has_the_gradient(self):
        x = np.array([2.0, 1.0, 2.0])
        slopes = bital.grad(lambda x: np.sum(np.unique(x) * np.array([1.0, 10.0])))(x)
        np.testing.assert_array_equal(slopes, [10.0, 1.0, 0.0])

    @pytest.mark.parametrize("transform", [bital.jit, bital.vmap])
    @pytest.mark.parametrize(
        "function",
        [np.unique, np.unique_all, np.nonzero, lambda x: np.union1d(x, x), np.flatnonzero],
    )
    def test_unknown_values_are_refused_with_the_reason(self, function, transform):
        with pytest.raises(UnsupportedFunctionError, match="instead: "):
            transform(lambda x: function(x)[0])(np.ones((2, 3)))

    def test_the_reason(self):
        with pytest.raises(UnsupportedFunctionError, match="how many elements it gives depends"):
            bital.jit(np.unique)(np.ones(3))


class TestStatistics:
    def test_a_place_among_nothing_but_nan(self):
        x = np.array([[1.0, 2.0], [np.nan, np.nan]])
        with pytest.raises(ValueError, match="nothing but NaN"):
            bital.grad(lambda x: np.sum(x[0, np.nanargmax(x, axis=1)]))(x)

    def test_edges_move_with_the_extrema(self):
        x = np.array([3.0, 1.0, 2.0])
        slopes = bital.jacobian(lambda x: np.histogram(x, 2)[1])(x)
        np.testing.assert_allclose(slopes, [[0, 1, 0], [0.5, 0.5, 0], [1, 0, 0]])

    def test_equal_values_have_a_bin_around_them(self):
        counts, edges = bital.jit(lambda x: np.histogram(x, 2), executor="numpy")(np.ones(3))
        np.testing.assert_array_equal(counts, [0, 3])
        np.testing.assert_array_equal(edges, [0.5, 1.0, 1.5])

    def test_what_has_a_length_that_depends_on_values(self):
        with pytest.raises(UnsupportedFunctionError, match="largest element"):
            bital.jit(np.bincount)(np.array([0, 1]))
        with pytest.raises(UnsupportedFunctionError, match="how many a rule finds"):
            bital.jit(lambda x: np.histogram(x, "auto")[0])(np.ones(3))

    def test_values_that_are_not_finite_need_a_range(self):
        with pytest.raises(ValueError, match="need range="):
            bital.grad(lambda x: np.sum(np.histogram(x)[1]))(np.array([1.0, np.nan]))

    def test_a_correlation_of_one_is_clipped(self):
        x = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]])
        assert np.max(bital.jit(np.corrcoef)(x)) <= 1.0

    def test_products_beside_zeros(self):
        """Two zeros: only the product that ends at the first has a derivative by it."""
        slopes = bital.jacobian(np.cumprod)(np.array([2.0, 0.0, 3.0, 0.0]))
        by_hand = [[1, 0, 0, 0], [0, 2, 0, 0], [0, 6, 0, 0], [0, 0, 0, 0]]
        np.testing.assert_array_equal(slopes, by_hand)


def test_the_slope_of_a_variance_sums_over_deviations_no_more_than_its_value():
    x = np.random.default_rng(0).normal(size=(6, 3))

    def spread(x):
        return np.sum(np.var(x, axis=0))

    sums = [
        equation
        for equation in bital.trace(bital.grad(spread), x).equations
        if equation.primitive.name == "reduce_sum" and equation.inputs[0].type.shape == x.shape
    ]
    assert len(sums) == 2  # the mean and the variance
    np.testing.assert_allclose(bital.grad(spread)(x), 2 / 6 * (x - x.mean(axis=0)), rtol=1e-14)


def test_the_curvature_of_a_variance_knows_that_the_mean_moves():
    x = np.random.default_rng(0).normal(size=5)
    centering = np.eye(5) - np.full((5, 5), 1 / 5)
    np.testing.assert_allclose(bital.hessian(np.var)(x), 2 / 5 * centering, atol=1e-15)
    np.testing.assert_allclose(
        bital.jacfwd(bital.grad(lambda x: np.var(x, ddof=1)))(x), 2 / 4 * centering, atol=1e-15
    )
