"""fit_many: each network ends where `fit` alone would have brought it."""

import itertools
import os
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest

from bital import keras
from bital.errors import ArgumentError, DataError, ModelStateError
from bital.keras import epochs, layers, optimizers, regularizers, together
from bital.keras.callbacks import Callback, EarlyStopping, LearningRateScheduler
from bital.keras.hyperparameters import differences

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 5)).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
NUMBERS = X @ np.array([1.0, -2.0, 0.5, 3.0, 0.0], np.float32)
FOLDS = [np.flatnonzero(np.arange(90) % 3 != fold) for fold in range(3)]
TESTS = [np.flatnonzero(np.arange(90) % 3 == fold) for fold in range(3)]


def build(seed=0, rate=0.01, dropout=0.3, decay=0.01, l2=1e-3, executor=None, units=8):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(units, activation="relu", kernel_regularizer=regularizers.L2(l2)),
            layers.Dropout(dropout),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        optimizers.AdamW(rate, weight_decay=decay),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        executor=executor,
    )
    return model


def drawn(number):
    """Hyperparameters of which each network has its own."""
    own = np.random.default_rng(number)
    return {
        "seed": number,
        "rate": 10 ** own.uniform(-3, -1.5),
        "dropout": own.uniform(0.1, 0.6),
        "decay": 10 ** own.uniform(-3, -1),
        "l2": 10 ** own.uniform(-4, -1),
    }


def assert_same(found, model, history, alone):
    """As trained alone, to rounding."""
    assert history.epoch == alone.epoch
    assert history.history.keys() == alone.history.keys()
    for name, values in alone.history.items():
        np.testing.assert_allclose(history.history[name], values, rtol=2e-5, atol=2e-6)
    for own, other in zip(found.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-5)
    assert found.optimizer.iterations == model.optimizer.iterations


@pytest.mark.parametrize("runner", ["numpy", "native"])
def test_networks_that_differ_in_numbers_seeds_and_folds_train_as_alone(runner):
    configurations = [drawn(number) for number in range(12)]
    models = [build(executor=runner, **each) for each in configurations]
    folds = [FOLDS[number % 3] for number in range(12)]
    tests = [TESTS[number % 3] for number in range(12)]
    found = keras.fit_many(
        models, X, LABELS, 16, 3, rows=folds, validation_rows=tests, seeds=range(12)
    )
    for number in (0, 11) if runner == "numpy" else (5,):
        rows, held = folds[number], tests[number]
        model = build(executor=runner, **configurations[number])
        alone = model.fit(
            X[rows],
            LABELS[rows],
            16,
            3,
            verbose=0,
            seed=number,
            validation_data=(X[held], LABELS[held]),
        )
        assert_same(models[number], model, found[number], alone)
        assert models[number].history is found[number]


def test_it_goes_on_where_a_training_ended():
    models, alone = [build(n, executor="numpy") for n in range(2)], build(1, executor="numpy")
    alone.fit(X, LABELS, epochs=2, seed=4, verbose=0)
    history = alone.fit(X, LABELS, epochs=1, seed=9, verbose=0)
    models[1].fit(X, LABELS, epochs=2, seed=4, verbose=0)
    found = keras.fit_many(models, X, LABELS, seeds=[3, 9])
    assert_same(models[1], alone, found[1], history)


def test_what_python_decides_by_a_number_is_decided_for_each_network():
    """No dropout and no penalty are other programs, not factors of 0."""
    options = [{}, {"dropout": 0.0}, {"l2": 0.0}, {"dropout": 0.0, "l2": 0.01}]
    models = [build(executor="numpy", **each) for each in options]
    found = keras.fit_many(models, X, LABELS, epochs=2, seeds=[7] * 4)
    for each, model, history in zip(options, models, found, strict=True):
        alone = build(executor="numpy", **each)
        assert_same(model, alone, history, alone.fit(X, LABELS, epochs=2, seed=7, verbose=0))


@pytest.fixture
def traced(monkeypatch):
    """The programs that were traced and compiled."""
    found = []
    compiled = epochs._Tracing.compiled

    def noted(*args):
        found.append(compiled(*args))
        return found[-1]

    monkeypatch.setattr(epochs._Tracing, "compiled", noted)
    return found


