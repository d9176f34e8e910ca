"""Checkpoints and saved graphs: safetensors with JSON, whole or not at all; nothing in them runs.

`Saver.save` writes ``PREFIX.index`` (the variables), ``PREFIX.meta`` (the graph) and, beside them,
``checkpoint`` (the list of those that are kept).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from bital.api.partial_shapes import Unvalued
from bital.errors import ModelFileError
from bital.graphs.dtypes import as_dtype
from bital.graphs.evaluation import Part
from bital.graphs.graph import Graph, Operation, Tensor, get_default_graph
from bital.graphs.operation import KERNELS, as_array
from bital.graphs.shapes import TensorShape
from bital.keras import archive
from bital.keras.files import write_atomically
from bital.tf1 import errors
from bital.tf1.ops import exported
from bital.tf1.variables import Variable, _outside, global_variables

_VARIABLES, _GRAPH, _LIST = (f"bital.tf1.{name}" for name in ("variables", "graph", "list"))


class Saver:
    """Saves and restores the values of variables.

    Parameters
    ----------
    var_list : list of Variable, or dict from names in the file to Variable, optional
        All global variables that there are, by default.
    max_to_keep : int, default 5
        Of how many checkpoints the files are kept; None and 0 keep all.
    """

    def __init__(self, var_list: Any = None, max_to_keep: int | None = 5) -> None:
        found = global_variables() if var_list is None else var_list
        self._variables = found if isinstance(found, dict) else {v.op.name: v for v in found}
        if not found:
            raise ValueError("No variables to save")
        self._max_to_keep = max_to_keep
        self.last_checkpoints: list[str] = []

    def save(
        self, sess: Any, save_path: Any, global_step: Any = None, write_meta_graph=True
    ) -> str:
        """Write the variables' values, and the graph; return the prefix that `restore` takes."""
        step = sess.run(global_step) if hasattr(global_step, "graph") else global_step
        prefix = f"{save_path}" if step is None else f"{save_path}-{step}"
        folder = Path(prefix).parent
        if not folder.is_dir():
            raise ValueError(f"Parent directory of {prefix} doesn't exist, can't save.")
        with sess._lock:
            values = {key: sess.values.get(v.graph_element) for key, v in self._variables.items()}
            if missing := [key for key, value in values.items() if value is None]:
                raise errors.FailedPreconditionError(
                    f"Attempting to use uninitialized value {missing[0]}"
                )
            archive.write(f"{prefix}.index", {"format": _VARIABLES, "version": 1}, values)
        if write_meta_graph:
            export_meta_graph(f"{prefix}.meta", sess.graph, self)
        kept = [*(path for path in self.last_checkpoints if path != prefix), prefix]
        self.last_checkpoints = kept[-self._max_to_keep :] if self._max_to_keep else kept
        names = [os.path.relpath(path, folder) for path in self.last_checkpoints]
        text = json.dumps({"format": _LIST, "version": 1, "checkpoints": names})
        write_atomically(folder / "checkpoint", lambda path: path.write_text(text))
        for old in kept[: -len(self.last_checkpoints)]:
            Path(f"{old}.index").unlink(missing_ok=True)
            Path(f"{old}.meta").unlink(missing_ok=True)
        return prefix

    def restore(self, sess: Any, save_path: Any) -> None:
        """Give the variables the values that were saved, all of them or none.

        Raises
        ------
        NotFoundError, InvalidArgumentError, DataLossError
            A variable is not in the file; has another shape or dtype there; the file is damaged.
        """
        saved = _read_variables(save_path)
        for key, variable in self._variables.items():
            value = _found(saved, key, save_path)
            fits = variable.shape.is_compatible_with(value.shape)
            if not fits or value.dtype != variable.dtype.numpy:
                raise errors.InvalidArgumentError(
                    "Assign requires shapes and dtypes of both tensors to match: "
                    f"{variable!r} and {key!r} of {value.dtype}{value.shape} in {save_path}"
                )
        with sess._lock:
            for key, variable in self._variables.items():
                sess.values[variable.graph_element] = np.array(saved[key])


