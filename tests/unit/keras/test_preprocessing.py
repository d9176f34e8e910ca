"""Layers that prepare data: values of Keras, of TensorFlow's hashes, and by hand."""

import json

import numpy as np
import pytest

import bital
from bital import keras
from bital.errors import ArgumentError, DataError, ModelStateError, ShapeError
from bital.keras import layers
from bital.keras.layers.preprocessing.hashes import fingerprint, siphash

# The C++ library FarmHash, through pyfarmhash, on the text of `text_of`: every branch by length.
FARMHASH = {
    0: 11160318154034397263,
    1: 16987436993048695986,
    3: 1502982227347875767,
    4: 11021924961690682712,
    7: 17208155771686137090,
    8: 13828476624979410221,
    15: 11978727157935711068,
    16: 9265934164062552586,
    17: 7191860352405642139,
    25: 12107617023137978680,
    32: 4804526956740888522,
    33: 5848330678568374769,
    50: 12622089766946868036,
    64: 16761682396498933202,
    65: 11254439236561020538,
    100: 4717993629400912386,
    128: 6164712265338775278,
    129: 1138458046925123604,
    200: 10889871528942081555,
}


def text_of(length):
    return "".join(chr(33 + i * 7 % 90) for i in range(length))


def again(layer):
    """The layer that its configuration makes, through JSON."""
    return type(layer).from_config(json.loads(json.dumps(layer.get_config())))


@pytest.mark.parametrize("length", FARMHASH)
def test_fingerprint(length):
    assert fingerprint(text_of(length).encode()) == FARMHASH[length]


def test_siphash():
    """The value in appendix A of Aumasson and Bernstein 2012."""
    key = tuple(np.frombuffer(bytes(range(16)), "<u8").tolist())
    assert siphash(bytes(range(15)), key) == 0xA129CA6149BE45E5


NAMES = ["omar", "stringer", "marlo", "wire", "skywalker"]


@pytest.mark.parametrize(
    ("options", "inputs", "expected"),  # from Keras's own tests, where TensorFlow hashes
    [
        ({"num_bins": 3}, list("ABCDE"), [1, 0, 1, 1, 2]),
        ({"num_bins": 3, "mask_value": ""}, ["A", "B", "", "C", "D"], [1, 1, 0, 2, 2]),
        ({"num_bins": 3, "salt": [133, 137]}, list("ABCDE"), [1, 2, 1, 0, 2]),
        ({"num_bins": 3, "salt": 133}, list("ABCDE"), [0, 0, 2, 1, 0]),
        ({"num_bins": 3}, [0, 1, 2, 3, 4], [1, 0, 1, 0, 2]),
        ({"num_bins": 2}, NAMES, [0, 0, 1, 0, 0]),
        ({"num_bins": 3, "mask_value": "omar"}, NAMES, [0, 1, 2, 1, 1]),
        ({"num_bins": 2, "salt": [211, 137]}, NAMES, [1, 0, 1, 0, 1]),
        ({"num_bins": 3, "salt": [133, 137]}, [0, 1, 2, 3, 4], [1, 1, 2, 0, 1]),
    ],
)
def test_hashing(options, inputs, expected):
    layer = layers.Hashing(**options)
    x = np.array(inputs)
    assert layer(x).tolist() == expected
    assert again(layer)(x[:, np.newaxis]).tolist() == [[bin] for bin in expected]
    if isinstance(inputs[0], str):
        assert layer(x.astype(object)).tolist() == expected
        assert layer(np.char.encode(x)).tolist() == expected


def test_hashing_to_vectors():
    layer = layers.Hashing(3, output_mode="multi_hot")
    assert layer(np.array([["A", "E"]])).tolist() == [[0, 1, 1]]
    with pytest.raises(DataError, match="cannot be part of a compiled model"):
        bital.jit(layer)(np.array([[1, 2]]))
    with pytest.raises(DataError, match=r"None of type NoneType"):
        layer(np.array([["A", None]], object))
    with pytest.raises(ArgumentError, match="one integer or two"):
        layers.Hashing(3, salt=[1])


def test_category_encoding():
    x = np.array([[3, 1], [0, 0]])
    encode = lambda mode: layers.CategoryEncoding(4, mode)  # noqa: E731
    assert encode("multi_hot")(x).tolist() == [[0, 1, 0, 1], [1, 0, 0, 0]]
    assert encode("count")(x).tolist() == [[0, 1, 0, 1], [2, 0, 0, 0]]
    weights = np.array([[0.5, 2], [1, 3]], np.float32)
    assert encode("count")(x, count_weights=weights).tolist() == [[0, 2, 0, 0.5], [4, 0, 0, 0]]
    assert encode("one_hot")(x[:, :1]).tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]
    assert encode("one_hot")(x).shape == (2, 2, 4)
    assert encode("multi_hot")(x[0]).tolist() == [0, 1, 0, 1]  # one sample, as in Keras
    with pytest.raises(DataError, match=r"position \(1, 0\) is 4"):
        encode("count")(np.array([[0, 1], [4, 0]]))
    with pytest.raises(ArgumentError, match="count_weights are for"):
        encode("multi_hot")(x, count_weights=weights)
    with pytest.raises(ArgumentError, match="sparse"):
        layers.CategoryEncoding(4, sparse=True)


