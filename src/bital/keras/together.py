"""Networks of one architecture that are trained together, in blocks.

A call of the program (`epochs`) is an epoch of a block of networks: as many as have their weights
and states in a processor's second cache. Blocks share nothing but the data, so each goes on by
itself, and threads take one after the other.
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError
from bital.keras import random_state
from bital.keras.callbacks import Callback
from bital.keras.epochs import epoch
from bital.keras.hyperparameters import Divided, Place, differences
from bital.keras.models import data, interrupts, resuming
from bital.keras.models.replay import State
from bital.keras.variables import arrays_of, commit

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
    epoch: int = 0
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
        return arrays_of(self._trainable), self.model.optimizer.state, arrays_of(self._others)

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

    def ended(self, logs: dict[str, float], epochs: int) -> None:
        """Tell of an epoch, and find out whether it was the last one."""
        self.listeners.epoch_end(self.epoch, logs)
        self.epoch += 1
        self.failed = not math.isfinite(logs["loss"])
        self.done = self.failed or self.model.stop_training or self.epoch == epochs


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

    def order(self, network: Network) -> np.ndarray:
        """Return the samples of the next epoch, as ``fit`` goes through them."""
        rows = network.rows
        if self.shuffle:
            rows = random_state.permutation(network.seed, network.epoch, rows)
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
                if epochs:
                    group.run(epochs, threads, interrupt)
        for network in networks:
            network.model.optimizer.finalize_variable_values()

    def _groups(self, networks: list[Network], places: list[Place]) -> list[Group]:
        """Put networks together that one program can train."""
        waiting = _parted(networks, [network.sizes for network in networks])
        found = []
        while waiting:
            members = waiting.pop(0)
            try:
                found.append(Group(self, members, places))
            except Divided as parts:
                waiting = _parted(members, list(parts.values)) + waiting
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
        self.keys = np.stack([network.key for network in networks])
        tests = [network.tests for network in networks]
        self.tests = None if tests[0] is None else np.array(tests)

    def state_of(self, lane: int) -> State:
        """Return what one network has, as views."""
        found: State = bital.tree.map(lambda array: array[lane], self.state)
        return found

    def once(self) -> list[tuple[int, Network]]:
        """Return the networks that are not done, and where each stands."""
        found = {network: lane for lane, network in enumerate(self.networks) if not network.done}
        return [(lane, network) for network, lane in found.items()]


class Group:
    """Networks of one program, in blocks of equal size.

    Raises
    ------
    Divided
        If one program does not do for all of them.
    """

    def __init__(self, training: Training, networks: list[Network], places: list[Place]) -> None:
        self.training = training
        self.networks = networks
        self.live = len(networks)
        need = sum(array.nbytes for array in bital.tree.leaves(networks[0].state))
        count = len(networks)
        blocks = max(-(-count * need // _CACHE), min(count, _BLOCKS))
        most = -(-count // blocks)  # lanes, of which the fewest places are left over
        self.lanes = min(range(most, most // 2, -1), key=lambda lanes: -count % lanes)
        executor = bital.config.executor_name(training.model.executor)
        if executor == "native" and blocks >= bital.config.num_threads():
            executor = "native-alone"  # each thread has a block to itself
        self.blocks: list[_Block] = []
        members = [network.number for network in networks]
        (first,) = self._packed([(network, network.state) for network in networks[: self.lanes]])
        self.program = epoch(
            training.model,
            places,
            members,
            training.size,
            executor,
            lambda width: self._arguments(first, np.zeros((self.lanes, width))),
        )
        table = self.program.table.of(places, members)
        assert table is not None
        self.table = dict(zip(networks, table, strict=True))

    def _arguments(self, block: _Block, table: np.ndarray) -> tuple[Any, ...]:
        training, networks = self.training, block.networks
        rates = [network.model.optimizer.learning_rate for network in networks]
        return (
            block.state,
            np.array([training.order(network) for network in networks]),
            block.tests,
            (block.keys, np.array(rates, training.model.dtype), table),
            (training.samples.whole(), training.tests and training.tests.whole()),
        )

    # Running ------------------------------------------------------------------------------

    def run(self, epochs: int, threads: ThreadPoolExecutor, interrupt: Any) -> None:
        """Train until all networks are done.

        This thread prepares blocks and tells of them, in one order, whichever is ready first;
        the others do nothing but compute. Blocks wait for each other where somebody listens, or
        where fewer of them would do.
        """
        self.blocks = self._packed([(network, network.state) for network in self.networks])
        heard = any(network.heard for network in self.networks)
        ready = self.blocks
        under_way: deque[tuple[_Block, Future[Any]]] = deque()
        try:
            while ready or under_way:
                if not under_way:
                    interrupt.check()
                    ready = self._fewer() or ready
                if not under_way or not (heard or interrupt.pressed or self._can_be_fewer()):
                    for block in ready:
                        under_way.append((block, self._begun(block, threads)))
                    ready = []
                block, job = under_way[0]
                block.state, sums, found = job.result()
                under_way.popleft()
                self._tell(block, _logs(block.networks, sums, found), epochs)
                ready += [block] if block.once() else []
        finally:
            for block, job in under_way:
                if job.exception() is None:
                    block.state = job.result()[0]
            for block in self.blocks:
                for lane, network in block.once():
                    network.take(_copied(block.state_of(lane)))

    def _begun(self, block: _Block, threads: ThreadPoolExecutor) -> Future[Any]:
        for _, network in block.once():
            network.listeners.epoch_begin(network.epoch)
        table = np.array([self.table[network] for network in block.networks])
        return threads.submit(self.program, *self._arguments(block, table))

    def _tell(self, block: _Block, logs: list[dict[str, float]], epochs: int) -> None:
        """Let callbacks hear of an epoch, and see and change the models."""
        for lane, network in block.once():
            state = block.state_of(lane) if network.heard else None
            if state is not None:
                network.take(state)
            network.ended(logs[lane], epochs)
            if state is not None:
                leaves = map(bital.tree.leaves, (block.state, state, network.state))
                for stack, before, after in zip(*leaves, strict=True):
                    if after is not before:
                        stack[lane] = after
            if network.done:
                self.live -= 1
                network.take(_copied(block.state_of(lane)))

    def _can_be_fewer(self) -> bool:
        return self.live <= self.lanes * (len(self.blocks) - 1)

    def _fewer(self) -> list[_Block]:
        """Let networks that go on take the places of those that are done."""
        if not self._can_be_fewer():
            return []
        live = [(block, *each) for block in self.blocks for each in block.once()]
        self.blocks = self._packed([(network, b.state_of(lane)) for b, lane, network in live])
        return self.blocks

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
        for network, logs, own in zip(networks, found, zip(*columns, strict=True), strict=False):
            values = network.model._logs(bital.tree.unflatten(structure, own))
            logs.update({f"{prefix}{name}": value for name, value in values.items()})
    return found


def _stacked(states: list[State]) -> State:
    found: State = bital.tree.map(lambda *arrays: np.stack(arrays), *states)
    return found


def _copied(state: State) -> State:
    found: State = bital.tree.map(lambda array: array.copy(), state)
    return found


__all__ = ["Network", "Training"]
