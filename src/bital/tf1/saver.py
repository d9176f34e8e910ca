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
from bital.keras import archive
from bital.keras.files import write_atomically
from bital.tf1 import errors
from bital.tf1.dtypes import as_dtype
from bital.tf1.evaluation import Part
from bital.tf1.graph import Graph, Operation, Tensor, get_default_graph
from bital.tf1.operation import KERNELS, as_array
from bital.tf1.ops import exported
from bital.tf1.shapes import TensorShape
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
        self, sess: Any, save_path: Any, global_step: Any = None, write_meta_graph: bool = True
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


def export_meta_graph(
    filename: Any, graph: Graph | None = None, saver: Saver | None = None
) -> None:
    """Write a graph: its operations, its collections, and what a Saver saves."""
    graph, arrays = graph or get_default_graph(), {}

    def packed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: packed(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [packed(item) for item in value]
        if isinstance(value, Unvalued):
            return value.shape and list(value.shape)
        if isinstance(value, Variable):
            first, setter = value.initial_value.name, value.initializer.name
            return {"variable": [value.op.name, first, setter, value.trainable]}
        if isinstance(value, (Tensor, Operation)):
            return {type(value).__name__.lower(): value.name}
        if isinstance(value, float) and not math.isfinite(value):
            value = np.asarray(value)
        if not isinstance(value, np.ndarray):
            return value
        if value.dtype == object:
            texts = [text.decode("latin-1") for text in value.flat]
            return {"strings": [texts, list(value.shape)]}
        return {"array": arrays.setdefault(id(value), (str(len(arrays)), value))[0]}

    operations = [
        {
            "type": op.type,
            "name": op.name,
            "inputs": [tensor.name for tensor in op.inputs],
            "controls": [control.name for control in op.control_inputs],
            "attributes": packed(op.attributes),
            "outputs": [[tensor.dtype.name, packed(tensor.probes)] for tensor in op.outputs],
        }
        for op in graph.get_operations()
    ]
    document = {"format": _GRAPH, "version": 1, "operations": operations}
    document["collections"] = packed(graph.collections)
    document["saver"] = saver and [packed(saver._variables), saver._max_to_keep]
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
        _Import(Graph(), arrays).run(document)  # a damaged file leaves the default graph as it is
    if taken := {entry["name"] for entry in document["operations"]} & {*graph._operations}:
        raise ValueError(
            f"The graph has an operation {min(taken)!r} already: write tf.reset_default_graph() "
            "before import_meta_graph"
        )
    return _Import(graph, arrays).run(document)


class _Import:
    """Adds what a file describes to a graph."""

    def __init__(self, graph: Graph, arrays: dict[str, np.ndarray]) -> None:
        self.graph, self.variables = graph, {}
        self.kinds = {
            "array": arrays.__getitem__,
            "strings": self.strings,
            "variable": self.variable,
            "tensor": graph.get_tensor_by_name,
            "operation": graph.get_operation_by_name,
        }

    def run(self, document: dict[str, Any]) -> Saver | None:
        graph = self.graph
        with graph.as_default(), _outside(graph), graph.control_dependencies(None):
            for entry in document["operations"]:
                self.operation(**entry)
            for key, items in document["collections"].items():
                graph.get_collection_ref(key).extend(self.value(items))
            return Saver(*self.value(document["saver"])) if document["saver"] else None

    def operation(
        self, type: str, name: str, inputs: Any, controls: Any, attributes: Any, outputs: Any
    ) -> None:
        read = [self.graph.get_tensor_by_name(item) for item in inputs]
        results = [self.result(*output) for output in outputs]
        op = self.graph.add(KERNELS[type].type, read, self.value(attributes), results, name)
        if op.name != name:
            raise ValueError(f"it has two operations {name!r}")
        op.control_inputs = tuple(self.graph.get_operation_by_name(item) for item in controls)
        for key, value in op.attributes.items():
            if isinstance(value, dict) and op in Part.of(op, key).operations:
                raise ValueError(f"a part of {name!r} is not of operations that stand before")

    def result(self, dtype: str, probes: Any) -> Any:
        kind, found = as_dtype(dtype), self.value(probes)
        for i, probe in enumerate(found or ()):
            if not isinstance(probe, np.ndarray):
                shape = None if probe is None else TensorShape(probe).as_list()
                found[i] = Unvalued(shape, kind.numpy)
        return kind, found and tuple(found)

    def value(self, item: Any) -> Any:
        if isinstance(item, list):
            return [self.value(each) for each in item]
        if not isinstance(item, dict):
            return item
        found = [self.kinds[key](inner) for key, inner in item.items() if key in self.kinds]
        return found[0] if found else {key: self.value(inner) for key, inner in item.items()}

    def strings(self, item: Any) -> np.ndarray:
        return as_array([text.encode("latin-1") for text in item[0]], "string").reshape(item[1])

    def variable(self, item: Any) -> Variable:
        name, first, setter, trainable = item
        found = self.variables.setdefault(name, Variable.__new__(Variable))
        found.op, found.trainable = self.graph.get_operation_by_name(name), trainable
        found.initial_value = self.graph.get_tensor_by_name(first)
        found.initializer, found.constraint = self.graph.get_operation_by_name(setter), None
        return found


__all__ = exported(dict(globals()))
