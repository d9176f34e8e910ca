"""Model files: one safetensors file, whose metadata describes the model as JSON.

The page docs/model_file.md specifies the format. In short (version 2)::

    tensors   "weights/<path>"            a weight, such as weights/dense/kernel
              "optimizer/<slot>/<path>"   a slot of the optimizer, such as momentums; without a path
                                          what is not one array a weight, such as iterations
    metadata  "bital"                     the JSON below
              "bital_crc32"               checksum of that JSON and of all tensors, in hexadecimal

    {"format": "bital.keras", "version": 2,
     "model":   {"class_name": "Sequential", "config": {...}} or null for weights alone,
     "compile": {"optimizer": {...}, "loss": ..., "loss_weights": ..., "metrics": ...,
                 "weighted_metrics": ...} or null}

Every ``class_name`` stands in a closed vocabulary, and functions are Programs. Loading imports
nothing and runs nothing that the file names. It checks sizes before it reads: a weight is made only
where the file holds a tensor of exactly its shape and dtype.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError, ModelFileError, ModelStateError
from bital.keras import archive, losses, metrics, optimizers
from bital.keras.archive import damaged
from bital.keras.checkpoints import FORMAT as CHECKPOINT
from bital.keras.functions import OwnFunction
from bital.keras.layers.base import LAYERS
from bital.keras.models.model import Model
from bital.keras.variables import Variable, commit, values_from

FORMAT = "bital.keras"
VERSION = 2

# Suffixes that promise another program's format.
_FOREIGN = (".keras", ".h5", ".hdf5", ".pkl", ".pickle", ".pt", ".pth", ".onnx", ".npz", ".npy")


def save_model(
    model: Model, path: str | Path, overwrite: bool = True, include_optimizer: bool = True
) -> None:
    """Write a model into one file; ``Model.save`` describes it."""
    _require_built(model, "save")
    try:
        described, compiled = _describe(model, include_optimizer)
    except ModelStateError:  # a function has not been called yet
        _rehearse(model)
        described, compiled = _describe(model, include_optimizer)
    tensors = _weights(model)
    if compiled is not None:
        tensors |= dict(_state_of(model.optimizer))
    _write(path, overwrite, described, compiled, tensors)


def described(model: Model) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a compiled model as a document and tensors, for a file that holds more than it."""
    _rehearse(model)
    layers, compiled = _describe(model, True)
    document = {"format": FORMAT, "version": VERSION, "model": layers, "compile": compiled}
    return document, {**_weights(model), **dict(_state_of(model.optimizer))}


def restored(path: str | Path, document: Any, tensors: archive.Tensors) -> Model:
    """Return the model that `described` described; ``path`` is for messages."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise damaged(path, "it does not hold a model")
    return _loaded(path, document, tensors, True)


def save_weights(model: Model, path: str | Path, overwrite: bool = True) -> None:
    """Write a model's weights alone."""
    _require_built(model, "save_weights")
    _write(path, overwrite, None, None, _weights(model))


