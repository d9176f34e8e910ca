"""MNIST as it stands in the package."""

import hashlib
import zipfile

import numpy as np
import pytest

from bital.datasets import mnist
from bital.errors import BitalError, DatasetError

# MD5 of the uncompressed original files, without their idx headers' help: the test builds the
# headers again. The sums are those that the mirrors of the database publish.
ORIGINALS = {
    "x_train": "6bbc9ace898e44ae57da46a324031adb",
    "y_train": "a25bea736e30d166cdddb491f175f624",
    "x_test": "2646ac647ad5339dbf082846283269ea",
    "y_test": "27ae3e4e09519cfbb04c329615203637",
}


@pytest.fixture(scope="module")
def data():
    return mnist.load_data()


def idx_bytes(array):
    shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


def test_every_byte_is_that_of_the_original_files(data):
    (x_train, y_train), (x_test, y_test) = data
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    assert {n: hashlib.md5(idx_bytes(a)).hexdigest() for n, a in arrays.items()} == ORIGINALS


def test_load_data_has_the_shapes_of_keras(data):
    (x_train, y_train), (x_test, y_test) = data
    assert (x_train.shape, y_train.shape) == ((60000, 28, 28), (60000,))
    assert (x_test.shape, y_test.shape) == ((10000, 28, 28), (10000,))
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9]


def test_the_arrays_belong_to_the_caller(data):
    (images, _), _ = mnist.load_data()
    images[:] = 0
    assert mnist.load_data()[0][0].any()
    assert data[0][0].flags.writeable


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize("one_hot_label", [True, False])
def test_load_mnist_options(data, normalize, flatten, one_hot_label):
    loaded = mnist.load_mnist(normalize=normalize, flatten=flatten, one_hot_label=one_hot_label)
    for (x, t), (images, labels) in zip(loaded, data, strict=True):
        n = len(images)
        assert x.shape == ((n, 784) if flatten else (n, 1, 28, 28))
        assert x.dtype == (np.float32 if normalize else np.uint8)
        expected = images.reshape(x.shape)
        if normalize:
            assert np.array_equal(x, expected / np.float32(255))
            assert (x.min(), x.max()) == (0.0, 1.0)
        else:
            assert np.array_equal(x, expected)
        if one_hot_label:
            assert (t.shape, t.dtype) == ((n, 10), np.float32)
            assert np.array_equal(t.sum(axis=1), np.ones(n))
            assert np.array_equal(t.argmax(axis=1), labels)
        else:
            assert (t.dtype, t.tolist()) == (np.uint8, labels.tolist())


def test_the_defaults_of_load_mnist_are_the_books():
    (x, t), _ = mnist.load_mnist()
    assert (x.shape, x.dtype, t.shape) == ((60000, 784), np.float32, (60000,))


def test_the_archive_reads_with_plain_numpy_and_is_small():
    with zipfile.ZipFile(mnist.FILE) as archive:
        assert archive.testzip() is None
        assert {i.compress_type for i in archive.infolist()} == {zipfile.ZIP_DEFLATED}
    with np.load(mnist.FILE, allow_pickle=False) as arrays:
        assert sorted(arrays) == ["x_test", "x_train", "y_test", "y_train"]
    assert mnist.FILE.stat().st_size < 11_400_000


def test_a_missing_file_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(mnist, "FILE", tmp_path / "mnist.npz")
    with pytest.raises(DatasetError, match=r"mnist\.npz cannot be read.*Install bital again"):
        mnist.load_data()


@pytest.mark.parametrize("damage", ["one bit", "truncated", "empty", "another archive"])
def test_a_damaged_file_is_named(monkeypatch, tmp_path, damage):
    content = bytearray(mnist.FILE.read_bytes())
    path = tmp_path / "mnist.npz"
    if damage == "one bit":
        content[5_000_000] ^= 1
    elif damage == "truncated":
        del content[-100:]
    elif damage == "empty":
        content.clear()
    path.write_bytes(bytes(content))
    if damage == "another archive":
        np.savez(path, x_train=np.zeros(3))
    monkeypatch.setattr(mnist, "FILE", path)
    with pytest.raises(DatasetError, match="is damaged: it has") as caught:
        mnist.load_data()
    assert isinstance(caught.value, BitalError)
    assert isinstance(caught.value, OSError)
