"""Model files: one safetensors file, whose metadata describes the model as JSON.

The file (format version 1)::

    tensors   "weights/<path>"            a weight, such as weights/dense/kernel
              "optimizer/iterations"      number of steps taken, int64
              "optimizer/<slot>/<path>"   the optimizer's slots, such as momentums
    metadata  "bital"                     the JSON below
              "bital_crc32"               checksum of that JSON and of all tensors, in hexadecimal

    {"format": "bital.keras", "version": 1,
     "model":   {"class_name": "Sequential", "config": {...}} or null for weights alone,
     "compile": {"optimizer": {...}, "loss": {...}, "metrics": [...], "weighted_metrics": [...]}
                or null}

Every ``class_name`` stands in a closed vocabulary. Loading imports nothing and runs nothing that
the file names. It checks sizes before it reads: a weight is made only where the file holds a tensor
of exactly its shape and dtype.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bital.errors import ArgumentError, BitalError, ModelFileError, ModelStateError
from bital.keras import losses, metrics, optimizers
from bital.keras.files import write_atomically
from bital.keras.models.sequential import LAYERS, Sequential
from bital.keras.variables import Variable, commit, values_from

FORMAT = "bital.keras"
VERSION = 1

_MAX_HEADER = 16 << 20
_MAX_JSON = 4 << 20
_MAX_DEPTH = 64
_DTYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64}
# Suffixes that promise another program's format.
_FOREIGN = (".keras", ".h5", ".hdf5", ".pkl", ".pickle", ".pt", ".pth", ".onnx", ".npz", ".npy")


def save_model(
    model: Sequential, path: str | Path, overwrite: bool = True, include_optimizer: bool = True
) -> None:
    """Write a model into one file; ``Sequential.save`` describes it."""
    _require_built(model, "save")
    described = {"class_name": "Sequential", "config": model.get_config()}
    tensors = _weights(model)
    compiled = None
    if include_optimizer and model.optimizer is not None:
        compiled = _describe_compilation(model)
        tensors |= _optimizer_tensors(model.optimizer)
    _write(path, overwrite, described, compiled, tensors)


def save_weights(model: Sequential, path: str | Path, overwrite: bool = True) -> None:
    """Write a model's weights alone."""
    _require_built(model, "save_weights")
    _write(path, overwrite, None, None, _weights(model))


def load_model(path: str | Path, compile: bool = True) -> Sequential:
    """Return the model that ``model.save(path)`` wrote.

    Parameters
    ----------
    path : str or path
        The file.
    compile : bool, default True
        Whether loss, metrics and optimizer with its state are restored too.

    Raises
    ------
    ModelFileError
        If the file is damaged, is not a model of bital, or describes what bital does not have.
    FileNotFoundError
        If there is no file.
    """
    with _opened(path) as (file, data):
        if data["model"] is None:
            raise _damaged(path, "it holds weights alone; use model.load_weights(path)")
        with _as_file_errors(path):
            model = LAYERS.deserialize(data["model"])
        if not isinstance(model, Sequential):
            raise _damaged(path, "it describes a layer, not a model")
        stored = values_from(lambda variable: file.take(f"weights/{variable.path}", variable))
        with stored, _as_file_errors(path):
            model.build(model.given_input_shape)
        if data["compile"] is None:
            file.require_all_taken()
            return model
        with _as_file_errors(path):
            _restore_compilation(model, data["compile"], file)
        file.require_all_taken()
    if not compile:
        model.optimizer, model.loss = None, None
    return model


def load_weights(model: Sequential, path: str | Path) -> None:
    """Read weights into a built model; all of them, or none on an error."""
    _require_built(model, "load_weights")
    with _opened(path) as (file, _):
        variables = model.weights
        values = [file.take(f"weights/{variable.path}", variable) for variable in variables]
        extra = [name for name in file.left if name.startswith("weights/")]
        if extra:
            raise _damaged(
                path, f"it holds weights that the model does not have, such as {extra[0]!r}"
            )
    commit(variables, values)


# Writing ----------------------------------------------------------------------------------


def _weights(model: Sequential) -> dict[str, np.ndarray]:
    return {f"weights/{variable.path}": variable.value for variable in model.weights}


