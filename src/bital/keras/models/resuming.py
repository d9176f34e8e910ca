"""Going on with a training as if it had never stopped.

All that decides what a training does next is in its state: weights, the optimizer's state, the
place in the data, the sums of the epoch so far, what callbacks have learnt, seeds. `Session` writes
it between two calls of the compiled steps, and puts it back.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from bital import config, tree
from bital.errors import ArgumentError, BitalError, CheckpointError
from bital.keras import functions, random_state
from bital.keras.callbacks import CallbackList
from bital.keras.checkpoints import Checkpoints, Elsewhere, Folder, sample_of
from bital.keras.plain import pack, unpack
from bital.keras.variables import commit
from bital.keras.vocabulary import vocabulary_of


@dataclass
class Place:
    """Where a training stands: an epoch, its batches that are done, and the sums over them."""

    epoch: int
    batch: int = 0
    sums: Any = None


class Session:
    """What ``fit`` tells of its progress; without ``resume`` it does nothing.

    Parameters
    ----------
    resume : str, path, Checkpoints or None
        Where the training is kept.
    model : Model
        Compiled and built.
    listeners : CallbackList
        Whose states are kept.
    told : dict
        What makes the training the one that it is: see `describe`.
    """

    def __init__(self, resume: Any, model: Any, listeners: CallbackList, told: Any) -> None:
        self.model = model
        self.listeners = listeners
        self.told = json.loads(json.dumps(told))
        self.options: Checkpoints | None = None
        if resume is not None:
            self.options = resume if isinstance(resume, Checkpoints) else Checkpoints(resume)
        self.folder: Folder | None = None
        self._seed = 0
        self._place: Place | None = None  # None while it is being changed
        self._written: Place | None = None
        self._callbacks: dict[str, Any] | None = None  # states to be put back
        self._best: float | None = None
        self._last = (0.0, 0, 0)  # time, epoch and steps of the last checkpoint
        self._steps = 0
        self._processes = config.processes(model.executor)

    def __enter__(self) -> Session:
        if self.options is not None:
            self.folder = (Elsewhere if self._processes.index else Folder)(self.options)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.folder is None:
            return
        if kind is None and self.options is not None and self.options.removed_at_end:
            self.folder.clear()
        self.folder.close()
        if kind is None and self.folder.failed is not None:
            raise CheckpointError(
                f"fit(resume={str(self.folder.path)!r}): the training is done and the model holds "
                f"its result, but its last checkpoint could not be written: {self.folder.failed}. "
                "Save the model elsewhere: model.save(path)."
            ) from self.folder.failed

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Write what the training has come to at the end, also at Ctrl-C.

        That is before ``on_train_end``, in which callbacks may give the model other weights.
        """
        try:
            yield
        except KeyboardInterrupt:
            self.finish()
            raise
        self.finish()

    def start(self, epoch: int, seed: int) -> tuple[Place, int]:
        """Return where the training begins or goes on, and its seed.

        Raises
        ------
        CheckpointError
            If the folder holds another training, or cannot be written to.
        """
        (self._seed,) = self._processes.agree([seed])
        self._require_same_weights()
        if self.folder is None:
            return Place(epoch), self._seed
        self.model._steps()  # the optimizer's state is there
        saved = self._from_first(self.folder.newest())
        if saved is None:
            self._place = Place(epoch)
            self._write(self._place, wait=True)
            if self.folder.failed is not None:
                raise CheckpointError(
                    f"fit(resume={str(self.folder.path)!r}): nothing has been trained, since no "
                    f"checkpoint can be written there: {self.folder.failed}."
                ) from self.folder.failed
            return self._place, self._seed
        place = self._restored(saved)
        self._place = self._written = place
        self._last = time.perf_counter(), place.epoch, self._steps
        if place.batch == 0:
            self._restore_callbacks()
        return place, self._seed

    def entered(self, epoch: int) -> Place:
        """Return the place within an epoch that has begun, after ``on_epoch_begin``."""
        place = self._place
        if self.folder is None or place is None or (place.epoch, place.batch) == (epoch, 0):
            return Place(epoch)
        self._restore_callbacks()
        return place

    def leave(self) -> None:
        """Note that what comes now changes the state: no checkpoint is made until ``at``."""
        self._place = None

    def at(self, epoch: int, batch: int, sums: Any = None, logs: Any = None) -> None:
        """Note a place that the training has come to, and write a checkpoint if it is due.

        Parameters
        ----------
        epoch : int
        batch : int
            Batches of this epoch that are done.
        sums : tree, optional
            Over these batches.
        logs : dict, optional
            Of the epoch before, if it has just ended.
        """
        if self.folder is None or self.options is None:
            return
        self._place = Place(epoch, batch, sums)
        best = self._is_best(logs)
        self._steps = self.model.optimizer.iterations
        since, last_epoch, last_step = self._last
        options = self.options
        due = (
            (options.epochs is not None and epoch - last_epoch >= options.epochs)
            or (options.steps is not None and self._steps - last_step >= options.steps)
            or (options.seconds is not None and time.perf_counter() - since >= options.seconds)
        )
        (chosen,) = self._processes.agree([best or (due and self.folder.rests(since))])
        if chosen:
            self._write(self._place, best)

    def finish(self) -> None:
        """Write the place that the training has come to, unless that has been done."""
        if self.folder is None or self._place is None:
            return
        new = self._place is not self._written or self.folder.failed is not None
        (new,) = self._processes.agree([new])
        if new:  # all collect what lies in parts, one writes it
            self._write(self._place)
        self.folder.wait()

    # Several processes ----------------------------------------------------------------------

    def _require_same_weights(self) -> None:
        """Refuse to begin where processes have other weights: sums over them mean nothing."""
        if self._processes.count == 1:
            return
        mine = 0
        for variable in self.model.weights:
            mine = zlib.crc32(np.ascontiguousarray(variable.value).tobytes(), mine)
        (first,) = self._processes.agree([mine])
        if self._processes.any_of(mine != first):
            raise ArgumentError(
                f"fit: process {self._processes.index} and others of {self._processes.count} begin "
                "with different weights. Call keras.utils.set_random_seed(1) in all of them, "
                "before the model is made."
            )

    def _from_first(self, saved: Any) -> Any:
        """The state that process 0 has read, in all processes."""
        if self._processes.count == 1:
            return saved
        from safetensors.numpy import load, save

        packed, arrays = pack(saved, "a checkpoint")
        text = self._processes.shared(json.dumps(packed).encode())
        tensors = self._processes.shared(save(arrays))
        return unpack(json.loads(text), load(tensors))

    # State --------------------------------------------------------------------------------

    def _write(self, place: Place, best: bool = False, wait: bool = False) -> None:
        assert self.folder is not None
        model, optimizer = self.model, self.model.optimizer
        weights = {variable.path: variable.value for variable in model.weights}
        if len(weights) != len(model.weights):
            raise CheckpointError(
                f"fit(resume=...): two weights of {model.name} have one name. Give the layers of "
                "your own names that differ: name='...'."
            )
        state = {
            "training": self.told,
            "epoch": place.epoch,
            "batch": place.batch,
            "sums": place.sums,
            "weights": weights,
            "optimizer": optimizer.state,
            "learning_rate": float(optimizer.learning_rate),
            "callbacks": self._states(),
            "stop": bool(model.stop_training),
            "best": self._best,
            "seed": self._seed,
            "random": random_state.get_state(),
        }
        self.folder.write(state, best, wait)
        self._written = place
        self._last = time.perf_counter(), place.epoch, optimizer.iterations

    def _restored(self, saved: Any) -> Place:
        model, optimizer = self.model, self.model.optimizer
        path = self.folder.path if self.folder else ""
        different = differences(saved["training"], self.told)
        if different:
            raise CheckpointError(
                f"fit(resume={str(path)!r}): the folder holds another training. Different are: "
                f"{'; '.join(different[:5])}. Give this training a folder of its own, or call fit "
                "as before."
            )
        variables = {variable.path: variable for variable in model.weights}
        weights = saved["weights"]
        if set(weights) != set(variables) or not _alike(optimizer.state, saved["optimizer"]):
            raise CheckpointError(
                f"fit(resume={str(path)!r}): the folder holds the weights of another model."
            )
        commit(variables.values(), [np.array(weights[name]) for name in variables])
        optimizer.state = saved["optimizer"]
        optimizer.learning_rate = saved["learning_rate"]
        model.stop_training = saved["stop"]
        self._best, self._seed = saved["best"], saved["seed"]
        self._steps = optimizer.iterations
        self._callbacks = saved["callbacks"]
        random_state.set_state(saved["random"])
        return Place(saved["epoch"], saved["batch"], saved["sums"])

    def _named_callbacks(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for callback in self.listeners.callbacks:
            name, number = type(callback).__name__, 0
            while f"{name} {number}" in found:
                number += 1
            found[f"{name} {number}"] = callback
        return found

    def _states(self) -> dict[str, Any]:
        if self._callbacks is not None:  # they have not been put back yet
            return self._callbacks
        states = {name: c.get_state() for name, c in self._named_callbacks().items()}
        return {name: state for name, state in states.items() if state}

    def _restore_callbacks(self) -> None:
        states, callbacks = self._callbacks or {}, self._named_callbacks()
        missing = sorted(set(states) - set(callbacks))
        if missing:
            raise CheckpointError(
                f"fit(resume=...): the training was begun with the callback "
                f"{missing[0].split()[0]}, which is missing now. Give the same callbacks."
            )
        rate, stop = self.model.optimizer.learning_rate, self.model.stop_training
        for name, state in states.items():
            callbacks[name].set_state(state)
        self.model.optimizer.learning_rate, self.model.stop_training = rate, stop
        self._callbacks = None

    def _is_best(self, logs: Any) -> bool:
        if self.options is None or self.options.monitor is None or logs is None:
            return False
        if self.options.monitor not in logs:
            known = self.listeners.history.params.get("logged", ())
            if self.options.monitor in known:  # an epoch without validation
                return False
            raise ArgumentError(
                f"Checkpoints(monitor={self.options.monitor!r}): training logs "
                f"{', '.join(map(repr, logs))}, and no value of that name."
            )
        value = float(logs[self.options.monitor])
        if not self.options.better(value, self._best):
            return False
        self._best = value
        return True


def asked(resume: Any, callbacks: Any) -> Any:
    """Return where a training is kept: ``fit``'s argument, or that of a callback that says so."""
    found = [c.checkpoints for c in callbacks or () if hasattr(c, "checkpoints")]
    if len(found) + (resume is not None) > 1:
        raise ArgumentError("fit: give resume=... or one BackupAndRestore, not both.")
    return found[0] if found else resume


# What makes a training the one that it is ---------------------------------------------------


def describe(model: Any, train: Any, test: Any, **arguments: Any) -> dict[str, Any]:
    """Return plain data that tell this training from others.

    Parameters
    ----------
    model : Model
        Compiled and built.
    train, test : (x, y, sample_weight) or None
        Samples to train and to validate on: their types and a checksum of some rows count.
    **arguments
        Of ``fit``.
    """
    with functions.comparing():
        optimizer = described(model.optimizer)
        if isinstance(optimizer, dict) and "config" in optimizer:
            # What callbacks have made of it is part of the state.
            rate = getattr(model.optimizer.rule, "learning_rate", None)
            optimizer["config"]["learning_rate"] = described(rate)
        return {
            "model": described(model),
            "weights": {v.path: [list(v.shape), v.dtype.name] for v in model.weights},
            "trainable": [v.path for v in model.trainable_weights],
            "optimizer": optimizer,
            "loss": described(model.loss),
            "metrics": described(model.metrics),
            "arguments": described(arguments),
            "data": _samples(train),
            "validation data": _samples(test),
        }


def described(item: Any) -> Any:
    """Return plain data that are equal for equal objects."""
    if item is None or isinstance(item, (bool, int, float, str)):
        return item
    if isinstance(item, np.generic):
        return item.item()
    if isinstance(item, np.ndarray):
        return sample_of(item)
    if isinstance(item, (list, tuple)):
        return [described(part) for part in item]
    if isinstance(item, dict):
        return {str(key): described(value) for key, value in item.items()}
    vocabulary = vocabulary_of(item)
    if vocabulary is not None:
        try:
            return described(vocabulary.serialize(item))
        except (BitalError, NotImplementedError):
            return {"class_name": type(item).__name__}
    if callable(item):
        return functions.digest(item)
    return type(item).__name__


def _samples(data: Any) -> Any:
    if data is None:
        return None
    return dict(zip(("x", "y", "sample_weight"), map(described, data), strict=True))


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Return in words where two trees of plain data differ.

    Examples
    --------
    >>> differences({"seed": 1, "units": [3, 4]}, {"seed": 1, "units": [3, 5]})
    ['units 1: 4 before, now 5']
    """
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        pairs = [(key, old.get(key, _MISSING), new.get(key, _MISSING)) for key in keys]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(str(number), *pair) for number, pair in enumerate(zip(old, new, strict=True))]
    else:
        return [] if old == new else [f"{path.strip()}: {_short(old)} before, now {_short(new)}"]
    return [text for key, a, b in pairs for text in differences(a, b, f"{path} {key}")]


_MISSING = "nothing"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _alike(one: Any, two: Any) -> bool:
    """Whether two trees of arrays have one structure, and arrays of one shape and dtype."""
    if tree.structure(one) != tree.structure(two):
        return False
    pairs = zip(tree.leaves(one), tree.leaves(two), strict=True)
    return all(np.shape(a) == np.shape(b) and _dtype(a) == _dtype(b) for a, b in pairs)


def _dtype(leaf: Any) -> Any:
    return np.asarray(leaf).dtype


__all__ = ["Place", "Session", "describe", "differences"]
