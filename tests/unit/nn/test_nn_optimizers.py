"""Optimizers: one step each, worked by hand; then containers, dtypes, clipping and compilation."""

import math

import numpy as np
import pytest

import bital
from bital.errors import ArgumentError, ShapeError
from bital.nn import optimizers

W, G = 2.0, 0.5

# (optimizer, weight after the first step, after the second step with the same gradient)
R1 = 0.1 * 0.25  # rmsprop's v after one step
R2 = 0.9 * R1 + 0.1 * 0.25
M1, V1 = 0.1 * G, 0.001 * G * G
M2, V2 = 0.9 * M1 + 0.1 * G, 0.999 * V1 + 0.001 * G * G


def _adam(m, v, t, rate=0.1):
    return rate * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (math.sqrt(v) + 1e-7)


WORKED = {
    "sgd": (optimizers.SGD(0.1), W - 0.05, W - 0.1),
    "momentum": (
        optimizers.SGD(0.1, momentum=0.9),
        W - 0.05,
        W - 0.05 + (0.9 * -0.05 - 0.05),
    ),
    "nesterov": (
        optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        W + 0.9 * -0.05 - 0.05,
        W + 0.9 * -0.05 - 0.05 + 0.9 * (0.9 * -0.05 - 0.05) - 0.05,
    ),
    "rmsprop": (
        optimizers.RMSprop(0.1),
        W - 0.05 / math.sqrt(R1 + 1e-7),
        W - 0.05 / math.sqrt(R1 + 1e-7) - 0.05 / math.sqrt(R2 + 1e-7),
    ),
    "rmsprop centered momentum": (
        optimizers.RMSprop(0.1, momentum=0.5, centered=True),
        W - 0.05 / math.sqrt(R1 - 0.05**2 + 1e-7),
        W
        - 1.5 * 0.05 / math.sqrt(R1 - 0.05**2 + 1e-7)
        - 0.05 / math.sqrt(R2 - (0.9 * 0.05 + 0.05) ** 2 + 1e-7),
    ),
    "adam": (
        optimizers.Adam(0.1),
        W - _adam(M1, V1, 1),
        W - _adam(M1, V1, 1) - _adam(M2, V2, 2),
    ),
    "amsgrad": (
        optimizers.Adam(0.1, amsgrad=True),
        W - _adam(M1, V1, 1),
        W - _adam(M1, V1, 1) - _adam(M2, max(V1, V2), 2),
    ),
    "adamw": (
        optimizers.AdamW(0.1, weight_decay=0.2),
        W * 0.98 - _adam(M1, V1, 1),
        (W * 0.98 - _adam(M1, V1, 1)) * 0.98 - _adam(M2, V2, 2),
    ),
    "sgd with decay": (
        optimizers.SGD(0.1, weight_decay=0.2),
        W * 0.98 - 0.05,
        (W * 0.98 - 0.05) * 0.98 - 0.05,
    ),
    "clipvalue": (optimizers.SGD(0.1, clipvalue=0.3), W - 0.03, W - 0.06),
    "clipnorm": (optimizers.SGD(0.1, clipnorm=0.25), W - 0.025, W - 0.05),
    "clipnorm unused": (optimizers.SGD(0.1, clipnorm=5.0), W - 0.05, W - 0.1),
}
worked = pytest.mark.parametrize("case", WORKED)


@worked
def test_two_steps_by_hand(case):
    optimizer, first, second = WORKED[case]
    w, g = np.array([W]), np.array([G])
    state = optimizer.init(w)
    w, state = optimizer.update(g, state, w)
    assert w[0] == pytest.approx(first, rel=1e-12)
    w, state = optimizer.update(g, state, w)
    assert w[0] == pytest.approx(second, rel=1e-12)
    assert state["iterations"] == 2


