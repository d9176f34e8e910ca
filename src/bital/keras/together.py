"""Networks of one architecture that are trained together: blocks, and the program of a block.

The training step of the first model is traced once and mapped, by `bital.vmap`, over weights,
states, keys, rates, rows, and the numbers in which the models differ (`hyperparameters`). A call of
the program is an epoch of a block of networks: as many as have their weights and states in a
processor's second cache. Blocks share nothing but the data, so threads take one after the other.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError
from bital.keras import random_state
from bital.keras.callbacks import Callback
from bital.keras.hyperparameters import Divided, Full, Numbers, Place, differences
from bital.keras.models import data, interrupts, resuming
from bital.keras.models.replay import State
from bital.keras.models.running import LOOKING_BATCH
from bital.keras.variables import commit, values_of

_CACHE = 256 << 10  # bytes of weights and states that a block has at most, if it can
_BLOCKS = 8  # that there are at least, so that threads find work


@dataclass(eq=False)
class Network:
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

    @contextlib.contextmanager
    def listening(self, callbacks: Any, epochs: int, steps: int) -> Iterator[None]:
        """Let the callbacks hear of a training."""
        chosen = [] if callbacks is None else list(callbacks(self.number))
        self.listeners = self.model._listeners(chosen, 0, epochs, steps, self.tests)
        self.heard = bool(chosen)
        for callback in chosen:
            if _wants_more(callback):
                raise ArgumentError(
                    "fit_many calls callbacks at the beginning and the end of trainings and "
                    f"epochs; {type(callback).__name__} of models[{self.number}] waits for batches "
                    "or evaluations, or keeps a training to resume. Leave it out, or train with "
                    "fit."
                )
        with self.listeners.training():
            yield

    def ended(self, epoch: int, logs: dict[str, float]) -> None:
        """Tell of an epoch, and find out whether it was the last one."""
        self.listeners.epoch_end(epoch, logs)
        self.failed = not math.isfinite(logs["loss"])
        self.done = self.failed or self.model.stop_training


def _wants_more(callback: Any) -> bool:
    hooks = ["on_test_begin", "on_test_end", "on_test_batch_begin", "on_test_batch_end"]
    if callback.every_batch:
        hooks += ["on_train_batch_begin", "on_train_batch_end"]
    hears = any(getattr(type(callback), name) is not getattr(Callback, name) for name in hooks)
    return hears or resuming.asked(None, [callback]) is not None


@dataclass(frozen=True)
class Training:
    """What all networks share."""

    model: Any
    samples: data.Data
    tests: data.Data | None
    size: int
    most: int | None
    shuffle: bool

    def order(self, network: Network, epoch: int) -> np.ndarray:
        """Return the samples of an epoch, as ``fit`` goes through them."""
        rows = network.rows
        if self.shuffle:
            rows = rows[random_state.permutation(network.seed, epoch, len(rows))]
        return rows[: self.most]

    def run(self, networks: list[Network], epochs: int, callbacks: Any) -> None:
        """Train them all; ``callbacks(number)`` are those of one."""
        places = differences([network.model for network in networks])
        with contextlib.ExitStack() as stack:
            interrupt = stack.enter_context(interrupts.deferred())
            groups = self._groups(networks, places)
            for network in networks:
                steps = math.ceil(min(len(network.rows), self.most or math.inf) / self.size)
                stack.enter_context(network.listening(callbacks, epochs, steps))
            threads = stack.enter_context(ThreadPoolExecutor(bital.config.num_threads(now=True)))
            for group in groups:
                group.run(epochs, threads, interrupt)
        for network in networks:
            network.model.optimizer.finalize_variable_values()

    def _groups(self, networks: list[Network], places: list[Place]) -> list[Group]:
        """Put networks together that one program can train."""
        waiting = _parted(networks, [network.sizes for network in networks])
        found = []
        while waiting:
            members = waiting.pop(0)
            group = Group(self, members, places)
            try:
                group.compile()
            except Divided as parts:
                waiting = _parted(members, list(parts.values)) + waiting
            else:
                found.append(group)
        return found


def _parted(networks: Sequence[Network], keys: Sequence[Any]) -> list[list[Network]]:
    found: dict[Any, list[Network]] = {}
    for network, key in zip(networks, keys, strict=True):
        found.setdefault(key, []).append(network)
    return list(found.values())


class _Block:
    """Networks that go through an epoch in one call; some may be done, or stand there twice."""

    def __init__(self, networks: list[Network], states: list[State]) -> None:
        self.networks = networks
        self.state = _stacked(states)
        self.logs: list[dict[str, float]] = []

    def state_of(self, lane: int) -> State:
        """Return what one network has, as views."""
        found: State = bital.tree.map(lambda array: array[lane], self.state)
        return found


class Group:
    """Networks of one program, in blocks of equal size."""

    def __init__(self, training: Training, networks: list[Network], places: list[Place]) -> None:
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
        model = self.training.model
        while True:
            arguments = self._arguments(self.blocks[0], 0)
            try:
                with model._lock, self.numbers.in_place():
                    self.program.compiled(*arguments)
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
            tests = np.array([network.tests for network in networks])
        own = (
            np.stack([training.order(network, epoch) for network in networks]),
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
        self.blocks = self._packed([(network, network.state) for network in self.networks])
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
        block.logs = _logs(block.networks, sums, found)

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

    def _packed(self, pairs: list[tuple[Network, State]]) -> list[_Block]:
        """Blocks of these networks; the last one is filled up with its last network."""
        found = []
        for start in range(0, len(pairs), self.lanes):
            part = pairs[start : start + self.lanes]
            part += [part[-1]] * (self.lanes - len(part))
            found.append(_Block([each for each, _ in part], [state for _, state in part]))
        return found


def _logs(networks: list[Network], *sums: Any) -> list[dict[str, float]]:
    """The logs of training and of validation, if there was one, of each network."""
    found: list[dict[str, float]] = [{} for _ in networks]
    for prefix, of_all in zip(("", "val_"), sums, strict=True):
        leaves, structure = bital.tree.flatten(of_all)
        columns = [leaf.tolist() if leaf.ndim == 1 else leaf for leaf in leaves]
        for lane, network in enumerate(networks if leaves else ()):
            own = bital.tree.unflatten(structure, [column[lane] for column in columns])
            for name, value in network.model._logs(own).items():
                found[lane][f"{prefix}{name}"] = value
    return found


def _once(block: _Block) -> list[tuple[int, Network]]:
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


__all__ = ["Network", "Training"]