def _describe_compilation(model: Sequential) -> dict[str, Any]:
    asked = model._request
    return {
        "optimizer": optimizers.VOCABULARY.serialize(model.optimizer),
        "loss": _by_output(losses.VOCABULARY.serialize, asked.loss),
        "loss_weights": _by_output(float, asked.loss_weights),
        "metrics": _by_output(_describe_metric, asked.metrics),
        "weighted_metrics": _by_output(_describe_metric, asked.weighted_metrics),
    }


def _by_output(function: Any, tree: Any) -> Any:
    """The lists and dicts by output with ``function`` applied to what is not None."""
    if isinstance(tree, dict) and set(tree) != {"class_name", "config"}:
        return {key: _by_output(function, part) for key, part in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_by_output(function, part) for part in tree]
    return None if tree is None else function(tree)


def _describe_metric(request: Any) -> Any:
    if isinstance(request, str):
        return request
    return metrics.VOCABULARY.serialize(metrics.get(request))


def _optimizer_tensors(optimizer: optimizers.Optimizer) -> dict[str, np.ndarray]:
    if optimizer.state is None:
        return {}
    found = {"optimizer/iterations": np.asarray(optimizer.state["iterations"], np.int64)}
    for slot in optimizer.rule.slots:
        for variable, array in zip(optimizer._variables, optimizer.state[slot], strict=True):
            found[f"optimizer/{slot}/{variable.path}"] = array
    return found


def _write(
    path: str | Path,
    overwrite: bool,
    model: dict[str, Any] | None,
    compiled: dict[str, Any] | None,
    tensors: dict[str, np.ndarray],
) -> None:
    from safetensors.numpy import save_file

    path = Path(path)
    if path.suffix.lower() in _FOREIGN:
        raise ArgumentError(
            f"save({str(path)!r}): bital writes safetensors files, and {path.suffix!r} promises "
            f"another format. Write {path.with_suffix('.safetensors').name!r}."
        )
    if not overwrite and path.exists():
        raise ArgumentError(
            f"save({str(path)!r}, overwrite=False): the file exists. Choose another name."
        )
    data = {"format": FORMAT, "version": VERSION, "model": model, "compile": compiled}
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    metadata = {"bital": text, "bital_crc32": _checksum(text, arrays)}
    write_atomically(path, lambda temporary: save_file(arrays, temporary, metadata))


def _checksum(text: str, arrays: dict[str, np.ndarray]) -> str:
    value = zlib.crc32(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        value = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), value)
        value = zlib.crc32(memoryview(array.reshape(-1)).cast("B"), value) if array.size else value
    return f"{value:08x}"


def _require_built(model: Sequential, what: str) -> None:
    if not model.built:
        raise ModelStateError(
            f"{model.name}.{what}: the model has no weights before it knows its input. Put "
            "Input((784,)) first, or call it on data."
        )


# Reading ----------------------------------------------------------------------------------


class _File:
    """The tensors of one file; each is taken once."""

    def __init__(self, path: str | Path, tensors: dict[str, np.ndarray]) -> None:
        self.path = path
        self.left = dict(tensors)

    def take(self, name: str, like: Variable) -> np.ndarray:
        """Return the tensor of this name, if it has the shape and dtype of the variable."""
        array = self.left.pop(name, None)
        if array is None:
            raise _damaged(self.path, f"it has no tensor {name!r}")
        if array.shape != like.shape or array.dtype != like.dtype:
            raise _damaged(
                self.path,
                f"tensor {name!r} is {array.dtype}{list(array.shape)}, and the model needs "
                f"{like.dtype}{list(like.shape)}",
            )
        return array

    def require_all_taken(self) -> None:
        """Raise if the file holds more than the model."""
        if self.left:
            raise _damaged(self.path, f"it holds a tensor that nothing needs, {min(self.left)!r}")


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[tuple[_File, dict[str, Any]]]:
    """The tensors and the checked outline of the JSON of a file."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    _check_header(path)
    try:
        with safe_open(path, framework="numpy") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: _read(opened, name, path) for name in opened.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise _damaged(path, f"it is not a whole safetensors file ({error})") from error
    if "bital" not in metadata:
        raise _damaged(path, "it is a safetensors file, and not one that bital wrote")
    if set(metadata) != {"bital", "bital_crc32"}:
        raise _damaged(path, f"its metadata has the keys {', '.join(sorted(metadata))}")
    data = _parse(path, metadata["bital"])
    if metadata["bital_crc32"] != _checksum(metadata["bital"], tensors):
        raise _damaged(path, "its checksum is wrong: some bytes have changed since it was saved")
    yield _File(path, tensors), data


def _check_header(path: Path) -> None:
    """Refuse sizes that cannot be true before another program parses the header."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
    if len(start) < 8:
        raise _damaged(path, f"it has only {size} bytes")
    header = struct.unpack("<Q", start)[0]
    if header > size - 8:
        raise _damaged(path, f"its header claims {header} bytes and the file has {size}")
    if header > _MAX_HEADER:
        raise _damaged(path, f"its header has {header} bytes; the limit is {_MAX_HEADER}")


