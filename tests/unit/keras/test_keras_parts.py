"""Variables, initializers, metrics, losses, optimizers, utilities: what no other file tests."""

import inspect
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bital
from bital import keras
from bital.errors import ArgumentError, DataError, ShapeError
from bital.keras import initializers, losses, metrics, optimizers
from bital.keras.variables import Variable, holding


class TestVariable:
    def make(self):
        return Variable(np.array([[1.0, 2.0], [3.0, 4.0]]), name="w")

    def test_takes_part_in_numpy_as_its_value(self):
        v, a = self.make(), self.make().numpy()
        for result, expected in [
            (v + 1, a + 1),
            (1 - v, 1 - a),
            (v @ v, a @ a),
            (a @ v, a @ a),
            (np.exp(v), np.exp(a)),
            (np.concatenate([v, a], axis=1), np.concatenate([a, a], axis=1)),
            (np.where(v > 2, v, 0), np.where(a > 2, a, 0)),
            (np.sum(v, axis=0), a.sum(axis=0)),
            (np.add.reduce(v, axis=1), a.sum(axis=1)),
            (np.einsum("ij,jk->ik", v, v), a @ a),
            (v[0], a[0]),
            (v[v > 2], a[a > 2]),
            (v.T, a.T),
            (v.reshape(4), a.reshape(4)),
            (v.astype(np.float64), a.astype(np.float64)),
            (np.asarray(v), a),
            (-v, -a),
            (abs(v), abs(a)),
        ]:
            assert not isinstance(result, Variable)
            assert np.asarray(result).dtype == np.asarray(expected).dtype
            np.testing.assert_array_equal(result, expected)
        assert len(v) == 2
        assert float(Variable(np.float32(2))) == 2.0

    def test_properties(self):
        v = self.make()
        assert (v.shape, v.ndim, v.size, v.dtype) == ((2, 2), 2, 4, np.float32)
        assert repr(v) == "<Variable w shape=(2, 2) dtype=float32 trainable=True>"

    def test_in_place_operators_change_the_variable(self):
        v = kept = self.make()
        v += 1
        assert v is kept
        np.testing.assert_array_equal(kept, [[2, 3], [4, 5]])
        with pytest.raises(ShapeError, match=r"'w'.*\(3, 2, 2\)"):
            v *= np.ones((3, 2, 2))

    def test_out_may_be_a_plain_array(self):
        out = np.zeros((2, 2), np.float32)
        assert np.add(self.make(), 1, out=out) is out
        np.testing.assert_array_equal(out, [[2, 3], [4, 5]])

    def test_assign(self):
        v = self.make()
        given = np.zeros((2, 2))
        assert v.assign(given) is v
        given += 5
        np.testing.assert_array_equal(v, 0)
        assert v.value.dtype == np.float32
        v.assign([[1, 2], [3, 4]])
        v.assign(Variable(np.ones((2, 2))))
        np.testing.assert_array_equal(v, 1)
        for wrong in (np.zeros(2), 3.0, [[1, 2]]):
            with pytest.raises(ShapeError, match="has shape"):
                v.assign(wrong)

    def test_numpy_is_a_copy(self):
        v = self.make()
        v.numpy()[:] = 9
        assert v.numpy()[0, 0] == 1

    def test_traced(self):
        v = self.make()

        def loss(value):
            with holding([v], [value]):
                joined = np.concatenate([v, np.exp(v)], axis=0)
                return np.sum(joined * 2) + np.sum(v[0] @ v) + np.sum(v.T)

        a = v.numpy().astype(np.float64)
        bital.check_grads(loss, (a,), order=2)
        assert v.value.dtype == np.float32  # the value is back
        assert bital.jit(loss)(a) == pytest.approx(loss(a))

    def test_the_value_is_back_after_an_error(self):
        v = self.make()
        kept = v.value
        with pytest.raises(RuntimeError), holding([v], [None]):
            raise RuntimeError
        assert v.value is kept

    def test_an_array_within_a_trace_is_refused(self):
        v = self.make()

        def leak(value):
            with holding([v], [value]):
                return np.asarray(v).sum()

        with pytest.raises(bital.errors.TracerConversionError):
            bital.grad(leak)(v.numpy())

    def test_initializer_must_return_the_shape(self):
        with pytest.raises(ShapeError, match="'w' returned shape"):
            Variable(lambda shape, dtype: np.zeros(3), (2,), name="w")