def test_normalization_of_batches():
    rng = np.random.default_rng(0)
    x = rng.normal(3, 5, (50, 4, 3)).astype(np.float32)
    whole, parts = layers.Normalization(axis=(1, 2)), layers.Normalization(axis=(1, 2))
    whole.adapt(x)
    parts.adapt(iter([x[:7], x[7:30], x[30:]]))
    np.testing.assert_allclose(whole.mean[0], x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(whole.variance[0], x.var(axis=0), rtol=1e-5)
    for a, b in zip(whole.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    undo = layers.Normalization(axis=(1, 2), invert=True)
    undo.adapt(x)
    np.testing.assert_allclose(undo(whole(x)), x, rtol=1e-5, atol=1e-5)


def test_normalization_given():
    layer = layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 0.0])
    assert layer(np.array([[3.0, 2.0]])).tolist() == [[1, 0]]
    assert again(layer)(np.array([[3.0, 2.0]])).tolist() == [[1, 0]]
    assert layers.Normalization(None, mean=1, variance=4)(np.array([[3.0, 5.0]])).tolist() == [
        [1, 2]
    ]
    with pytest.raises(ArgumentError, match="give both"):
        layers.Normalization(mean=1.0)
    with pytest.raises(ArgumentError, match="was made with a mean"):
        layer.adapt(np.zeros((2, 2)))
    with pytest.raises(ShapeError, match="does not fit"):
        layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 1.0, 1.0])(np.zeros((2, 2)))
    with pytest.raises(DataError, match="empty"):
        layers.Normalization().adapt(np.zeros((0, 2)))


