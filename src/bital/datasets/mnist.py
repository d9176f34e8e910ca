"""MNIST: 70,000 handwritten digits, 28 x 28 gray values each.

The database is by Yann LeCun, Corinna Cortes and Christopher J.C. Burges, made from NIST's Special
Databases 3 and 1; licence CC BY-SA 3.0 (see ``NOTICE``). The package holds all of it in
``mnist.npz``, made by ``tools/make_mnist.py``; nothing is downloaded.

Source: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86(11), 1998.
"""

import hashlib
import io
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bital.errors import DatasetError

FILE = Path(__file__).with_name("mnist.npz")
SHA256 = "99b6212d8b734503d7fa2e29ea6413bad62226998e56555f4a6b0b30072f1aec"

CLASSES = 10
IMAGE_SHAPE = (28, 28)
WHITE = 255  # the largest gray value: ink is white on black in MNIST

Bytes: TypeAlias = NDArray[np.uint8]
Pair: TypeAlias = tuple[NDArray[Any], NDArray[Any]]


def load_data() -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    """Load MNIST as bytes, in the shape that Keras users expect.

    Ink is white (255) on black (0). The order of the images is that of the original files. Every
    call reads the file anew and returns new arrays that the caller may change.

    Returns
    -------
    ((x_train, y_train), (x_test, y_test))
        ``x_train``: (60000, 28, 28) uint8, ``y_train``: (60000,) uint8 with the digits 0 to 9;
        ``x_test``: (10000, 28, 28) uint8, ``y_test``: (10000,) uint8.

    Raises
    ------
    DatasetError
        The file in the package is missing or damaged.

    Examples
    --------
    >>> from bital.datasets import mnist
    >>> (x_train, y_train), (x_test, y_test) = mnist.load_data()
    >>> x_train.shape, x_train.dtype, y_test[:5].tolist()
    ((60000, 28, 28), dtype('uint8'), [7, 2, 1, 0, 4])
    """
    content = _read_verified(FILE, SHA256)
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        train = archive["x_train"], archive["y_train"]
        test = archive["x_test"], archive["y_test"]
    return train, test


def load_mnist(
    normalize: bool = True, flatten: bool = True, one_hot_label: bool = False
) -> tuple[Pair, Pair]:
    """Load MNIST ready for a network, with the options that textbooks use.

    Parameters
    ----------
    normalize : bool, default True
        Divide the gray values by 255: float32 in [0, 1]. Otherwise they stay uint8 in 0..255.
    flatten : bool, default True
        One row of 784 values for each image: ``(n, 784)``. Otherwise ``(n, 1, 28, 28)``, with an
        axis for the one channel.
    one_hot_label : bool, default False
        Labels as rows with a one in the digit's column, ``(n, 10)`` float32. Otherwise the digits
        themselves, ``(n,)`` uint8.

    Returns
    -------
    ((x_train, t_train), (x_test, t_test))
        60,000 training and 10,000 test examples.

    Raises
    ------
    DatasetError
        The file in the package is missing or damaged.

    Examples
    --------
    >>> from bital.datasets import mnist
    >>> (x_train, t_train), (x_test, t_test) = mnist.load_mnist(one_hot_label=True)
    >>> x_train.shape, x_train.dtype, t_train[0].tolist().index(1.0)
    ((60000, 784), dtype('float32'), 5)
    """

    def prepare(images: Bytes, labels: Bytes) -> Pair:
        x: NDArray[Any] = images.reshape(len(images), *((-1,) if flatten else (1, *IMAGE_SHAPE)))
        if normalize:
            x = x.astype(np.float32)
            x /= WHITE
        return x, np.eye(CLASSES, dtype=np.float32)[labels] if one_hot_label else labels

    train, test = load_data()
    return prepare(*train), prepare(*test)


def _read_verified(path: Path, sha256: str) -> bytes:
    """The bytes of a file whose checksum is known."""
    repair = "Install bital again: pip install --force-reinstall --no-deps bital"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"The MNIST file {path} cannot be read ({error}). {repair}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DatasetError(
            f"The MNIST file {path} is damaged: it has {len(content)} bytes with SHA-256 "
            f"{found}, but {sha256} was expected. {repair}"
        )
    return content