SHAPE = (200, 300)
# name: (initializer, expected standard deviation, limit)
SPREAD = {
    "random_normal": (initializers.RandomNormal(stddev=0.2, seed=0), 0.2, math.inf),
    "truncated_normal": (
        initializers.TruncatedNormal(stddev=0.2, seed=0),
        0.2 * 0.87962566,
        0.4,
    ),
    "random_uniform": (initializers.RandomUniform(-0.3, 0.3, seed=0), 0.6 / math.sqrt(12), 0.3),
    "glorot_uniform": (
        initializers.GlorotUniform(seed=0),
        math.sqrt(2 / 500),
        math.sqrt(6 / 500),
    ),
    "glorot_normal": (
        initializers.GlorotNormal(seed=0),
        math.sqrt(2 / 500),
        2 * math.sqrt(2 / 500) / 0.8796,
    ),
    "he_uniform": (initializers.HeUniform(seed=0), math.sqrt(2 / 200), math.sqrt(6 / 200)),
    "he_normal": (
        initializers.HeNormal(seed=0),
        math.sqrt(2 / 200),
        2 * math.sqrt(2 / 200) / 0.8796,
    ),
    "lecun_uniform": (initializers.LecunUniform(seed=0), math.sqrt(1 / 200), math.sqrt(3 / 200)),
    "lecun_normal": (
        initializers.LecunNormal(seed=0),
        math.sqrt(1 / 200),
        2 * math.sqrt(1 / 200) / 0.8796,
    ),
    "variance_scaling": (
        initializers.VarianceScaling(3.0, "fan_out", "untruncated_normal", seed=0),
        math.sqrt(3 / 300),
        math.inf,
    ),
}


class TestInitializers:
    @pytest.mark.parametrize("name", SPREAD)
    def test_spread(self, name):
        initializer, stddev, limit = SPREAD[name]
        values = initializer(SHAPE, np.float32)
        assert values.dtype == np.float32
        assert values.shape == SHAPE
        assert values.std() == pytest.approx(stddev, rel=0.02)
        assert abs(values.mean()) < 4 * stddev / math.sqrt(values.size)
        assert np.abs(values).max() <= limit

    @pytest.mark.parametrize("name", SPREAD)
    def test_seeds_names_and_configs(self, name):
        kind = type(SPREAD[name][0])
        seeded = kind(seed=4)
        np.testing.assert_array_equal(seeded((3, 4)), seeded((3, 4)))
        np.testing.assert_array_equal(seeded((3, 4)), kind(seed=4)((3, 4)))
        free = initializers.get(name)
        assert type(free) is kind
        assert (free((3, 4)) != free((3, 4))).any()
        keras.utils.set_random_seed(1)
        one = free((3, 4))
        keras.utils.set_random_seed(1)
        np.testing.assert_array_equal(one, free((3, 4)))
        data = json.loads(json.dumps(initializers.VOCABULARY.serialize(seeded)))
        np.testing.assert_array_equal(initializers.get(data)((3, 4)), seeded((3, 4)))

    def test_plain_values(self):
        np.testing.assert_array_equal(initializers.get("zeros")((2,)), [0, 0])
        np.testing.assert_array_equal(initializers.get("ones")((2,)), [1, 1])
        np.testing.assert_array_equal(initializers.Constant(0.5)((2,)), [0.5, 0.5])
        np.testing.assert_array_equal(initializers.Identity(2)((2, 3)), [[2, 0, 0], [0, 2, 0]])
        np.testing.assert_array_equal(initializers.get(initializers.Ones)((2,)), [1, 1])
        with pytest.raises(ArgumentError, match=r"\(3,\)"):
            initializers.Identity()((3,))

    @pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (2, 3, 4)])
    def test_orthogonal(self, shape):
        m = initializers.Orthogonal(2.0, seed=0)(shape, np.float64).reshape(-1, shape[-1])
        square = m @ m.T if len(m) <= shape[-1] else m.T @ m
        np.testing.assert_allclose(square, 4 * np.eye(len(square)), atol=1e-12)
        with pytest.raises(ArgumentError, match="matrices"):
            initializers.Orthogonal()((3,))

    def test_fans_of_kernels_of_more_axes(self):
        values = initializers.HeUniform(seed=0)((3, 3, 8, 16))
        assert np.abs(values).max() == pytest.approx(math.sqrt(6 / 72), rel=0.01)
        assert initializers.HeUniform(seed=0)(()).shape == ()

    @pytest.mark.parametrize(
        ("make", "named"),
        [
            (lambda: initializers.get("he"), "he_normal"),
            (lambda: initializers.get(3), "3 of type int"),
            (lambda: initializers.RandomNormal(stddev=-1), "stddev=-1"),
            (lambda: initializers.RandomUniform(1, 0), "maxval=0"),
            (lambda: initializers.Constant("a"), "value='a'"),
            (lambda: initializers.Constant(math.inf), "value=inf"),
            (lambda: initializers.Constant(10**400), "value=1000"),
            (lambda: initializers.GlorotUniform(seed=-1), "seed=-1"),
            (lambda: initializers.VarianceScaling(mode="fan"), "mode='fan'"),
            (lambda: initializers.VarianceScaling(scale=0), "scale=0"),
        ],
    )
    def test_arguments(self, make, named):
        with pytest.raises(ArgumentError, match=named):
            make()


