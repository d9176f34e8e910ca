"""fit_many: several networks of one architecture, trained by one program.

Here are the arguments and their checks; `together` is what trains, `hyperparameters` finds the
numbers in which models differ.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError, DataError
from bital.keras import checks, random_state
from bital.keras.callbacks import Callback, History
from bital.keras.models import data
from bital.keras.models.running import Runner
from bital.keras.together import Network, Training


def fit_many(
    models: Sequence[Any],
    x: Any,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    *,
    rows: Sequence[Any] | None = None,
    validation_rows: Sequence[Any] | None = None,
    validation_data: Any = None,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    shuffle: bool = True,
    steps_per_epoch: int | None = None,
    seeds: Sequence[int] | None = None,
    callbacks: Callable[[int], Sequence[Callback]] | None = None,
) -> list[History]:
    """Train several models of one architecture at once, each as ``fit`` trains it alone.

    Models may differ in weights, and in every number that is a Python float in their layers,
    regularizers, losses, optimizers and schedules: learning rate, weight decay, factors of
    penalties, rate of dropout. Folds of a cross-validation are ``rows``.

    Parameters
    ----------
    models : sequence of Model
        Compiled. What they have learnt before stays: training goes on from there.
    x, y, sample_weight : array-like, ``(samples, ...)``
        The samples of all models, in memory; as in ``fit``.
    batch_size : int, default 32
    epochs : int, default 1
    rows : sequence of array-like, optional
        For each model the numbers of the samples to train on, or a mask. Default: all samples.
    validation_rows : sequence of array-like, optional
        For each model the numbers of the samples to measure on after each epoch.
    validation_data : (x, y) or (x, y, sample_weight), optional
        Samples on which all models are measured; not together with ``validation_rows``.
    class_weight : dict, optional
        A weight for each label.
    shuffle : bool, default True
    steps_per_epoch : int, optional
        As in ``fit``: an epoch takes so many batches of its order at most.
    seeds : sequence of int, optional
        For each model what ``fit(seed=...)`` takes. Default: as ``fit``.
    callbacks : callable, optional
        ``callbacks(number) -> list of Callback`` for each model, such as
        ``lambda number: [keras.callbacks.EarlyStopping(patience=5)]``. They are called at the
        beginning and the end of epochs. A model that stops leaves its place to others.

    Returns
    -------
    list of History
        One for each model, as ``fit`` returns it; also ``model.history``. A model whose loss
        becomes NaN or infinite stops after that epoch, with a `RuntimeWarning`; others go on.

    Raises
    ------
    ArgumentError
        If the models differ in more than numbers: it says where. If a sequence has another length
        than ``models``.
    DataError, ShapeError, ModelStateError
        As ``fit``.

    Notes
    -----
    Weights and losses equal those of ``fit(seed=...)`` to rounding: the same order of samples, the
    same random bits. Where a number decides what is computed, as a rate of dropout that is 0 for
    some of the models, there is a program for each case.

    Examples
    --------
    >>> import numpy as np
    >>> from bital import keras
    >>> def build(rate):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(rate), "mse")
    ...     return model
    >>> x = np.random.default_rng(0).normal(size=(64, 2))
    >>> models = [build(rate) for rate in (0.01, 0.1)]
    >>> found = fit_many(models, x, x @ [1.0, 2.0], epochs=5)
    >>> [len(history.history["loss"]) for history in found]
    [5, 5]
    """
    models = _checked_models(models)
    size = data.batch_size("fit_many", batch_size, 32)
    epochs = checks.integer("fit_many", "epochs", epochs, low=0)
    checks.boolean("fit_many", "shuffle", shuffle)
    most = None
    if steps_per_epoch is not None:
        most = size * checks.integer("fit_many", "steps_per_epoch", steps_per_epoch)
    first = models[0]
    samples = _prepared(first, first._data("fit_many", x, y, sample_weight), class_weight)
    tests = samples if validation_rows is not None else None
    if validation_data is not None:
        if validation_rows is not None:
            raise ArgumentError(
                f"fit_many received {len(validation_rows)} validation_rows and validation_data of "
                f"type {type(validation_data).__name__}; give one of them, not both."
            )
        tests = _prepared(first, first._validation(validation_data, None))
    _make_ready(models, samples)
    count = len(models)
    of_rows = _per_model("rows", rows, count, len(samples))
    of_tests = _per_model("validation_rows", validation_rows, count, len(samples))
    if tests is not None and validation_rows is None:
        of_tests = [np.arange(len(tests))] * count
    networks = [
        Network(number, model, *own)
        for number, (model, *own) in enumerate(
            zip(models, _seeds(seeds, count), of_rows, of_tests, strict=True)
        )
    ]
    Training(first, samples, tests, size, most, shuffle).run(networks, epochs, callbacks)
    failed = [network.number for network in networks if network.failed]
    if failed:
        warnings.warn(
            f"fit_many: the losses of the models {failed} became NaN or infinite, and their "
            "training ended there. Give them a lower learning rate, or clipnorm=1.0.",
            RuntimeWarning,
            stacklevel=2,
        )
    return [model.history for model in models]


# Arguments ----------------------------------------------------------------------------------


def _checked_models(given: Any) -> list[Any]:
    models: list[Any] = list(given)
    if not models:
        raise ArgumentError(f"fit_many(models={given!r}): it is empty; give at least one model.")
    for number, model in enumerate(models):
        if not isinstance(model, Runner):
            raise ArgumentError(
                f"fit_many(models): models[{number}] is a {type(model).__name__}; give compiled "
                "models of bital.keras."
            )
        if model.run_eagerly:
            raise ArgumentError(
                f"fit_many(models): models[{number}] was compiled with run_eagerly=True; fit_many "
                "is one compiled program. Train it with fit."
            )
        if any(model is other for other in models[:number]):
            raise ArgumentError(
                f"fit_many(models): models[{number}] stands in the list twice; make a second one "
                "with keras.models.clone_model, and compile it."
            )
    return models


def _make_ready(models: list[Any], samples: data.Data) -> None:
    """Build all models, choose their metrics, and make the states of their optimizers."""
    head = bital.tree.map(lambda array: array[:1], samples.whole())
    for model in models[1:]:
        model._require_compiled("fit_many")
        model._checked(*head)
    owners: dict[int, int] = {}
    for number, model in enumerate(models):
        model._require_trainable("fit_many")
        for weight in model.weights:
            if owners.setdefault(id(weight), number) != number:
                raise ArgumentError(
                    f"fit_many(models): models[{owners[id(weight)]}] and models[{number}] share "
                    f"the weight {weight.path!r}; give each layers of its own."
                )
        model.optimizer.build(model.trainable_weights)


def _prepared(model: Any, source: Any, class_weight: Any = None) -> data.Data:
    """Samples in memory, as the program reads them."""
    if not isinstance(source, data.Data):
        raise DataError(
            f"fit_many received samples of the kind {type(source).__name__}; it takes arrays in "
            "memory, since each model goes through them in an order of its own. Load them with "
            "np.array(...), or train one model at a time with fit."
        )
    source = source.by_class(class_weight, model.dtype)
    x, y, weights = source.whole()
    return data.Data(model._as_inputs(x), y, weights).in_place(model.dtype)


def _seeds(seeds: Any, count: int) -> list[int]:
    if seeds is None:
        return [random_state.fresh_seed() for _ in range(count)]
    return [checks.integer("fit_many", "seeds", s, 0) for s in _listed("seeds", seeds, count)]


def _per_model(name: str, given: Any, count: int, samples: int) -> list[Any]:
    """The numbers of samples for each model: by default all, or none to be measured on."""
    if given is None:
        return [None if name != "rows" else np.arange(samples)] * count
    found = []
    for number, each in enumerate(_listed(name, given, count)):
        array = np.asarray(each)
        if array.dtype == bool and array.shape == (samples,):
            array = np.flatnonzero(array)
        whole = array.ndim == 1 and array.size and array.dtype.kind in "iu"
        if not whole or array.min() < 0 or array.max() >= samples:
            raise DataError(
                f"fit_many({name}=...): entry {number} must hold numbers of samples from 0 to "
                f"{samples - 1}, at least one, or be a mask of {samples} bools; it has dtype "
                f"{array.dtype}, shape {array.shape}"
                + (f" and goes from {array.min()} to {array.max()}." if whole else ".")
            )
        found.append(array.astype(np.int64))
    return found


def _listed(name: str, given: Any, count: int) -> list[Any]:
    found: list[Any] = list(given)
    if len(found) != count:
        raise ArgumentError(
            f"fit_many({name}=...): has {len(found)} entries for {count} models; give one each."
        )
    return found


__all__ = ["fit_many"]
