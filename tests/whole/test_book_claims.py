"""What the textbooks say, tried: gates, the perceptron rule, XOR, and a backward pass by hand."""

import numpy as np
import pytest
from books import example

import bital
from bital.datasets import mnist

gates = example("02_perceptron_and_gates")
by_hand = example("03_network_by_hand")
slopes = example("01_slope_and_descent")


@pytest.fixture(scope="module")
def digits():
    (x, t), (x_test, t_test) = mnist.load_mnist(one_hot_label=True)
    return x, t, x_test, t_test


# ---------------------------------------------------------------- slopes
def test_numerical_gradient_of_the_bowl():
    x = np.array([3.0, 4.0])
    assert bital.numerical_gradient(slopes.bowl, x) == pytest.approx([6.0, 8.0], abs=1e-8)
    assert bital.grad(slopes.bowl)(x).tolist() == [6.0, 8.0]


def test_a_central_difference_is_more_exact_than_a_forward_one():
    for h in (1e-2, 1e-4):
        forward = abs(slopes.forward_difference(np.exp, 1.0, h) - np.e)
        central = abs(slopes.central_difference(np.exp, 1.0, h) - np.e)
        assert central < forward / 100


@pytest.mark.parametrize(("rate", "arrives"), [(0.01, False), (0.1, True), (0.95, False)])
def test_gradient_descent_follows_its_formula(rate, arrives):
    path = slopes.gradient_descent(slopes.bowl, [-3.0, 3.0], rate, steps=30)
    expected = np.array([-3.0, 3.0]) * (1 - 2 * rate) ** np.arange(31)[:, None]
    assert path == pytest.approx(expected, abs=1e-12)
    assert (np.abs(path[-1]).max() < 0.01) == arrives


# ---------------------------------------------------------------- gates
@pytest.mark.parametrize("name", ["AND", "OR", "NAND"])
def test_the_perceptron_rule_learns(name):
    w, b, mistakes = gates.perceptron_rule(gates.X, gates.TRUTH[name])
    assert mistakes[-1] == 0
    assert gates.threshold_unit(gates.X, w, b).tolist() == gates.TRUTH[name].tolist()


@pytest.mark.parametrize("rate", [0.01, 0.1, 1.0])
def test_the_perceptron_rule_cannot_learn_xor(rate):
    w, b, mistakes = gates.perceptron_rule(gates.X, gates.TRUTH["XOR"], rate, epochs=1000)
    assert len(mistakes) == 1000
    assert min(mistakes) > 0
    assert gates.threshold_unit(gates.X, w, b).tolist() != gates.TRUTH["XOR"].tolist()


def test_hand_set_gates_and_xor_from_them():
    for name, (w, b) in gates.HAND_SET.items():
        assert gates.threshold_unit(gates.X, w, b).tolist() == gates.TRUTH[name].tolist()
    assert gates.xor_from_gates(gates.X).tolist() == [0, 1, 1, 0]


def test_a_2_2_1_network_learns_xor():
    weights, losses = gates.learn(gates.TRUTH["XOR"])
    assert np.round(gates.network(weights, gates.X)).tolist() == [0, 1, 1, 0]
    assert losses[0] > 0.5
    assert losses[-1] < 0.02


# ---------------------------------------------------------------- backward by hand
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_backward_pass_by_hand_equals_grad(digits, dtype):
    x, t = (part[:100].astype(dtype) for part in digits[:2])
    weights = tuple(w.astype(dtype) for w in by_hand.start_weights())
    for a, b in zip(
        by_hand.gradient_by_hand(weights, x, t),
        bital.grad(by_hand.loss)(weights, x, t),
        strict=True,
    ):
        assert b.dtype == dtype
        assert b.shape == a.shape
        assert np.abs(a - b).max() < 1e-6


def test_both_equal_the_textbooks_difference_quotient(digits):
    x, t = (part[:20].astype(np.float64) for part in digits[:2])
    weights = tuple(w.astype(np.float64) for w in by_hand.start_weights(hidden=5))
    gradient = by_hand.gradient_by_hand(weights, x, t)
    for i in (1, 2, 3):  # b1, W2, b2; W1 has 3920 entries

        def loss(w, i=i):
            return by_hand.loss((*weights[:i], w, *weights[i + 1 :]), x, t)

        assert gradient[i] == pytest.approx(bital.numerical_gradient(loss, weights[i]), abs=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_training_step_by_hand_runs_unchanged_under_jit(digits, dtype):
    x, t = (part[:1000].astype(dtype) for part in digits[:2])
    plain = compiled = tuple(w.astype(dtype) for w in by_hand.start_weights())
    step = bital.jit(by_hand.step_by_hand)
    for i in range(0, 1000, 100):
        batch = x[i : i + 100], t[i : i + 100]
        plain, compiled = by_hand.step_by_hand(plain, *batch), step(compiled, *batch)
    for a, b in zip(plain, compiled, strict=True):
        assert b.dtype == dtype
        assert np.abs(a - b).max() < (1e-12 if dtype == np.float64 else 1e-6)


def test_all_four_ways_train_the_same_network(digits):
    x, t, x_test, t_test = digits
    reached = {
        name: by_hand.train(step, x[:6000], t[:6000], epochs=3)[0]
        for name, step in by_hand.STEPS.items()
    }
    reference = reached["by hand, plain NumPy"]
    for weights in reached.values():
        assert by_hand.largest_difference(weights, reference) < 1e-4  # float32, 181 steps
        assert by_hand.accuracy(weights, x_test, t_test.argmax(axis=1)) > 0.87
