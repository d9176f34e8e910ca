"""Make ``src/bital/datasets/mnist.npz`` from the four files of the MNIST database.

The package carries the whole of MNIST so that nothing has to be downloaded. This script is how
the file came to be, and how anyone can make it again and compare::

    python tools/make_mnist.py train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz \\
        t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz --out mnist.npz
    python tools/make_mnist.py ...the same four files... --check src/bital/datasets/mnist.npz

The files may be compressed with gzip or not. The same input gives the same bytes wherever Python
is linked against the same zlib: entry order, time stamps and permissions are fixed. Where another
zlib compresses differently, ``--check`` still compares every array, element by element.

Why deflate: it is the one method that every Python has. LZMA would save 19 % of the size (9.1 MB
instead of 11.2 MB) at two to three times the loading time, but Python builds without the ``lzma``
module are common, and for their users the first command of the README would fail.
"""

import argparse
import gzip
import hashlib
import io
import os
import sys
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

IDX_UNSIGNED_BYTE = 0x08  # the type code of the idx format that all four files use
GZIP_MAGIC = b"\x1f\x8b"
NAMES = ("x_train", "y_train", "x_test", "y_test")
SHAPES = ((60000, 28, 28), (60000,), (10000, 28, 28), (10000,))
# Of the uncompressed files. Fashion-MNIST and others have the same names and shapes.
MD5 = (
    "6bbc9ace898e44ae57da46a324031adb",
    "a25bea736e30d166cdddb491f175f624",
    "2646ac647ad5339dbf082846283269ea",
    "27ae3e4e09519cfbb04c329615203637",
)


class IdxError(ValueError):
    """A file that is not in the idx format, or not the one that is expected in its place."""


def read_file(path: Path) -> bytes:
    """The bytes of a file, decompressed when it is a gzip file."""
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == GZIP_MAGIC else data


def parse_idx(data: bytes, path: Path) -> np.ndarray:
    """Parse one idx file of unsigned bytes: ``(d1, d2, ...)`` uint8.

    The format: two zero bytes, a type code, the number of dimensions, each dimension as a
    big-endian 32-bit integer, then the elements in row-major order.
    """
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != IDX_UNSIGNED_BYTE:
        raise IdxError(f"{path}: starts with {data[:4]!r}, not with an idx header of bytes")
    header = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, header, 4))
    if len(data) - header != int(np.prod(shape)):
        raise IdxError(f"{path}: the header says {shape}, but {len(data) - header} bytes follow")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def read_mnist(paths: Sequence[Path]) -> dict[str, np.ndarray]:
    """Read the four files in the order of ``NAMES`` and check that they are MNIST's."""
    arrays = {}
    for name, shape, md5, path in zip(NAMES, SHAPES, MD5, paths, strict=True):
        data = read_file(path)
        array = parse_idx(data, path)
        if array.shape != shape:
            raise IdxError(f"{path}: shape {array.shape}, but {name} of MNIST has {shape}")
        found = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if found != md5:
            raise IdxError(f"{path}: MD5 {found} uncompressed, but {name} of MNIST has {md5}")
        arrays[name] = array
    return arrays


def npz_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """The arrays as a compressed ``.npz`` whose bytes depend on nothing but the arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, whichever system this runs on
            entry.external_attr = 0o644 << 16
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            archive.writestr(entry, content.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()


def check(made: bytes, arrays: dict[str, np.ndarray], path: Path) -> int:
    """Compare with an earlier file: 0 when every array is equal, 1 otherwise."""
    with np.load(path, allow_pickle=False) as old:
        wrong = [n for n in NAMES if n not in old or not np.array_equal(old[n], arrays[n])]
    if wrong:
        print(f"{path}: differs in {', '.join(wrong)}")
        return 1
    same = made == path.read_bytes()
    print(f"{path}: every array is equal; the bytes are {'equal too' if same else 'not'}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the file, or compare it with the one that is there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("files", nargs=4, type=Path, metavar="IDX", help=", ".join(NAMES))
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--out", type=Path, help="write the .npz here")
    target.add_argument("--check", type=Path, help="compare with this .npz and write nothing")
    options = parser.parse_args(arguments)
    try:
        arrays = read_mnist(options.files)
    except (IdxError, EOFError, OSError, zlib.error) as error:
        print(error, file=sys.stderr)
        return 1
    made = npz_bytes(arrays)
    print(f"{len(made)} bytes, sha256 {hashlib.sha256(made).hexdigest()}")
    if options.check is not None:
        return check(made, arrays, options.check)
    partial = options.out.with_name(options.out.name + ".partial")
    partial.write_bytes(made)
    os.replace(partial, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
