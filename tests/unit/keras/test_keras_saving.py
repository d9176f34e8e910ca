"""Model files: what comes back, what is refused, and that a file is whole or untouched.

Hostile files are written here with the format's own means, checksum and all, so that every refusal
is that of the check it is about.
"""

import json
import os
import struct

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bital import keras
from bital.errors import ArgumentError, ModelFileError, ModelStateError
from bital.keras import archive, layers
from bital.keras.models import load_model

X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
LABELS = np.arange(20) % 3


def trained(optimizer="adam", **options):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(5, activation="relu", kernel_initializer="he_normal"),
            layers.Dropout(0.25),
            layers.Dense(3, activation="softmax", name="head"),
        ],
        name="mine",
    )
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(k=2)],
    )
    model.fit(X, LABELS, epochs=2, batch_size=8, verbose=0, seed=0, **options)
    return model


@pytest.fixture(scope="module")
def model():
    return trained()


@pytest.fixture
def path(tmp_path, model):
    path = tmp_path / "m.safetensors"
    model.save(path)
    return path


def parts(path):
    with safetensors.safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return json.loads(file.metadata()["bital"]), tensors


def write(path, data, tensors, metadata=None):
    """A file with a right checksum, whatever it says."""
    text = data if isinstance(data, str) else json.dumps(data)
    whole = {"bital": text, "bital_crc32": archive.checksum(text, tensors)}
    safetensors.numpy.save_file(tensors, path, whole | (metadata or {}))


class TestRoundTrip:
    def test_everything_comes_back(self, model, path):
        again = load_model(path)
        assert again.name == "mine"
        assert again.get_config() == model.get_config()
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        assert again.evaluate(X, LABELS, verbose=0) == model.evaluate(X, LABELS, verbose=0)
        assert again.optimizer.get_config() == model.optimizer.get_config()
        for a, b in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
            np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize(
        "optimizer",
        [
            "sgd",
            keras.optimizers.SGD(0.1, momentum=0.9),
            keras.optimizers.RMSprop(momentum=0.5, centered=True),
            "adam",
            keras.optimizers.AdamW(1e-2, amsgrad=True, clipnorm=1.0),
        ],
        ids=lambda o: o if isinstance(o, str) else type(o).__name__,
    )
    def test_training_goes_on_where_it_stopped(self, tmp_path, optimizer):
        config = keras.optimizers.get(optimizer).get_config()
        kind = type(keras.optimizers.get(optimizer))
        whole = trained(kind.from_config(config))
        whole.fit(X, LABELS, initial_epoch=2, epochs=4, batch_size=8, verbose=0, seed=0)
        first = trained(kind.from_config(config))
        first.save(tmp_path / "m.safetensors")
        again = load_model(tmp_path / "m.safetensors")
        again.fit(X, LABELS, initial_epoch=2, epochs=4, batch_size=8, verbose=0, seed=0)
        for a, b in zip(whole.get_weights(), again.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_changed_learning_rate_is_kept(self, tmp_path):
        model = trained()
        model.optimizer.learning_rate = 1e-5
        model.save(tmp_path / "m.safetensors")
        assert load_model(tmp_path / "m.safetensors").optimizer.learning_rate == 1e-5

    def test_before_training_and_without_compiling(self, tmp_path):
        model = keras.Sequential([layers.Dense(2, input_shape=(3,))], dtype="float64")
        model.save(tmp_path / "m.safetensors")
        again = load_model(tmp_path / "m.safetensors")
        assert again.optimizer is None
        assert again.get_weights()[0].dtype == np.float64
        model.compile("adam", "mse", metrics="mae")
        model.save(tmp_path / "m.safetensors")
        again = load_model(tmp_path / "m.safetensors")
        again.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
        assert again.metrics[0].name == "mae"

    def test_without_optimizer(self, tmp_path, model, path):
        model.save(tmp_path / "small.safetensors", include_optimizer=False)
        assert (tmp_path / "small.safetensors").stat().st_size < path.stat().st_size
        assert load_model(tmp_path / "small.safetensors").optimizer is None
        assert load_model(path, compile=False).optimizer is None

    def test_models_within_models(self, tmp_path):
        inner = keras.Sequential([layers.Dense(3), layers.Dense(2)], name="inner")
        model = keras.Sequential([layers.Input((4,)), inner, layers.Dense(1)])
        model.save(tmp_path / "m.safetensors")
        again = load_model(tmp_path / "m.safetensors")
        np.testing.assert_array_equal(again.predict(X), model.predict(X))

    def test_a_frozen_layer(self, tmp_path):
        model = keras.Sequential(
            [layers.Input((4,)), layers.Dense(2, trainable=False), layers.Dense(1)]
        )
        model.compile("adam", "mse")
        model.fit(X, LABELS, verbose=0)
        model.save(tmp_path / "m.safetensors")
        again = load_model(tmp_path / "m.safetensors")
        again.fit(X, LABELS, verbose=0)
        np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])

    def test_loaded_weights_can_be_written_to(self, path):
        load_model(path).weights[0].value[0, 0] = 1.0

    def test_weights_alone(self, tmp_path, model):
        model.save_weights(tmp_path / "w.safetensors")
        other = keras.Sequential.from_config(model.get_config())
        other.build((None, 4))
        other.load_weights(tmp_path / "w.safetensors")
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
        with pytest.raises(ModelFileError, match="load_weights"):
            load_model(tmp_path / "w.safetensors")

    def test_weights_from_a_whole_model(self, path, model):
        other = keras.Sequential.from_config(model.get_config())
        other.build((None, 4))
        other.load_weights(path)
        np.testing.assert_array_equal(other.predict(X), model.predict(X))

    def test_weights_of_another_model_change_nothing(self, path):
        for units, said in ((5, "no tensor|nothing|does not have"), (6, "needs float32")):
            other = keras.Sequential([layers.Input((4,)), layers.Dense(units)])
            before = other.get_weights()
            with pytest.raises(ModelFileError, match=said):
                other.load_weights(path)
            np.testing.assert_array_equal(before[0], other.get_weights()[0])

    def test_other_programs_can_read_the_tensors(self, path, model):
        tensors = safetensors.numpy.load_file(path)
        np.testing.assert_array_equal(tensors["weights/head/kernel"], model.get_weights()[2])


