"""Classes that are drawn in the place of very many."""

import numpy as np
import pytest

import bital
from bital.errors import ArgumentError
from bital.nn import log_uniform_candidates, sampled_logits


@pytest.mark.parametrize("unique", [True, False])
def test_classes_are_drawn_as_often_as_expected(unique: bool):
    draw = bital.jit(lambda key: log_uniform_candidates(key, 5, 20, np.arange(20), unique))
    counts, expected = np.zeros(20), np.zeros(20)
    for seed in range(2000):
        drawn, all_classes, own = draw(bital.random.key(seed))
        np.testing.assert_array_equal(all_classes[drawn], own)
        counts += np.bincount(drawn, minlength=20)
        expected += all_classes
    if unique:
        assert counts.max() <= 2000
    np.testing.assert_allclose(counts / 2000, expected / 2000, atol=0.05)
    p = np.log1p(1 / np.arange(1, 21)) / np.log(21)
    if not unique:
        np.testing.assert_allclose(expected / 2000, 5 * p, rtol=1e-6)


def test_logits_by_hand():
    weights, biases = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([0.0, 10.0, 20.0])
    inputs, targets, drawn = np.array([[1.0, 2.0]]), np.array([[0, 2]]), np.array([1, 2])
    expected = np.array([[1.0, 0.5]]), np.array([0.25, 0.5])
    logits, labels = sampled_logits(weights, biases, inputs, *expected, targets, drawn, False)
    logs = np.log([1.0, 0.5, 0.25, 0.5])
    np.testing.assert_allclose(logits, [[1, 23, 12, 23] - logs])
    np.testing.assert_allclose(labels, [[0.5, 0.5, 0, 0]])
    logits, _ = sampled_logits(weights, biases, inputs, *expected, targets, drawn)
    assert logits[0, 3] < -1e300
    np.testing.assert_allclose(logits[0, :3], [1, 23, 12] - logs[:3])


def test_more_unique_classes_than_there_are():
    with pytest.raises(ArgumentError, match="unique=False"):
        log_uniform_candidates(bital.random.key(0), 5, 4, np.arange(4))