def _read(opened: Any, name: str, path: Path) -> np.ndarray:
    kind = opened.get_slice(name).get_dtype()
    if kind not in _DTYPES:
        raise _damaged(path, f"tensor {name!r} has the dtype {kind}")
    return opened.get_tensor(name)


def _parse(path: Path, text: str) -> dict[str, Any]:
    if len(text) > _MAX_JSON:
        raise _damaged(path, f"its JSON has {len(text)} characters; the limit is {_MAX_JSON}")
    try:
        data = json.loads(
            text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_unique
        )
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"its JSON is not valid ({error})") from error
    if _depth(data) > _MAX_DEPTH:
        raise _damaged(path, f"its JSON is nested more than {_MAX_DEPTH} deep")
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise _damaged(path, f"its JSON does not say that its format is {FORMAT!r}")
    if data.get("version") != VERSION or type(data["version"]) is not int:
        raise _damaged(
            path,
            f"it has format version {data.get('version')!r}; this bital reads version {VERSION}, "
            "and a newer bital may read it",
        )
    if set(data) != {"format", "version", "model", "compile"}:
        raise _damaged(path, f"its JSON has the keys {', '.join(sorted(data))}")
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


def _restore_compilation(model: Sequential, data: Any, file: _File) -> None:
    keys = {"optimizer", "loss", "loss_weights", "metrics", "weighted_metrics"}
    if not isinstance(data, dict) or set(data) != keys:
        raise ArgumentError(f"'compile' must hold {', '.join(sorted(keys))}")
    optimizer = optimizers.VOCABULARY.deserialize(data["optimizer"])
    model.compile(
        optimizer,
        _by_output(losses.VOCABULARY.deserialize, data["loss"]),
        loss_weights=data["loss_weights"],
        metrics=_by_output(_request, data["metrics"]),
        weighted_metrics=_by_output(_request, data["weighted_metrics"]),
    )
    if "optimizer/iterations" not in file.left:
        return
    count = file.take("optimizer/iterations", Variable(np.zeros((), np.int64), dtype=np.int64))
    if count < 0:
        raise ArgumentError(f"'optimizer/iterations' is {count}")
    variables = model.trainable_weights
    state: dict[str, Any] = {"iterations": np.int64(count)}
    for slot in optimizer.rule.slots:
        state[slot] = tuple(
            np.array(file.take(f"optimizer/{slot}/{variable.path}", variable))
            for variable in variables
        )
    optimizer.build(variables)
    optimizer.state = state


def _request(data: Any) -> Any:
    return data if isinstance(data, str) else metrics.VOCABULARY.deserialize(data)


@contextlib.contextmanager
def _as_file_errors(path: str | Path) -> Iterator[None]:
    """Turn what the constructors say about their arguments into what is wrong with the file."""
    try:
        yield
    except ModelFileError:
        raise
    except (BitalError, RecursionError, OverflowError) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: str | Path, why: str) -> ModelFileError:
    return ModelFileError(
        f"{str(path)!r} cannot be loaded: {why.rstrip('.')}. Save the model again, or get the file "
        "anew."
    )


__all__ = ["load_model", "load_weights", "save_model", "save_weights"]