@pytest.mark.parametrize(
    ("dropouts", "others", "programs"),
    [
        ((0.1, 0.2, 0.3), (0.4, 0.15, 0.3), (1, 1)),
        ((0.0, 0.2, 0.2), (0.3, 0.0, 0.4), (2, 2)),
        ((0.1, 0.2, 0.2), (0.0, 0.1, 0.0), (1, 2)),
    ],
)
def test_a_program_does_for_a_later_call(traced, dropouts, others, programs):
    units = 20 + int(10 * sum(dropouts))  # of no other test
    for number, rates in enumerate((dropouts, others)):
        own = [{"dropout": rate, "l2": 0.01 * rate + 0.001 * number + 0.017} for rate in rates]
        models = [build(executor="numpy", units=units, **each) for each in own]
        found = keras.fit_many(models, X, LABELS, seeds=[7] * 3)
        assert len(traced) == programs[number]
        alone = build(executor="numpy", units=units, **own[0])
        assert_same(models[0], alone, found[0], alone.fit(X, LABELS, seed=7, verbose=0))


def test_programs_with_code_of_ones_own_are_not_kept(traced):
    for factor in (2.0, 3.0):
        models = [network(layers.Lambda(lambda x, f=factor: f * x)) for _ in range(2)]
        keras.fit_many(models, X, NUMBERS)
    assert len(traced) == 2


def network(*middle, optimizer=None, loss="mse"):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((5,)), layers.Dense(4), *middle, layers.Dense(1)])
    model.compile(optimizer or optimizers.SGD(0.01), loss, executor="numpy")
    return model


NUMBERS_ANYWHERE = {
    "activation": lambda v: network(layers.LeakyReLU(v)),
    "noise": lambda v: network(layers.GaussianNoise(v)),
    "gaussian dropout": lambda v: network(layers.GaussianDropout(v)),
    "alpha dropout": lambda v: network(layers.AlphaDropout(v)),
    "normalization": lambda v: network(layers.BatchNormalization(momentum=v, epsilon=v / 100)),
    "activity": lambda v: network(layers.Dense(3, activity_regularizer=regularizers.L1(v))),
    "loss": lambda v: network(loss=keras.losses.Huber(delta=v)),
    "momentum": lambda v: network(optimizer=optimizers.SGD(0.01, momentum=v, nesterov=True)),
    "betas": lambda v: network(optimizer=optimizers.Adam(0.01, beta_1=v, beta_2=v + 0.1)),
    "clipping": lambda v: network(optimizer=optimizers.SGD(0.01, clipnorm=v)),
    "averages": lambda v: network(optimizer=optimizers.SGD(v / 50, use_ema=True, ema_momentum=v)),
    "schedule": lambda v: network(
        optimizer=optimizers.Adam(optimizers.schedules.ExponentialDecay(v / 10, 3, v))
    ),
    "restarts": lambda v: network(
        optimizer=optimizers.SGD(optimizers.schedules.CosineDecayRestarts(v / 10, 2, 1 + v, v))
    ),
    "constraint": lambda v: network(
        layers.Dense(4, kernel_constraint=keras.constraints.MaxNorm(v))
    ),
}


QUICK = ("normalization", "loss", "momentum")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in NUMBERS_ANYWHERE],
)
def test_the_number_may_stand_in_any_object(name, traced):
    make = NUMBERS_ANYWHERE[name]
    models = [make(value) for value in (0.2, 0.3, 0.55)]
    assert differences(models)
    found = keras.fit_many(models, X, NUMBERS, epochs=2, seeds=[5] * 3)
    assert len(traced) == 1
    for value, model, history in zip((0.2, 0.3, 0.55), models, found, strict=True):
        alone = make(value)
        assert_same(model, alone, history, alone.fit(X, NUMBERS, epochs=2, seed=5, verbose=0))
    ends = [history.history["loss"][-1] for history in found]
    assert len(set(ends)) == 3  # the number counted


