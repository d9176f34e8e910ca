"""Where samples come from: tables, generators, objects that make batches, arrays on disk."""

import subprocess
import sys

import numpy as np
import pytest

import bital
from bital import keras
from bital.errors import ArgumentError, DataError, NonFiniteLossError, ShapeError
from bital.keras import layers
from bital.keras.models.data import mapped, parts

RNG = np.random.default_rng(0)
X = RNG.normal(size=(53, 4)).astype(np.float32)
Y = (X @ RNG.normal(size=(4, 1))).astype(np.float32)


@pytest.fixture(autouse=True)
def on_numpy():
    with bital.config.executor("numpy"):
        yield


def made():
    keras.utils.set_random_seed(2)
    model = keras.Sequential([layers.Input((4,)), layers.Dense(3, "tanh"), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def trained(*data, model=None, **options):
    model = model or made()
    history = model.fit(*data, verbose=0, seed=3, **options)
    return model.get_weights(), history.history


def assert_same(one, two):
    assert one[1] == two[1]
    for mine, its in zip(one[0], two[0], strict=True):
        np.testing.assert_array_equal(mine, its)


class Numbered:
    """As Keras's PyDataset."""

    def __init__(self, size=8):
        self.size = size
        self.epochs = 0
        self.asked = []

    def __len__(self):
        return -(-len(X) // self.size)

    def __getitem__(self, number):
        self.asked.append(number)
        rows = slice(number * self.size, (number + 1) * self.size)
        return X[rows], Y[rows]

    def on_epoch_end(self):
        self.epochs += 1


def batches(size=8, forever=False):
    while True:
        for start in range(0, len(X), size):
            yield X[start : start + size], Y[start : start + size]
        if not forever:
            return


class TestBatches:
    def test_a_generator_is_the_same_training_as_the_arrays(self):
        expected = trained(X, Y, batch_size=8, epochs=3, shuffle=False)
        assert_same(trained(batches(forever=True), steps_per_epoch=7, epochs=3), expected)

    def test_an_iterable_begins_anew(self):
        class Again:
            def __iter__(self):
                return batches()

        expected = trained(X, Y, batch_size=8, epochs=3, shuffle=False)
        assert_same(trained(Again(), epochs=3), expected)

    @pytest.mark.parametrize("eagerly", [False, True])
    def test_numbered_batches(self, eagerly):
        data = Numbered()
        model = made()
        model.run_eagerly = eagerly
        expected = trained(X, Y, batch_size=8, epochs=2, shuffle=False)
        assert_same(trained(data, model=model, epochs=2, shuffle=False), expected)
        assert data.epochs == 2
        assert data.asked == [0, *range(7), *range(7)]

    def test_numbered_batches_are_shuffled(self):
        data, again = Numbered(), Numbered()
        assert_same(trained(data, epochs=2), trained(again, epochs=2))
        assert sorted(data.asked[1:8]) == list(range(7))
        assert data.asked[1:8] not in (list(range(7)), data.asked[8:])

    def test_validation_evaluation_and_prediction(self):
        model = made()
        logs = trained(X, Y, model=model, validation_data=Numbered(), epochs=2)[1]
        found = model.evaluate(Numbered(), verbose=0)
        assert found == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-6)
        assert logs["val_loss"][-1] == pytest.approx(found[0], rel=1e-6)
        np.testing.assert_allclose(model.predict(Numbered()), model.predict(X), rtol=1e-6)
        np.testing.assert_allclose(
            model.predict((x for x, _ in batches()), steps=2), model.predict(X[:16]), rtol=1e-6
        )

    def test_class_weights(self):
        labels = (Y[:, 0] > 0).astype(int)
        weights = {0: 1.0, 1: 3.0}

        def pairs():
            for start in range(0, len(X), 8):
                yield X[start : start + 8], labels[start : start + 8]

        def model():
            keras.utils.set_random_seed(2)
            made = keras.Sequential([layers.Input((4,)), layers.Dense(2)])
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            made.compile("sgd", loss)
            return made

        options = {"class_weight": weights}
        expected = trained(X, labels, model=model(), batch_size=8, shuffle=False, **options)
        assert_same(trained(pairs(), model=model(), **options), expected)

    def test_the_model_is_built_by_the_first_batch(self):
        model = keras.Sequential([layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(batches(), verbose=0)
        assert model.optimizer.iterations == 7

    @pytest.mark.parametrize(
        ("data", "options", "error", "named"),
        [
            (batches, {"epochs": 2}, DataError, "ended after 0 batches"),
            (batches, {"steps_per_epoch": 9}, DataError, "ended after 7 batches of 9"),
            (batches, {"batch_size": 4}, ArgumentError, "batch_size=4"),
            (batches, {"y": Y}, DataError, "targets"),
            (batches, {"validation_split": 0.5}, ArgumentError, "needs arrays"),
            (batches, {"resume": "folder"}, ArgumentError, "go back"),
            (lambda: X, {"y": Y, "steps_per_epoch": 0}, ArgumentError, "steps"),
            (lambda: iter([]), {}, DataError, "no batch"),
            (lambda: iter([(X, Y, None, 1)]), {}, DataError, "4 items"),
            (lambda: iter([(X[:, :3], Y)]), {}, ShapeError, r"\(53, 3\)"),
            (lambda: iter([(X, Y), (X * np.nan, Y)]), {}, DataError, "NaN"),
        ],
    )
    def test_refusals(self, data, options, error, named):
        with pytest.raises(error, match=named):
            made().fit(data(), verbose=0, **options)

    def test_an_error_in_the_source_ends_the_training(self):
        class Broken(Numbered):
            def __getitem__(self, number):
                if number == 3:
                    raise RuntimeError("the disk is gone")
                return super().__getitem__(number)

        with pytest.raises(RuntimeError, match="disk is gone"):
            made().fit(Broken(), shuffle=False, verbose=0)


@pytest.fixture
def on_disk(tmp_path, monkeypatch):
    """X and Y as files, read in parts of two batches of 8."""
    monkeypatch.setattr(parts, "_PART_BYTES", 2 * 8 * 5 * 4)
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    return np.load(tmp_path / "x.npy", mmap_mode="r"), np.load(tmp_path / "y.npy", mmap_mode="r")


class TestMapped:
    @pytest.mark.parametrize("shuffle", [False, True])
    @pytest.mark.parametrize("rows", [53, 48, 5])
    def test_the_same_training_as_in_memory(self, on_disk, shuffle, rows):
        x, y = (array[:rows] for array in on_disk)
        options = {"batch_size": 8, "epochs": 3, "shuffle": shuffle}
        assert_same(trained(x, y, **options), trained(X[:rows], Y[:rows], **options))

    def test_weights_split_and_looking(self, on_disk):
        weights = np.linspace(0, 1, 53)
        options = {"batch_size": 8, "validation_split": 0.3, "sample_weight": weights}
        mine, its = made(), made()
        assert_same(trained(*on_disk, model=mine, **options), trained(X, Y, model=its, **options))
        assert mine.evaluate(*on_disk, verbose=0) == its.evaluate(X, Y, verbose=0)
        np.testing.assert_allclose(mine.predict(on_disk[0]), its.predict(X), rtol=1e-6)

    def test_nothing_is_read_as_a_whole(self, on_disk, monkeypatch):
        most = []
        original = mapped._gathered
        monkeypatch.setattr(
            mapped, "_gathered", lambda a, rows: (most.append(len(rows)), original(a, rows))[1]
        )
        trained(*on_disk, batch_size=8, epochs=2)
        assert max(most) == 16

    def test_bad_values_are_found_where_they_are_read(self, tmp_path, on_disk):
        x = np.lib.format.open_memmap(tmp_path / "bad.npy", "w+", np.float32, X.shape)
        x[:] = X
        x[40, 1] = np.nan
        with pytest.raises(DataError, match="NaN"):
            made().fit(x, on_disk[1], batch_size=8, shuffle=False, verbose=0)
        with pytest.raises(ShapeError, match="expects"):
            made().fit(x[:, :3], on_disk[1], verbose=0)
        with pytest.raises(DataError, match="differ in their number"):
            made().fit(x, on_disk[1][:20], verbose=0)

    def test_a_loss_that_breaks_is_explained_with_the_places_on_disk(self, tmp_path, on_disk):
        y = np.lib.format.open_memmap(tmp_path / "large.npy", "w+", np.float32, Y.shape)
        y[:] = Y
        y[44] = 3e38
        with pytest.raises(NonFiniteLossError, match="training samples 44"):
            made().fit(on_disk[0], y, batch_size=8, verbose=0, seed=5)


class Series:
    """What bital uses of a column of pandas or polars."""

    def __init__(self, values):
        self.values = np.asarray(values)
        self.dtype = self.values.dtype

    def to_numpy(self):
        return self.values


class Table:
    def __init__(self, **columns):
        self.held = {name: Series(values) for name, values in columns.items()}
        self.columns = list(self.held)

    def __getitem__(self, name):
        return self.held[name]

    def to_numpy(self):
        raise AssertionError("a table is taken column by column")


Series.__module__ = Table.__module__ = "pandas.core"


class TestTables:
    def table(self, **more):
        return Table(a=X[:, 0], b=X[:, 1], c=X[:, 2], d=X[:, 3], **more)

    def test_columns_in_order(self):
        assert_same(trained(self.table(), Series(Y[:, 0])), trained(X, Y))
        assert made().predict(self.table()).shape == (53, 1)

    def test_a_column_without_numbers_is_named(self):
        table = self.table()
        table.held["c"] = Series(["red"] * 53)
        with pytest.raises(DataError, match=r"x\['c'\].*'red'"):
            made().fit(table, Y, verbose=0)

    def test_missing_values_are_named(self):
        table = self.table()
        table.held["c"] = Series(np.array([1.0, None] * 26 + [2], dtype=object))
        with pytest.raises(DataError, match=r"x\[1, 2\] is NaN"):
            made().fit(table, Y, verbose=0)

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_real_tables(self, library):
        frames = pytest.importorskip(library)
        table = frames.DataFrame({name: X[:, i] for i, name in enumerate("abcd")})
        assert_same(trained(table, frames.Series(Y[:, 0])), trained(X, Y))
        mixed = frames.DataFrame({"a": [1, 2], "b": ["x", "y"]})
        with pytest.raises(DataError, match=r"x\['b'\]"):
            made().fit(mixed, Y[:2], verbose=0)


_LARGE = """
import resource, sys
import numpy as np
import bital
from bital import keras

rows, width = {rows}, 256
x = np.load(sys.argv[1], mmap_mode="r")
model = keras.Sequential([keras.Input((width,)), keras.layers.Dense(1)])
model.compile("sgd", "mse", executor="{executor}")
model.fit(np.zeros((64, width), np.float32), np.zeros((64, 1)), batch_size=32, verbose=0)
with open("/proc/self/statm") as file:
    mapped = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (mapped + {allowed}, mapped + {allowed}))
try:
    np.array(x)
except MemoryError:
    pass
else:
    raise SystemExit("the array fits into memory: the test says nothing")
model.fit(x, np.zeros((rows, 1), np.float32), batch_size=1024, verbose=0, validation_split=0.1)
print(model.optimizer.iterations)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, sets RLIMIT_AS")
@pytest.mark.parametrize("chosen", ["numpy", "native"])
def test_an_array_larger_than_the_memory_that_is_allowed(tmp_path, chosen):
    """Shuffled, validated, on a sparse file of 1 GB, with 384 MB of memory to be had."""
    rows = 1 << 20
    path = tmp_path / "large.npy"
    np.lib.format.open_memmap(path, "w+", np.float32, (rows, 256))
    program = _LARGE.format(rows=rows, executor=chosen, allowed=384 << 20)
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(2 + -(-int(rows * 0.9) // 1024))]