class TestMetrics:
    @given(
        st.lists(st.tuples(st.floats(-9, 9), st.floats(0, 3)), min_size=1, max_size=20),
        st.integers(0, 20),
    )
    def test_any_cut_gives_one_mean(self, pairs, cut):
        values, weights = np.array(pairs).T
        metric = metrics.Mean()
        for part in (slice(0, cut), slice(cut, None)):
            if len(values[part]):
                metric.update_state(values[part], weights[part])
        total = weights.sum()
        expected = (values * weights).sum() / total if total else 0.0
        assert metric.result() == pytest.approx(expected, rel=1e-9, abs=1e-9)

    def test_reset(self):
        metric = metrics.Accuracy()
        assert metric([1, 0], [1, 1]) == 0.5
        metric.reset_state()
        assert metric.result() == 0.0
        assert metric([1], [1]) == 1.0

    def test_ties_in_top_k_count_for_the_label(self):
        metric = metrics.SparseTopKCategoricalAccuracy(k=1)
        assert metric([0, 1], [[0.5, 0.5], [0.5, 0.5]]) == 1.0

    @pytest.mark.parametrize(
        "name",
        [
            "accuracy",
            "binary_accuracy",
            "categorical_accuracy",
            "sparse_categorical_accuracy",
            "top_k_categorical_accuracy",
            "sparse_top_k_categorical_accuracy",
            "mse",
            "mae",
            "rmse",
            "MeanSquaredError",
            "mean",
        ],
    )
    def test_names_and_configs(self, name):
        metric = metrics.get(name)
        data = json.loads(json.dumps(metrics.VOCABULARY.serialize(metric)))
        assert metrics.VOCABULARY.deserialize(data).get_config() == metric.get_config()

    def test_shapes_that_would_broadcast(self):
        with pytest.raises(ShapeError, match=r"\(3,\).*\(3, 2\)"):
            metrics.Accuracy()(np.zeros(3), np.zeros((3, 2)))
        with pytest.raises(ShapeError):
            metrics.MeanSquaredError()(np.zeros(3), np.zeros((3, 2)))
        with pytest.raises(ShapeError, match="one weight for each sample"):
            metrics.Accuracy()(np.zeros(3), np.zeros(3), sample_weight=np.ones(2))

    def test_top_k_argument(self):
        with pytest.raises(ArgumentError, match="k=0"):
            metrics.TopKCategoricalAccuracy(k=0)


class TestLosses:
    @pytest.mark.parametrize("name", [cls for cls in losses.__all__ if cls[0].isupper()][:6])
    def test_configs(self, name):
        loss = getattr(losses, name)(reduction="sum", name="mine")
        data = json.loads(json.dumps(losses.VOCABULARY.serialize(loss)))
        assert losses.get(data).get_config() == loss.get_config()
        assert losses.get(name).name == losses.get(losses.get(name).name).name

    def test_no_reduction_by_hand(self):
        loss = losses.MeanSquaredError(reduction=None)
        np.testing.assert_array_equal(loss([[1.0], [2.0]], [[0.0], [0.0]]), [1, 4])
        np.testing.assert_array_equal(
            loss([[1.0], [2.0]], [[0.0], [0.0]], sample_weight=[1, 0.5]), [1, 2]
        )

    def test_all_weights_zero(self):
        loss = losses.MeanSquaredError(reduction="mean_with_sample_weight")
        assert loss([[1.0]], [[0.0]], sample_weight=[0.0]) == 0

    def test_columns_pair_with_rows_of_numbers(self):
        assert losses.MeanSquaredError()([1.0, 2.0], [[1.0], [2.0]]) == 0
        with pytest.raises(ShapeError):
            losses.MeanSquaredError()([1.0, 2.0], [[1.0, 2.0], [2.0, 1.0], [0, 0]])

    @pytest.mark.parametrize(
        ("make", "named"),
        [
            (lambda: losses.get("crossentropy"), "categorical_crossentropy"),
            (lambda: losses.Huber(delta=0), "delta=0"),
            (lambda: losses.BinaryCrossentropy(from_logits="yes"), "from_logits='yes'"),
            (lambda: losses.CategoricalCrossentropy(label_smoothing=2), "label_smoothing=2"),
            (lambda: losses.MeanSquaredError(reduction="max"), "reduction='max'"),
            (lambda: losses.MeanSquaredError(name="a/b"), "name='a/b'"),
        ],
    )
    def test_arguments(self, make, named):
        with pytest.raises(ArgumentError, match=named):
            make()


