"""fit_many: several networks of one architecture, trained by one program.

The training step of the first model is traced once and mapped, by `bital.vmap`, over weights,
states, keys, rates, rows, and the numbers in which the models differ (`hyperparameters`). A call of
the program is an epoch of a block of networks: as many as have their weights and states in a
processor's second cache. Blocks share nothing but the data, so threads take one after the other.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError, DataError
from bital.keras import checks, random_state
from bital.keras.callbacks import Callback, History
from bital.keras.hyperparameters import Divided, Full, Numbers, Place, differences
from bital.keras.models import data, interrupts
from bital.keras.models.replay import State
from bital.keras.models.running import LOOKING_BATCH, Runner
from bital.keras.variables import commit, values_of

_CACHE = 256 << 10  # bytes of weights and states that a block has at most, if it can
_BLOCKS = 8  # that there are at least, so that threads find work


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
    first = models[0]
    samples = _prepared(first, first._data("fit_many", x, y, sample_weight), class_weight)
    tests = samples if validation_rows is not None else None
    if validation_data is not None:
        if validation_rows is not None:
            raise ArgumentError("fit_many: give validation_rows or validation_data, not both.")
        tests = _prepared(first, first._validation(validation_data, None))
    head = bital.tree.map(lambda array: array[:1], samples.whole())
    for model in models[1:]:
        model._require_compiled("fit_many")
        model._checked(*head)
    for model in models:
        model._require_trainable("fit_many")
        model.optimizer.build(model.trainable_weights)
    places = differences(models)
    count = len(models)
    of_rows = _per_model("rows", rows, count, len(samples))
    of_tests = _per_model("validation_rows", validation_rows, count, len(samples))
    if tests is not None and validation_rows is None:
        of_tests = [np.arange(len(tests))] * count
    networks = [
        _Network(number, model, *own)
        for number, (model, *own) in enumerate(
            zip(models, _seeds(seeds, count), of_rows, of_tests, strict=True)
        )
    ]
    training = _Training(first, samples, tests, size, shuffle)
    with contextlib.ExitStack() as stack:
        interrupt = stack.enter_context(interrupts.deferred())
        groups = training.groups(networks, places)
        for network in networks:
            stack.enter_context(network.listening(callbacks, epochs, size))
        threads = stack.enter_context(ThreadPoolExecutor(bital.config.num_threads()))
        for group in groups:
            group.run(epochs, threads, interrupt)
    for model in models:
        model.optimizer.finalize_variable_values()
    failed = [network.number for network in networks if network.failed]
    if failed:
        warnings.warn(
            f"fit_many: the losses of the models {failed} became NaN or infinite, and their "
            "training ended there. Give them a lower learning rate, or clipnorm=1.0.",
            RuntimeWarning,
            stacklevel=2,
        )
    return [model.history for model in models]


@dataclass(eq=False)
class _Network:
    """One of the models, and what is its own in this training."""

    number: int
    model: Any
    seed: int
    rows: np.ndarray
    tests: np.ndarray | None
    listeners: Any = None
    heard: bool = False  # by others than the history
    done: bool = False
    failed: bool = False

    def __post_init__(self) -> None:
        self.key = bital.random.key(self.seed)
        self._trainable = self.model.trainable_weights
        self._others = self.model.non_trainable_weights

    @property
    def sizes(self) -> tuple[int, int]:
        """How many samples it trains on, and is measured on."""
        return len(self.rows), 0 if self.tests is None else len(self.tests)

    @property
    def state(self) -> State:
        """Weights, the optimizer's state and other values, as they are now."""
        return values_of(self._trainable), self.model.optimizer.state, values_of(self._others)

    def take(self, state: State) -> None:
        """Let the model have these weights, state and other values."""
        weights, self.model.optimizer.state, others = state
        commit(self._trainable, weights)
        commit(self._others, others)

    def order(self, epoch: int, shuffle: bool) -> np.ndarray:
        """Return the samples of an epoch, as ``fit`` goes through them."""
        if not shuffle:
            return self.rows
        return self.rows[random_state.permutation(self.seed, epoch, len(self.rows))]

    @contextlib.contextmanager
    def listening(self, callbacks: Any, epochs: int, size: int) -> Iterator[None]:
        """Let the callbacks hear of a training."""
        chosen = [] if callbacks is None else list(callbacks(self.number))
        steps = math.ceil(len(self.rows) / size)
        self.listeners = self.model._listeners(chosen, 0, epochs, steps, self.tests)
        self.heard = bool(chosen)
        if self.listeners.every_train_batch:
            raise ArgumentError(
                "fit_many calls callbacks at the beginning and the end of epochs, and one of "
                f"models[{self.number}] wants every batch."
            )
        with self.listeners.training():
            yield

    def ended(self, epoch: int, logs: dict[str, float]) -> None:
        """Tell of an epoch, and find out whether it was the last one."""
        self.listeners.epoch_end(epoch, logs)
        self.failed = not math.isfinite(logs["loss"])
        self.done = self.failed or self.model.stop_training


