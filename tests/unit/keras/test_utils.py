"""Helpers: values of Keras 3, by hand and recorded."""

import numpy as np
import pytest

from bital import keras
from bital.errors import ArgumentError, DataError
from bital.keras import utils


def test_pad_sequences():
    rows = [[1], [2, 3], [4, 5, 6]]
    assert utils.pad_sequences(rows).tolist() == [[0, 0, 1], [0, 2, 3], [4, 5, 6]]
    assert utils.pad_sequences(rows, padding="post", value=-1).tolist() == [
        [1, -1, -1],
        [2, 3, -1],
        [4, 5, 6],
    ]
    assert utils.pad_sequences(rows, 2).tolist() == [[0, 1], [2, 3], [5, 6]]
    assert utils.pad_sequences(rows, 2, truncating="post").tolist() == [[0, 1], [2, 3], [4, 5]]
    vectors = [[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]], []]
    assert utils.pad_sequences(vectors, dtype="float32").shape == (3, 2, 2)
    with pytest.raises(DataError, match=r"sequences\[1\] have shape"):
        utils.pad_sequences([[[1, 2]], [[1, 2, 3]]])
    with pytest.raises(DataError, match=r"sequences\[0\] is 3"):
        utils.pad_sequences([3, 4])


def test_windows():
    series = np.arange(10)
    plain = utils.timeseries_dataset_from_array(series, None, 3, sequence_stride=2, batch_size=3)
    assert [batch.tolist() for batch in plain] == [
        [[0, 1, 2], [2, 3, 4], [4, 5, 6]],
        [[6, 7, 8]],
    ]
    x, y = utils.timeseries_dataset_from_array(series, series[5:], 2, sampling_rate=2).whole()
    assert x[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert (x[:, 1] - x[:, 0]).tolist() == [2] * 5
    assert y.tolist() == [5, 6, 7, 8, 9]
    x, y = utils.timeseries_dataset_from_array(
        series, series, 2, shuffle=True, seed=3, start_index=3, end_index=8
    )[0]
    assert sorted(y.tolist()) == [3, 4, 5, 6]
    assert y.tolist() != [3, 4, 5, 6]
    np.testing.assert_array_equal(x[:, 0], y)
    with pytest.raises(ArgumentError, match="no window fits"):
        utils.timeseries_dataset_from_array(series, None, 11)


def test_normalize():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(utils.normalize(x, order=1), [[3 / 7, 4 / 7], [0, 0]])
    np.testing.assert_allclose(utils.normalize(x, axis=0), [[1, 1], [0, 0]])


def test_what_is_refused():
    with pytest.raises(ArgumentError, match="Pillow"):
        utils.image_dataset_from_directory("photos")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_beside_keras(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    theirs = pytest.importorskip("keras").utils
    rng = np.random.default_rng(0)
    rows = [rng.integers(9, size=size).tolist() for size in (0, 3, 7, 5)]
    for options in ({}, {"maxlen": 4, "padding": "post"}, {"maxlen": 9, "truncating": "post"}):
        found = utils.pad_sequences(rows, **options)
        np.testing.assert_array_equal(found, theirs.pad_sequences(rows, **options))
    x = rng.normal(size=(4, 5))
    for order in (1, 2):
        np.testing.assert_allclose(utils.normalize(x, 1, order), theirs.normalize(x, 1, order))


def test_batches_by_number_have_keras_base():
    class Sums(utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            x = np.random.default_rng(i).normal(size=(8, 2))
            return x, x.sum(axis=1)

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", executor="numpy")
    losses = model.fit(Sums(workers=2), epochs=3, verbose=0).history["loss"]
    assert losses[0] > losses[1] > losses[2]
    with pytest.raises(NotImplementedError, match="define __len__"):
        utils.PyDataset().num_batches  # noqa: B018


def test_what_keras_has_elsewhere_is_told():
    with pytest.raises(AttributeError, match=r"NumPy is the language: write np\.exp"):
        keras.ops  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        keras.nothing  # noqa: B018
