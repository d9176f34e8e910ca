"""Checkpoints and saved graphs: safetensors with JSON, whole or not at all; nothing in them runs.

`Saver.save` writes ``PREFIX.index`` (the variables), ``PREFIX.meta`` (the graph) and, beside them,
``checkpoint`` (the list of those that are kept).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
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
from bital.tf1.operation import KERNELS
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
    keep_checkpoint_every_n_hours : float, default 10,000
        How often one is kept beside them.
    """

    def __init__(
        self,
        var_list: Any = None,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000.0,
        name: str | None = None,
    ) -> None:
        found = global_variables() if var_list is None else var_list
        if not isinstance(found, dict):
            found = {getattr(v, "op", v): v for v in found}.values()
            found = {v.op.name if isinstance(v, Variable) else str(v): v for v in found}
        if not found:
            raise ValueError("No variables to save")
        if bad := [v for v in found.values() if not isinstance(v, Variable)]:
            raise TypeError(f"a Saver saves tf.Variables, got {bad[0]!r}")
        self._variables, self._max_to_keep = found, max_to_keep
        self._hours, self._begun = keep_checkpoint_every_n_hours, time.time()
        self._kept: dict[str, float] = {}

    @property
    def last_checkpoints(self) -> list[str]:
        """The checkpoints that it keeps, the newest last."""
        return list(self._kept)

    def save(
        self,
        sess: Any,
        save_path: Any,
        global_step: Any = None,
        latest_filename: str = "checkpoint",
        meta_graph_suffix: str = "meta",
        write_meta_graph: bool = True,
    ) -> str:
        """Write the variables' values, and the graph; return the prefix that `restore` takes."""
        prefix = os.fspath(save_path)
        if global_step is not None:
            step = global_step if isinstance(global_step, int) else sess.run(global_step)
            prefix = f"{prefix}-{step}"
        folder, name = os.path.split(prefix)
        if not name or not os.path.isdir(folder or "."):
            raise ValueError(f"Parent directory of {prefix} doesn't exist, can't save.")
        with sess._lock:
            values = {key: sess.values.get(v.graph_element) for key, v in self._variables.items()}
            for key, value in values.items():
                if value is None:
                    raise errors.FailedPreconditionError(
                        f"Attempting to use uninitialized value {self._variables[key].op.name}"
                    )
            archive.write(f"{prefix}.index", {"format": _VARIABLES, "version": 1}, values)
        if write_meta_graph:
            self.export_meta_graph(f"{prefix}.{meta_graph_suffix}", sess.graph)
        self._kept.pop(prefix, None)
        self._kept[prefix] = time.time()
        for old in list(self._kept)[: -self._max_to_keep] if self._max_to_keep else ():
            if self._kept.pop(old) > self._begun + 3600 * self._hours:
                self._begun += 3600 * self._hours
                continue
            for suffix in ("index", meta_graph_suffix):
                Path(f"{old}.{suffix}").unlink(missing_ok=True)
        names = [os.path.relpath(kept, folder or ".") for kept in self._kept]
        text = json.dumps({"format": _LIST, "version": 1, "checkpoints": names})
        write_atomically(Path(folder, latest_filename), lambda path: path.write_text(text))
        return prefix

    def restore(self, sess: Any, save_path: Any) -> None:
        """Give the variables the values that were saved, all of them or none.

        Raises
        ------
        NotFoundError, InvalidArgumentError, DataLossError
            A variable is not in the file; has another shape or dtype there; the file is damaged.
        """
        if save_path is None:
            raise ValueError("Can't load save_path when it is None.")
        saved = _read_variables(save_path)
        for key, variable in self._variables.items():
            if key not in saved:
                raise errors.NotFoundError(
                    f"Key {key} not found in checkpoint {save_path}, which has {sorted(saved)}"
                )
            found = saved[key]
            if not variable.shape.is_compatible_with(found.shape):
                raise errors.InvalidArgumentError(
                    "Assign requires shapes of both tensors to match. "
                    f"{variable.op.name} has shape {variable.shape}, and {key} in {save_path} "
                    f"{found.shape}"
                )
            if found.dtype != variable.dtype.numpy:
                raise errors.InvalidArgumentError(
                    f"tensor_name = {key}; expected dtype {variable.dtype.name} does not equal "
                    f"original dtype {found.dtype} in {save_path}"
                )
        with sess._lock:
            for key, variable in self._variables.items():
                sess.values[variable.graph_element] = np.array(saved[key])

    def export_meta_graph(self, filename: Any, graph: Graph | None = None) -> None:
        """Write the graph, with what `import_meta_graph` needs to make this Saver again."""
        export_meta_graph(filename, graph, self)


