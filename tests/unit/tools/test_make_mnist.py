"""The script that made the package's MNIST file."""

import gzip
import runpy
from pathlib import Path

import numpy as np
import pytest

from bital.datasets import mnist

SCRIPT = Path(__file__).parents[3] / "tools" / "make_mnist.py"
tool = runpy.run_path(str(SCRIPT))


def idx_bytes(array):
    shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


@pytest.fixture
def originals(tmp_path):
    """The four original files, made again from the package's arrays; two of them compressed."""
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    paths = []
    for i, array in enumerate((x_train, y_train, x_test, y_test)):
        data = idx_bytes(array)
        paths.append(tmp_path / f"{i}.idx")
        paths[-1].write_bytes(gzip.compress(data, 1) if i % 2 else data)
    return [str(p) for p in paths]


def test_bytes_depend_on_the_arrays_alone():
    arrays = {"a": np.arange(5, dtype=np.uint8), "b": np.eye(3)}
    assert tool["npz_bytes"](arrays) == tool["npz_bytes"](dict(arrays))


def test_the_archive_is_read_by_numpy(tmp_path):
    path = tmp_path / "some.npz"
    path.write_bytes(tool["npz_bytes"]({"a": np.arange(6, dtype=np.uint8).reshape(2, 3)}))
    with np.load(path, allow_pickle=False) as archive:
        assert archive["a"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not with an idx header"),
        (b"PK\x03\x04", "not with an idx header"),
        (bytes([0, 0, 0x0D, 1, 0, 0, 0, 1, 0, 0, 0, 0]), "not with an idx header"),
        (idx_bytes(np.zeros(9, np.uint8))[:-1], "8 bytes follow"),
        (idx_bytes(np.zeros((28, 28), np.uint8)), "x_train of MNIST has"),
    ],
)
def test_files_that_are_not_mnist_are_named(tmp_path, capsys, data, message):
    path = tmp_path / "wrong.idx"
    path.write_bytes(data)
    out = tmp_path / "out.npz"
    assert tool["main"]([str(path)] * 4 + ["--out", str(out)]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_another_database_of_the_same_shape_is_refused(tmp_path, capsys):
    path = tmp_path / "fashion.idx"
    path.write_bytes(gzip.compress(idx_bytes(np.ones((60000, 28, 28), np.uint8)), 1))
    assert tool["main"]([str(path)] * 4 + ["--check", str(mnist.FILE)]) == 1
    assert "but x_train of MNIST has 6bbc9ace" in capsys.readouterr().err


@pytest.mark.slow
def test_the_package_file_is_made_again(originals, capsys):
    assert tool["main"]([*originals, "--check", str(mnist.FILE)]) == 0
    assert "every array is equal" in capsys.readouterr().out
