"""Estimators in files: one inert safetensors file with inputs, labels, network and optimizer.

::

    tensors   "model/..."    the network and its optimizer, named as in a model file
              "inputs/..."   what was learnt of the columns
              "targets/..."  what was learnt of the targets
              "best/<n>"     weights of the best epoch, while training goes on
    metadata  "bital"        {"format": "bital.sklearn", "version": 1, "class": "DNNClassifier",
                              "parameters": ..., "model": the document of a model file,
                              "inputs": ..., "targets": ..., "fitted": ..., "progress": ...}

A `Perceptron`'s file has "coef", "intercept" and "mistakes", and "parameters" and "fitted" alone.
Nothing that the file names is imported or run. Functions of the user's own work in the loaded
network (as what they compute), but are no parameters of the loaded estimator: it predicts and goes
on by ``partial_fit``, and a new ``fit`` asks for them.
"""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from bital.errors import ArgumentError, BitalError, ModelStateError
from bital.keras import archive, losses, optimizers, saving
from bital.keras.archive import damaged
from bital.sklearn import inputs
from bital.sklearn.training import Progress

FORMAT = "bital.sklearn"
VERSION = 1

_OBJECTS = {"loss": losses.VOCABULARY, "optimizer": optimizers.VOCABULARY}


class NotSaved:
    """Stands in a loaded estimator for a function that a file cannot hold."""

    def __init__(self, parameter: str, name: str) -> None:
        self.parameter, self.name = parameter, name

    def __call__(self, *args: Any) -> Any:
        """Raise."""
        raise ModelStateError(
            f"{self.parameter}={self.name} is a function, which a file does not hold. Before fit "
            f"write estimator.set_params({self.parameter}={self.name})."
        )

    def __repr__(self) -> str:
        return f"<{self.name}, not in the file>"


def save(estimator: Any, path: str | Path) -> None:
    """Write a fitted estimator; ``DNNClassifier.save`` describes it."""
    check_is_fitted(estimator, "model_")
    path = _checked(path)
    model, tensors = saving.described(estimator.model_)
    arrays = {f"model/{name}": array for name, array in tensors.items()}
    learnt, found = estimator._inputs.state()
    arrays |= {f"inputs/{name}": array for name, array in found.items()}
    targets, found = estimator._targets_state()
    arrays |= {f"targets/{name}": array for name, array in found.items()}
    progress = estimator._progress.state()
    best = progress.pop("best_weights") or ()
    arrays |= {f"best/{place}": array for place, array in enumerate(best)}
    parts = {
        "model": model,
        "inputs": learnt,
        "targets": targets,
        "fitted": _fitted(estimator),
        "progress": progress,
    }
    _write(estimator, path, parts, arrays)


def save_units(unit: Any, path: str | Path) -> None:
    """Write a fitted `Perceptron`."""
    check_is_fitted(unit)
    fitted, arrays = unit._fitted_state()
    _write(unit, _checked(path), {"fitted": fitted}, arrays)


def _write(estimator: Any, path: Path, parts: dict[str, Any], arrays: Any) -> None:
    given = estimator.get_params(deep=False)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "class": type(estimator).__name__,
        "parameters": {name: _plain(name, value) for name, value in given.items()},
        **parts,
    }
    archive.write(path, document, arrays)


