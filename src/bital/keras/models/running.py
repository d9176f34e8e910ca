"""Epochs and predictions: many steps per call of a compiled program.

`step` holds the pure functions; this class jits them, hands them the variables' values and puts
the new ones back after every call. So the variables are whole and up to date whenever anyone else
looks, whatever ends the training. A call takes all batches that are whole, up to what is done in a
tenth of a second: the loop over them is part of the program. A last batch that is shorter is a
call, and a program, of its own.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

import bital
from bital import config
from bital.keras import metrics, optimizers
from bital.keras.callbacks import CallbackList
from bital.keras.models import data, interrupts, sharing
from bital.keras.models.logs import require_finite_loss
from bital.keras.models.objective import Objective
from bital.keras.models.replay import Replay, current
from bital.keras.models.resuming import Session
from bital.keras.models.step import Steps, Sums, predictor
from bital.keras.variables import commit, values_of

# Sums over an epoch are exact for any batch size, so batches that only look can be large.
LOOKING_BATCH = 1024


Source = data.Data | data.Mapped | data.Batches


@dataclass(frozen=True)
class Run:
    """Who listens to a training or an evaluation."""

    listeners: CallbackList
    interrupt: interrupts.Interrupt
    replay: Replay | None
    placing: data.Placing
    session: Session | None = None


class Runner:
    """What `Trainer` asks to run the steps of a compiled model."""

    dtype: np.dtype[Any]
    stop_training = False
    run_eagerly = False
    executor: str | None = None
    optimizer: optimizers.Optimizer | None = None
    loss: Any = None
    _objective: Objective | None = None

    def _run(
        self,
        listeners: CallbackList,
        interrupt: interrupts.Interrupt,
        session: Session | None = None,
    ) -> Run:
        placing = data.Placing(self.executor)
        # It copies the state by the clock: several processes would not do so together.
        alone = placing.processes.count == 1
        replay = Replay(self._programs_run) if alone else None
        return Run(listeners, interrupt, replay, placing, session)

    def _pace(self, kind: str, size: int) -> interrupts.Pace:
        """What is known, from trainings before too, of how many steps of this size a call takes."""
        return self._paces.setdefault((kind, size), interrupts.Pace())

    def _epoch(
        self,
        epoch: int,
        train: Source,
        test: Source | None,
        sizes: tuple[int, int],
        order: Any,
        seed: int,
        run: Run,
    ) -> None:
        """Train on all batches, of the first of two sizes; measure; tell everybody."""
        run.listeners.epoch_begin(epoch)
        logs = self._train_epoch(train, sizes[0], order, bital.random.key(seed), epoch, run)
        if test is not None:
            logs |= self._validated(test, sizes[1], run)
        run.session.leave()
        run.listeners.epoch_end(epoch, logs)
        (self.stop_training,) = run.placing.processes.agree([self.stop_training])
        run.session.at(epoch + 1, 0, logs=logs)

    def _validated(self, test: Source, size: int, run: Run) -> dict[str, float]:
        found = self._test_epoch(test, size, run)
        run.interrupt.check()
        return {f"val_{name}": value for name, value in found.items()}

    def _train_epoch(
        self, samples: Source, size: int, order: Any, key: Any, epoch: int, run: Run
    ) -> dict[str, float]:
        place = run.session.entered(epoch)
        sums = self._steps().zero_sums() if place.sums is None else place.sums
        with contextlib.closing(run.placing.parts(samples, size, order, place.batch)) as parts:
            for part in parts:
                sums = self._train_part(
                    part, sums, key, epoch, max(place.batch - part.first, 0), run
                )
                if self.stop_training:
                    break
        return self._logs(sums)

    def _train_part(
        self, part: data.Part, sums: Sums, key: Any, epoch: int, done: int, run: Run
    ) -> Sums:
        """Train on the batches of one part, from the number ``done`` on."""
        steps, listeners, session = self._steps(), run.listeners, run.session
        looped, (arrays, rows) = self._looped(part), part.stacked()
        pace, replay = self._pace("train", part.size), run.replay
        held = 0 if part.origin is None else _bytes(arrays)
        while done < part.count and not self.stop_training:
            session.leave()
            listeners.train_batch_begin(part.first + done)
            before = sums[0]
            if done < looped:
                stop = min(looped, done + (1 if listeners.every_train_batch else pace.steps))
                (stop,) = run.placing.processes.agree([stop])
                with pace.measured(stop - done):
                    limits = np.int64(done), np.int64(stop)
                    call = "train_many", sums, (arrays, rows, *limits), key
                    sums, done, before = self._train(steps, *call, replay, part.places, held)
            else:
                batch = self._cast(part.batch(done))
                places = functools.partial(part.places, done)
                (sums,) = self._train(steps, "train", sums, batch, key, replay, places, held)
                done += 1
            done = int(done)
            number = part.first + done
            explain = replay and functools.partial(replay.explain, steps, done - 1)
            require_finite_loss(sums, epoch, number - 1, before, explain)
            if listeners.hears_train_batches:
                listeners.train_batch_end(number - 1, self._logs(sums))
            session.at(epoch, number, sums)
            run.interrupt.check()
        return sums

    def _test_epoch(self, samples: Source, size: int, run: Run) -> dict[str, float]:
        sums = self._steps().zero_sums()
        run.listeners.test_begin()
        in_place, size = samples.in_place(self.dtype), run.placing.rounded(size)
        with contextlib.closing(run.placing.parts(in_place, size)) as parts:
            for part in parts:
                sums = self._test_part(part, sums, run)
        logs = self._logs(sums)
        run.listeners.test_end(logs)
        return logs

    def _test_part(self, part: data.Part, sums: Sums, run: Run) -> Sums:
        steps, listeners = self._steps(), run.listeners
        looped, (arrays, _) = self._looped(part), part.stacked()
        pace, done = self._pace("test", part.size), 0
        while done < part.count:
            listeners.test_batch_begin(part.first + done)
            if done < looped:
                stop = min(looped, done + (1 if listeners.every_test_batch else pace.steps))
                (stop,) = run.placing.processes.agree([stop])
                with pace.measured(stop - done):
                    limits = np.int64(done), np.int64(stop)
                    sums = self._test(steps, "test_many", sums, arrays, *limits)
                done = stop
            else:
                sums = self._test(steps, "test", sums, *self._cast(part.batch(done)))
                done += 1
            if listeners.hears_test_batches:
                listeners.test_batch_end(part.first + done - 1, self._logs(sums))
            run.interrupt.check()
        return sums

    def _looped(self, part: data.Part) -> int:
        """Return how many batches, all of one size, the loop within the program takes."""
        many = part.whole > 1 or part.looped is not None
        return part.whole if many and not self.run_eagerly else 0

    def _train(
        self,
        steps: Steps,
        name: str,
        sums: Sums,
        batch: Any,
        key: Any,
        replay: Replay | None = None,
        places: Any = None,
        held: int = 0,
    ) -> Any:
        """Run a training program, take over what it makes of the variables, return the rest.

        `replay` notes the call, and `places` which samples its batches hold; the arrays are of so
        many bytes ``held`` by nobody else.
        """
        optimizer = self.optimizer
        rate = self.dtype.type(optimizer.learning_rate)  # a scalar: calls in short match those
        call = name, sums, batch, key, rate
        with self._lock:
            state = current(steps, optimizer)
            if replay is not None:
                replay.before(state, *call, places, held=held)
            weights, kept, others, *rest = self._programs_run(name, state, *call[1:])
            optimizer.state = kept
            commit(steps.trainable, weights)
            commit(steps.others, others)
            if any(type(weight) is bital.DeviceArray for weight in weights):
                self._ready.clear()  # what is ready may be another executor's
            if replay is not None:
                replay.after((weights, kept, others))
        return rest

    def _programs_run(
        self, name: str, state: Any, sums: Sums, batch: Any, key: Any, rate: Any
    ) -> Any:
        with self._lock, np.errstate(all="ignore"):
            return self._programs[name](*state, sums, *batch, key, rate)

    def _test(self, steps: Steps, name: str, sums: Sums, *batch: Any) -> Sums:
        with self._lock, np.errstate(all="ignore"):
            return self._programs[name](
                values_of(steps.trainable), values_of(steps.others), sums, *batch
            )

    def _cast(self, batch: data.Arrays) -> data.Arrays:
        """A batch with its inputs as the model computes with them."""
        x, y, weights = batch
        return self._as_inputs(x), y, weights

    def _outputs(self, x: Any) -> Any:
        variables = self.weights
        with self._lock, np.errstate(all="ignore"):
            if self._predict_program is None:
                self._predict_program = self._shared_predictor(variables)
            values = values_of(variables)
            x = data.Placing(self.executor).inputs(x)
            outputs = self._predict_program(values, x)
            alone = isinstance(x, np.ndarray) and hasattr(outputs, "shape")
            if alone and not self.run_eagerly and len(x) <= LOOKING_BATCH:
                compiled = self._predict_program.compiled(values, x)
                self._ready[self._ready_key(x)] = compiled, variables
        return outputs

    def _shared_predictor(self, variables: list[Any]) -> Any:
        key = sharing.description(self, "predict")
        if key is None:
            return self._jit(predictor(self, variables))

        def make() -> Any:
            copy = sharing.copy_of(self)
            return self._jit(alone(copy, predictor(copy, copy.weights)))

        return sharing.shared(key, make)

    def _known_outputs(self, x: np.ndarray) -> np.ndarray | None:
        """Return the outputs for inputs of a type that went through `predict` as it is before.

        All checks but that of the values depend on the type alone, and a sum of squares is finite
        only if each of them is. None: the long way has to be taken.
        """
        found = self._ready.get(self._ready_key(x))
        if found is None or not math.isfinite(np.vdot(x, x)):
            return None
        compiled, variables = found
        with self._lock, np.errstate(all="ignore"):
            outputs: np.ndarray = compiled([*values_of(variables), x])[0]
        return outputs

    def _ready_key(self, x: np.ndarray) -> Any:
        executor = config.executor_name(self.executor)
        return x.shape, x.dtype, executor, config.stabilizing()

    def _logs(self, sums: Sums) -> dict[str, float]:
        objective = self._objective
        ends = 1 + len(objective.parts())
        found = [total / count if count else 0.0 for total, count in sums[:ends]]
        pairs = zip(objective.metrics(), sums[ends:], strict=True)
        found += [metric.finished(bital.tree.map(_number, tree)) for metric, tree in pairs]
        return {name: float(v) for name, v in zip(objective.names(), found, strict=True)}

    def _log_names(self, validated: bool) -> list[str]:
        names = self._objective.names()
        return names + [f"val_{name}" for name in names] if validated else names

    @property
    def metrics(self) -> list[metrics.Metric]:
        """The metrics, once ``fit`` or ``evaluate`` has seen the shapes."""
        return [] if self._objective is None else self._objective.metrics()

    @property
    def metrics_names(self) -> list[str]:
        """The names in logs, once ``fit`` or ``evaluate`` has seen the shapes."""
        return [] if self._objective is None else self._objective.names()

    def _steps(self) -> Steps:
        """The steps for the variables that are trainable now; compiled again if that changed."""
        trainable = self.trainable_weights
        self.optimizer.build(trainable)
        current = tuple(map(id, trainable))
        if self._step_functions is None or self._step_key != current:
            self._step_functions = Steps(
                self,
                self._objective,
                self.optimizer.rule,
                trainable,
                self.non_trainable_weights,
            )
            self._step_key = current
            self._programs = self._shared_programs(self._step_functions)
        return self._step_functions

    def _shared_programs(self, steps: Steps) -> dict[str, Any]:
        """The compiled steps, those of a model of the same description if there was one."""
        state = (0, 1, 2)
        places = {"train": ((0, 1), state), "train_many": ((0, 1), state)}
        places |= {"test": ((), ()), "test_many": ((), ())}
        return self._shared_over(
            "steps",
            steps,
            lambda steps: {
                name: self._jit(alone(steps.model, getattr(steps, name)), *given_and_kept)
                for name, given_and_kept in places.items()
            },
        )

    def _shared_over(self, kind: str, steps: Steps, make: Any) -> Any:
        """Return ``make(steps)``, or what it made for a model of the same description."""
        objective, optimizer = self._objective, self.optimizer
        config = {**optimizer.get_config(), "name": None}
        if optimizer._learning_rate is not None:
            config["learning_rate"] = None  # an argument of the steps
        outputs = [(o.name, o.loss, o.weight, o.metrics) for o in objective.outputs]
        key = sharing.description(self, kind, type(optimizer).__name__, config, outputs)
        if key is None:
            return make(steps)

        def over_copy() -> Any:
            copy = sharing.copy_of(self)
            weights = copy.trainable_weights, copy.non_trainable_weights
            return make(Steps(copy, objective, optimizer.rule, *weights))

        return sharing.shared(key, over_copy)

    def _jit(self, function: Any, donated: tuple[int, ...] = (), kept: tuple[int, ...] = ()) -> Any:
        if self.run_eagerly:
            return function
        return bital.jit(function, donate_argnums=donated, executor=self.executor, on_device=kept)

    def __getstate__(self) -> dict[str, Any]:
        """What pickle and copy take along: everything but compiled programs and the lock."""
        left_out = ("_lock", "_step_functions", "_programs")
        kept = super().__getstate__()
        state = {name: value for name, value in kept.items() if name not in left_out}
        return {**state, "_predict_program": None, "_ready": {}, "_step_key": ()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()
        self._forget_programs()

    def _forget_programs(self) -> None:
        self._step_functions: Steps | None = None
        self._step_key: tuple[int, ...] = ()
        self._programs: dict[str, Any] = {}
        self._predict_program: Any = None
        self._ready: dict[Any, tuple[Any, list[Any]]] = {}  # what `_known_outputs` runs
        self._paces: dict[tuple[str, int], interrupts.Pace] = {}
        outer = getattr(self, "_parent", None)  # it may itself be on its way out of a pickle
        while outer is not None and not isinstance(outer, Runner):
            outer = getattr(outer, "_parent", None)
        if outer is not None:
            outer._forget_programs()


def alone(model: Any, function: Any) -> Any:
    """The function, recorded by one thread at a time: the model's variables hold its tracers."""

    @functools.wraps(function)
    def called(*args: Any) -> Any:
        with model._lock:
            return function(*args)

    return called


def _number(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else np.asarray(value)


def _bytes(arrays: Any) -> int:
    return sum(array.nbytes for array in bital.tree.leaves(arrays))
