"""Every row of the table of layers beside Keras 3 on JAX, in float64, from the same weights.

Compared are the weights' names, shapes and order, outputs, the gradients of weights and inputs,
what the layer assigns to itself, the weights after five steps of SGD with regularizers and
constraints, the result of ``compute_output_shape``, and the configuration.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tables.keras_layers import ROWS

import bital
import bital.keras
from bital.keras.variables import holding

jax = pytest.importorskip("jax")
theirs = pytest.importorskip("keras")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
rows = pytest.mark.parametrize("row", [row for row in ROWS if row.peer], ids=lambda row: row.name)

STEPS, RATE = 5, 0.05
# What Keras keeps in a configuration and bital does not, since it refuses the argument.
REFUSED = {
    "dtype",
    "autocast",
    "lora_rank",
    "lora_alpha",
    "quantization_config",
    "registered_name",
}


@pytest.fixture(autouse=True)
def _double_precision(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Keras narrows float64 in many of its functions, for the sake of JAX's default.
    narrowed = importlib.import_module("keras.src.backend.common.dtypes").BIT64_TO_BIT32_DTYPE
    monkeypatch.setitem(narrowed, "float64", "float64")
    set_precision("float64")
    with jax.enable_x64(True), bital.config.executor("numpy"):
        yield
    set_precision("float32")


def set_precision(name: str) -> None:
    theirs.config.set_floatx(name)
    theirs.config.set_dtype_policy(name)


def summed(outputs: list[Any]) -> Any:
    """A scalar to differentiate: every floating element counts, each by another factor."""
    total = 0.0
    for y in outputs:
        if "float" in str(y.dtype):
            total = total + (y * np.cos(np.arange(np.prod(y.shape))).reshape(y.shape)).sum()
    return total


class Side:
    """The row's layer, of one library."""

    variables: list[Any]
    trainable: list[Any]

    def described(self) -> list[Any]:
        chosen = {id(v) for v in self.trainable}
        return [(v.name, tuple(v.shape), id(v) in chosen) for v in self.variables]


class Keras(Side):
    """The row's layer in Keras."""

    def __init__(self, row: Any) -> None:
        self.row, self.layer, self.inputs = row, row.make(theirs), row.inputs()
        if row.adapt:
            self.layer.adapt(self.inputs[0])
        self.layer(*row.arguments(self.inputs), **row.options())
        if not row.adapt:
            self.layer.set_weights(row.weights(self.layer.weights))
        self.variables = self.layer.weights
        self.trainable = self.layer.trainable_weights
        self.jitted = jax.jit(self._gradients, static_argnums=2)

    def _gradients(self, values: Any, chosen: Any, training: bool) -> Any:
        def value(own: Any, chosen: Any) -> Any:
            now = {id(v): x for v, x in zip(self.variables, values, strict=True)}
            now |= {id(v): x for v, x in zip(self.trainable, own, strict=True)}
            pairs = [(v, now[id(v)]) for v in self.variables]
            with theirs.StatelessScope(state_mapping=pairs, collect_losses=True) as scope:
                outputs = jax.tree.leaves(
                    self.layer(
                        *self.row.arguments(self._given(chosen)),
                        training=training,
                        **self.row.options(),
                    )
                )
                total = summed(outputs) + sum(self.layer.losses)
            kept = [scope.get_current_value(v) for v in self.variables]
            kept = [x if new is None else new for x, new in zip(values, kept, strict=True)]
            return total, (outputs, kept)

        mine = {id(v) for v in self.trainable}
        own = [x for v, x in zip(self.variables, values, strict=True) if id(v) in mine]
        return jax.grad(value, (0, 1), has_aux=True)(own, chosen)

    def _given(self, chosen: Any) -> list[Any]:
        chosen = iter(chosen)
        return [next(chosen) if x.dtype.kind == "f" else x for x in self.inputs]

    def gradients(self, training: bool) -> Any:
        """((of the trainable weights, of the inputs), (outputs, weights afterwards))."""
        values = [v.value for v in self.variables]
        chosen = [x for x in self.inputs if x.dtype.kind == "f"]
        return self.jitted(values, chosen, training)

    def train(self, training: bool) -> list[Any]:
        optimizer = theirs.optimizers.SGD(RATE)
        for _ in range(STEPS):
            (slopes, _), (_, kept) = self.gradients(training)
            for variable, value in zip(self.variables, kept, strict=True):
                variable.assign(value)
            if slopes:
                optimizer.apply(slopes, self.trainable)
        return [np.asarray(v) for v in self.variables]


