"""Compiled programs that models of one description share.

A step is a pure function of weights, state and data. What else it depends on stands in the model's
description: layers, losses, metrics, optimizer. So folds of a cross-validation, repeated trainings
and clones, which are new models each, run programs that were recorded and compiled once. They are
made of a copy of the first model, whose weights are never read; models with functions or classes of
the user's own keep their programs to themselves, and so do large ones, whose copies would fill the
memory.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.errors import BitalError
from bital.keras.layers.base import LAYERS
from bital.keras.variables import values_from

KEPT = 16
LARGEST = 1 << 20  # weights of a model that shares

_known: OrderedDict[Any, Any] = OrderedDict()
_lock = threading.Lock()


def shared(key: Any, make: Callable[[], Any]) -> Any:
    """Return what was made for this key before, or make it; the ones used last are kept."""
    with _lock:
        if key in _known:
            _known.move_to_end(key)
            return _known[key]
    made = make()
    with _lock:
        found = _known.setdefault(key, made)
        while len(_known) > KEPT:
            _known.popitem(last=False)
    return found


def description(model: Any, *others: Any) -> Any:
    """Return what the programs of a model depend on, or None if nobody can tell.

    ``others`` are what they depend on beside layers: losses, metrics, an optimizer.
    """
    if type(model).__module__.partition(".models.")[0] != "bital.keras" or model.run_eagerly:
        return None
    if sum(variable.size for variable in model.weights) > LARGEST:
        return None
    if "call" in vars(model) or "compute_loss" in vars(model) or "train_step" in vars(model):
        return None
    try:
        text = json.dumps([LAYERS.serialize(model), *map(_plain, others)], sort_keys=True)
        weights = tuple(_of_variable(variable) for variable in model.weights)
    except (BitalError, TypeError, ValueError):
        return None
    return None if '"function":' in text else (text, weights, model.executor)


def copy_of(model: Any) -> Any:
    """Return a model of the same layers, with zeros as weights."""
    with values_from(lambda variable: np.zeros(variable.shape, variable.dtype)):
        copy = LAYERS.deserialize(LAYERS.serialize(model))
        if not copy.built:
            copy.build(model.input_shape)
    return copy


def _plain(item: Any) -> Any:
    if item is None or isinstance(item, (str, int, float)):
        return item
    if isinstance(item, (tuple, list)):
        return [_plain(part) for part in item]
    if isinstance(item, dict):
        return {key: _plain(part) for key, part in item.items()}
    from bital.keras.vocabulary import vocabulary_of

    vocabulary = vocabulary_of(item)
    if vocabulary is None:
        raise TypeError(f"{item!r} has no description")
    return vocabulary.serialize(item)


def _of_variable(variable: Any) -> Any:
    parts = variable.regularizer, variable.constraint
    described = json.dumps([_plain(part) for part in parts])
    return variable.path, variable.shape, variable.dtype, variable.trainable, described
