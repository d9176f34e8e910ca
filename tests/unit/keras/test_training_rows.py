"""The tables of losses, metrics, optimizers and schedules, by bital alone.

Beside Keras they stand in ``tests/peers/test_keras3_training.py``.
"""

import json

import numpy as np
import pytest
from tables import keras_losses, keras_metrics, keras_optimizers
from tables.keras_losses import SAMPLES, draw

import bital
from bital import keras
from bital.errors import ArgumentError, ShapeError
from bital.keras import constraints, losses, metrics, optimizers, regularizers
from bital.keras.optimizers import schedules
from bital.nn import optimizers as rules

WEIGHTS = np.random.default_rng(5).uniform(0, 2, SAMPLES)


def rows(table):
    return pytest.mark.parametrize("row", table, ids=str)


def again(vocabulary, item):
    """``item`` as JSON, and back."""
    data = json.loads(json.dumps(vocabulary.serialize(item)))
    found = vocabulary.deserialize(data)
    assert found.get_config() == item.get_config()
    return found


@rows(keras_losses.ROWS)
def test_loss(row):
    """Config; a gradient; weights as factors; targets as ``fit`` prepares them."""
    y, outputs = draw(row.targets), draw(row.outputs)
    loss = row.make(keras)
    value = loss(y, outputs)
    np.testing.assert_array_equal(again(losses.VOCABULARY, loss)(y, outputs), value)
    total = lambda o: np.sum(loss(y, o))  # noqa: E731
    way = np.random.default_rng(1).normal(size=outputs.shape) * 1e-6
    change = total(outputs + way) - total(outputs - way)
    slope = np.sum(bital.grad(total)(outputs) * way)
    assert change == pytest.approx(2 * slope, rel=1e-4, abs=1e-13)
    prepared = loss.prepare(np.asarray(y), (None, *outputs.shape[1:]), np.float64)
    np.testing.assert_allclose(loss(prepared, outputs), value)
    if row.weighted:
        ones = np.ones(SAMPLES)
        np.testing.assert_allclose(loss(y, outputs, ones), value, rtol=1e-12)
        np.testing.assert_allclose(loss(y, outputs, 0 * ones), np.zeros_like(value), atol=1e-12)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_a_mask_leaves_samples_out(reduction):
    y, outputs = draw("numbers"), draw("logits")
    loss = losses.MeanSquaredError(reduction=reduction)
    mask = np.arange(SAMPLES) % 3 > 0
    np.testing.assert_allclose(loss(y, outputs, mask=mask), loss(y[mask], outputs[mask]))
    if reduction == "sum_over_batch_size":
        ignoring = losses.SparseCategoricalCrossentropy(ignore_class=2)
        labels, shares = draw("labels"), draw("shares")
        kept = labels != 2
        expected = losses.SparseCategoricalCrossentropy()(labels[kept], shares[kept])
        np.testing.assert_allclose(ignoring(labels, shares), expected)


@pytest.mark.parametrize(
    ("loss", "activation"),
    [
        (losses.BinaryFocalCrossentropy(label_smoothing=0.1), "sigmoid"),
        (losses.CategoricalFocalCrossentropy(), "softmax"),
        (losses.KLDivergence(), "softmax"),
        (losses.SparseCategoricalCrossentropy(ignore_class=-1), "softmax"),
    ],
    ids=lambda part: getattr(part, "name", part),
)
def test_losses_of_logits_are_the_same_and_stay_finite(loss, activation):
    kinds = {"binary": "binary", "sparse": "labels or -1", "kl": "shares"}
    y = draw(kinds.get(loss.name.split("_")[0], "one-hot"))
    logits = draw("logits")
    assert loss.undoes == activation
    of_logits = loss.on_logits()
    np.testing.assert_allclose(
        of_logits(y, logits), loss(y, keras.activations.get(activation)(logits)), rtol=1e-6
    )
    slope = bital.grad(lambda o: of_logits(y, o))(logits * 1e4)
    assert np.isfinite(slope).all()


