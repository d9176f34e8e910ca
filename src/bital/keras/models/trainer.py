"""compile, fit, evaluate and predict.

Who owns what: `data` checks and cuts the data; `step` holds the pure functions; `running` compiles
and runs them; callbacks look at logs and at the model between calls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import bital
from bital import config
from bital.errors import ArgumentError, DataError, ModelStateError
from bital.keras import checks, losses, metrics, optimizers, random_state
from bital.keras.callbacks import Callback, CallbackList, History
from bital.keras.callbacks.progress import reporter
from bital.keras.models import data, interrupts, resuming
from bital.keras.models.logs import as_result, require_finite_loss
from bital.keras.models.objective import Objective
from bital.keras.models.running import LOOKING_BATCH, Runner


class Request(NamedTuple):
    """What ``compile`` was asked for, with names resolved where that needs no shapes."""

    loss: Any
    loss_weights: Any
    metrics: Any
    weighted_metrics: Any


class Trainer(Runner):
    """What models can do beside being layers."""

    name: str
    history: History | None = None

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
        executor: str | None = None,
    ) -> None:
        """Choose how the model is trained and measured.

        Parameters
        ----------
        optimizer : str or Optimizer, default "rmsprop"
            What turns gradients into new weights. A name makes a new one, without state.
        loss : str, Loss or function; for several outputs a list or dict of them
            The number that training lowers. One for several outputs is for each of them; None for
            an output that is not trained.
        loss_weights : list or dict of float, optional
            Factors of the losses of several outputs in their sum.
        metrics : str, Metric, function, or list of them, optional
            What else is measured. ``"accuracy"`` chooses its kind by the loss and the shapes. For
            several outputs a list or dict of such lists.
        weighted_metrics : the same, optional
            Metrics in which each sample counts by its sample weight.
        run_eagerly : bool, default False
            Run the training step as ordinary Python, for use in a debugger.
        steps_per_execution, jit_compile, auto_scale_loss
            Taken for Keras's sake, without effect: as many steps as are done in a tenth of a second
            are one call of a compiled program, and float32 needs no scaling of the loss.
        executor : str, optional
            What runs the compiled steps. Default: ``bital.config``'s.

        Raises
        ------
        ArgumentError
            If a name means nothing, or is that of an output which the model does not have.
        """
        checks.integer("compile", "steps_per_execution", steps_per_execution)
        chosen = optimizers.get(optimizer)
        asked = Request(
            _map(losses.get, loss),
            loss_weights,
            _map(_metric, metrics),
            _map(_metric, weighted_metrics),
        )
        if self.built and loss is not None:
            Objective(self, *asked)  # a wrong name of an output fails here, not at the first fit
        self.loss = asked.loss
        self._request = asked
        self.optimizer = chosen
        self.run_eagerly = checks.boolean("compile", "run_eagerly", run_eagerly)
        self.executor = executor
        self._objective = None
        self.stop_training = False
        self._forget_programs()

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        seed: int | None = None,
        resume: Any = None,
    ) -> History:
        """Train the model; return the history of its logs.

        Parameters
        ----------
        x, y : array-like, ``(samples, ...)``
            Inputs and targets. They are checked as a whole before anything is trained.
        batch_size : int, default 32
            Samples per step; the last batch of an epoch may be shorter.
        epochs : int, default 1
            Number of the epoch to stop before, counted from 0.
        verbose : {"auto", 0, 1, 2}, default "auto"
            0: nothing at all. 1: a bar in a terminal or notebook, else a line an epoch. 2: a line
            an epoch. ``"auto"``: 1.
        callbacks : list of Callback, optional
            What else happens between steps.
        validation_split : float, default 0
            Part of the samples, the last ones, to measure on and not to train on.
        validation_data : (x, y) or (x, y, sample_weight), optional
            Samples to measure on after each epoch.
        shuffle : bool, default True
            Whether each epoch goes through the samples in another order.
        class_weight : dict, optional
            A weight for each label.
        sample_weight : array-like, ``(samples,)``, optional
            A weight for each sample in the loss.
        initial_epoch : int, default 0
            Number of the first epoch: with the same ``seed``, ``fit(epochs=2)`` and then
            ``fit(epochs=5, initial_epoch=2)`` end in the same weights as ``fit(epochs=5)``.
        validation_batch_size : int, optional
            Default: at least 1024; it has no effect on the result beyond rounding.
        validation_freq : int, default 1
            Measure on the validation samples after every so many epochs.
        seed : int, optional
            Of order and dropout; equal seeds give equal weights, bit for bit. Default: from the
            program-wide generator that ``utils.set_random_seed`` restarts.
        resume : str, path or Checkpoints, optional
            A folder for checkpoints of this training. If it holds some, training goes on from the
            newest, and ends in the same bits as if it had never stopped; if it was at its end,
            the history is returned at once, and a larger ``epochs`` goes on.

        Raises
        ------
        DataError, ShapeError, ArgumentError
            If something does not fit; nothing has been trained then.
        CheckpointError
            If the folder holds another training, is in use, or cannot be written to.
        ModelStateError
            If the model is not compiled with a loss.
        NonFiniteLossError
            If the loss becomes NaN or infinite.
        KeyboardInterrupt
            After Ctrl-C: the step that runs is finished, the callbacks' ``on_train_end`` are
            called, and the model is whole.
        """
        size = data.batch_size("fit", batch_size, 32)
        epochs = checks.integer("fit", "epochs", epochs, low=0)
        first = checks.integer("fit", "initial_epoch", initial_epoch, low=0)
        every = checks.integer("fit", "validation_freq", validation_freq)
        given = seed if seed is None else checks.integer("fit", "seed", seed, 0)
        seed = random_state.fresh_seed() if given is None else given
        checks.boolean("fit", "shuffle", shuffle)
        train = self._data("fit", x, y, sample_weight)
        test = self._validation(validation_data)
        if test is None and validation_split:
            train, test = train.split(validation_split)
        train = train.by_class(class_weight, self.dtype).in_place(self.dtype)
        self._require_trainable("fit")
        looking = data.batch_size("fit", validation_batch_size, max(size, LOOKING_BATCH))
        steps = math.ceil(len(train) / size)
        listeners = CallbackList(
            self,
            [*(callbacks or []), *reporter(verbose, epochs, steps)],
            {
                "epochs": epochs,
                "steps": steps,
                "validated": test is not None,
                "logged": self._log_names(test is not None),
            },
        )
        self.history = listeners.history
        self.stop_training = False
        resume = resuming.asked(resume, callbacks)
        told = None
        if resume is not None:
            told = resuming.describe(
                self,
                train.whole(),
                test and test.whole(),
                batch_size=size,
                validation_batch_size=looking,
                validation_freq=every,
                shuffle=shuffle,
                initial_epoch=first,
                seed=given,
                executor=config.executor_name(self.executor),
                run_eagerly=self.run_eagerly,
            )
        with (
            interrupts.deferred() as interrupt,
            resuming.Session(resume, self, listeners, told) as session,
            listeners.training(),
            session.saving(),
        ):
            run = self._run(listeners, interrupt, session)
            place, seed = session.start(first, seed)
            key = bital.random.key(seed)
            last = place.epoch if self.stop_training and not place.batch else epochs
            for epoch in range(place.epoch, last):
                listeners.epoch_begin(epoch)
                order = random_state.permutation(seed, epoch, len(train)) if shuffle else None
                logs = self._train_epoch(train, size, order, key, epoch, run)
                if test is not None and (epoch + 1) % every == 0:
                    found = self._test_epoch(test, looking, run)
                    logs |= {f"val_{name}": value for name, value in found.items()}
                    interrupt.check()
                session.leave()
                listeners.epoch_end(epoch, logs)
                session.at(epoch + 1, 0, logs=logs)
                if self.stop_training:
                    break
        return self.history

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        callbacks: Sequence[Callback] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss and the metrics on these samples.

        Parameters
        ----------
        x, y, sample_weight
            As in ``fit``.
        batch_size : int, default 1024
            It has no effect on the result beyond rounding.
        verbose, callbacks
            As in ``fit``.
        return_dict : bool, default False
            Return a dict by name; otherwise the loss, or a list with the loss first.

        Raises
        ------
        DataError, ShapeError, ArgumentError
            If something does not fit.
        ModelStateError
            If the model is not compiled with a loss.
        """
        size = data.batch_size("evaluate", batch_size, LOOKING_BATCH)
        samples = self._data("evaluate", x, y, sample_weight)
        steps = math.ceil(len(samples) / size)
        bar = reporter(verbose, 1, steps)
        listeners = CallbackList(self, [*(callbacks or []), *bar], {"steps": steps})
        run = self._run(listeners, interrupts.Interrupt())
        return as_result(self._test_epoch(samples, size, run), return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        callbacks: Sequence[Callback] | None = None,
    ) -> np.ndarray:
        """Return the outputs for these inputs: ``(samples, ...) -> (samples, ...)``.

        Batches are filled up with zeros to a few sizes, so that few programs serve any number of
        samples; the results of those rows are dropped.

        Parameters
        ----------
        x : array-like, ``(samples, ...)``
            Inputs.
        batch_size : int, default 1024
            Samples per step, at most.
        verbose, callbacks
            As in ``fit``; without a bar nothing is printed.

        Raises
        ------
        DataError, ShapeError, ArgumentError
            If something does not fit.
        """
        if type(x) is np.ndarray and batch_size is None and not callbacks:
            known = self._known_outputs(x)
            if known is not None:
                return known
        limit = data.batch_size("predict", batch_size, LOOKING_BATCH)
        samples = data.Data(self._features(x), ())
        listeners = None
        if callbacks or (verbose and len(samples) > limit):
            steps = math.ceil(len(samples) / limit)
            bar = reporter(verbose, 1, steps, lines=False)
            listeners = CallbackList(self, [*(callbacks or []), *bar], {"steps": steps})
            listeners.predict_begin()
        found = []
        for batch in range(math.ceil(len(samples) / limit)):
            if listeners is not None:
                listeners.predict_batch_begin(batch)
            rows, _, _ = samples.batch(batch, limit)
            outputs = self._outputs_of(self._as_inputs(rows), limit)
            found.append(outputs)
            if listeners is not None:
                listeners.predict_batch_end(batch, {"outputs": outputs})
        if listeners is not None:
            listeners.predict_end()
        if len(found) == 1:
            return found[0]
        return bital.tree.map(lambda *parts: np.concatenate(parts), *found)

    def _outputs_of(self, x: Any, limit: int) -> Any:
        """The outputs for one batch, padded on the way, in arrays of their own."""
        count = len(bital.tree.leaves(x)[0])
        outputs = self._outputs(bital.tree.map(lambda rows: data.padded(rows, limit), x))
        return bital.tree.map(lambda array: np.array(array[:count]), outputs)

    def train_on_batch(
        self,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Take one step on these samples; return their loss and metrics before it.

        Random layers draw from a seed of the optimizer's step alone. Raises as ``fit``.
        """
        samples = self._data("train_on_batch", x, y, sample_weight)
        samples = samples.by_class(class_weight, self.dtype)
        self._require_trainable("train_on_batch")
        steps = self._steps()
        before = steps.zero_sums()
        batch = self._cast(samples.whole())
        (sums,) = self._train(steps, "train", before, batch, bital.random.key(0))
        require_finite_loss(sums, 0, 0, before[0])
        return as_result(self._logs(sums), return_dict)

    def test_on_batch(
        self, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Return loss and metrics on these samples, in one step. Raises as ``evaluate``."""
        samples = self._data("test_on_batch", x, y, sample_weight)
        batch = self._cast(samples.whole())
        steps = self._steps()
        sums = self._test(steps, "test", steps.zero_sums(), *batch)
        return as_result(self._logs(sums), return_dict)

    def predict_on_batch(self, x: Any) -> np.ndarray:
        """Return the outputs for these inputs, in one step. Raises as ``predict``."""
        outputs = self._outputs(self._as_inputs(self._features(x)))
        return bital.tree.map(np.array, outputs)

    # Data ---------------------------------------------------------------------------------

    def _features(self, x: Any) -> Any:
        x = data.inputs(self, x)
        if not self.built:
            self._build_on(x)
        return x

    def _data(self, who: str, x: Any, y: Any, sample_weight: Any = None) -> data.Data:
        if self.optimizer is None or self.loss is None:
            raise ModelStateError(
                f"{who} needs a loss: write model.compile(optimizer='adam', loss='mse') first, or "
                "another loss that fits the targets."
            )
        x = self._features(x)
        samples = len(data.Data(x, ()))
        objective = self._objective or Objective(self, *self._request)
        y = objective.prepared(y, samples, self.dtype, "y", self)
        weights = objective.weights(sample_weight, samples, self.dtype, self)
        objective.resolve(y)
        self._objective = objective
        return data.Data(x, y, weights)

    def _require_trainable(self, who: str) -> None:
        if not self.trainable_weights:
            raise ModelStateError(
                f"{who}: {self.name} has no weights to train; its layers have none, or all have "
                "trainable=False."
            )

    def _validation(self, validation_data: Any) -> data.Data | None:
        if validation_data is None:
            return None
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
            raise ArgumentError(
                "fit(validation_data=...): must be (x, y) or (x, y, sample_weight), and was "
                f"{type(validation_data).__name__}."
            )
        try:
            return self._data("fit", *validation_data)
        except (DataError, ArgumentError) as error:
            error.add_note("This is about validation_data.")
            raise


def _map(function: Any, tree: Any) -> Any:
    """The lists and dicts by output with ``function`` applied to what is not None."""
    if isinstance(tree, dict) and "class_name" not in tree:
        return {key: _map(function, part) for key, part in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_map(function, part) for part in tree]
    return None if tree is None else function(tree)


def _metric(request: Any) -> Any:
    """The metric; a name stays one until the shapes are known."""
    (checked,) = metrics.listed("metrics", request)
    return checked if isinstance(checked, str) else metrics.get(checked)