@dataclass(frozen=True)
class _Training:
    """What all networks share."""

    model: Any
    samples: data.Data
    tests: data.Data | None
    size: int
    shuffle: bool

    def groups(self, networks: list[_Network], places: list[Place]) -> list[_Group]:
        """Put networks together that one program can train."""
        waiting = _parted(networks, [network.sizes for network in networks])
        found = []
        while waiting:
            members = waiting.pop(0)
            group = _Group(self, members, places)
            try:
                group.compile()
            except Divided as parts:
                waiting = _parted(members, list(parts.values)) + waiting
            else:
                found.append(group)
        return found


def _parted(networks: Sequence[_Network], keys: Sequence[Any]) -> list[list[_Network]]:
    found: dict[Any, list[_Network]] = {}
    for network, key in zip(networks, keys, strict=True):
        found.setdefault(key, []).append(network)
    return list(found.values())


class _Block:
    """Networks that go through an epoch in one call; some may be done, or stand there twice."""

    def __init__(self, networks: list[_Network], states: list[State]) -> None:
        self.networks = networks
        self.state = _stacked(states)
        self.logs: list[dict[str, float]] = []

    def state_of(self, lane: int) -> State:
        """Return what one network has, as views."""
        found: State = bital.tree.map(lambda array: array[lane], self.state)
        return found