@rows(keras_metrics.ROWS)
def test_metric(row):
    """Config; the same value however the samples are cut; sums of zero are of the sums' form."""
    y, outputs = draw(row.targets), draw(row.outputs)
    whole, cut = row.make(keras), again(metrics.VOCABULARY, row.make(keras))
    for weights in (None, WEIGHTS):
        whole.reset_state()
        cut.reset_state()
        expected = whole(y, outputs, weights)
        for part in (slice(0, 1), slice(1, 7), slice(7, None)):
            cut.update_state(y[part], outputs[part], None if weights is None else weights[part])
        np.testing.assert_allclose(cut.result(), expected, rtol=1e-9, atol=1e-12)
    zeros, sums = whole.zero_sums(), whole.sums(y, outputs, WEIGHTS)
    assert [np.shape(zero) for zero in zeros] == [np.shape(total) for total in sums]


@pytest.mark.parametrize("chosen", ["numpy", "native"])
def test_counts_in_a_compiled_step(chosen):
    y, outputs = draw("binary"), draw("units")
    found = (metrics.AUC(num_thresholds=7), metrics.Precision([0.7, 0.2]), metrics.IoU(2, [0, 1]))

    def sums(y, o):
        return [metric.sums(y, o) for metric in found[:2]] + [found[2].sums(y, o > 0.5)]

    compiled = bital.jit(sums, executor=chosen)(y, outputs)
    for one, other in zip(
        bital.tree.leaves(compiled), bital.tree.leaves(sums(y, outputs)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_metrics_of_one_number_only_in_compile():
    shapes = (None, (12, 4), (None, 4))
    with pytest.raises(ArgumentError, match="several numbers"):
        metrics.resolve(metrics.Precision([0.1, 0.2]), *shapes)
    with pytest.raises(ArgumentError, match="macro"):
        metrics.resolve(metrics.F1Score(), *shapes)
    assert metrics.resolve(metrics.F1Score("macro"), *shapes).built
    with pytest.raises(ShapeError, match="to_categorical"):
        metrics.Recall()(draw("labels"), draw("shares"))
    assert type(metrics.resolve("crossentropy", *shapes)) is metrics.CategoricalCrossentropy


def test_area_by_hand():
    """Scores 0.9 and 0.4 of ones, 0.6 and 0.1 of zeros: three of four pairs are in order."""
    y, scores = [1, 1, 0, 0], [0.9, 0.4, 0.6, 0.1]
    assert metrics.AUC(num_thresholds=1001)(y, scores) == pytest.approx(0.75)


W, G = 2.0, 0.5
FIRST_STEPS = {
    "adagrad": (rules.Adagrad(0.1), W - 0.05 / np.sqrt(0.1 + 0.25 + 1e-7)),
    "adadelta": (
        rules.Adadelta(1.0, rho=0.9, epsilon=0.01),
        W - np.sqrt(0.01) * G / np.sqrt(0.1 * 0.25 + 0.01),
    ),
    "adamax": (rules.Adamax(0.1), W - 0.1 / 0.1 * 0.1 * G / (G + 1e-7)),
    "ftrl": (
        rules.Ftrl(0.1),
        -(G - (np.sqrt(0.35) - np.sqrt(0.1)) / 0.1 * W) / (np.sqrt(0.35) / 0.1),
    ),
    "lion": (rules.Lion(0.1), W - 0.1),
    "lamb": (rules.Lamb(0.1), W - 0.1 * W),
    "adafactor": (rules.Adafactor(0.1), W - 0.1 * W),
    "schedule-free": (rules.ScheduleFreeAdamW(0.1), W - 0.1 * G / (G + 1e-8)),
    "average": (rules.SGD(0.1, use_ema=True), W - 0.05),
    "accumulation": (rules.SGD(0.1, gradient_accumulation_steps=2), W),
    "schedule": (rules.SGD(lambda step: 0.1 / (step + 1)), W - 0.05),
}


@pytest.mark.parametrize("case", FIRST_STEPS)
def test_first_step_by_hand(case):
    rule, expected = FIRST_STEPS[case]
    w = np.array([W])
    new, state = rule.update(np.array([G]), rule.init(w), w)
    assert new[0] == pytest.approx(expected, rel=1e-6)
    assert state["iterations"] == 1
    assert set(state) == {"iterations", *rule.slots}


def test_accumulation_takes_the_mean():
    rule = rules.SGD(1.0, gradient_accumulation_steps=2)
    w = np.zeros(2)
    state = rule.init(w)
    for slope in ([1.0, 0.0], [3.0, 2.0], [5.0, 5.0]):
        w, state = rule.update(np.array(slope), state, w)
    np.testing.assert_array_equal(w, [-2, -1])
    np.testing.assert_array_equal(state["accumulated"], [5, 5])


def test_muon_makes_steps_orthogonal():
    rule = rules.Muon(1.0, weight_decay=None, rms_rate=None, ns_steps=10)
    w = np.zeros((3, 5))
    slope = np.random.default_rng(0).normal(size=w.shape)
    new, _ = rule.update(slope, rule.init(w), w)
    singular = np.linalg.svd(new, compute_uv=False)
    assert (abs(singular - 1) < 0.35).all()


@rows(keras_optimizers.ROWS)
def test_optimizer(row):
    optimizer = row.make(keras)
    again(optimizers.VOCABULARY, optimizer)
    start = [np.ones((3, 2), np.float32), np.ones(2, np.float32)]
    variables = [keras.Variable(w) for w in start]
    for _ in range(2):
        optimizer.apply([0.5 * w for w in start], variables)
    assert optimizer.iterations == 2
    for variable, first in zip(variables, start, strict=True):
        assert variable.value.dtype == np.float32
        assert np.isfinite(variable.value).all()
        assert (variable.value < first).any()
    for name in optimizer.rule.slots:
        assert all(array.dtype == np.float32 for array in optimizer.state[name])


def test_weights_without_decay():
    optimizer = optimizers.SGD(0.1, weight_decay=0.5)
    variables = [keras.Variable(np.ones(1), name=name) for name in ("kernel", "bias")]
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    other = again(optimizers.VOCABULARY, optimizer)
    for one in (optimizer, other):
        fresh = [keras.Variable(v.numpy(), name=v.name) for v in variables]
        one.apply([np.zeros(1, np.float32)] * 2, fresh)
        np.testing.assert_allclose([float(v.value[0]) for v in fresh], [0.95, 1.0])
    with pytest.raises(ArgumentError, match="built already"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])


def test_a_schedule_is_part_of_the_step():
    optimizer = optimizers.SGD(schedules.StepDecay(1.0, every=2, factor=0.5))
    v = keras.Variable(np.zeros(1))
    found = []
    for _ in range(5):
        found.append(optimizer.learning_rate)
        optimizer.apply([np.ones(1, np.float32)], [v])
    assert found == [1.0, 1.0, 0.5, 0.5, 0.25]
    np.testing.assert_allclose(v.numpy(), [-3.25])
    optimizer.learning_rate = optimizer.learning_rate
    with pytest.raises(ArgumentError, match="StepDecay"):
        optimizer.learning_rate = 0.1
    with pytest.raises(ArgumentError, match="compile again"):
        optimizers.SGD().learning_rate = schedules.Warmup(0.1, 5)


SCHEDULES = [
    *keras_optimizers.SCHEDULES,
    keras_optimizers.OptimizerRow("one cycle", lambda s: s.OneCycle(0.1, 20)),
    keras_optimizers.OptimizerRow("steps", lambda s: s.StepDecay(0.1, 6)),
    keras_optimizers.OptimizerRow(
        "warm-up", lambda s: s.Warmup(s.CosineDecay(0.1, 12), 5, start=0.01)
    ),
]


@rows(SCHEDULES)
def test_schedule(row):
    schedule = again(schedules.VOCABULARY, row.make(schedules))
    steps = np.arange(25)
    alone = [schedule(step) for step in steps]
    np.testing.assert_allclose(schedule(steps), alone, rtol=1e-12)
    np.testing.assert_allclose(bital.jit(schedule, executor="numpy")(steps), alone, rtol=1e-9)
    assert (np.array(alone) >= 0).all()


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "decay_steps=0"),
        (lambda: schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2]), "one value more"),
        (lambda: schedules.PiecewiseConstantDecay([2, 1], [0.1, 0.2, 0.3]), "must rise"),
        (lambda: schedules.OneCycle(0.1, 10, warm_share=1.0), "warm_share=1.0"),
        (lambda: losses.Pinball(1.5), "quantile=1.5"),
        (lambda: metrics.AUC(curve="ROI"), "curve='ROI'"),
        (lambda: metrics.IoU(2, [2]), r"target_class_ids=\[2\]"),
        (lambda: metrics.Recall(2.0), "thresholds=2.0"),
        (lambda: optimizers.Ftrl(learning_rate_power=1.0), "learning_rate_power=1.0"),
        (lambda: constraints.MinMaxNorm(2.0, 1.0), "max_value=1.0"),
        (lambda: regularizers.OrthogonalRegularizer(mode="row"), "mode='row'"),
        (lambda: keras.initializers.get("stft"), "Fourier"),
        (lambda: keras.activations.get("threshold"), "lambda"),
    ],
)
def test_arguments(make, named):
    with pytest.raises(ArgumentError, match=named):
        make()


