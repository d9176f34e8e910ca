"""The xla executor as a whole: NumPy in and out, faults, 64 bits, training. JAX's CPU device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bital
from bital import keras
from bital.errors import IndexOutOfBoundsError
from bital.primitives import REGISTRY

jax = pytest.importorskip("jax", reason="the xla executor needs JAX")


def xla(function: Callable[..., Any], **options: Any) -> Any:
    return bital.jit(function, executor="xla", **options)


def test_each_primitive_stands_once_in_the_tables() -> None:
    from bital.executors.xla.table import CHECKED, CONTROL, TABLE

    assert sorted(REGISTRY) == sorted([*TABLE, *CHECKED, *CONTROL])


def step(w: Any, x: Any, key: Any) -> Any:
    """A product, a loop, a branch, random bits, a read by index, and a gradient of all."""

    def loss(w: Any) -> Any:
        h, _ = bital.scan(lambda h, row: (np.tanh(h @ w + row), None), x[0], x)
        h = bital.cond(np.sum(h) > 0, lambda h: h, lambda h: -h, h)
        noise = bital.random.normal(key, (3,))
        return np.sum(h[np.argsort(h)] * noise)

    return bital.value_and_grad(loss)(w)


def test_results_are_numpys_own() -> None:
    rng = np.random.default_rng(0)
    w, x, key = rng.normal(size=(3, 3)), rng.normal(size=(5, 3)), bital.random.key(1)
    value, gradient = xla(step)(w, x, key)
    want_value, want_gradient = bital.jit(step, executor="numpy")(w, x, key)
    assert type(value) is np.float64
    assert type(gradient) is np.ndarray
    assert gradient.dtype == np.float64
    assert gradient.flags.writeable
    assert gradient.base is None
    np.testing.assert_allclose(value, want_value, rtol=1e-13)
    np.testing.assert_allclose(gradient, want_gradient, rtol=1e-12, atol=1e-14)


def test_64_bits_stay_and_jaxs_own_switch_is_left_alone() -> None:
    was = jax.config.jax_enable_x64
    x = np.array([1.0, 1.0 + 2.0**-40])
    assert xla(lambda x: x[1] - x[0])(x) == 2.0**-40
    assert xla(lambda n: n * 3)(np.int64(2**40)) == 3 * 2**40
    assert jax.config.jax_enable_x64 == was
    assert jax.jit(lambda x: x * 2)(x).dtype == (np.float64 if was else np.float32)


@pytest.mark.parametrize("dtype", ["uint32", "uint64"])
@pytest.mark.parametrize("shape", [(), (3, 5)])
def test_random_bits_are_those_of_numpy(dtype: str, shape: tuple[int, ...]) -> None:
    key = bital.random.key(2**63 + 5)
    draw = lambda key: bital.random.bits(key, shape, dtype)  # noqa: E731
    found, want = xla(draw)(key), bital.jit(draw, executor="numpy")(key)
    assert found.dtype == want.dtype
    np.testing.assert_array_equal(found, want)


# --- faults ---------------------------------------------------------------------------------


def test_an_index_out_of_range_is_named_with_its_place() -> None:
    pick = xla(lambda x, i: x[i] * 2)
    x = np.arange(5.0)
    indices = np.array([[0, 4, -5], [1, 7, 9]])
    with pytest.raises(
        IndexOutOfBoundsError, match=r"index 7 is .*size 5.*position \(1, 1\).*test_xla_executor.py"
    ):
        pick(x, indices)
    indices[1] = -6
    with pytest.raises(IndexError, match=r"index -6 .*position \(1, 0\)"):
        pick(x, indices)
    indices[1] = -1
    np.testing.assert_array_equal(pick(x, indices), x[indices] * 2)


def test_a_fault_ends_a_loop_and_a_branch_not_taken_has_none() -> None:
    def walk(x: Any, stop: Any) -> Any:
        return bital.while_loop(
            lambda s: s[0] != stop, lambda s: (s[0] + 1, s[1] + x[s[0]]), (0, 0.0)
        )

    walking, x = xla(walk), np.arange(5.0)
    assert walking(x, 5) == (5, 10.0)
    with pytest.raises(IndexOutOfBoundsError, match=r"index 5 .*size 5"):
        walking(x, -1)  # which no count upwards reaches
    branch = xla(lambda x, i: bital.cond(i < 3, lambda x: x[i], lambda x: x[0], x))
    assert branch(x[:3], 7) == 0
    assert branch(x[:3], 2) == 2


def test_a_condition_may_be_at_fault() -> None:
    seek = xla(lambda x, n: bital.while_loop(lambda i: x[i] != n, lambda i: i + 1, 0))
    assert seek(np.array([4, 2, 7]), 7) == 2
    with pytest.raises(IndexOutOfBoundsError, match=r"index 3 .*size 3"):
        seek(np.array([4, 2, 7]), 9)


def test_what_numpy_raises_on_the_way_is_raised() -> None:
    invert = xla(np.linalg.inv)
    x = np.array([[2.0, 1.0], [1.0, 1.0]])
    np.testing.assert_array_equal(invert(x), np.linalg.inv(x))
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
        invert(np.zeros((2, 2)))
    large = np.eye(300) + 0.01  # which XLA computes in a thread of its own
    np.testing.assert_array_equal(invert(large), np.linalg.inv(large))


def test_integers_have_no_negative_powers() -> None:
    power = xla(np.power)
    assert power(np.int64(-3), np.int64(5)) == -243
    with pytest.raises(ValueError, match="Integers to negative integer powers"):
        power(np.array([2, 3]), np.array([1, -1]))


# --- writes, donation -----------------------------------------------------------------------


def write(x: Any, v: Any, i: Any) -> Any:
    x[i] = v
    return x


def test_the_last_of_several_writes_stays() -> None:
    rng = np.random.default_rng(0)
    x, i, v = np.zeros((7, 2)), rng.integers(-7, 7, 40), rng.normal(size=(40, 2))
    np.testing.assert_array_equal(xla(write)(x, v, i), write(x.copy(), v, i))
    np.testing.assert_array_equal(x, 0)


def test_donated_arguments_are_used_where_a_result_has_their_type() -> None:
    update = xla(lambda w, m, x: (w - x, np.sum(m)), donate_argnums=(0, 1))
    w, m, x = np.ones((4, 3)), np.ones(5), np.full((4, 3), 0.25)
    for _ in range(3):  # without a warning of a buffer that was not usable
        w, total = update(w, m, x)
    np.testing.assert_array_equal(w, np.full((4, 3), 0.25))
    assert total == 5


# --- training -------------------------------------------------------------------------------


def _network(executor: str) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.Dense(30, activation="relu"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        "adam", "sparse_categorical_crossentropy", metrics=["accuracy"], executor=executor
    )
    return model


@pytest.mark.slow
def test_mnist_trains_to_the_losses_of_numpy() -> None:
    (x, y), _ = bital.datasets.mnist.load_data()
    x = (x[:1050] / 255).astype(np.float32).reshape(1050, -1)
    y = y[:1050]
    histories, models = [], []
    for executor in ("numpy", "xla"):
        model = _network(executor)
        histories.append(
            model.fit(x, y, batch_size=50, epochs=2, verbose=0, validation_split=0.1).history
        )
        models.append(model)
    assert histories[0].keys() == histories[1].keys()
    for name, values in histories[0].items():
        np.testing.assert_allclose(histories[1][name], values, rtol=1e-5, err_msg=name)
    for weight in models[1].weights:
        assert type(weight.value) is np.ndarray
    a, b = (model.predict(x[:20], verbose=0) for model in models)
    np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_estimators_take_it() -> None:
    pytest.importorskip("sklearn")
    from bital.sklearn import DNNClassifier

    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    found = []
    for executor in ("numpy", "xla"):
        network = DNNClassifier((16,), max_iter=20, random_state=0, executor=executor)
        found.append(network.fit(x, y).predict_proba(x))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-5)