class _Group:
    """Networks of one program, in blocks of equal size."""

    def __init__(self, training: _Training, networks: list[_Network], places: list[Place]) -> None:
        self.training = training
        self.networks = networks
        self.numbers = Numbers(places, [network.number for network in networks])
        self.steps = training.model._steps()
        need = sum(array.nbytes for array in bital.tree.leaves(networks[0].state))
        count = len(networks)
        blocks = max(-(-count * need // _CACHE), min(count, _BLOCKS))
        self.lanes = max(1, -(-count // blocks))
        executor = bital.config.executor_name(training.model.executor)
        if executor == "native" and blocks >= bital.config.num_threads():
            executor = "native-alone"  # each thread has a block to itself
        self.program = bital.jit(self._epoch, donate_argnums=0, executor=executor)
        self.places = {network: place for place, network in enumerate(networks)}
        self.blocks = self._packed([(network, network.state) for network in networks])

    # The program --------------------------------------------------------------------------

    def compile(self) -> None:
        """Trace the epoch of the first block, and compile it.

        Raises
        ------
        Divided
            If one program does not do for all networks.
        """
        model, block = self.training.model, self.blocks[0]
        while True:
            try:
                with model._lock, self.numbers.in_place():
                    self.program.compiled(*self._arguments(block, 0))
                return
            except Full:
                self.numbers.widen()

    def _epoch(self, state: Any, own: Any, shared: Any) -> tuple[Any, Any, Any]:
        """Return the state of a block's networks after an epoch, and the sums of both kinds."""
        rows, tests, keys, rates, table = own
        samples, test_samples = shared
        steps, lanes = self.steps, self.lanes
        as_inputs = self.training.model._as_inputs

        def batch(arrays: Any, rows: Any) -> Any:
            x, y, weights = bital.tree.map(lambda array: array[rows], arrays)
            return as_inputs(x), y, weights

        def train(carry: Any, rows: Any, key: Any, rate: Any, row: Any) -> Any:
            (weights, state, others), sums = carry
            with self.numbers.read_from(row):
                *after, sums = steps.train(
                    weights, state, others, sums, *batch(samples, rows), key, rate
                )
            return tuple(after), sums

        def test(sums: Any, rows: Any, state: Any, row: Any) -> Any:
            weights, _, others = state
            with self.numbers.read_from(row):
                return steps.test(weights, others, sums, *batch(test_samples, rows))

        zeros = bital.tree.map(lambda zero: np.zeros(lanes, zero.dtype), steps.zero_sums())
        size = self.training.size
        mapped = bital.vmap(train)
        state, sums = _swept(
            lambda carry, rows: mapped(carry, rows, keys, rates, table), (state, zeros), rows, size
        )
        if tests is None:
            return state, sums, None
        measured = bital.vmap(test)
        looking = max(size, LOOKING_BATCH)
        found = _swept(lambda sums, rows: measured(sums, rows, state, table), zeros, tests, looking)
        return state, sums, found

    def _arguments(self, block: _Block, epoch: int) -> tuple[Any, Any, Any]:
        training = self.training
        dtype = training.model.dtype
        networks = block.networks
        tests = None
        if training.tests is not None:
            tests = np.stack([network.tests for network in networks])
        own = (
            np.stack([network.order(epoch, training.shuffle) for network in networks]),
            tests,
            np.stack([network.key for network in networks]),
            np.array([network.model.optimizer.learning_rate for network in networks], dtype),
            self.numbers.table([self.places[network] for network in networks]),
        )
        shared = training.samples.whole(), training.tests and training.tests.whole()
        return block.state, own, shared

    # Running ------------------------------------------------------------------------------

    def run(self, epochs: int, threads: ThreadPoolExecutor, interrupt: Any) -> None:
        """Train until all networks are done."""
        try:
            for epoch in range(epochs):
                live = [network for network in self.networks if not network.done]
                if not live:
                    break
                self._pack()
                for network in live:
                    network.listeners.epoch_begin(epoch)
                # A context of its own for each call: it says which executor is in force.
                jobs = [
                    threads.submit(contextvars.copy_context().run, self._train, block, epoch)
                    for block in self.blocks
                ]
                wait(jobs)
                for block, job in zip(self.blocks, jobs, strict=True):
                    job.result()
                    self._tell(block, epoch)
                interrupt.check()
        finally:
            for block in self.blocks:
                for lane, network in _once(block):
                    network.take(_copied(block.state_of(lane)))

    def _train(self, block: _Block, epoch: int) -> None:
        with np.errstate(all="ignore"):
            block.state, sums, found = self.program(*self._arguments(block, epoch))
        block.logs = [
            _logs(network, lane, sums, found) for lane, network in enumerate(block.networks)
        ]

    def _tell(self, block: _Block, epoch: int) -> None:
        """Let callbacks hear of an epoch, and see and change the models."""
        for lane, network in _once(block):
            state = block.state_of(lane) if network.heard else None
            if state is not None:
                network.take(state)
            network.ended(epoch, block.logs[lane])
            if state is not None:
                leaves = map(bital.tree.leaves, (block.state, state, network.state))
                for stack, before, after in zip(*leaves, strict=True):
                    if after is not before:
                        stack[lane] = after
            if network.done:
                network.take(_copied(block.state_of(lane)))

    def _pack(self) -> None:
        """Let networks that go on take the places of those that are done."""
        live = [(block, lane, network) for block in self.blocks for lane, network in _once(block)]
        if -(-len(live) // self.lanes) < len(self.blocks):
            self.blocks = self._packed([(each, b.state_of(lane)) for b, lane, each in live])

    def _packed(self, pairs: list[tuple[_Network, State]]) -> list[_Block]:
        """Blocks of these networks; the last one is filled up with its last network."""
        found = []
        for start in range(0, len(pairs), self.lanes):
            part = pairs[start : start + self.lanes]
            part += [part[-1]] * (self.lanes - len(part))
            found.append(_Block([each for each, _ in part], [state for _, state in part]))
        return found


def _logs(network: _Network, lane: int, *sums: Any) -> dict[str, float]:
    """The logs of training and of validation, if there was one."""
    found: dict[str, float] = {}
    for prefix, of_all in zip(("", "val_"), sums, strict=True):
        if of_all is not None:
            own = bital.tree.map(lambda array: array[lane], of_all)
            found |= {f"{prefix}{name}": v for name, v in network.model._logs(own).items()}
    return found


def _once(block: _Block) -> list[tuple[int, _Network]]:
    """The networks of a block that are not done, and where each stands."""
    found = {network: lane for lane, network in enumerate(block.networks) if not network.done}
    return [(lane, network) for network, lane in found.items()]


def _swept(step: Callable[[Any, Any], Any], carry: Any, rows: Any, size: int) -> Any:
    """``step(carry, rows of a batch)`` for all batches of rows ``(networks, samples)``."""
    networks, count = rows.shape
    whole = count // size
    if whole:
        blocks = rows[:, : whole * size].reshape(networks, whole, size).transpose(1, 0, 2)
        carry = bital.fori_loop(0, whole, lambda i, carry: step(carry, blocks[i]), carry)
    return step(carry, rows[:, whole * size :]) if count % size else carry


def _stacked(states: list[State]) -> State:
    found: State = bital.tree.map(lambda *arrays: np.stack(arrays), *states)
    return found


def _copied(state: State) -> State:
    found: State = bital.tree.map(lambda array: array.copy(), state)
    return found


# Arguments ----------------------------------------------------------------------------------


def _checked_models(models: Any) -> list[Any]:
    models = list(models)
    if not models:
        raise ArgumentError("fit_many(models): the list is empty; give at least one model.")
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


def _prepared(model: Any, source: Any, class_weight: Any = None) -> data.Data:
    """Samples in memory, as the program reads them."""
    if not isinstance(source, data.Data):
        raise DataError(
            "fit_many takes arrays in memory: each model goes through them in an order of its own. "
            "Load them with np.array(...), or train one model at a time with fit."
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
    found = list(given)
    if len(found) != count:
        raise ArgumentError(
            f"fit_many({name}=...): has {len(found)} entries for {count} models; give one each."
        )
    return found


__all__ = ["fit_many"]
