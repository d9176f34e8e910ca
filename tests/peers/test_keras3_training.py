"""Losses, metrics, optimizers, schedules, activations and initializers beside Keras 3 on JAX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tables import keras_losses, keras_metrics, keras_optimizers
from tables.keras_losses import draw

import bital
import bital.keras as ours

jax = pytest.importorskip("jax")
theirs = pytest.importorskip("keras")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def rows(table: Any) -> Any:
    return pytest.mark.parametrize(
        "row", [row for row in table if getattr(row, "peer", True)], ids=str
    )


def single(value: Any) -> Any:
    return value.astype(np.float32) if value.dtype.kind == "f" else value


@pytest.fixture(autouse=True)
def _numpy() -> Any:
    with bital.config.executor("numpy"):
        yield


WEIGHTS = np.random.default_rng(5).uniform(0, 2, keras_losses.SAMPLES).astype(np.float32)


@rows(keras_losses.ROWS)
def test_losses(row: Any) -> None:
    """Values, their gradients by the outputs, both with sample weights too."""
    y, outputs = single(draw(row.targets)), single(draw(row.outputs))
    own, other = row.make(ours), row.make(theirs)
    for weights in (None, WEIGHTS) if row.weighted else (None,):
        value = other(y, outputs, sample_weight=weights)
        np.testing.assert_allclose(own(y, outputs, weights), value, rtol=2e-5, atol=2e-6)
        slope = bital.grad(lambda o, w=weights: np.sum(own(y, o, w)))(outputs)
        total = lambda o, w=weights: jax.numpy.sum(other(y, o, sample_weight=w))  # noqa: E731
        expected = jax.grad(total)(outputs)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(slope, expected, rtol=2e-4, atol=2e-5 * scale)


@rows(keras_metrics.ROWS)
def test_metrics(row: Any) -> None:
    """Three batches of unequal size, without and with sample weights."""
    y, outputs = single(draw(row.targets)), single(draw(row.outputs))
    weights = np.floor(WEIGHTS * 2).astype(np.int64) if row.whole else WEIGHTS
    for chosen in (None, weights):
        own, other = row.make(ours), row.make(theirs)
        for part in (slice(0, 5), slice(5, 6), slice(6, None)):
            own.update_state(y[part], outputs[part], None if chosen is None else chosen[part])
            other.update_state(y[part], outputs[part], None if chosen is None else chosen[part])
        np.testing.assert_allclose(own.result(), other.result(), rtol=2e-5, atol=2e-6)


START = [
    np.random.default_rng(9).normal(size=s).astype(np.float32)
    for s in ((3, 4), (4,), (2, 3, 2), (5, 2))
]
SLOPES = [
    [np.random.default_rng([n, 1]).normal(size=w.shape).astype(np.float32) for w in START]
    for n in range(5)
]


@rows(keras_optimizers.ROWS)
def test_optimizers(row: Any) -> None:
    """Five steps of four weights, by hand."""
    own, other = row.make(ours), row.make(theirs)
    mine = [ours.Variable(w) for w in START]
    peer = [theirs.Variable(w) for w in START]
    for slopes in SLOPES:
        own.apply([g.copy() for g in slopes], mine)
        other.apply([theirs.ops.convert_to_tensor(g) for g in slopes], peer)
        for a, b in zip(mine, peer, strict=True):
            np.testing.assert_allclose(a.value, b, rtol=row.tolerance, atol=row.tolerance / 10)
    assert float(own.learning_rate) == pytest.approx(float(other.learning_rate), rel=1e-6)
    if own.rule.use_ema:
        own.finalize_variable_values(mine)
        other.finalize_variable_values(peer)
        for a, b in zip(mine, peer, strict=True):
            np.testing.assert_allclose(a.value, b, rtol=row.tolerance, atol=row.tolerance / 10)


def test_weights_without_decay() -> None:
    own, other = (k.optimizers.AdamW(0.05, 0.5) for k in (ours, theirs))
    mine = [ours.Variable(w, name=name) for w, name in zip(START[:2], "ab", strict=True)]
    peer = [theirs.Variable(w, name=name) for w, name in zip(START[:2], "ab", strict=True)]
    for optimizer in (own, other):
        optimizer.exclude_from_weight_decay(var_names=["b"])
    for slopes in SLOPES[:2]:
        own.apply(slopes[:2], mine)
        other.apply([theirs.ops.convert_to_tensor(g) for g in slopes[:2]], peer)
    for a, b in zip(mine, peer, strict=True):
        np.testing.assert_allclose(a.value, b, rtol=2e-5)


@rows(keras_optimizers.SCHEDULES)
def test_schedules(row: Any) -> None:
    own, other = (row.make(k.optimizers.schedules) for k in (ours, theirs))
    steps = [0, 1, 2, 3, 4, 5, 6, 8, 11, 12, 13, 19, 21, 30, 100]
    expected = [float(other(step)) for step in steps]
    found = [float(own(np.int64(step))) for step in steps]
    np.testing.assert_allclose(found, expected, rtol=row.tolerance, atol=1e-7)
    np.testing.assert_allclose(own(np.array(steps)), found)
    config = other.get_config()
    assert {name: own.get_config()[name] for name in config} == config


ACTIVATIONS = {
    "celu": {"alpha": 0.7},
    "elu": {"alpha": 0.7},
    "exponential": {},
    "gelu": {},
    "glu": {},
    "hard_shrink": {"threshold": 0.3},
    "hard_sigmoid": {},
    "hard_silu": {},
    "hard_tanh": {},
    "leaky_relu": {"negative_slope": 0.3},
    "linear": {},
    "log_sigmoid": {},
    "log_softmax": {},
    "mish": {},
    "relu": {},
    "relu6": {},
    "selu": {},
    "sigmoid": {},
    "silu": {},
    "soft_shrink": {"threshold": 0.3},
    "softmax": {},
    "softplus": {},
    "softsign": {},
    "sparse_plus": {},
    "sparse_sigmoid": {},
    "sparsemax": {},
    "squareplus": {"b": 3.0},
    "tanh": {},
    "tanh_shrink": {},
    "threshold": {"threshold": 0.2, "default_value": -1.0},
}
VARIANTS = [
    *ACTIVATIONS.items(),
    ("gelu", {"approximate": True}),
    ("relu", {"negative_slope": 0.2, "max_value": 2.0, "threshold": 0.5}),
    ("relu", {"threshold": 1.0}),
    ("relu", {"max_value": 6.0}),
]


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=str)
def test_activations(name: str, options: dict[str, Any]) -> None:
    """Values and gradients, at corners and in tails, but at kinks whose derivative is a choice."""
    x = np.array(
        [[-60.0, -7.0, -3.1, -1.5, -0.4, -1e-3, 1e-3, 0.25, 0.7, 1.2, 2.9, 40.0]], np.float32
    )
    own = lambda x: getattr(ours.activations, name)(x, **options)  # noqa: E731
    other = lambda x: getattr(theirs.activations, name)(x, **options)  # noqa: E731
    np.testing.assert_allclose(own(x), other(x), rtol=3e-6, atol=3e-7)
    weights = np.linspace(0.5, 1.5, np.size(other(x)), dtype=np.float32)
    slope = bital.grad(lambda x: np.sum(own(x) * weights))(x)
    expected = jax.grad(lambda x: jax.numpy.sum(other(x) * weights))(x)
    np.testing.assert_allclose(slope, expected, rtol=2e-5, atol=2e-6)


def test_no_activation_is_missing() -> None:
    names = {name for name in dir(theirs.activations) if name[0] != "_"}
    names -= {"deserialize", "get", "serialize"}
    assert not {name for name in names if not hasattr(ours.activations, name)}


@pytest.mark.parametrize(
    "module", ["losses", "metrics", "optimizers", "constraints", "regularizers"]
)
def test_no_class_is_missing(module: str) -> None:
    kinds = vars(getattr(theirs, module)).items()
    names = {name for name, kind in kinds if isinstance(kind, type) and name[0].isupper()}
    refused = {"LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"}
    assert {name for name in names if not hasattr(getattr(ours, module), name)} <= refused


INITIALIZERS = [
    ("RandomNormal", {"mean": 0.5, "stddev": 0.2}),
    ("TruncatedNormal", {"mean": 0.5, "stddev": 0.2}),
    ("RandomUniform", {"minval": -0.1, "maxval": 0.4}),
    ("GlorotNormal", {}),
    ("GlorotUniform", {}),
    ("HeNormal", {}),
    ("HeUniform", {}),
    ("LecunNormal", {}),
    ("LecunUniform", {}),
    ("VarianceScaling", {"scale": 2.0, "mode": "fan_out", "distribution": "uniform"}),
    ("GlorotUniform", {"input_axes": [0], "output_axes": [1, 2]}),
    ("Orthogonal", {"gain": 1.5}),
]


@pytest.mark.parametrize(("name", "options"), INITIALIZERS, ids=str)
def test_initializers(name: str, options: dict[str, Any]) -> None:
    """The same distribution: mean, spread and range of 40,000 numbers."""
    shape = (50, 20, 40)
    own, other = (
        np.asarray(getattr(k.initializers, name)(**options, seed=3)(shape, dtype="float32"))
        for k in (ours, theirs)
    )
    assert own.shape == other.shape == shape
    assert own.dtype == np.float32
    spread = float(other.std())
    assert own.mean() == pytest.approx(float(other.mean()), abs=5 * spread / 200)
    assert own.std() == pytest.approx(spread, rel=0.02)
    if "Uniform" in name or "Truncated" in name:
        assert own.min() == pytest.approx(float(other.min()), abs=0.02 * spread)
        assert own.max() == pytest.approx(float(other.max()), abs=0.02 * spread)


CONSTRAINTS = [
    ("MaxNorm", {"max_value": 1.0, "axis": 0}),
    ("MaxNorm", {"max_value": 2.0, "axis": [0, 1]}),
    ("NonNeg", {}),
    ("UnitNorm", {"axis": 1}),
    ("MinMaxNorm", {"min_value": 1.5, "max_value": 2.0, "rate": 0.7}),
]


@pytest.mark.parametrize(("name", "options"), CONSTRAINTS, ids=str)
def test_constraints(name: str, options: dict[str, Any]) -> None:
    found, expected = (getattr(k.constraints, name)(**options)(START[0]) for k in (ours, theirs))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_orthogonal_regularizer(mode: str) -> None:
    own, other = (k.regularizers.OrthogonalRegularizer(0.3, mode) for k in (ours, theirs))
    given = jax.numpy.asarray(START[0])  # Keras takes another axis of NumPy's arrays
    np.testing.assert_allclose(own(START[0]), other(given), rtol=1e-5)
    slope, expected = bital.grad(own)(START[0]), jax.grad(other)(given)
    np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-7)