class TestWriting:
    def test_unbuilt(self, tmp_path):
        with pytest.raises(ModelStateError, match="before it knows its input"):
            keras.Sequential([layers.Dense(1)]).save(tmp_path / "m.safetensors")

    @pytest.mark.parametrize("suffix", [".keras", ".h5", ".pkl", ".PT"])
    def test_suffix_of_another_format(self, tmp_path, model, suffix):
        with pytest.raises(ArgumentError, match=r"m\.safetensors"):
            model.save(tmp_path / f"m{suffix}")

    def test_overwrite(self, path, model):
        kept = path.read_bytes()
        with pytest.raises(ArgumentError, match="overwrite=False"):
            model.save(path, overwrite=False)
        assert path.read_bytes() == kept

    @pytest.mark.parametrize("failing", ["os.replace", "os.fsync", "safetensors.numpy.save_file"])
    def test_a_write_that_fails_leaves_the_file_and_nothing_else(
        self, path, model, monkeypatch, failing
    ):
        kept = path.read_bytes()

        def full(*arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(failing, full)
        with pytest.raises(OSError, match="No space"):
            model.save(path)
        assert path.read_bytes() == kept
        assert [p.name for p in path.parent.iterdir()] == [path.name]

    @pytest.mark.parametrize(
        "change",
        [
            lambda m: m.add(type("Own", (keras.layers.Dense,), {})(3)),
            lambda m: m.compile("sgd", type("Own", (keras.losses.Loss,), {})()),
            lambda m: m.compile("sgd", "mse", metrics=[type("Own", (keras.metrics.Metric,), {})()]),
            lambda m: m.layers[0].__setattr__(
                "kernel_initializer", keras.initializers.get(lambda shape, dtype: np.ones(shape))
            ),
        ],
    )
    def test_code_of_ones_own_is_refused_and_the_file_stays(self, tmp_path, change):
        model = trained()
        model.save(tmp_path / "m.safetensors")
        kept = (tmp_path / "m.safetensors").read_bytes()
        change(model)
        with pytest.raises(ArgumentError, match="holds data, never code"):
            model.save(tmp_path / "m.safetensors")
        assert (tmp_path / "m.safetensors").read_bytes() == kept

    def test_permissions(self, path, model):
        assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
        path.chmod(0o600)
        model.save(path)
        assert path.stat().st_mode & 0o777 == 0o600

    def test_folder_must_exist(self, tmp_path, model):
        with pytest.raises(FileNotFoundError):
            model.save(tmp_path / "nowhere" / "m.safetensors")


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def layer(data, index=0):
    return data["model"]["config"]["layers"][index]


def setting(*path_and_value):
    """A change of the JSON: keys down to a value."""
    *keys, last, value = path_and_value

    def change(data):
        for key in keys:
            data = data[key]
        data[last] = value

    return change


FIRST = ("model", "config", "layers", 0, "config")
# name: (change of the JSON, part of the message)
HOSTILE = {
    "huge units": (setting(*FIRST, "units", 10**12), "needs float32[4, 1000000000000]"),
    "units as float": (setting(*FIRST, "units", 1e12), "units=1000000000000.0"),
    "huge units of many digits": (setting(*FIRST, "units", 10**400), "needs float32"),
    "negative units": (setting(*FIRST, "units", -5), "units=-5"),
    "units as text": (setting(*FIRST, "units", "5"), "units='5'"),
    "units true": (setting(*FIRST, "units", True), "units=True"),
    "units null": (setting(*FIRST, "units", None), "units=None"),
    "huge input": (setting("model", "config", "input_shape", [10**15]), "needs float32"),
    "input of many axes": (setting("model", "config", "input_shape", [2] * 10**4), "needs"),
    "no input": (setting("model", "config", "input_shape", None), "not known"),
    "input as text": (setting("model", "config", "input_shape", "4"), "input_shape"),
    "unknown key": (setting(*FIRST, "code", "import os"), "no argument 'code'"),
    "unknown class": (
        setting("model", "config", "layers", 0, "class_name", "Evil"),
        "'Evil' is not the name of a layer",
    ),
    "class by path": (
        setting("model", "config", "layers", 0, "class_name", "os.system"),
        "not the name of a layer",
    ),
    "class of a wrong type": (
        setting("model", "config", "layers", 0, "class_name", ["Dense"]),
        "not the name of a layer",
    ),
    "module": (setting("model", "config", "layers", 0, "module", "os"), "'class_name' and"),
    "unknown activation": (setting(*FIRST, "activation", "eval"), "activation='eval'"),
    "activation of a wrong type": (setting(*FIRST, "activation", {"a": 1}), "stored function"),
    "rate too large": (
        setting("model", "config", "layers", 1, "config", "rate", 7.0),
        "rate=7.0",
    ),
    "layers as text": (setting("model", "config", "layers", "Dense"), "must be a list"),
    "no layers": (setting("model", "config", "layers", []), "no layers"),
    "layer null": (setting("model", "config", "layers", 0, None), "must be described"),
    "config null": (setting("model", "config", None), "must be a dict"),
    "same names": (setting(*FIRST, "name", "head"), "named 'head' already"),
    "name with a path": (setting(*FIRST, "name", "../../x"), "name='../../x'"),
    "other dtype": (setting(*FIRST, "dtype", "float64"), "needs float64"),
    "object dtype": (setting(*FIRST, "dtype", "object"), "dtype='object'"),
    "code initializer": (
        setting(*FIRST, "kernel_initializer", {"class_name": "eval", "config": {}}),
        "not the name of a initializer",
    ),
    "initializer as a path": (setting(*FIRST, "kernel_initializer", "os.system"), "os.system"),
    "initializer not as bital writes it": (
        setting(*FIRST, "kernel_initializer", "zeros"),
        "not one that bital writes",
    ),
    "a layer for a model": (
        lambda data: data.update(model=layer(data)),
        "a layer, not a model",
    ),
    "version": (setting("version", 3), "format version 3"),
    "version true": (setting("version", True), "format version True"),
    "format": (setting("format", "keras"), "format"),
    "top key": (setting("extra", 1), "extra"),
    "compile of a wrong type": (setting("compile", [1]), "'compile' must hold"),
    "unknown optimizer": (
        setting("compile", "optimizer", "class_name", "Evil"),
        "'Evil' is not the name of a optimizer",
    ),
    "learning rate": (
        setting("compile", "optimizer", "config", "learning_rate", -1),
        "learning_rate=-1",
    ),
    "other slots": (
        setting("compile", "optimizer", "config", "amsgrad", True),
        "velocity_hats",
    ),
    "unknown metric": (setting("compile", "metrics", ["__import__"]), "__import__"),
    "metrics as text": (setting("compile", "metrics", "acuracy"), "acuracy"),
    "loss without reduction": (
        setting("compile", "loss", "config", "reduction", "none"),
        "reduction",
    ),
}


class TestReading:
    def test_the_writer_of_these_tests_writes_files_that_load(self, path):
        write(path, *parts(path))
        load_model(path)

    @pytest.mark.parametrize("name", HOSTILE)
    def test_hostile_metadata(self, path, name):
        change, said = HOSTILE[name]
        data, tensors = parts(path)
        change(data)
        write(path, data, tensors)
        with pytest.raises(ModelFileError) as caught:
            load_model(path)
        assert said in str(caught.value)
        assert str(path) in str(caught.value)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "not valid"),
            ("null", "format"),
            ("[]", "format"),
            ("{", "not valid"),
            ("[" * 100_000, "not valid"),
            ("[" * 100 + "]" * 100, "nested"),
            ('{"format": NaN}', "NaN"),
            ('{"format": 1e999}', "too large"),
            ('{"version": ' + "9" * 5000 + "}", "not valid"),
            ('{"format": "bital.keras", "format": "bital.keras"}', "twice"),
            (" " * (5 << 20), "limit"),
        ],
    )
    def test_hostile_json(self, path, text, said):
        write(path, text, parts(path)[1])
        with pytest.raises(ModelFileError, match=said):
            load_model(path)

    def test_nan_in_a_config(self, path):
        data, tensors = parts(path)
        text = json.dumps(data).replace('"rate": 0.25', '"rate": NaN')
        write(path, text, tensors)
        with pytest.raises(ModelFileError, match="NaN"):
            load_model(path)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda t: t.pop("weights/head/bias"), "no tensor 'weights/head/bias'"),
            (lambda t: t.update(x=np.zeros(1, np.float32)), "nothing needs, 'x'"),
            (
                lambda t: t.update({"weights/head/bias": np.zeros(4, np.float32)}),
                r"float32\[4\].*float32\[3\]",
            ),
            (lambda t: t.update({"weights/head/bias": np.zeros(3)}), "float64"),
            (
                lambda t: t.update({"weights/head/bias": np.zeros(3, np.float16)}),
                "float16",
            ),
            (lambda t: t.pop("optimizer/momentums/head/bias"), "optimizer/momentums/head/bias"),
            (lambda t: t.pop("optimizer/iterations"), "no tensor .optimizer/iterations"),
            (
                lambda t: t.update({"optimizer/iterations": np.array(-1)}),
                "iterations' is -1",
            ),
        ],
    )
    def test_tensors_that_do_not_fit(self, path, change, said):
        data, tensors = parts(path)
        change(tensors)
        write(path, data, tensors)
        with pytest.raises(ModelFileError, match=said):
            load_model(path)

    def test_more_metadata(self, path):
        data, tensors = parts(path)
        write(path, data, tensors, {"more": "x"})
        with pytest.raises(ModelFileError, match="more"):
            load_model(path)

    def test_a_file_of_another_program(self, tmp_path):
        safetensors.numpy.save_file({"w": np.zeros(3)}, tmp_path / "m.safetensors")
        with pytest.raises(ModelFileError, match="not one that bital wrote"):
            load_model(tmp_path / "m.safetensors")

    @pytest.mark.parametrize("content", [b"", b"abc", b"\x80\x04pickle" * 10, b"PK\x03\x04" * 9])
    def test_no_such_file_at_all(self, tmp_path, content):
        (tmp_path / "m").write_bytes(content)
        with pytest.raises(ModelFileError):
            load_model(tmp_path / "m")

    def test_header_that_claims_too_much(self, tmp_path, path):
        rest = path.read_bytes()[8:]
        (tmp_path / "m").write_bytes(struct.pack("<Q", 1 << 60) + rest)
        with pytest.raises(ModelFileError, match="claims"):
            load_model(tmp_path / "m")
        big = (32 << 20) + 100
        with (tmp_path / "m").open("wb") as file:
            file.write(struct.pack("<Q", 32 << 20))
            file.truncate(big)
        with pytest.raises(ModelFileError, match="limit"):
            load_model(tmp_path / "m")

    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            load_model(tmp_path / "m.safetensors")

    def test_one_changed_weight_is_noticed(self, path):
        whole = bytearray(path.read_bytes())
        whole[-3] ^= 1
        path.write_bytes(whole)
        with pytest.raises(ModelFileError, match="checksum"):
            load_model(path)

    def test_loading_draws_no_random_numbers(self, path):
        keras.utils.set_random_seed(3)
        expected = keras.random_state.fresh_seed()
        keras.utils.set_random_seed(3)
        load_model(path)
        assert keras.random_state.fresh_seed() == expected


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "m.safetensors"
    model = trained()
    model.save(path)
    return path, path.read_bytes(), model.predict(X)