def test_normalization_in_a_model(tmp_path):
    x = np.random.default_rng(0).normal(7, 3, (64, 2)).astype(np.float32)
    first = layers.Normalization()
    first.adapt(x)
    model = keras.Sequential([layers.Input((2,)), first, layers.Dense(1)])
    model.compile("sgd", "mse")
    before = first.get_weights()
    model.fit(x, x[:, :1], epochs=1, verbose=0)
    for a, b in zip(first.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    model.save(tmp_path / "m.safetensors")
    loaded = keras.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_discretization():
    layer = layers.Discretization([0.0, 1.0, 2.0])
    x = np.array([[-1.5, 0.0, 0.5], [1.0, 1.9, 3.0]])
    assert layer(x).tolist() == [[0, 1, 1], [2, 2, 3]]
    assert bital.jit(lambda x: layer(x))(x.astype(np.float32)).tolist() == layer(x).tolist()
    assert again(layer)(x).dtype == np.int32
    learnt = layers.Discretization(num_bins=3, epsilon=0.01, output_mode="one_hot")
    with pytest.raises(ModelStateError, match=r"adapt\(data\)"):
        learnt(x)
    learnt.adapt(np.arange(9.0))
    assert np.digitize(np.arange(9.0), learnt.bin_boundaries).tolist() == [
        0,
        0,
        1,
        1,
        1,
        2,
        2,
        2,
        2,
    ]
    np.testing.assert_array_equal(again(learnt)(x), learnt(x))
    with pytest.raises(ArgumentError, match="increasing"):
        layers.Discretization([1.0, 0.0])
    with pytest.raises(ArgumentError, match="give one of them"):
        layers.Discretization()


def test_string_lookup():
    data = np.array([["a", "c", "d"], ["d", "z", "b"]])
    layer = layers.StringLookup(vocabulary=["a", "b", "c", "d"])
    assert layer(data).tolist() == [[1, 3, 4], [4, 0, 2]]
    assert again(layer)(data).tolist() == layer(data).tolist()
    assert layer.get_vocabulary() == ["[UNK]", "a", "b", "c", "d"]
    back = layers.StringLookup(vocabulary=layer.get_vocabulary(), invert=True)
    assert back(np.array([[1, 3, 9]])).tolist() == [["a", "c", "[UNK]"]]
    masked = layers.StringLookup(vocabulary=["a", "b"], mask_token="", num_oov_indices=2)
    assert masked(np.array(["", "a", "b"])).tolist() == [0, 3, 4]
    expected = 1 + fingerprint(b"zz") % 2
    assert masked(np.array(["zz"])).tolist() == [expected]
    counted = layers.StringLookup(vocabulary=["a", "b"], mask_token="", output_mode="count")
    assert counted(np.array([["a", "a", ""], ["x", "b", "y"]])).tolist() == [[0, 2, 0], [2, 0, 1]]
    with pytest.raises(DataError, match="'z' is not in the vocabulary"):
        layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(np.array(["a", "z"]))
    with pytest.raises(DataError, match="Write IntegerLookup"):
        layer(np.array([[1, 2]]))
    with pytest.raises(DataError, match="cannot be part of a compiled model"):
        bital.jit(lambda x: layer(x))(np.array([1.0]))
    with pytest.raises(ArgumentError, match="more than once"):
        layers.StringLookup(vocabulary=["a", "a"])
    with pytest.raises(ArgumentError, match="the tokens themselves"):
        layers.StringLookup(vocabulary="vocabulary.txt")


def test_string_lookup_learns():
    data = np.array([["a", "b", "c"], ["b", "c", "c"]])
    layer = layers.StringLookup(max_tokens=3)
    with pytest.raises(ModelStateError, match="no vocabulary yet"):
        layer(data)
    layer.adapt(data)
    assert layer.get_vocabulary() == ["[UNK]", "c", "b"]
    assert again(layer)(data).tolist() == layer(data).tolist() == [[0, 2, 1], [2, 1, 1]]
    ties = layers.StringLookup()
    ties.adapt(iter([np.array(["x", "y"]), np.array(["w", "y", "w"])]))
    assert ties.get_vocabulary(include_special_tokens=False) == ["y", "w", "x"]


def test_tf_idf():
    """Weights log(1 + documents / (1 + documents with the token)); unknown: their mean."""
    data = np.array([["a", "b", "b"], ["a", "c", "a"], ["a", "b", "c"]])
    layer = layers.StringLookup(output_mode="tf_idf")
    layer.adapt(data)
    assert layer.get_vocabulary() == ["[UNK]", "a", "b", "c"]
    weights = np.log(1 + 3 / (1 + np.array([3, 2, 2])))
    found = layer(np.array([["a", "a", "zz"], ["c", "b", "b"]]))
    expected = [[weights.mean(), 2 * weights[0], 0, 0], [0, 0, 2 * weights[1], weights[2]]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_array_equal(again(layer)(data), layer(data))
    padded = layers.StringLookup(
        max_tokens=6,
        vocabulary=["a", "b"],
        idf_weights=[0.5, 1.5],
        output_mode="tf_idf",
        pad_to_max_tokens=True,
    )
    assert padded(np.array([["a", "b", "q"]])).tolist() == [[1, 0.5, 1.5, 0, 0, 0]]


def test_integer_lookup():
    x = np.array([[12, 1138, 42], [42, 1000, 36]])
    layer = layers.IntegerLookup(vocabulary=[12, 36, 1138, 42])
    masked = layers.IntegerLookup(vocabulary=[36, 12], mask_token=0, num_oov_indices=3)
    assert layer(x).tolist() == [[1, 3, 4], [4, 0, 2]]
    assert masked(np.array([0, 36, 12, 7])).tolist() == [0, 4, 5, 1 + 7 % 3]
    for each in (layer, masked, layers.IntegerLookup(vocabulary=[36], output_mode="multi_hot")):
        for executor in ("numpy", "native"):
            compiled = bital.jit(lambda x, each=each: each(x), executor=executor)
            np.testing.assert_array_equal(compiled(x), each(x))
    assert again(masked)(x).tolist() == masked(x).tolist()
    back = layers.IntegerLookup(vocabulary=[12, 36], invert=True)
    assert back(np.array([[0, 1, 2, 5]])).tolist() == [[-1, 12, 36, -1]]
    learnt = layers.IntegerLookup()
    learnt.adapt(np.array([[5, 5, 3, 9]]))
    assert learnt.get_vocabulary() == [-1, 5, 9, 3]
    hashing = layers.IntegerLookup(vocabulary=[1], num_oov_indices=2, oov_method="farmhash")
    assert hashing(np.array([77])).tolist() == [fingerprint(b"77") % 2]


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (layers.Rescaling, {"scale": [[1], [2, 3]]}),
        (layers.Rescaling, {"scale": "x"}),
        (layers.Normalization, {"mean": [[1.0], [2.0, 3.0]], "variance": [1.0]}),
        (layers.Discretization, {"bin_boundaries": [[1], [2, 3]]}),
        (layers.Discretization, {"num_bins": 3, "bin_boundaries": ["a"]}),
        (layers.StringLookup, {"vocabulary": [["a"], ["b", "c"]]}),
        (layers.StringLookup, {"vocabulary": [1, 2]}),
        (layers.StringLookup, {"vocabulary": []}),
        (layers.StringLookup, {"mask_token": {}}),
        (layers.IntegerLookup, {"vocabulary": [1.5]}),
        (layers.IntegerLookup, {"vocabulary": [2**70]}),
        (layers.Hashing, {"num_bins": 3, "mask_value": [1]}),
    ],
)
def test_nonsense_in_a_configuration(cls, options):
    with pytest.raises(ArgumentError):
        cls.from_config(options)