def load_model(path: str | Path, compile: bool = True, **others: Any) -> Model:
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
    ArgumentError
        For Keras's ``custom_objects`` and ``safe_mode``: a file holds functions as what they
        compute, never code, and has no unsafe mode.
    """
    if others:
        raise ArgumentError(
            f"load_model({', '.join(f'{name}=...' for name in others)}): a model file holds your "
            "functions as what they compute, so leave this out. A model with layer classes of your "
            "own is built by your code, and then reads model.load_weights(path)."
        )
    document, tensors = archive.read(path, {FORMAT: VERSION})
    return _loaded(path, document, tensors, compile)


def _loaded(path: str | Path, document: Any, tensors: archive.Tensors, compile: bool) -> Model:
    if set(document) != {"format", "version", "model", "compile"}:
        raise damaged(path, f"its JSON has the keys {', '.join(sorted(document))}")
    if document["model"] is None:
        raise damaged(path, "it holds weights alone; use model.load_weights(path)")
    file = _File(path, tensors)
    with archive.file_errors(path), values_from(file.stand_in()):
        model = LAYERS.deserialize(document["model"])
        if not isinstance(model, Model):
            raise damaged(path, "it describes a layer, not a model")
        if not model.built:
            model.build(model.given_input_shape)
    variables = model.weights
    commit(variables, [file.take(f"weights/{v.path}", v) for v in variables])
    if document["compile"] is not None:
        with archive.file_errors(path):
            _restore_compilation(model, document["compile"], document["version"], file)
    file.require_all_taken()
    if not compile:
        model.optimizer, model.loss = None, None
    return model


def load_weights(model: Model, path: str | Path) -> None:
    """Read weights into a built model; all of them, or none on an error."""
    _require_built(model, "load_weights")
    _, tensors = archive.read(path, {FORMAT: VERSION, CHECKPOINT: 1})
    file = _File(path, tensors)
    variables = model.weights
    values = [file.take(f"weights/{variable.path}", variable) for variable in variables]
    extra = [name for name in file.left if name.startswith("weights/")]
    if extra:
        raise damaged(path, f"it holds weights that the model does not have, such as {extra[0]!r}")
    commit(variables, values)


# Writing ----------------------------------------------------------------------------------


def _weights(model: Model) -> dict[str, Any]:
    return {f"weights/{variable.path}": variable.value for variable in model.weights}


def _describe(model: Model, include_optimizer: bool) -> tuple[dict[str, Any], Any]:
    described = LAYERS.serialize(model)
    if not include_optimizer or model.optimizer is None:
        return described, None
    asked = model._request
    return described, {
        "optimizer": optimizers.VOCABULARY.serialize(model.optimizer),
        "loss": _tree(asked.loss, losses.VOCABULARY.serialize),
        "loss_weights": _tree(asked.loss_weights, float),
        "metrics": _tree(asked.metrics, _metric),
        "weighted_metrics": _tree(asked.weighted_metrics, _metric),
    }


def _tree(item: Any, describe: Callable[[Any], Any]) -> Any:
    """What was asked of several outputs as plain data: a dict of them is ``{"outputs": ...}``."""
    if item is None:
        return None
    if isinstance(item, (list, tuple)):
        return [_tree(part, describe) for part in item]
    if isinstance(item, dict):
        return {"outputs": {name: _tree(part, describe) for name, part in item.items()}}
    return describe(item)


def _metric(request: Any) -> Any:
    return request if isinstance(request, str) else metrics.VOCABULARY.serialize(request)


def _state_of(optimizer: optimizers.Optimizer) -> Iterator[tuple[str, Any]]:
    """Names and arrays of the state, whatever its form; names follow those of the weights."""
    if optimizer.state is None:
        return
    paths = [variable.path for variable in optimizer._variables or ()]

    def walk(name: str, item: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(item, dict):
            for key in sorted(item):
                yield from walk(f"{name}/{key}", item[key])
        elif isinstance(item, (tuple, list)):
            names = paths if len(paths) == len(item) else [str(n) for n in range(len(item))]
            for key, part in zip(names, item, strict=True):
                yield from walk(f"{name}/{key}", part)
        elif item is not None:
            yield name, item

    yield from walk("optimizer", optimizer.state)


def _rehearse(model: Model) -> None:
    """Let the functions in a model see the types of their arguments; nothing is computed."""
    for variable in model.weights:
        for item in (variable.regularizer, variable.constraint):
            _see(item, variable.value)
    shapes: list[Any] = []
    x = bital.tree.map(lambda shape: shape, _examples(model, shapes))
    if any(None in shape[1:] for shape in shapes):
        return  # some function is asked to be called first
    outputs = bital.eval_shape(lambda x: model(x), x)
    single = bital.tree.leaves(outputs)
    if model.optimizer is None or len(single) != 1:
        return
    for item in bital.tree.leaves((model._request.loss, model._request.metrics)):
        _see(item, single[0], single[0])


def _see(item: Any, *args: Any) -> None:
    function = getattr(item, "function", None)
    if isinstance(function, OwnFunction):
        bital.eval_shape(function, *args)


def _examples(model: Model, shapes: list[Any]) -> Any:
    def example(shape: Any) -> np.ndarray:
        shapes.append(shape)
        sizes = [1 if size is None else size for size in shape[1:]]
        return np.broadcast_to(np.zeros((), model.dtype), (2, *sizes))

    from bital.keras.layers.calling import map_shapes

    return map_shapes(example, model.input_shape)


def _write(
    path: str | Path,
    overwrite: bool,
    model: dict[str, Any] | None,
    compiled: dict[str, Any] | None,
    tensors: dict[str, Any],
) -> None:
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
    document = {"format": FORMAT, "version": VERSION, "model": model, "compile": compiled}
    archive.write(path, document, tensors)


def _require_built(model: Model, what: str) -> None:
    if not model.built:
        raise ModelStateError(
            f"{model.name}.{what}: the model has no weights before it knows its input. Put "
            "Input((784,)) first, or call it on data."
        )


# Reading ----------------------------------------------------------------------------------


class _File:
    """The tensors of one file; each is taken once."""

    def __init__(self, path: str | Path, tensors: archive.Tensors) -> None:
        self.path = path
        self.left = dict(tensors)

    def take(self, name: str, like: Any) -> np.ndarray:
        """Return the tensor of this name, if it has the shape and dtype of the variable."""
        array = self.left.pop(name, None)
        if array is None:
            raise damaged(self.path, f"it has no tensor {name!r}")
        if array.shape != tuple(like.shape) or array.dtype != like.dtype:
            raise self._unlike(name, array, like)
        return array

    def stand_in(self) -> Callable[[Variable], np.ndarray]:
        """What makes the values of a model's variables: none that is larger than a tensor here.

        A layer may learn its name after its variables exist, so that they are told apart by shape
        and dtype only; their values come later.
        """
        count = Counter(
            (array.shape, array.dtype)
            for name, array in self.left.items()
            if name.startswith("weights/")
        )

        def source(variable: Variable) -> np.ndarray:
            kind = variable.shape, variable.dtype
            if not count[kind]:
                name = f"weights/{variable.path}"
                if name in self.left:
                    raise self._unlike(name, self.left[name], variable)
                raise damaged(self.path, f"it has no tensor {name!r}")
            count[kind] -= 1
            return np.zeros(*kind)

        return source

    def require_all_taken(self) -> None:
        """Raise if the file holds more than the model."""
        if self.left:
            raise damaged(self.path, f"it holds a tensor that nothing needs, {min(self.left)!r}")

    def _unlike(self, name: str, array: np.ndarray, like: Any) -> ModelFileError:
        return damaged(
            self.path,
            f"tensor {name!r} is {array.dtype}{list(array.shape)}, and the model needs "
            f"{like.dtype}{list(like.shape)}",
        )


def _restore_compilation(model: Model, data: Any, version: int, file: _File) -> None:
    keys = {"optimizer", "loss", "metrics", "weighted_metrics"}
    if version > 1:
        keys.add("loss_weights")
    if not isinstance(data, dict) or set(data) != keys:
        raise ArgumentError(f"'compile' must hold {', '.join(sorted(keys))}")
    optimizer = optimizers.VOCABULARY.deserialize(data["optimizer"])
    model.compile(
        optimizer,
        _asked(data["loss"], losses.VOCABULARY.deserialize),
        loss_weights=_asked(data.get("loss_weights"), _factor),
        metrics=_asked(data["metrics"], _metric_of),
        weighted_metrics=_asked(data["weighted_metrics"], _metric_of),
    )
    if not any(name.startswith("optimizer/") for name in file.left):
        return
    optimizer.build(model.trainable_weights)
    found = {name: file.take(name, np.asarray(leaf)) for name, leaf in _state_of(optimizer)}
    leaves = iter(found.values())
    # An array without axes is a NumPy scalar in a state.
    optimizer.state = bital.tree.unflatten(
        bital.tree.structure(optimizer.state), [array[()] for array in leaves]
    )
    if optimizer.iterations < 0:
        raise ArgumentError(f"'optimizer/iterations' is {optimizer.iterations}")


def _asked(data: Any, make: Callable[[Any], Any]) -> Any:
    if data is None:
        return None
    if isinstance(data, list):
        return [_asked(part, make) for part in data]
    if isinstance(data, dict) and set(data) == {"outputs"}:
        if not isinstance(data["outputs"], dict):
            raise ArgumentError("'outputs' must be a dict")
        return {name: _asked(part, make) for name, part in data["outputs"].items()}
    return make(data)


def _metric_of(data: Any) -> Any:
    return data if isinstance(data, str) else metrics.VOCABULARY.deserialize(data)


def _factor(data: Any) -> float:
    if type(data) is not float:
        raise ArgumentError(f"a loss weight is {data!r:.40}")
    return data


__all__ = ["load_model", "load_weights", "save_model", "save_weights"]