# --- checkpoints ----------------------------------------------------------------------------


@contextlib.contextmanager
def _reading(path: Any) -> Iterator[None]:
    try:
        with archive.file_errors(path):
            yield
    except ModelFileError as fault:
        raise errors.DataLossError(str(fault)) from fault


def _read_variables(prefix: Any) -> dict[str, np.ndarray]:
    if os.path.isdir(prefix):
        prefix = latest_checkpoint(prefix)
    if not checkpoint_exists(prefix):
        raise ValueError(f"The passed save_path is not a valid checkpoint: {prefix}")
    if os.path.exists(f"{prefix}.data-00000-of-00001"):
        raise errors.DataLossError(
            f"{prefix} is a checkpoint of TensorFlow's own format: read its variables there with "
            "tf.train.load_variable, save them with np.savez, and give them to variable.load(...)"
        )
    with _reading(f"{prefix}.index"):
        return archive.read(f"{prefix}.index", {_VARIABLES: 1})[1]


def checkpoint_exists(checkpoint_prefix: Any) -> bool:
    """Whether there is a checkpoint of this prefix."""
    return os.path.isfile(f"{checkpoint_prefix}.index")


def get_checkpoint_state(checkpoint_dir: Any, latest_filename: str | None = None) -> Any:
    """The `model_checkpoint_path` and the `all_model_checkpoint_paths` of a folder, if any."""
    path = Path(checkpoint_dir, latest_filename or "checkpoint")
    if not path.is_file():
        return None
    with _reading(path):
        names = archive.parse(path, path.read_text(), {_LIST: 1})["checkpoints"]
        found = [os.path.join(checkpoint_dir, name) for name in names]
        return SimpleNamespace(model_checkpoint_path=found[-1], all_model_checkpoint_paths=found)


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """The prefix of the newest checkpoint in a folder, if there is one."""
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    found = state.model_checkpoint_path if state else None
    return found if checkpoint_exists(found) else None


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """The names and shapes in a checkpoint, or in the newest one of a folder."""
    return [(name, list(v.shape)) for name, v in sorted(_read_variables(ckpt_dir_or_file).items())]


def load_variable(ckpt_dir_or_file: Any, name: str) -> np.ndarray:
    """One value in a checkpoint, or in the newest one of a folder."""
    found, name = _read_variables(ckpt_dir_or_file), name.removesuffix(":0")
    if name not in found:
        raise errors.NotFoundError(f"Key {name} not found in checkpoint {ckpt_dir_or_file}")
    return found[name]


# --- graphs ---------------------------------------------------------------------------------