def test_constraints_by_hand():
    w = np.array([[3.0, 0.3], [-4.0, 0.4]])
    for constraint, expected in [
        (constraints.NonNeg(), [[3, 0.3], [0, 0.4]]),
        (constraints.MaxNorm(1.0), [[0.6, 0.3], [-0.8, 0.4]]),
        (constraints.UnitNorm(), [[0.6, 0.6], [-0.8, 0.8]]),
        (constraints.MinMaxNorm(1.0, 3.0, rate=0.5), [[2.4, 0.45], [-3.2, 0.6]]),
    ]:
        np.testing.assert_allclose(
            again(constraints.VOCABULARY, constraint)(w), expected, atol=1e-6
        )


def test_initializers_of_arrays_and_axes():
    given = np.arange(6.0).reshape(2, 3)
    made = again(keras.initializers.VOCABULARY, keras.initializers.get(given))
    np.testing.assert_array_equal(made((2, 3)), given)
    with pytest.raises(ShapeError, match=r"\(2, 3\)"):
        made((3, 2))
    drawn = keras.initializers.HeUniform(seed=0, input_axes=[0], output_axes=[1, 2])((6, 50, 50))
    assert np.abs(drawn).max() == pytest.approx(1.0, rel=0.01)


def test_lbfgs_of_a_model():
    """Linear regression beside least squares; the loss is that of ``evaluate``, penalty and all."""
    x, y = draw("numbers"), draw("row of numbers")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)], dtype="float64")
    model.compile("adam", "mse", executor="numpy")
    found = optimizers.fit_lbfgs(model, x, y, tolerance=1e-8)
    assert found.converged
    best = np.linalg.lstsq(np.column_stack([x, np.ones(SAMPLES)]), y)[0]
    np.testing.assert_allclose(np.concatenate([w.ravel() for w in model.get_weights()]), best)
    assert found.value == pytest.approx(model.evaluate(x, y, verbose=0))
    assert model.optimizer.iterations == 0
    with pytest.raises(ArgumentError, match="fit_lbfgs"):
        optimizers.get("L-BFGS")


def test_fit_ends_with_the_averages():
    x, y = draw("numbers"), draw("row of numbers")
    seen = []
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)], dtype="float64")
    model.compile(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse", executor="numpy")
    look = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()[0])
    )
    model.fit(x, y, epochs=2, batch_size=SAMPLES, verbose=0, callbacks=[look])
    np.testing.assert_allclose(model.get_weights()[0], 0.5 * (seen[0] + seen[1]))