@worked
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_containers_dtypes_and_compilation(case, dtype):
    optimizer = WORKED[case][0]
    rng = np.random.default_rng(0)
    weights = {"a": rng.normal(size=(2, 3)).astype(dtype), "b": [rng.normal(size=2).astype(dtype)]}
    slopes = bital.tree.map(lambda w: w * dtype(0.5), weights)
    plain = weights, optimizer.init(weights)
    compiled = plain
    step = bital.jit(optimizer.update)
    rate = np.asarray(0.03, np.float32)  # as fit hands it over
    for _ in range(3):
        plain = optimizer.update(slopes, plain[1], plain[0], rate)
        compiled = step(slopes, compiled[1], compiled[0], rate)
    assert set(plain[0]) == {"a", "b"}
    for name in optimizer.slots:
        assert plain[1][name]["a"].shape == (2, 3)
    for one, other in zip(bital.tree.leaves(plain), bital.tree.leaves(compiled), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-5)
    assert all(w.dtype == dtype for w in bital.tree.leaves(plain[0]))
    assert all(
        s.dtype == dtype for name in optimizer.slots for s in bital.tree.leaves(plain[1][name])
    )


def test_adam_keeps_all_digits_of_the_first_step_in_float32():
    """1 - 0.999**1 in float32 has four digits; the step must have seven."""
    w = np.array([1.0], np.float32)
    new, _ = optimizers.Adam(0.1).update(np.array([0.5], np.float32), optimizers.Adam().init(w), w)
    exact = 1 - 0.1 * math.sqrt(0.001) / 0.1 * 0.05 / (math.sqrt(0.00025) + 1e-7)
    assert new[0] == pytest.approx(exact, rel=2e-7)


def test_global_norm_joins_all_weights():
    w = [np.zeros(1), np.zeros(1)]
    optimizer = optimizers.SGD(1.0, global_clipnorm=1.0)
    new, _ = optimizer.update([np.array([3.0]), np.array([4.0])], optimizer.init(w), w)
    np.testing.assert_allclose(np.concatenate(new), [-0.6, -0.8])


def test_zero_gradients_with_clipping_stay_finite():
    for name in ("clipnorm", "global_clipnorm", "clipvalue"):
        optimizer = optimizers.SGD(1.0, **{name: 1.0})
        w = np.ones(2)
        new, _ = optimizer.update(np.zeros(2), optimizer.init(w), w)
        np.testing.assert_array_equal(new, w)


def test_minimizes_a_valley():
    """f = (x - 3)**2 + 10 (y + 1)**2 has its minimum at (3, -1)."""
    slope = bital.grad(lambda w: (w[0] - 3) ** 2 + 10 * (w[1] + 1) ** 2)
    for optimizer in (
        optimizers.SGD(0.04, momentum=0.5),
        optimizers.RMSprop(0.01),
        optimizers.Adam(0.05),
        optimizers.AdamW(0.05, weight_decay=0.0),
    ):
        w = np.zeros(2)
        state = optimizer.init(w)
        for _ in range(1500):
            w, state = optimizer.update(slope(w), state, w)
        np.testing.assert_allclose(w, [3, -1], atol=0.02, err_msg=type(optimizer).__name__)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: optimizers.SGD(-0.1), "learning_rate=-0.1"),
        (lambda: optimizers.SGD(math.nan), "learning_rate=nan"),
        (lambda: optimizers.SGD("fast"), "learning_rate='fast'"),
        (lambda: optimizers.SGD(momentum=1.0), "momentum=1.0"),
        (lambda: optimizers.Adam(beta_1=1.0), "beta_1=1.0"),
        (lambda: optimizers.Adam(beta_2=-0.1), "beta_2=-0.1"),
        (lambda: optimizers.Adam(epsilon=-1), "epsilon=-1"),
        (lambda: optimizers.RMSprop(rho=True), "rho=True"),
        (lambda: optimizers.SGD(weight_decay=-1), "weight_decay=-1"),
        (lambda: optimizers.SGD(clipnorm=0), "clipnorm=0"),
        (lambda: optimizers.SGD(clipnorm=1, clipvalue=1), "one kind of clipping"),
    ],
)
def test_arguments_are_checked(make, named):
    with pytest.raises(ArgumentError, match=named):
        make()


def test_integer_weights_are_refused():
    with pytest.raises(ArgumentError, match=r"\['n'\].*int64"):
        optimizers.SGD().init({"n": np.arange(3)})


def test_gradients_must_match_weights():
    optimizer = optimizers.SGD()
    w = {"a": np.zeros(3)}
    with pytest.raises(ShapeError, match=r"\['a'\] has shape \(2,\), its weight \(3,\)"):
        optimizer.update({"a": np.zeros(2)}, optimizer.init(w), w)
    with pytest.raises(ShapeError, match="2 gradients for 1 weights"):
        optimizer.update([np.zeros(3)] * 2, optimizer.init(w), w)