# --- checkpoints ----------------------------------------------------------------------------


@contextlib.contextmanager
def _reading(path: Any) -> Iterator[None]:
    try:
        with archive.file_errors(path):
            yield
    except ModelFileError as fault:
        raise errors.DataLossError(str(fault)) from fault


def _read_variables(prefix: Any) -> dict[str, np.ndarray]:
    prefix = latest_checkpoint(prefix) if prefix and os.path.isdir(prefix) else prefix
    if not checkpoint_exists(prefix):
        raise ValueError(f"The passed save_path is not a valid checkpoint: {prefix}")
    if os.path.exists(f"{prefix}.data-00000-of-00001"):
        raise errors.DataLossError(
            f"{prefix} is of TensorFlow's own format: read its variables there with "
            "tf.train.load_variable, save them with np.savez, and write variable.load(value)"
        )
    with _reading(f"{prefix}.index"):
        return archive.read(f"{prefix}.index", {_VARIABLES: 1})[1]


def _found(saved: dict[str, np.ndarray], key: str, path: Any) -> np.ndarray:
    if key not in saved:
        raise errors.NotFoundError(f"Key {key} not found in checkpoint {path}: {sorted(saved)}")
    return saved[key]


def checkpoint_exists(checkpoint_prefix: Any) -> bool:
    """Whether there is a checkpoint of this prefix."""
    return os.path.isfile(f"{checkpoint_prefix}.index")


def get_checkpoint_state(checkpoint_dir: Any) -> Any:
    """The `model_checkpoint_path` and the `all_model_checkpoint_paths` of a folder, if any."""
    path = Path(checkpoint_dir, "checkpoint")
    if not path.is_file():
        return None
    with _reading(path):
        names = archive.parse(path, path.read_text(), {_LIST: 1})["checkpoints"]
        found = [os.path.join(checkpoint_dir, name) for name in names]
        return SimpleNamespace(model_checkpoint_path=found[-1], all_model_checkpoint_paths=found)


def latest_checkpoint(checkpoint_dir: Any) -> str | None:
    """The prefix of the newest checkpoint in a folder, if there is one."""
    state = get_checkpoint_state(checkpoint_dir)
    found = state.model_checkpoint_path if state else None
    return found if checkpoint_exists(found) else None


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """The names and shapes in a checkpoint, or in the newest one of a folder."""
    return [(name, list(v.shape)) for name, v in sorted(_read_variables(ckpt_dir_or_file).items())]


def load_variable(ckpt_dir_or_file: Any, name: str) -> np.ndarray:
    """One value in a checkpoint, or in the newest one of a folder."""
    saved = _read_variables(ckpt_dir_or_file)
    return _found(saved, name.removesuffix(":0"), ckpt_dir_or_file)


# --- graphs ---------------------------------------------------------------------------------


def export_meta_graph(filename: Any, graph: Graph | None = None, saver: Any = None) -> None:
    """Write a graph: its operations, its collections, and what a Saver saves."""
    graph, arrays = graph or get_default_graph(), {}

    def packed(item: Any) -> Any:
        if item is None or isinstance(item, (str, int)):
            return item
        if isinstance(item, dict):
            return {key: packed(inner) for key, inner in item.items()}
        if isinstance(item, (list, tuple)):
            return [packed(inner) for inner in item]
        if isinstance(item, (Tensor, Operation)):
            return {type(item).__name__.lower(): item.name}
        if isinstance(item, Variable):
            parts = item.op, item.initial_value, item.initializer, item.trainable
            return {"variable": packed(parts)}
        if isinstance(item, Unvalued):
            return {"unknown": [item.dtype.str, packed(item.shape)]}
        if isinstance(item, float) and not math.isfinite(item):
            item = np.asarray(item)
        if not isinstance(item, np.ndarray):
            return item
        if item.dtype == object:
            return {"text": [[text.decode("latin-1") for text in item.flat], packed(item.shape)]}
        return {"array": arrays.setdefault(id(item), (str(len(arrays)), item))[0]}

    document = {"format": _GRAPH, "version": 1, "operations": []}
    for op in graph.get_operations():
        outputs = [(tensor.dtype.name, tensor.probes) for tensor in op.outputs]
        parts = op.type, op.name, op.inputs, op.control_inputs, op.attributes, outputs
        document["operations"].append(packed(parts))
    document["collections"] = packed(graph.collections)
    document["saver"] = saver and packed((saver._variables, saver._max_to_keep))
    archive.write(filename, document, dict(arrays.values()))


