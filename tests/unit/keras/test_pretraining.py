"""Autoencoders and Boltzmann machines, against enumeration, differences and scikit-learn."""

import itertools

import numpy as np
import pytest

import bital
from bital import keras
from bital.errors import ArgumentError, ModelStateError, ShapeError
from bital.keras import layers, pretraining, random_state
from bital.keras.variables import holding

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _numpy_executor():
    with bital.config.executor("numpy"):
        yield


def machine(visible=4, hidden=3, kind="bernoulli", **options):
    """A machine with weights of order 1, float64."""
    made = pretraining.RBM(hidden, kind, dtype="float64", **options)
    made.build((None, visible))
    rng = np.random.default_rng(1)
    values = [rng.normal(size=w.shape) for w in made.trainable_weights]
    for weight, value in zip(made.trainable_weights, values, strict=True):
        weight.assign(value)
    return made


def states(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def energy(made, v, h):
    w, c, b = (weight.numpy() for weight in made.trainable_weights)
    own = -v @ b if made.visible == "bernoulli" else np.sum((v - b) ** 2, -1) / 2
    return own - h @ c - np.einsum("...i,ij,...j->...", v, w, h)


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
def test_free_energy_is_a_sum_over_hidden_states(kind):
    made = machine(kind=kind)
    v = RNG.normal(size=(5, 4)) if kind == "gaussian" else states(4)
    weights = np.exp(-energy(made, v[:, np.newaxis], states(3)))
    np.testing.assert_allclose(made.free_energy(v), -np.log(weights.sum(axis=1)), rtol=1e-12)
    mean = (weights[..., np.newaxis] * states(3)).sum(axis=1) / weights.sum(axis=1)[:, np.newaxis]
    np.testing.assert_allclose(made.encode(v), mean, rtol=1e-12)


def test_free_energy_and_score_of_scikit_learn():
    neural_network = pytest.importorskip("sklearn.neural_network")
    made = machine()
    w, c, b = (weight.numpy() for weight in made.trainable_weights)
    theirs = neural_network.BernoulliRBM(3)
    theirs.components_, theirs.intercept_hidden_, theirs.intercept_visible_ = w.T, c, b
    theirs.random_state_ = theirs.random_state = 0
    v = states(4)
    np.testing.assert_allclose(made.free_energy(v), theirs._free_energy(v), rtol=1e-12)
    np.testing.assert_allclose(made.encode(v), theirs._mean_hiddens(v), rtol=1e-12)
    many = np.repeat(v, 2000, axis=0)  # both flip one unit at random
    assert made.pseudo_likelihood(many, seed=0) == pytest.approx(
        theirs.score_samples(many).mean(), rel=0.02
    )


def test_pseudo_likelihood_of_all_flips():
    made = machine()
    v = states(4)
    probability = np.exp(-made.free_energy(v))
    exact = 0.0
    for unit in range(4):
        other = v.copy()
        other[:, unit] = 1 - other[:, unit]
        exact += np.log(probability / (probability + np.exp(-made.free_energy(other)))).mean()
    many = np.repeat(v, 4000, axis=0)
    assert made.pseudo_likelihood(many, seed=1) == pytest.approx(exact, rel=0.01)


def lowered(made, v, key):
    """The gradient of what a step of training lowers."""

    def loss(weights):
        with (
            holding(made.trainable_weights, weights),
            random_state.keys(key, np.uint64(0)),
            keras.layers.calling.collecting_losses() as added,
        ):
            made(v, training=True)
        return added[0]

    value, gradient = bital.value_and_grad(loss)([w.numpy() for w in made.trainable_weights])
    assert value == 0
    return gradient


@pytest.mark.parametrize("persistent", [False, True])
def test_gradient_of_long_chains_is_that_of_the_likelihood(persistent):
    """``-d log p / d weights`` by differences of the enumerated likelihood."""
    made = machine(k=60, persistent=persistent, chains=6000)
    v = np.repeat(states(4)[[1, 6, 7]], 2000, axis=0)
    rows = states(4)[[1, 6, 7]]

    def negative_log_likelihood():
        everything = np.log(np.sum(np.exp(-made.free_energy(states(4)))))
        return made.free_energy(rows).mean() + everything

    found = lowered(made, v, bital.random.key(5))
    for weight, slope in zip(made.trainable_weights, found, strict=True):
        value = weight.numpy()
        exact = np.empty_like(value)
        for place in np.ndindex(value.shape):
            sides = []
            for step in (1e-5, -1e-5):
                moved = value.copy()
                moved[place] += step
                weight.assign(moved)
                sides.append(negative_log_likelihood())
            exact[place] = (sides[0] - sides[1]) / 2e-5
        weight.assign(value)
        np.testing.assert_allclose(slope, exact, atol=0.04)  # 6,000 samples


def test_one_step_is_what_is_written_in_the_literature():
    """CD-1: ``mean(v h) - mean(v' h')`` with the samples that the step draws."""
    made = machine()
    v = np.repeat(states(4), 3, axis=0)
    key = bital.random.key(2)
    with random_state.keys(key, np.uint64(0)):
        samples = made._samples(v)
    assert np.isin(samples, [0, 1]).all()
    h, other = made.encode(v), made.encode(samples)
    n = len(v)
    kernel, bias, visible_bias = lowered(made, v, key)
    np.testing.assert_allclose(-kernel, (v.T @ h - samples.T @ other) / n, atol=1e-12)
    np.testing.assert_allclose(-bias, (h - other).mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(-visible_bias, (v - samples).mean(axis=0), atol=1e-12)


def test_gaussian_samples():
    made = machine(2, 2, "gaussian")
    states_, counts = [], 0
    drawn = made.sample(4000, steps=40, seed=0)
    # Means given hidden states: few distinct values, with the probabilities of these states.
    w, c, b = (weight.numpy() for weight in made.trainable_weights)
    h = states(2)
    means = b + h @ w.T
    logits = h @ c + np.sum(means**2 - b**2, axis=1) / 2
    expected = np.exp(logits - logits.max())
    expected /= expected.sum()
    for mean, share in zip(means, expected, strict=True):
        near = np.all(np.isclose(drawn, mean), axis=1)
        states_.append(near.mean())
        counts += near.sum()
        assert near.mean() == pytest.approx(share, abs=0.04)
    assert counts == 4000


@pytest.mark.slow
@pytest.mark.parametrize("persistent", [False, True])
def test_a_machine_learns_a_distribution(persistent):
    """Four of sixteen patterns: their probability grows from 1/4 to most of it."""
    keras.utils.set_random_seed(1)
    patterns = states(4)[[3, 5, 10, 12]].astype(np.float32)
    v = np.tile(patterns, (50, 1))
    made = pretraining.RBM(8, k=5, persistent=persistent, optimizer=keras.optimizers.SGD(0.2))
    history = made.fit(v, epochs=60, batch_size=20, verbose=0, seed=0)
    p = np.exp(-made.free_energy(states(4).astype(np.float32)))
    assert p[[3, 5, 10, 12]].sum() / p.sum() > 0.7
    assert set(history.history) == {"loss", "pseudo_likelihood"}
    assert history.history["pseudo_likelihood"][-1] > history.history["pseudo_likelihood"][0] + 0.5
    assert history.history["loss"][-1] < history.history["loss"][0]
    with pytest.raises(ArgumentError, match="there are no targets"):
        made.fit(v, v)


def test_weight_decay_and_momentum_are_those_of_the_optimizer():
    made = machine(weight_decay=0.5)
    w = made.kernel.numpy()
    np.testing.assert_allclose(made.losses[-1], 0.25 * np.sum(w**2))
    assert made.optimizer.rule.momentum == 0.5


@pytest.mark.parametrize("tied", [True, False])
def test_gradient_of_an_autoencoder(tied):
    """Tied weights count in both places."""
    coder = pretraining.Coder(
        3, "sigmoid", "linear", tied=tied, hidden_regularizer="l2", sparsity=0.2, dtype="float64"
    )
    x = RNG.normal(size=(6, 5))
    coder(x)
    weights = [RNG.normal(size=w.shape) for w in coder.weights]
    assert len(weights) == (3 if tied else 4)

    def loss(weights):
        with holding(coder.weights, weights):
            y = coder(x)
            return np.mean((y - x) ** 2) + sum(coder.losses)

    bital.testing.check_grads(loss, (weights,), order=1)


def test_sparsity_is_the_divergence():
    coder = pretraining.Coder(2, sparsity=0.1, sparsity_weight=3.0, dtype="float64")
    x = RNG.random((7, 4))
    coder(x)
    mean = coder.encode(x).mean(axis=0)
    kl = 0.1 * np.log(0.1 / mean) + 0.9 * np.log(0.9 / (1 - mean))
    np.testing.assert_allclose(coder.losses, [3 * kl.sum()])
    with pytest.raises(ArgumentError, match="only activation='sigmoid' has"):
        pretraining.Autoencoder(2, "relu", sparsity=0.1)


def test_noise():
    x = RNG.random((50, 200)).astype(np.float32) + 2
    masked = pretraining.MaskingNoise(0.3, seed=0)(x, training=True)
    assert np.isin(masked - x, [0, *(-x).ravel()]).all()
    assert (masked == 0).mean() == pytest.approx(0.3, abs=0.02)
    salted = pretraining.SaltAndPepperNoise(0.4, low=-1, high=9, seed=0)(x, training=True)
    assert (salted == -1).mean() == pytest.approx(0.2, abs=0.02)
    assert (salted == 9).mean() == pytest.approx(0.2, abs=0.02)
    np.testing.assert_array_equal(
        salted[(salted != -1) & (salted != 9)], x[(salted != -1) & (salted != 9)]
    )
    for noise in (pretraining.MaskingNoise(0.3), pretraining.SaltAndPepperNoise(0.3)):
        np.testing.assert_array_equal(noise(x), x)


def test_an_autoencoder_finds_principal_components():
    """Linear and tied, it ends where principal components are: their error is the least."""
    basis = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    x = (RNG.normal(size=(200, 6)) * [3, 2, 0.3, 0.2, 0.1, 0.1] @ basis).astype(np.float32)
    x -= x.mean(axis=0)
    coder = pretraining.Autoencoder(2, "linear", "linear", optimizer=keras.optimizers.Adam(0.02))
    coder.fit(x, epochs=60, batch_size=50, verbose=0, seed=0)
    least = (np.linalg.svd(x, compute_uv=False)[2:] ** 2).sum() / x.size
    assert np.mean((coder.predict(x, verbose=0) - x) ** 2) < 1.1 * least
    np.testing.assert_allclose(
        coder.decode(coder.encode(x)), coder.predict(x, verbose=0), atol=1e-5
    )


def test_stacks():
    x = RNG.random((60, 10)).astype(np.float32)
    made = [
        pretraining.Autoencoder(6, noise=pretraining.MaskingNoise(0.2), tied=False),
        pretraining.RBM(5),
    ]
    stack = pretraining.Stack(made)
    with pytest.raises(ModelStateError, match="before fit"):
        stack.to_sequential()
    histories = stack.fit(x, epochs=[2, 3], seed=4, verbose=0, validation_data=x[:20])
    assert [len(history.history["val_loss"]) for history in histories] == [2, 3]
    model = stack.to_sequential([layers.Dense(3, activation="softmax")])
    codes = keras.Sequential(model.layers[:2]).predict(x, verbose=0)
    np.testing.assert_allclose(codes, stack.encode(x), atol=1e-6)
    before = made[0].coder.kernel.numpy()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, np.arange(60) % 3, epochs=1, verbose=0)
    np.testing.assert_array_equal(made[0].coder.kernel.numpy(), before)  # the model has copies
    assert not np.array_equal(model.layers[0].kernel.numpy(), before)
    with pytest.raises(ArgumentError, match="one number, or 2"):
        stack.fit(x, epochs=[1])
    with pytest.raises(ArgumentError, match="its stages are"):
        pretraining.Stack([layers.Dense(3)])
    with pytest.raises(ShapeError, match="reshape"):
        pretraining.RBM(3).fit(np.zeros((3, 4, 4)), verbose=0)


def test_a_machine_on_native():
    v = (RNG.random((64, 12)) < 0.4).astype(np.float32)
    found = []
    for executor in ("numpy", "native"):
        keras.utils.set_random_seed(3)
        made = pretraining.RBM(5, persistent=True, chains=16, k=2)
        made.compile(keras.optimizers.SGD(0.1), made.loss, executor=executor)
        made.fit(v, epochs=2, batch_size=16, verbose=0, seed=1)
        found.append(made.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