def export_meta_graph(
    filename: Any, graph: Graph | None = None, saver: Saver | None = None
) -> None:
    """Write a graph: its operations, its collections, and what a Saver saves."""
    graph, arrays, variables = graph or get_default_graph(), {}, {}

    def packed(value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.dtype == object:
            texts = [text.decode("latin-1") for text in value.flat]
            return {"strings": texts, "shape": list(value.shape)}
        if isinstance(value, np.ndarray):
            return {"array": arrays.setdefault(id(value), (str(len(arrays)), value))[0]}
        if isinstance(value, Unvalued):
            return value.shape and list(value.shape)
        if isinstance(value, Variable):
            first, setter = value.initial_value.name, value.initializer.name
            variables[value.op.name] = [first, setter, value.trainable]
            return {"variable": value.op.name}
        if isinstance(value, (Tensor, Operation)):
            return {type(value).__name__.lower(): value.name}
        if isinstance(value, dict):
            return {key: packed(item) for key, item in value.items()}
        if isinstance(value, float) and not math.isfinite(value):
            return packed(np.asarray(value))
        return [packed(v) for v in value] if isinstance(value, (list, tuple)) else value

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
    document = {
        "format": _GRAPH,
        "version": 1,
        "operations": operations,
        "collections": packed(graph.collections),
        "saver": saver and [packed(saver._variables), saver._max_to_keep, saver._hours],
        "variables": variables,
    }
    archive.write(filename, document, dict(arrays.values()))


def import_meta_graph(meta_graph_or_file: Any, clear_devices: bool = False) -> Saver | None:
    """Add a saved graph to the default one; return its Saver, if it was saved with one.

    Raises
    ------
    OSError, DataLossError, ValueError
        There is no such file; it is damaged; the default graph has operations of its names.
    """
    path = Path(meta_graph_or_file)
    if not path.is_file():
        raise OSError(f"File {path} does not exist.")
    graph = get_default_graph()
    with _reading(path):
        document, arrays = archive.read(path, {_GRAPH: 1})
        _build(Graph(), document, arrays)  # a damaged file leaves the default graph as it is
    if taken := {op["name"] for op in document["operations"]} & {*graph._operations}:
        raise ValueError(
            f"The graph has an operation {min(taken)!r} already: write tf.reset_default_graph() "
            "before import_meta_graph"
        )
    return _build(graph, document, arrays)


def _build(graph: Graph, document: dict[str, Any], arrays: dict[str, Any]) -> Saver | None:
    variables: dict[str, Variable] = {}
    named = {"tensor": graph.get_tensor_by_name, "operation": graph.get_operation_by_name}
    named |= {"array": arrays.__getitem__, "variable": variables.__getitem__}

    def unpacked(value: Any) -> Any:
        if isinstance(value, list):
            return [unpacked(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "strings" in value:
            texts = [text.encode("latin-1") for text in value["strings"]]
            return np.array([*texts, None], object)[:-1].reshape(value["shape"])
        found = [named[key](item) for key, item in value.items() if key in named]
        return found[0] if found else {key: unpacked(item) for key, item in value.items()}

    def result(name: str, pair: Any) -> Any:
        dtype, pair = as_dtype(name), unpacked(pair)
        if pair is None:
            return dtype, None
        first, second = (
            probe if isinstance(probe, np.ndarray) else Unvalued(_shape(probe), dtype.numpy)
            for probe in pair
        )
        return dtype, (first, second)

    with graph.as_default(), _outside(graph), graph.control_dependencies(None):
        for entry in document["operations"]:
            results = [result(*output) for output in entry["outputs"]]
            inputs = [graph.get_tensor_by_name(name) for name in entry["inputs"]]
            kind, attributes = KERNELS[entry["type"]].type, unpacked(entry["attributes"])
            op = graph.add(kind, inputs, attributes, results, entry["name"])
            op.control_inputs = tuple(map(graph.get_operation_by_name, entry["controls"]))
            for key, value in attributes.items():
                if isinstance(value, dict):
                    Part.of(op, key)  # it is made of operations that stand before
        for name, (first, setter, trainable) in document["variables"].items():
            made = variables[name] = Variable.__new__(Variable)
            made.op, made.trainable = graph.get_operation_by_name(name), trainable
            made.initial_value = graph.get_tensor_by_name(first)
            made.initializer, made.constraint = graph.get_operation_by_name(setter), None
        for key, items in document["collections"].items():
            graph.collections.setdefault(key, []).extend(unpacked(items))
    return Saver(*unpacked(document["saver"])) if document["saver"] else None


def _shape(lengths: Any) -> Any:
    return None if lengths is None else TensorShape(lengths).as_list()
