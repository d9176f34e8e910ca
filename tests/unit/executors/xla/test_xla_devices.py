"""Arrays that stay on the device, several devices, and bfloat16."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bital
from bital import DeviceArray, keras
from bital.errors import ArgumentError, ExecutorError, IndexOutOfBoundsError
from bital.executors import get_executor

jax = pytest.importorskip("jax", reason="the xla executor needs JAX")

DEVICES = 8


@pytest.fixture(scope="module", autouse=True)
def _devices() -> None:
    assert len(jax.devices()) == DEVICES, "JAX was used before conftest.py could set XLA_FLAGS"


def step(w: Any, x: Any) -> Any:
    return w - 0.1 * x.T @ np.tanh(x @ w), np.sum(w)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# --- arrays on the device -------------------------------------------------------------------


def test_what_is_kept_is_handed_on_and_seen_by_numpy() -> None:
    w, x = numbers(6, 4), numbers(5, 6, seed=1)
    kept = bital.jit(step, executor="xla", donate_argnums=0, on_device=0)
    first, total = kept(w, x)
    assert type(first) is DeviceArray
    assert (first.shape, first.dtype, first.ndim, first.size, first.nbytes, len(first)) == (
        (6, 4), np.float32, 2, 24, 96, 6,
    )  # fmt: skip
    assert type(total) is np.float32
    plain = bital.jit(step, executor="numpy")
    want = plain(plain(w, x)[0], x)
    second, _ = kept(first, x)
    np.testing.assert_allclose(second, want[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second[1:3, 0], want[0][1:3, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.sum(second), np.sum(want[0]), rtol=1e-4)
    again = second.copy()
    kept(second, x)  # takes its memory
    np.testing.assert_allclose(again, want[0], rtol=1e-5, atol=1e-6)
    for other in (copy.deepcopy(again), pickle.loads(pickle.dumps(again))):
        assert type(other) is np.ndarray
        np.testing.assert_array_equal(other, again)
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(again, copy=False)


def test_an_array_of_the_caller_is_never_written_over() -> None:
    # JAX takes memory that begins at a multiple of 64 bytes as it is.
    found = [numbers(64, 64) for _ in range(200)]
    w = next(array for array in found if array.ctypes.data % 64 == 0)
    before, x = w.copy(), numbers(5, 64, seed=1)
    kept = bital.jit(step, executor="xla", donate_argnums=0, on_device=0)
    first, _ = kept(w, x)
    kept(first, x)
    np.testing.assert_array_equal(w, before)


def test_other_executors_take_it_as_numpys() -> None:
    w, x = numbers(6, 4), numbers(5, 6, seed=1)
    first, _ = bital.jit(step, executor="xla", on_device=True)(w, x)
    for executor in ("numpy", "native"):
        found, _ = bital.jit(step, executor=executor, on_device=0)(first, x)
        assert type(found) is np.ndarray
    np.testing.assert_allclose(bital.grad(np.sum)(first), np.ones((6, 4)))


def test_places_that_are_not_there_are_refused() -> None:
    with pytest.raises(ArgumentError, match="are places in the tuple that step returns"):
        bital.jit(step, executor="xla", on_device=2)(numbers(6, 4), numbers(5, 6))


def network(**options: Any) -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Dense(16, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(4, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model


X, Y = numbers(330, 6), np.argmax(numbers(330, 6)[:, :4], axis=1)


def trained(executor: str = "xla", x: Any = X, y: Any = Y, **options: Any) -> Any:
    model = network(executor=executor)
    options = {"batch_size": 32, "epochs": 2, "verbose": 0, "seed": 1} | options
    model.fit(x, y, **options)
    return model


@pytest.fixture(scope="module")
def reference() -> Any:
    return trained("numpy", validation_data=(X, Y))


def agree(model: Any, reference: Any) -> None:
    for name, values in reference.history.history.items():
        if name in model.history.history:
            np.testing.assert_allclose(model.history.history[name], values, rtol=1e-5)
    for found, want in zip(model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(found, want, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(
        model.predict(X[:64], verbose=0), reference.predict(X[:64], verbose=0), atol=2e-5
    )


@pytest.mark.slow  # XLA compiles for seconds
def test_fit_copies_samples_once_and_leaves_weights_on_the_device(
    monkeypatch: pytest.MonkeyPatch, reference: Any
) -> None:
    placed: list[tuple[int, ...]] = []
    own, place = [], type(get_executor("xla")).place
    monkeypatch.setattr(
        type(get_executor("xla")),
        "place",
        lambda self, array, axis=None: placed.append(array.shape) or place(self, array, axis),
    )
    bring = type(get_executor("xla"))._own
    monkeypatch.setattr(
        type(get_executor("xla")),
        "_own",
        lambda self, array: own.append(array.shape) or bring(self, array),
    )
    model = trained(validation_data=(X, Y))
    assert placed.count(X.shape) == 1  # to train on, in two epochs
    assert len(own) == 3 * len(model.trainable_weights)  # they and Adam's moments, at first
    kernel = model.weights[0]
    assert type(kernel._value) is DeviceArray
    agree(model, reference)
    assert type(kernel.value) is np.ndarray  # it was looked at
    kernel.value[...] = 0
    model.fit(X, Y, batch_size=32, verbose=0)
    assert np.abs(kernel.numpy()).max() < 0.1


@pytest.mark.slow  # XLA compiles for seconds
def test_models_change_executors_between_calls() -> None:
    model = network()
    x = X[:32]
    with bital.config.executor("native"):
        model.fit(X, Y, batch_size=32, verbose=0)
        before = model.predict(x, verbose=0)
    with bital.config.executor("xla"):
        np.testing.assert_allclose(model.predict(x, verbose=0), before, rtol=1e-5)
        model.fit(X, Y, batch_size=32, verbose=0)
        after = model.predict(x, verbose=0)
    with bital.config.executor("native"):
        np.testing.assert_allclose(model.predict(x, verbose=0), after, rtol=1e-5)
        model.fit(X, Y, batch_size=32, verbose=0)
    assert not np.allclose(model.predict(x, verbose=0), after)
    copied = copy.deepcopy(model)
    np.testing.assert_array_equal(copied.weights[0].numpy(), model.weights[0].numpy())


def test_after_an_error_in_a_step_the_weights_are_there() -> None:
    model = keras.Sequential([keras.Input((1,), dtype="int32"), keras.layers.Embedding(4, 3)])
    model.compile("sgd", "mse", executor="xla")
    x, y = np.zeros((64, 1), np.int32), np.zeros((64, 1, 3), np.float32)
    model.fit(x, y, verbose=0)
    x[40] = 4
    with pytest.raises(IndexOutOfBoundsError):
        model.fit(x, y, verbose=0)
    assert np.isfinite(model.get_weights()[0]).all()
    model.fit(np.zeros_like(x), y, verbose=0)


# --- several devices ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{"devices": "all"}, {"devices": 4, "shard_weights": 16}], ids=str
)
def test_several_devices_train_as_one(options: Any, reference: Any) -> None:
    model = trained(validation_data=(X, Y), **options)
    weight = model.weights[0]._value.buffer.array
    assert len(weight.sharding.device_set) == (8 if options["devices"] == "all" else 4)
    assert weight.sharding.is_fully_replicated == ("shard_weights" not in options)
    if "shard_weights" in options:  # a part of each weight, and of its moments, is on each device
        assert weight.addressable_shards[0].data.shape == (6, 4)
        moment = model.optimizer._state["momentums"][0].buffer.array
        assert moment.addressable_shards[0].data.shape == (6, 4)
    agree(model, reference)


class Generated:
    """Batches by number, the last of which is short."""

    def __len__(self) -> int:
        return 11

    def __getitem__(self, number: int) -> Any:
        return X[number * 32 : number * 32 + 32], Y[number * 32 : number * 32 + 32]


@pytest.mark.slow
@pytest.mark.parametrize("source", ["mapped", "generated", "in order"])
def test_any_source_is_cut(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bital.keras.models.data.parts._PART_BYTES", 3 * 32 * 7 * 4)
    given: Any = {"x": X, "y": Y, "shuffle": source == "mapped"}
    want = trained("numpy", **given)
    if source == "mapped":
        np.save(tmp_path / "x.npy", X)
        given["x"] = np.load(tmp_path / "x.npy", mmap_mode="r")
    if source == "generated":
        given |= {"x": Generated(), "y": None, "batch_size": None}
    with bital.distribution(2):
        model = trained(**given)
    agree(model, want)


@pytest.mark.slow  # XLA compiles for seconds
def test_a_training_goes_on_with_another_number_of_devices(tmp_path: Path, reference: Any) -> None:
    trained(epochs=1, devices=4, shard_weights=16, resume=tmp_path)
    agree(trained(devices=2, resume=tmp_path), trained("numpy"))


@pytest.mark.slow  # XLA compiles for seconds
def test_estimators_use_them() -> None:
    estimators = pytest.importorskip("bital.sklearn")
    with bital.distribution("all"):
        found = estimators.DNNClassifier((8,), batch_size=64, max_iter=2, executor="xla",
                                         random_state=0).fit(X, Y)  # fmt: skip
    want = estimators.DNNClassifier((8,), batch_size=64, max_iter=2, random_state=0).fit(X, Y)
    np.testing.assert_allclose(found.predict_proba(X), want.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: trained(devices=3), ArgumentError, "Write batch_size=33 or 30"),
        (lambda: trained(devices=9), ExecutorError, "9 devices were asked for; JAX has 8"),
        (lambda: trained("native", devices=2), ExecutorError, "runs on this machine's processor"),
        (lambda: trained("xla[most]"), ExecutorError, "no option 'most'"),
        (lambda: trained(devices=0), ArgumentError, "a number of devices, or 'all'"),
        (lambda: trained(devices=2, shard_weights=-1), ArgumentError, "least number of elements"),
        (lambda: bital.config.precision("float8").__enter__(), ArgumentError, "'bfloat16'"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(make: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words.replace("'", ".").replace("(", r"\(")):
        make()


# --- bfloat16 -------------------------------------------------------------------------------


def to_bfloat16(x: np.ndarray) -> np.ndarray:
    """Rounded to the nearest number of 8 bits, ties to even; float32 otherwise."""
    bits = x.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).view(np.float32)


def test_factors_of_products_are_rounded_and_nothing_else() -> None:
    x, w = numbers(16, 32), numbers(32, 8, seed=1)
    with bital.config.precision("bfloat16"):
        product = bital.jit(np.matmul, executor="xla")(x, w)
        total = bital.jit(lambda x: x + 1, executor="xla")(x)
        double = bital.jit(np.matmul, executor="xla")(x.astype(float), w.astype(float))
    assert product.dtype == np.float32
    np.testing.assert_allclose(product, to_bfloat16(x) @ to_bfloat16(w), rtol=1e-5, atol=1e-5)
    assert np.abs(product - x @ w).max() > 1e-3
    np.testing.assert_array_equal(total, x + 1)
    np.testing.assert_allclose(double, x.astype(float) @ w, rtol=1e-12)


@pytest.mark.slow  # XLA compiles for seconds
def test_a_policy_trains_in_bfloat16_and_keeps_float32() -> None:
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = trained()
        with pytest.raises(ExecutorError, match="bfloat16, are for 'xla'"):
            trained("native")
    finally:
        keras.mixed_precision.set_global_policy("float32")
    want = trained("numpy")
    assert {weight.dtype for weight in model.weights} == {np.dtype(np.float32)}
    found, wanted = model.history.history["loss"], want.history.history["loss"]
    assert found != wanted
    np.testing.assert_allclose(found, wanted, rtol=0.02)
