"""Losses: worked values, exactness for large logits, derivatives, shapes that are refused."""

import math

import numpy as np
import pytest

import bital
from bital import nn
from bital.errors import ArgumentError, ShapeError

rng = np.random.default_rng(3)
LOGITS = rng.normal(size=(5, 4))
LABELS = np.array([0, 3, 1, 1, 2])
ONE_HOT = np.eye(4)[LABELS]
NUMBERS = rng.normal(size=(5, 4))

CASES = {
    "sparse logits": (lambda o: nn.sparse_categorical_crossentropy(LABELS, o, True), LOGITS),
    "sparse": (
        lambda o: nn.sparse_categorical_crossentropy(LABELS, o),
        nn.softmax(0.3 * LOGITS),
    ),
    "categorical logits": (lambda o: nn.categorical_crossentropy(ONE_HOT, o, True, 0.1), LOGITS),
    "categorical": (
        lambda o: nn.categorical_crossentropy(ONE_HOT, o, False, 0.1),
        nn.softmax(0.3 * LOGITS),
    ),
    "binary logits": (lambda o: nn.binary_crossentropy(ONE_HOT, o, True, 0.1), LOGITS),
    "binary": (lambda o: nn.binary_crossentropy(ONE_HOT, o, False, 0.1), nn.sigmoid(0.3 * LOGITS)),
    "squared": (lambda o: nn.mean_squared_error(NUMBERS, o), LOGITS),
    "absolute": (lambda o: nn.mean_absolute_error(NUMBERS, o), LOGITS),
    "huber": (lambda o: nn.huber(NUMBERS, o, 0.7), LOGITS),
}
cases = pytest.mark.parametrize("case", CASES)


@cases
def test_one_value_per_sample_in_the_dtype_of_the_outputs(case):
    loss, outputs = CASES[case]
    for dtype in (np.float32, np.float64):
        found = loss(outputs.astype(dtype))
        assert found.shape == (5,)
        assert found.dtype == dtype


@cases
def test_derivatives(case):
    loss, outputs = CASES[case]
    # Second differences of 1 / p lose a digit more than the default tolerance allows for.
    bital.check_grads(loss, (outputs,), order=2, rtol=1e-5)


@cases
def test_compiled_equals_plain(case):
    loss, outputs = CASES[case]
    np.testing.assert_allclose(bital.jit(loss)(outputs), loss(outputs), rtol=1e-12)


def test_worked_values():
    quarter = np.array([[0.25, 0.75]])
    assert nn.sparse_categorical_crossentropy(np.array([0]), quarter)[0] == pytest.approx(
        math.log(4)
    )
    smooth = nn.categorical_crossentropy(np.array([[1.0, 0.0]]), quarter, label_smoothing=0.5)
    assert smooth[0] == pytest.approx(0.75 * math.log(4) + 0.25 * math.log(4 / 3))
    binary = nn.binary_crossentropy(np.array([[1.0, 0.0]]), quarter)
    assert binary[0] == pytest.approx((math.log(4) + math.log(4)) / 2)
    assert nn.mean_squared_error(np.array([[0.0, 2.0]]), np.array([[3.0, 6.0]]))[0] == 12.5
    assert nn.mean_absolute_error(np.array([[0.0, 2.0]]), np.array([[3.0, 6.0]]))[0] == 3.5
    # |3| and |0.5| with delta 1: (3 - 0.5 + 0.125) / 2
    assert nn.huber(np.array([[0.0, 0.0]]), np.array([[3.0, 0.5]]))[0] == 1.3125


def test_three_forms_agree():
    by_label = nn.sparse_categorical_crossentropy(LABELS, LOGITS, from_logits=True)
    by_vector = nn.categorical_crossentropy(ONE_HOT, LOGITS, from_logits=True)
    by_share = nn.categorical_crossentropy(ONE_HOT, nn.softmax(LOGITS))
    np.testing.assert_allclose(by_label, by_vector, rtol=1e-12)
    np.testing.assert_allclose(by_label, by_share, rtol=1e-9)


@pytest.mark.parametrize("size", [50.0, 500.0, 1e4])
def test_exact_for_any_logit(size):
    """From probabilities the loss would stop at -log(1e-7) = 16.1, and its slope at 0."""
    z = np.array([[size, 0.0]], np.float32)
    wrong = lambda z: nn.sparse_categorical_crossentropy(np.array([1]), z, True)[0]  # noqa: E731
    assert wrong(z) == pytest.approx(size)
    np.testing.assert_allclose(bital.grad(wrong)(z), [[1, -1]])
    both = lambda z: nn.binary_crossentropy(np.array([[0.0]]), z, True)[0]  # noqa: E731
    assert both(z[:, :1]) == pytest.approx(size)
    np.testing.assert_allclose(bital.grad(both)(z[:, :1]), [[1]])


def test_slope_of_the_binary_loss_at_logit_zero():
    """A new network starts here; a derivative that vanishes at 0 would never let it learn."""
    slope = bital.grad(lambda z: nn.binary_crossentropy(np.array([[1.0]]), z, True)[0])
    assert slope(np.array([[0.0]]))[0, 0] == pytest.approx(-0.5)


def test_other_class_axis():
    moved = np.moveaxis(LOGITS, 1, 0)
    np.testing.assert_allclose(
        nn.sparse_categorical_crossentropy(LABELS, moved, True, axis=0),
        nn.sparse_categorical_crossentropy(LABELS, LOGITS, True),
    )
    deep = rng.normal(size=(2, 3, 4))
    labels = rng.integers(0, 4, (2, 3))
    assert nn.sparse_categorical_crossentropy(labels, deep, True).shape == (2, 3)


@pytest.mark.parametrize(
    "loss", [nn.mean_squared_error, nn.mean_absolute_error, nn.huber, nn.binary_crossentropy]
)
@pytest.mark.parametrize(
    ("targets", "outputs", "repair"),
    [
        ((5,), (5, 1), "np.newaxis"),
        ((5, 1), (5,), r"targets\[\.\.\., 0\]"),
        ((5, 1), (5, 3), "own target"),
        ((5,), (5, 3), "one_hot"),
        ((4, 3), (5, 3), "own target"),
    ],
)
def test_shapes_that_would_broadcast_are_refused(loss, targets, outputs, repair):
    with pytest.raises(ShapeError, match=repair) as caught:
        loss(np.zeros(targets), np.zeros(outputs))
    assert str(targets) in str(caught.value)
    assert str(outputs) in str(caught.value)


@pytest.mark.parametrize(
    ("targets", "repair"),
    [((5, 1), r"targets\[\.\.\., 0\]"), ((5, 4), "categorical_crossentropy"), ((4,), "own label")],
)
def test_labels_of_a_wrong_shape_are_refused(targets, repair):
    with pytest.raises(ShapeError, match=repair):
        nn.sparse_categorical_crossentropy(np.zeros(targets, int), LOGITS)


def test_labels_must_be_integers():
    with pytest.raises(ArgumentError, match=r"astype\(int\)"):
        nn.sparse_categorical_crossentropy(LABELS * 1.0, LOGITS)


@pytest.mark.parametrize("value", [-0.1, 1.5, math.nan])
def test_label_smoothing_in_range(value):
    with pytest.raises(ArgumentError, match="label_smoothing"):
        nn.categorical_crossentropy(ONE_HOT, LOGITS, True, value)


def test_huber_needs_a_positive_delta():
    with pytest.raises(ArgumentError, match="delta"):
        nn.huber(NUMBERS, LOGITS, 0.0)