class Scaled(layers.Layer):
    """A layer of a user's own, with arithmetic on its number."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor
        self.state = [{"powers": (2, factor + 1)}]  # names mean nothing

    def call(self, x):
        small = 1 - self.factor**2 / 4
        if self.factor > 0.25:
            small = -small
        if np.sqrt(self.factor) < 0:
            raise AssertionError
        return np.where(
            x > self.factor, x * small, np.clip(x, -self.factor, self.state[0]["powers"][1])
        )


def test_a_layer_of_ones_own_needs_nothing():
    values = (0.1, 0.2, 0.3, 0.5)
    models = [network(Scaled(value)) for value in values]
    found = keras.fit_many(models, X, NUMBERS, epochs=2, seeds=[5] * 4)
    for value, model, history in zip(values, models, found, strict=True):
        alone = network(Scaled(value))
        assert_same(model, alone, history, alone.fit(X, NUMBERS, epochs=2, seed=5, verbose=0))


def test_functional_models_with_two_outputs_and_weights():
    def make(rate):
        keras.utils.set_random_seed(2)
        x = keras.Input((5,))
        h = layers.Dense(6, activation="tanh")(x)
        model = keras.Model(x, [layers.Dense(1)(h), layers.Dense(3, activation="softmax")(h)])
        model.compile(
            optimizers.Adam(rate),
            ["mse", "sparse_categorical_crossentropy"],
            loss_weights=[rate, 1.0],
            executor="numpy",
        )
        return model

    weights = rng.uniform(0.5, 2, 90).astype(np.float32)
    models = [make(0.01), make(0.03)]
    found = keras.fit_many(
        models, X, [NUMBERS, LABELS], epochs=2, seeds=[1, 2], sample_weight=weights
    )
    alone = make(0.03)
    history = alone.fit(X, [NUMBERS, LABELS], epochs=2, seed=2, sample_weight=weights, verbose=0)
    assert_same(models[1], alone, found[1], history)


def test_each_stops_by_itself_and_others_take_its_place():
    def stopping(number=0):
        return [
            EarlyStopping(monitor="loss", min_delta=0.02, patience=1, restore_best_weights=True),
            LearningRateScheduler(lambda epoch, rate: rate * 0.9),
        ]

    rates = np.geomspace(1e-4, 0.1, 20)
    models = [build(number, rate, executor="numpy") for number, rate in enumerate(rates)]
    found = keras.fit_many(models, X, LABELS, epochs=12, seeds=range(20), callbacks=stopping)
    lengths = [len(history.epoch) for history in found]
    assert min(lengths) < 5 < max(lengths)
    for number in (0, 9, 19):
        alone = build(number, rates[number], executor="numpy")
        history = alone.fit(X, LABELS, epochs=12, seed=number, verbose=0, callbacks=stopping())
        assert_same(models[number], alone, found[number], history)


def test_a_loss_that_is_no_number_ends_one_training_only():
    models = [network(optimizer=optimizers.SGD(rate)) for rate in (0.01, 1e20)]
    with pytest.warns(RuntimeWarning, match=r"models \[1\] became NaN"):
        found = keras.fit_many(models, X, NUMBERS, epochs=3)
    assert len(found[0].epoch) == 3
    assert len(found[1].epoch) < 3
    assert np.isfinite(models[0].get_weights()[0]).all()


def test_a_callback_may_set_weights():
    class Zero(Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                self.model.set_weights([0 * w for w in self.model.get_weights()])

    models = [network(), network()]
    found = keras.fit_many(models, X, NUMBERS, epochs=2, seeds=[1, 1], callbacks=lambda n: [Zero()])
    alone = network()
    history = alone.fit(X, NUMBERS, epochs=2, seed=1, callbacks=[Zero()], verbose=0)
    assert_same(models[1], alone, found[1], history)


def test_after_an_error_all_models_are_whole():
    class Failing(Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise OSError("the disk is full")

    models = [network(), network(), network()]
    with pytest.raises(OSError, match="disk"):
        keras.fit_many(
            models, X, NUMBERS, epochs=3, callbacks=lambda n: [Failing()] if n == 1 else []
        )
    for model in models:
        assert model.optimizer.iterations == 2 * 3
        assert all(weight.value.base is None for weight in model.weights)


def test_after_ctrl_c_all_models_are_where_their_histories_end(monkeypatch):
    calls, order = itertools.count(), together.Training.order

    def pressed(*args):
        if next(calls) == 10:
            signal.raise_signal(signal.SIGINT)
        return order(*args)

    monkeypatch.setattr(together.Training, "order", pressed)
    models = [network() for _ in range(4)]
    with pytest.raises(KeyboardInterrupt):
        keras.fit_many(models, X, NUMBERS, epochs=1000)
    for model in models:
        assert model.optimizer.iterations == 3 * len(model.history.epoch) > 0


def test_models_with_a_layer_in_common_are_refused():
    shared = layers.Dense(4)
    models = []
    for _ in range(2):
        model = keras.Sequential([keras.Input((5,)), shared, layers.Dense(1)])
        model.compile("sgd", "mse")
        models.append(model)
    with pytest.raises(ArgumentError, match=r"models\[0\] and models\[1\] share the weight"):
        keras.fit_many(models, X, NUMBERS)


def test_part_of_an_epoch_in_the_given_order():
    models = [network(), network(optimizer=optimizers.SGD(0.02))]
    options = {"batch_size": 8, "epochs": 2, "shuffle": False, "steps_per_epoch": 3}
    found = keras.fit_many(models, X, NUMBERS, **options)
    alone = network()
    assert_same(models[0], alone, found[0], alone.fit(X, NUMBERS, verbose=0, **options))


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (lambda: build(units=9), r"layers\[0\].*8.*9"),
        (lambda: network(), "architecture"),
    ],
)
def test_other_architectures_are_refused_by_name(others, said):
    with pytest.raises(ArgumentError, match=said):
        keras.fit_many([build(), others()], X, LABELS)


def test_differences_are_named():
    def with_activation(name):
        return network(layers.Dense(3, activation=name))

    def with_function(value):
        return network(layers.Lambda(lambda x: x * value))

    with pytest.raises(ArgumentError, match=r"activation.*relu.*tanh.*models\[2\]"):
        differences([with_activation(name) for name in ("relu", "relu", "tanh")])
    with pytest.raises(ArgumentError, match=r"function.value is 1.0 .* and 2.0"):
        differences([with_function(1.0), with_function(2.0)])
    with pytest.raises(ArgumentError, match="weight_decay"):
        differences([network(optimizer=optimizers.SGD(0.1, weight_decay=d)) for d in (None, 0.1)])
    assert differences([with_function(1.0), with_function(1.0)]) == []


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"rows": [[0, 1]]}, ArgumentError, "1 entries for 2 models"),
        ({"rows": [[0, 90], [1]]}, DataError, "0 to 89.*from 0 to 90"),
        ({"rows": [[], [1]]}, DataError, "at least one"),
        ({"seeds": [1, -2]}, ArgumentError, "at least 0"),
        ({"validation_rows": [[0], [1]], "validation_data": (X, LABELS)}, ArgumentError, "both"),
        (
            {"callbacks": lambda n: [keras.callbacks.LambdaCallback(on_train_batch_end=print)]},
            ArgumentError,
            "LambdaCallback of models.0. waits",
        ),
    ],
)
def test_arguments_are_checked_before_anything_is_trained(options, error, said):
    models = [build(n, executor="numpy") for n in range(2)]
    before = models[0].get_weights()
    with pytest.raises(error, match=said):
        keras.fit_many(models, X, LABELS, **options)
    assert all(map(np.array_equal, before, models[0].get_weights()))


@pytest.mark.parametrize("make", ["SwapEMAWeights", "BackupAndRestore"])
def test_callbacks_that_need_more_than_epochs_are_refused(make, tmp_path):
    models = [network(), network()]
    options = [str(tmp_path)] if make == "BackupAndRestore" else []
    with pytest.raises(ArgumentError, match=make):
        keras.fit_many(
            models, X, NUMBERS, callbacks=lambda n: [getattr(keras.callbacks, make)(*options)]
        )


def test_models_are_checked():
    model = build()
    with pytest.raises(ArgumentError, match="empty"):
        keras.fit_many([], X, LABELS)
    with pytest.raises(ArgumentError, match="twice"):
        keras.fit_many([model, model], X, LABELS)
    with pytest.raises(ArgumentError, match="a int"):
        keras.fit_many([model, 3], X, LABELS)
    with pytest.raises(ModelStateError):
        keras.fit_many([model, keras.Sequential([layers.Dense(1)])], X, LABELS)
    with pytest.raises(DataError, match="in memory"):
        keras.fit_many([model], ((X[:5], LABELS[:5]) for _ in range(3)))
    eager = network()
    eager.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(ArgumentError, match="run_eagerly"):
        keras.fit_many([eager], X, NUMBERS)


def test_a_mask_of_rows_and_validation_data_for_all():
    models = [network(), network(optimizer=optimizers.SGD(0.02))]
    mask = np.arange(90) < 50
    found = keras.fit_many(
        models, X, NUMBERS, rows=[mask, mask], seeds=[1, 2], validation_data=(X[50:], NUMBERS[50:])
    )
    alone = network()
    history = alone.fit(
        X[:50], NUMBERS[:50], seed=1, verbose=0, validation_data=(X[50:], NUMBERS[50:])
    )
    assert_same(models[0], alone, found[0], history)


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keras.fit_many([network(), network()], X, NUMBERS)


CHILD = """
import hashlib, numpy as np
from bital import keras
rng = np.random.default_rng(0)
x, y = rng.normal(size=(300, 64)).astype("float32"), rng.integers(0, 10, 300)
models = []
for seed in range(17):
    keras.utils.set_random_seed(seed)
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((64,)), dense(32, "relu"), dense(10, "softmax")])
    model.compile(keras.optimizers.Adam(0.001 * (seed + 1)), "sparse_categorical_crossentropy")
    models.append(model)
keras.fit_many(models, x, y, epochs=3, seeds=range(17))
digest = hashlib.sha256()
for model in models:
    for weight in model.get_weights():
        digest.update(weight.tobytes())
print(digest.hexdigest())
"""


@pytest.mark.slow
def test_the_same_bits_for_any_number_of_threads():
    found = [
        subprocess.run(
            [sys.executable, "-c", CHILD],
            env={**os.environ, "BITAL_NUM_THREADS": count},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for count in "125"
    ]
    assert len(set(found)) == 1
    assert len(found[0].strip()) == 64