def import_meta_graph(meta_graph_or_file: Any, clear_devices: bool = False) -> Saver | None:
    """Add a saved graph to the default one; return its Saver, if it was saved with one.

    Raises
    ------
    OSError, DataLossError, ValueError
        There is no such file; it is damaged; the default graph has operations of its names.
    """
    path, graph = Path(meta_graph_or_file), get_default_graph()
    if not path.is_file():
        raise OSError(f"File {path} does not exist.")
    with _reading(path):
        document, arrays = archive.read(path, {_GRAPH: 1})
        _build(Graph(), document, arrays)  # a damaged file leaves the default graph as it is
    if taken := {name for _, name, *_ in document["operations"]} & {*graph._operations}:
        raise ValueError(
            f"The graph has an operation {min(taken)!r} already: write tf.reset_default_graph() "
            "before import_meta_graph"
        )
    return _build(graph, document, arrays)


def _build(graph: Graph, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Saver | None:
    value = _decoder(graph, arrays)
    with graph.as_default(), _outside(graph), graph.control_dependencies(None):
        for entry in document["operations"]:
            kind, name, inputs, controls, attributes, outputs = value(entry)
            results = [(as_dtype(dtype), probes and tuple(probes)) for dtype, probes in outputs]
            op = graph.add(KERNELS[kind].type, inputs, attributes, results, name)
            op.control_inputs = tuple(graph.as_graph_element(control) for control in controls)
            parts = [key for key, item in attributes.items() if isinstance(item, dict)]
            known = [tensor.shape for tensor in op.outputs]
            if op.name != name or any(op in Part.of(op, key).operations for key in parts):
                raise ValueError(f"its operation {name!r} {known} cannot stand where it does")
        for key, items in document["collections"].items():
            graph.get_collection_ref(key).extend(value(items))
        return Saver(*value(document["saver"])) if document["saver"] else None


def _decoder(graph: Graph, arrays: dict[str, np.ndarray]) -> Any:
    """What makes objects of a graph of what they were packed as."""
    variables: dict[str, Variable] = {}

    def variable(op: Operation, first: Tensor, setter: Operation, trainable: bool) -> Variable:
        found = variables.setdefault(op.name, Variable.__new__(Variable))
        found.op, found.initial_value, found.initializer = op, first, setter
        found.trainable, found.constraint = trainable, None
        return found

    def text(strings: list[str], shape: list[int]) -> np.ndarray:
        return as_array([each.encode("latin-1") for each in strings], "string").reshape(shape)

    def unknown(dtype: str, shape: Any) -> Unvalued:
        return Unvalued(shape and TensorShape(shape).as_list(), as_dtype(dtype).numpy)

    def value(item: Any) -> Any:
        if isinstance(item, list):
            return [value(inner) for inner in item]
        if not isinstance(item, dict):
            return item
        found = [kinds[key](value(inner)) for key, inner in item.items() if key in kinds]
        return found[0] if found else {key: value(inner) for key, inner in item.items()}

    kinds = {
        "array": arrays.__getitem__,
        "tensor": graph.get_tensor_by_name,
        "operation": graph.get_operation_by_name,
        "variable": lambda item: variable(*item),
        "text": lambda item: text(*item),
        "unknown": lambda item: unknown(*item),
    }
    return value


__all__ = exported(dict(globals()))