class TestOptimizers:
    @pytest.mark.parametrize("name", sorted(optimizers.VOCABULARY.classes))
    def test_names_and_configs(self, name):
        kind = getattr(optimizers, name)
        for alias in (name, name.lower(), name.upper()):
            assert type(optimizers.get(alias)) is kind
        optimizer = kind(0.5, weight_decay=0.1, name="mine")
        data = json.loads(json.dumps(optimizers.VOCABULARY.serialize(optimizer)))
        assert optimizers.get(data).get_config() == optimizer.get_config()
        assert "learning_rate" in inspect.signature(kind).parameters

    def test_learning_rate_is_checked_when_it_is_set(self):
        optimizer = optimizers.Adam()
        with pytest.raises(ArgumentError, match="learning_rate=-1"):
            optimizer.learning_rate = -1
        optimizer.learning_rate = np.float32(0.25)
        assert optimizer.learning_rate == 0.25

    @pytest.mark.parametrize(
        ("make", "named"),
        [
            (lambda: optimizers.SGD(lr=0.1), "no argument 'lr'"),
            (lambda: optimizers.SGD(loss_scale_factor=2.0), "loss_scale_factor=2.0"),
            (lambda: optimizers.SGD(ema_momentum=1.5), "ema_momentum=1.5"),
            (lambda: optimizers.SGD(gradient_accumulation_steps=1), "at least 2"),
            (lambda: optimizers.Adam(beta_1=2), "beta_1=2"),
            (lambda: optimizers.Adam(10**400), "learning_rate=1000"),
            (lambda: optimizers.get("adamx"), "adamax"),
            (lambda: optimizers.SGD().apply([np.ones(1)]), r"apply\(gradients, variables\)"),
        ],
    )
    def test_arguments(self, make, named):
        with pytest.raises(ArgumentError, match=named):
            make()

    def test_apply_gradients(self):
        v = Variable(np.ones(2))
        optimizer = optimizers.SGD(0.5)
        optimizer.apply_gradients([(np.ones(2, np.float32), v)])
        np.testing.assert_array_equal(v, [0.5, 0.5])
        with pytest.raises(ArgumentError, match="other weights"):
            optimizer.apply([np.ones(2)], [Variable(np.ones(2))])


class TestUtils:
    def test_to_categorical(self):
        np.testing.assert_array_equal(
            keras.utils.to_categorical([[0], [2]]), [[1, 0, 0], [0, 0, 1]]
        )
        assert keras.utils.to_categorical([0.0, 1.0], 4).shape == (2, 4)

    @pytest.mark.parametrize(
        ("x", "classes", "named"),
        [
            ([0, 3], 3, r"x\[1\] is 3"),
            ([-1], None, r"x\[0\] is -1"),
            ([0.5], None, "integers"),
            (["a"], None, "integers"),
            ([], None, "empty"),
        ],
    )
    def test_to_categorical_refuses(self, x, classes, named):
        with pytest.raises(DataError, match=named):
            keras.utils.to_categorical(x, classes)

    def test_set_random_seed(self):
        keras.utils.set_random_seed(3)
        one = np.random.rand(), keras.random_state.fresh_seed()
        keras.utils.set_random_seed(3)
        assert one == (np.random.rand(), keras.random_state.fresh_seed())
        with pytest.raises(ArgumentError, match="seed"):
            keras.utils.set_random_seed(-1)

    def test_datasets_are_reachable(self):
        from bital.keras.datasets import mnist

        assert mnist is bital.datasets.mnist is keras.datasets.mnist

    def test_no_engine_code(self):
        """bital.keras is NumPy and public bital functions: it imports no folder of the engine."""
        from pathlib import Path

        folder = Path(keras.__file__).parent
        engine = ("program", "primitives", "numpy_language", "transforms", "passes", "executors")
        for path in folder.rglob("*.py"):
            text = path.read_text()
            for name in engine:
                assert f"bital.{name}" not in text, path
                assert f"from bital import {name}" not in text, path
