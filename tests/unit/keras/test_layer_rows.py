"""Every row of the table of layers, by itself: shapes, dtypes, configuration, derivative, file."""

import json

import numpy as np
import pytest
from tables.keras_layers import ROWS

import bital
from bital import keras
from bital.keras import layers
from bital.keras.variables import holding

rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
STEP = 1e-6


@pytest.fixture(autouse=True)
def _numpy_executor():
    with bital.config.executor("numpy"):
        yield


def made(row, dtype="float64"):
    """The layer, built, with the row's weights; and the function that it is."""
    layer = row.make(keras)
    layer._dtype = np.dtype(dtype)  # the expression is Keras's, whose default is global
    inputs = [x.astype(dtype) if x.dtype.kind == "f" else x for x in row.inputs()]
    if row.adapt:
        layer.adapt(inputs[0])
    layer(*row.arguments(inputs), **row.options())
    if not row.adapt:
        layer.set_weights(row.weights(layer.weights))

    def run(weights, inputs, training=False):
        with (
            keras.random_state.keys(bital.random.key(3), np.uint64(0)),
            holding(layer.weights, weights),
        ):
            found = layer(*row.arguments(inputs), training=training, **row.options())
        return bital.tree.leaves(found)

    return layer, [w.numpy() for w in layer.weights], inputs, run


def as_shapes(value):
    """A shape, or a list, tuple or dict of shapes, as a flat list of tuples."""
    if isinstance(value, dict):
        value = list(value.values())
    if all(isinstance(size, (int, np.integer)) or size is None for size in value):
        return [tuple(value)]
    return [shape for item in value for shape in as_shapes(item)]


@rows
def test_shapes_and_dtypes(row):
    layer, weights, inputs, run = made(row, "float32")
    assert layer.built
    found = run(weights, inputs)
    shapes = [x.shape for x in inputs]
    expected = as_shapes(layer.compute_output_shape(*row.arguments(shapes)))
    assert [y.shape for y in found] == expected
    unknown = [(None, *shape[1:]) for shape in shapes]
    assert as_shapes(layer.compute_output_shape(*row.arguments(unknown))) == [
        (None, *shape[1:]) for shape in expected
    ]
    assert all(y.dtype == np.float32 for y in found if y.dtype.kind == "f")
    assert layer.count_params() == sum(w.size for w in weights)


@rows
def test_config_round_trip(row):
    layer = row.make(keras)
    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config


@rows
def test_gradient(row):
    """In a random direction of weights and inputs, while training, against differences."""
    _, weights, inputs, run = made(row)
    rng = np.random.default_rng(7)
    points = [*weights, *inputs]
    free = [i for i, point in enumerate(points) if point.dtype.kind == "f"]
    by = [rng.normal(size=y.shape) for y in run(weights, inputs)]

    def total(values):
        given = list(points)
        for place, value in zip(free, values, strict=True):
            given[place] = value
        found = run(given[: len(weights)], given[len(weights) :], training=True)
        return sum(
            (np.sum(y * b) for y, b in zip(found, by, strict=True) if y.dtype.kind == "f"),
            start=sum(0.0 * np.sum(value) for value in values),
        )

    start = [points[i] for i in free]
    if not start or not row.smooth:
        return
    direction = [rng.normal(size=point.shape) for point in start]
    slopes = bital.grad(total)(start)
    slope = sum(np.sum(g * d) for g, d in zip(slopes, direction, strict=True))
    sides = [
        total([p + sign * STEP * d for p, d in zip(start, direction, strict=True)])
        for sign in (1, -1)
    ]
    np.testing.assert_allclose(slope, (sides[0] - sides[1]) / (2 * STEP), rtol=2e-6, atol=2e-7)


@rows
def test_compiled_equals_plain(row):
    _, weights, inputs, run = made(row)
    compiled = bital.jit(run)(weights, inputs)
    for y, plain in zip(compiled, run(weights, inputs), strict=True):
        np.testing.assert_allclose(y, plain, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@rows
def test_native_equals_plain(row):
    """Outputs and gradients while training, in float32."""
    pytest.importorskip("llvmlite")
    _, weights, inputs, run = made(row, "float32")
    points = [*weights, *inputs]
    free = [i for i, point in enumerate(points) if point.dtype.kind == "f"]

    def outputs(chosen):
        given = list(points)
        for place, value in zip(free, chosen, strict=True):
            given[place] = value
        return run(given[: len(weights)], given[len(weights) :], training=True)

    def both(chosen):
        found, back = bital.vjp(outputs, chosen)
        by = [np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype) for y in found]
        return found, back(by)

    chosen = [points[i] for i in free]
    results = []
    for executor in ("numpy", "native"):
        with bital.config.executor(executor):
            results.append(bital.tree.leaves(bital.jit(both)(chosen)))
    scale = max(np.max(np.abs(want), initial=1e-3) for want in results[0])
    for want, got in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=3e-6 * scale)


@rows
def test_save_and_load(row, tmp_path):
    if len(row.shapes) > 1 or row.mask is not None:
        pytest.skip("not a layer of a Sequential model")
    layer, weights, inputs, run = made(row, "float32")
    if len(run(weights, inputs)) > 1:
        pytest.skip("not a layer of a Sequential model")
    model = keras.Sequential([layers.Input(row.shapes[0][1:]), layer])
    model.save(tmp_path / "m.safetensors")
    again = keras.models.load_model(tmp_path / "m.safetensors")
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(again.predict(inputs[0]), model.predict(inputs[0]))