def _checked(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix.lower() in (".pkl", ".pickle", ".joblib", ".keras", ".h5"):
        raise ArgumentError(
            f"save({str(path)!r}): bital writes safetensors files, and {path.suffix!r} promises "
            f"another format. Write {path.with_suffix('.safetensors').name!r}."
        )
    return path


def load(path: str | Path) -> Any:
    """Return the estimator that ``estimator.save(path)`` wrote: it predicts, and trains on.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    DNNClassifier, DNNRegressor or Perceptron

    Raises
    ------
    ModelFileError
        If the file is damaged, or is not one of an estimator.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import os, tempfile
    >>> from bital.sklearn import DNNRegressor
    >>> model = DNNRegressor(solver="lbfgs", max_iter=9, tol=1.0).fit([[0.0], [1.0]], [1.0, 3.0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(os.path.join(folder, "line.safetensors"))
    ...     again = load(os.path.join(folder, "line.safetensors"))
    >>> bool(again.predict([[0.5]]) == model.predict([[0.5]]))
    True
    """
    from bital.sklearn import DNNClassifier, DNNRegressor, Perceptron

    classes = {cls.__name__: cls for cls in (DNNClassifier, DNNRegressor, Perceptron)}
    document, tensors = archive.read(path, {FORMAT: VERSION})
    with archive.file_errors(path):
        if document["class"] not in classes:
            raise damaged(path, f"there is no estimator {document['class']!r:.40}")
        estimator = classes[document["class"]]()
        given = document["parameters"]
        if set(given) != set(estimator.get_params(deep=False)):
            raise damaged(path, "its parameters are not those of the estimator")
        estimator.set_params(**{name: _restored(name, value) for name, value in given.items()})
        if isinstance(estimator, Perceptron):
            estimator._set_fitted_state(document["fitted"], tensors)
            return estimator
        parts: dict[str, dict[str, np.ndarray]] = {}
        for name, array in tensors.items():
            part, _, rest = name.partition("/")
            parts.setdefault(part, {})[rest] = array
        estimator._inputs = inputs.from_state(document["inputs"], parts.get("inputs", {}))
        estimator._is_table = isinstance(estimator._inputs, inputs.TableInputs)
        estimator._set_targets_state(document["targets"], parts.get("targets", {}))
        model = saving.restored(path, document["model"], parts.get("model", {}))
        shapes = (
            model.output_shape if isinstance(model.output_shape, list) else [model.output_shape]
        )
        if [shape[-1] for shape in shapes] != estimator._outputs():
            raise damaged(path, f"its network has outputs {shapes}, which are not its targets'")
        small = document["fitted"]["executor"] == "numpy"  # it was chosen for a small training
        model.executor = "numpy" if small else estimator.executor
        estimator.model_ = estimator._model = model
        best = parts.get("best")
        weights = None if best is None else [best[str(place)] for place in range(len(best))]
        estimator._progress = Progress.from_state(document["progress"], weights)
        _set_fitted(estimator, document["fitted"])
    return estimator


def _fitted(estimator: Any) -> dict[str, Any]:
    names = getattr(estimator, "feature_names_in_", None)
    history = {
        name: [float(value) if math.isfinite(value) else None for value in values]
        for name, values in estimator.history_.items()
    }
    return {
        "n_features_in_": int(estimator.n_features_in_),
        "feature_names_in_": None if names is None else [str(name) for name in names],
        "seed": estimator._seed,
        "executor": estimator.model_.executor,
        "t_": int(estimator.t_),
        "n_iter_": int(estimator.n_iter_),
        "history_": history,
    }


def _set_fitted(estimator: Any, found: dict[str, Any]) -> None:
    estimator.n_features_in_ = int(found["n_features_in_"])
    if found["feature_names_in_"] is not None:
        estimator.feature_names_in_ = np.array(found["feature_names_in_"], object)
    estimator._seed = int(found["seed"])
    estimator.t_, estimator.n_iter_ = int(found["t_"]), int(found["n_iter_"])
    estimator.history_ = {
        str(name): [math.nan if value is None else float(value) for value in values]
        for name, values in found["history_"].items()
    }
    estimator._set_curves()


def _plain(name: str, value: Any) -> Any:
    """A parameter as plain data; a list or dict says its type, so that clones are equal."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, np.generic):
        return _plain(name, value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else {"number": str(value)}
    if isinstance(value, (list, tuple, np.ndarray)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_plain(name, item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[_plain(name, key), _plain(name, item)] for key, item in value.items()]}
    for kind, vocabulary in _OBJECTS.items():
        if isinstance(value, vocabulary.base):
            with contextlib.suppress(BitalError):
                return {kind: vocabulary.serialize(value)}
    if name in ("callbacks", "random_state"):
        return None
    return {"function": getattr(value, "__name__", type(value).__name__)}


def _restored(parameter: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "number":
        return float(inner)
    if kind in ("list", "tuple"):
        found = [_restored(parameter, item) for item in inner]
        return tuple(found) if kind == "tuple" else found
    if kind == "dict":
        return {_restored(parameter, key): _restored(parameter, item) for key, item in inner}
    if kind in _OBJECTS:
        return _OBJECTS[kind].deserialize(inner)
    return NotSaved(parameter, str(inner))


__all__ = ["load", "save"]
