"""Safetensors files with one JSON document, a version and a checksum: what bital writes.

Metadata ``"bital"`` is the document, ``{"format": ..., "version": ..., ...}``, and
``"bital_crc32"`` the checksum of it and of all tensors, in hexadecimal. Sizes are checked before
anything is read, and nothing that a file says is imported or run.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bital.errors import ModelFileError
from bital.keras.files import write_atomically

MAX_HEADER = 16 << 20
MAX_JSON = 12 << 20
MAX_DEPTH = 64
_DTYPES = {"BOOL", "F16", "F32", "F64", *(f"{kind}{n}" for kind in "IU" for n in (8, 16, 32, 64))}

Tensors = dict[str, np.ndarray]


def write(path: str | Path, document: dict[str, Any], tensors: Mapping[str, Any]) -> None:
    """Write a document and tensors, as a whole or not at all.

    Raises
    ------
    OSError
        If it cannot be written; what stood at ``path`` stays.
    ModelFileError
        If the document is too large to be read again.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    if len(text) > MAX_JSON:  # it could never be read
        raise ModelFileError(
            f"{str(path)!r} was not written: its description takes {len(text)} characters, and "
            f"files of bital have at most {MAX_JSON}. Save the parts one by one."
        )
    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    metadata = {"bital": text, "bital_crc32": checksum(text, arrays)}

    def save(temporary: Path) -> None:
        try:
            save_file(arrays, temporary, metadata)
        except SafetensorError as error:  # it has no other class for a disk that is full
            raise OSError(f"{temporary}: {error}") from error

    write_atomically(path, save)


def read(path: str | Path, versions: Mapping[str, int]) -> tuple[dict[str, Any], Tensors]:
    """Return the document and the tensors of a file of one of these formats.

    Parameters
    ----------
    path : str or path
    versions : mapping
        The newest version that is known of each format.

    Raises
    ------
    ModelFileError
        If the file is damaged, or is not one that bital wrote.
    OSError
        If it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    _check_header(path)
    try:
        with safe_open(path, framework="numpy") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: _tensor(opened, name, path) for name in opened.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise damaged(path, f"it is not a whole safetensors file ({error})") from error
    if "bital" not in metadata:
        raise damaged(path, "it is a safetensors file, and not one that bital wrote")
    if set(metadata) != {"bital", "bital_crc32"}:
        raise damaged(path, f"its metadata has the keys {', '.join(sorted(metadata))}")
    if metadata["bital_crc32"] != checksum(metadata["bital"], tensors):
        raise damaged(path, "its checksum is wrong: some bytes have changed since it was saved")
    return parse(path, metadata["bital"], versions), tensors


def checksum(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    """Return the CRC-32 of the document and of each tensor's name, type and bytes."""
    value = zlib.crc32(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        value = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), value)
        value = zlib.crc32(memoryview(array.reshape(-1)).cast("B"), value) if array.size else value
    return f"{value:08x}"


def _check_header(path: Path) -> None:
    """Refuse sizes that cannot be true before another program parses the header."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
    if len(start) < 8:
        raise damaged(path, f"it has only {size} bytes")
    header = struct.unpack("<Q", start)[0]
    if header > size - 8:
        raise damaged(path, f"its header claims {header} bytes and the file has {size}")
    if header > MAX_HEADER:
        raise damaged(path, f"its header has {header} bytes; the limit is {MAX_HEADER}")


def _tensor(opened: Any, name: str, path: Path) -> np.ndarray:
    kind = opened.get_slice(name).get_dtype()
    if kind not in _DTYPES:
        raise damaged(path, f"tensor {name!r} has the dtype {kind}")
    return opened.get_tensor(name)


def parse(path: str | Path, text: str, versions: Mapping[str, int]) -> dict[str, Any]:
    """Return the document that a text holds: strict JSON, of bounded size and depth.

    Raises
    ------
    ModelFileError
        If it is not one.
    """
    if len(text) > MAX_JSON:
        raise damaged(path, f"its JSON has {len(text)} characters; the limit is {MAX_JSON}")
    try:
        data = json.loads(
            text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_unique
        )
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"its JSON is not valid ({error})") from error
    if _depth(data) > MAX_DEPTH:
        raise damaged(path, f"its JSON is nested more than {MAX_DEPTH} deep")
    kind = data.get("format") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in versions:
        known = " or ".join(map(repr, versions))
        raise damaged(path, f"its JSON does not say that its format is {known}")
    version = data.get("version")
    if type(version) is not int or not 1 <= version <= versions[kind]:
        raise damaged(
            path,
            f"it has format version {version!r}; this bital reads versions up to "
            f"{versions[kind]}, and a newer bital may read it",
        )
    return data


def _refuse(constant: str) -> Any:
    raise ValueError(f"it holds {constant}")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _depth(data: Any) -> int:
    """How deep containers are nested, without recursion."""
    depth, level = 0, [data]
    while level:
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        level, depth = inner, depth + 1
    return depth


def damaged(path: str | Path, why: str) -> ModelFileError:
    """Return the error for a file that cannot be loaded."""
    return ModelFileError(
        f"{str(path)!r} cannot be loaded: {why.rstrip('.')}. Save the model again, or get the file "
        "anew."
    )


@contextlib.contextmanager
def file_errors(path: str | Path) -> Iterator[None]:
    """Turn what constructors say about their arguments into what is wrong with the file."""
    try:
        yield
    except (ModelFileError, MemoryError):
        raise
    except Exception as error:  # whatever NumPy says of a config that nobody would write by hand
        raise damaged(path, str(error) or type(error).__name__) from error