FUZZ = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FUZZ
@given(data=st.data())
def test_truncated_anywhere(saved, data):
    path, whole, _ = saved
    path.with_name("cut").write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ModelFileError):
        load_model(path.with_name("cut"))


@FUZZ
@given(data=st.data())
def test_flipped_bytes_anywhere(saved, data):
    """A file that is changed is refused; the same file, after all, is the same model."""
    path, whole, expected = saved
    changed = bytearray(whole)
    header = struct.unpack("<Q", whole[:8])[0] + 8
    span = data.draw(st.sampled_from([8, header, len(whole)]))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, span - 1))] = data.draw(st.integers(0, 255))
    path.with_name("flipped").write_bytes(changed)
    try:
        model = load_model(path.with_name("flipped"))
    except ModelFileError:
        return
    np.testing.assert_array_equal(model.predict(X), expected)


@FUZZ
@given(data=st.data())
def test_any_json_value_anywhere_in_the_metadata(saved, data):
    """A valid model or a named error, with the checksum right."""
    path, _, _ = saved
    described, tensors = parts(path)
    place = described
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.booleans()):
            break
        place = inner
    place[key] = data.draw(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(max_size=5),
            st.lists(st.integers(), max_size=3),
            st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
            st.sampled_from(["relu", "Dense", "Flatten", "adam", "float64", "head"]),
        )
    )
    write(path.with_name("odd"), described, tensors)
    try:
        model = load_model(path.with_name("odd"))
    except ModelFileError:
        return
    assert np.isfinite(model.predict(X)).all()


def test_what_keras_asks_for_when_code_is_loaded(tmp_path):
    with pytest.raises(ArgumentError, match=r"custom_objects=.*model\.load_weights"):
        load_model(tmp_path / "m.safetensors", custom_objects={"f": abs})


def test_a_description_that_could_not_be_read_is_not_written(tmp_path):
    path = tmp_path / "large.safetensors"
    path.write_bytes(b"before")
    with pytest.raises(ModelFileError, match="at most"):
        archive.write(path, {"format": "x", "text": "y" * (archive.MAX_JSON + 1)}, {})
    assert path.read_bytes() == b"before"