class Ours(Side):
    """The row's layer in bital."""

    def __init__(self, row: Any) -> None:
        self.row, self.layer, self.inputs = row, row.make(bital.keras), row.inputs()
        self.layer._dtype = np.dtype(np.float64)  # Keras's is global
        if row.adapt:
            self.layer.adapt(self.inputs[0])
        self.layer(*row.arguments(self.inputs), **row.options())
        if not row.adapt:
            self.layer.set_weights(row.weights(self.layer.weights))
        self.variables = self.layer.weights
        self.trainable = self.layer.trainable_weights

    def gradients(self, training: bool) -> Any:
        def value(both: Any) -> Any:
            own, chosen = both
            given = iter(chosen)
            inputs = [next(given) if x.dtype.kind == "f" else x for x in self.inputs]
            with holding(self.variables, values), holding(self.trainable, own):
                outputs = bital.tree.leaves(
                    self.layer(*self.row.arguments(inputs), training=training, **self.row.options())
                )
                total = summed(outputs) + sum(self.layer.losses)
                return total, (outputs, [v.value for v in self.variables])

        values = [v.value for v in self.variables]
        own = [v.value for v in self.trainable]
        chosen = [x for x in self.inputs if x.dtype.kind == "f"]
        if not own and not chosen:
            return ([], []), value(([], []))[1]
        (_, aux), slopes = bital.value_and_grad(value, has_aux=True)((own, chosen))
        return slopes, aux

    def train(self, training: bool) -> list[Any]:
        optimizer = bital.keras.optimizers.SGD(RATE)
        for _ in range(STEPS):
            (slopes, _), (_, kept) = self.gradients(training)
            for variable, value in zip(self.variables, kept, strict=True):
                variable.assign(value)
            if slopes:
                optimizer.apply(slopes, self.trainable)
        return [v.numpy() for v in self.variables]


def close(what: str, row: Any, got: Any, want: Any) -> None:
    assert len(got) == len(want), f"{what}: {len(got)} and in Keras {len(want)}"
    for number, (a, b) in enumerate(zip(got, want, strict=True)):
        a, b = np.asarray(a), np.asarray(b)
        assert (a.shape, a.dtype.kind) == (b.shape, b.dtype.kind), f"{what} {number}"
        if b.dtype.kind == "f":
            atol = row.tolerance * np.max(np.abs(b), initial=1e-3)
            np.testing.assert_allclose(a, b, rtol=0, atol=atol, err_msg=f"{what} {number}")
        else:
            np.testing.assert_array_equal(a, b, err_msg=f"{what} {number}")


def shapes(value: Any) -> Any:
    """A shape, or a list, tuple or dict of shapes, as plain lists."""
    if isinstance(value, dict):
        return {key: shapes(item) for key, item in value.items()}
    return [shapes(item) for item in value] if isinstance(value, (list, tuple)) else value


@rows
def test_agrees(row: Any) -> None:
    keras, ours = Keras(row), Ours(row)
    assert ours.described() == keras.described()
    unknown = row.arguments([(None, *x.shape[1:]) for x in ours.inputs])
    symbolic = [each.layer.compute_output_shape(*unknown) for each in (ours, keras)]
    assert shapes(symbolic[0]) == shapes(symbolic[1]), "compute_output_shape"
    times = (False, True) if keras.layer._call_has_training_arg and not row.random else (False,)
    for training in times:
        slopes, (outputs, kept) = ours.gradients(training)
        their_slopes, (their_outputs, their_kept) = keras.gradients(training)
        when = f"training={training}: "
        close(when + "outputs", row, outputs, their_outputs)
        close(when + "gradients of weights", row, slopes[0], their_slopes[0])
        close(when + "gradients of inputs", row, slopes[1], their_slopes[1])
        close(when + "weights assigned", row, kept, their_kept)
    if ours.variables:
        close("after SGD", row, ours.train(times[-1]), keras.train(times[-1]))


@rows
def test_configuration_agrees(row: Any) -> None:
    ours, keras = row.make(bital.keras).get_config(), row.make(theirs).get_config()
    apart = {"name", *REFUSED, *row.config_apart}
    assert set(keras) - set(ours) <= apart, "arguments of Keras that the configuration lacks"
    given = {key for key in ours if ours[key] is not None}
    assert given - set(keras) <= apart, "names that Keras does not have"
    for key in (set(ours) & set(keras)) - apart:
        assert plain(ours[key]) == plain(keras[key]), key


def plain(value: Any) -> Any:
    """Configured values in a form that both share: of an object its class."""
    if isinstance(value, dict) and set(value) == {"layer"}:
        value = value["layer"]
    if isinstance(value, dict) and "class_name" in value:
        return value["class_name"]
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
