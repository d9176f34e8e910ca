"""compile, fit, evaluate and predict.

Who owns what: `data` checks and cuts the data; `step` holds the pure functions; `running` compiles
and runs them; callbacks look at logs and at the model between calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np

import bital
from bital import config
from bital.errors import ArgumentError, DataError, ModelStateError
from bital.keras import checks, losses, metrics, optimizers, random_state
from bital.keras.callbacks import Callback, CallbackList, History
from bital.keras.callbacks.progress import reporter
from bital.keras.layers.calling import as_shapes, by_probing, collecting_losses
from bital.keras.models import data, interrupts, resuming
from bital.keras.models.logs import as_result, require_finite_loss
from bital.keras.models.objective import Objective
from bital.keras.models.running import LOOKING_BATCH, Runner, Source


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
        if self.built:
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
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        seed: int | None = None,
        resume: Any = None,
        devices: Any = None,
        shard_weights: bool | int = False,
    ) -> History:
        """Train the model; return the history of its logs.

        Parameters
        ----------
        x, y : array-like, ``(samples, ...)``, or list or dict of them
            Inputs and targets, or tables of pandas or polars. They are checked as a whole before
            anything is trained. Memory-mapped arrays are read, and checked, a few batches at a
            time. Or ``x`` makes batches ``(x, y)`` or ``(x, y, sample_weight)``: a generator, an
            iterable, or an object with ``__getitem__`` and ``__len__`` like Keras's PyDataset.
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
        validation_data : (x, y) or (x, y, sample_weight), or what makes batches, optional
            Samples to measure on after each epoch.
        shuffle : bool, default True
            Whether each epoch goes through the samples in another order; or through the batches,
            of an object that has them by number. Generators stay as they are.
        class_weight : dict, optional
            A weight for each label.
        sample_weight : array-like, ``(samples,)``, optional
            A weight for each sample in the loss.
        initial_epoch : int, default 0
            Number of the first epoch: with the same ``seed``, ``fit(epochs=2)`` and then
            ``fit(epochs=5, initial_epoch=2)`` end in the same weights as ``fit(epochs=5)``.
        steps_per_epoch, validation_steps : int, optional
            Batches in an epoch and in a validation, for what makes batches. Default: all of them.
            Of arrays an epoch takes the first ``steps_per_epoch`` batches of its order.
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
        devices, shard_weights : optional
            On the executor ``xla``: share each batch among so many devices, or "all", and cut large
            weights too; see `bital.distribution`, which says the same for everything in a block.

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
        size = self._batch_size("fit", x, batch_size, 32)
        epochs = checks.integer("fit", "epochs", epochs, low=0)
        first = checks.integer("fit", "initial_epoch", initial_epoch, low=0)
        every = checks.integer("fit", "validation_freq", validation_freq)
        given = seed if seed is None else checks.integer("fit", "seed", seed, 0)
        seed = random_state.fresh_seed() if given is None else given
        checks.boolean("fit", "shuffle", shuffle)
        train = self._to_train_on(x, y, sample_weight, steps_per_epoch)
        test = self._validation(validation_data, validation_steps)
        if test is None and validation_split:
            train, test = train.split(validation_split)
        train = train.by_class(class_weight, self.dtype).in_place(self.dtype)
        looking = data.batch_size("fit", validation_batch_size, max(size, LOOKING_BATCH))
        train = data.limited(train, steps_per_epoch, size)
        listeners = self._listeners(callbacks, verbose, epochs, train.steps(size), test)
        resume, told = resuming.asked(resume, callbacks), None
        if resume is not None:
            told = self._told(
                train,
                test,
                batch_size=size,
                validation_batch_size=looking,
                validation_freq=every,
                shuffle=shuffle,
                initial_epoch=first,
                seed=given,
            )
        with (
            nullcontext() if devices is None else config.distribution(devices, shard_weights),
            interrupts.deferred(config.processes(self.executor)) as interrupt,
            resuming.Session(resume, self, listeners, told) as session,
            listeners.training(),
            session.saving(),
        ):
            run = self._run(listeners, interrupt, session)
            run.placing.check("fit", size)
            place, seed = session.start(first, seed)
            last = place.epoch if self.stop_training and not place.batch else epochs
            for epoch in range(place.epoch, last):
                order = train.order(seed, epoch) if shuffle else None
                measured = test if (epoch + 1) % every == 0 else None
                self._epoch(epoch, train, measured, (size, looking), order, seed, run)
                if self.stop_training:
                    break
        self.optimizer.finalize_variable_values()
        return self.history

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
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
        steps : int, optional
            Batches to measure on, for what makes batches. Default: all of them.
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
        size = self._batch_size("evaluate", x, batch_size, LOOKING_BATCH)
        samples = self._data("evaluate", x, y, sample_weight, steps)
        count = samples.steps(size)
        bar = reporter(verbose, 1, count)
        listeners = CallbackList(self, [*(callbacks or []), *bar], {"steps": count})
        run = self._run(listeners, interrupts.Interrupt())
        return as_result(self._test_epoch(samples, size, run), return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Sequence[Callback] | None = None,
    ) -> Any:
        """Return the outputs for these inputs: ``(samples, ...) -> (samples, ...)``.

        Batches are filled up with zeros to a few sizes, so that few programs serve any number of
        samples; the results of those rows are dropped.

        Parameters
        ----------
        x : array-like, ``(samples, ...)``, or list or dict of them
            Inputs; or what makes batches of them, as in ``fit``: targets in them are left alone.
        batch_size : int, default 1024
            Samples per step, at most.
        steps : int, optional
            Batches to go through, for what makes batches. Default: all of them.
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
        limit = self._batch_size("predict", x, batch_size, LOOKING_BATCH)
        samples = self._source("predict", x, None, None, steps, self._inputs_only)
        listeners = None
        count = samples.steps(limit)
        if callbacks or (verbose and (count is None or count > 1)):
            bar = reporter(verbose, 1, count, lines=False)
            listeners = CallbackList(self, [*(callbacks or []), *bar], {"steps": count})
            listeners.predict_begin()
        found = []
        for part in samples.parts(limit, None):
            for batch in range(part.count):
                if listeners is not None:
                    listeners.predict_batch_begin(part.first + batch)
                rows, _, _ = part.batch(batch)
                outputs = self._outputs_of(self._as_inputs(rows), max(limit, part.size))
                found.append(outputs)
                if listeners is not None:
                    listeners.predict_batch_end(part.first + batch, {"outputs": outputs})
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
        samples = self._checked_batch("train_on_batch", x, y, sample_weight)
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
        samples = self._checked_batch("test_on_batch", x, y, sample_weight)
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

    def _checked_batch(self, who: str, x: Any, y: Any, sample_weight: Any) -> data.Data:
        self._require_compiled(who)
        return self._checked(data.plain("x", x), data.plain("y", y), sample_weight)

    def _listeners(
        self, callbacks: Any, verbose: Any, epochs: int, steps: int | None, test: Source | None
    ) -> CallbackList:
        """The callbacks of a training that begins."""
        told = {"epochs": epochs, "steps": steps, "validated": test is not None}
        told["logged"] = self._log_names(test is not None)
        bar = reporter(verbose, epochs, steps)
        listeners = CallbackList(self, [*(callbacks or []), *bar], told)
        self.history = listeners.history
        self.stop_training = False
        return listeners

    def _told(self, train: Source, test: Source | None, **arguments: Any) -> dict[str, Any]:
        """What makes this training the one that it is."""
        if not train.repeatable:
            raise ArgumentError(
                "fit(resume=...): a generator or iterable cannot go back to where a training "
                "stopped. Give arrays, or an object that makes batches by __getitem__ and __len__."
            )
        if isinstance(train, data.Limited):
            arguments["steps_per_epoch"] = train.count
        return resuming.describe(
            self,
            train.whole(),
            test and test.whole(),
            **arguments,
            executor=config.executor_name(self.executor),
            run_eagerly=self.run_eagerly,
        )

    def _inputs_only(self, x: Any, y: Any = None, sample_weight: Any = None) -> data.Data:
        return data.Data(self._features(x), ())

    def _batch_size(self, who: str, x: Any, size: Any, default: int) -> int:
        if size is not None and data.is_batches(x):
            raise ArgumentError(
                f"{who}(batch_size={size!r}): a {type(x).__name__} makes batches of its own size; "
                "leave batch_size out."
            )
        return data.batch_size(who, size, default)

    def _source(
        self, who: str, x: Any, y: Any, sample_weight: Any, steps: int | None, check: Any
    ) -> Source:
        """What the samples come from: batches that are made, arrays on disk or in memory."""
        if steps is not None:
            checks.integer(who, "steps", steps)
        x, y = data.plain("x", x), data.plain("y", y)
        if data.is_batches(x):
            if y is not None or sample_weight is not None:
                raise DataError(
                    f"{who}: x is a {type(x).__name__} that makes batches; they hold targets and "
                    "sample weights too, (x, y, sample_weight). If it makes single samples, write "
                    "np.stack(list(x))."
                )
            return data.Batches(who, check, x, steps, self.dtype)
        if steps is not None:
            raise ArgumentError(
                f"{who}: steps are counted of what makes batches, and x is a {type(x).__name__}; "
                "all of its samples are used. Give a part of them: x[:1000]."
            )
        if data.is_mapped(x) or data.is_mapped(y):
            return data.Mapped(check, x, y, sample_weight, self.dtype)
        return check(x, y, sample_weight)

    def _data(
        self, who: str, x: Any, y: Any, sample_weight: Any = None, steps: int | None = None
    ) -> Source:
        self._require_compiled(who)
        return self._source(who, x, y, sample_weight, steps, self._checked)

    def _to_train_on(self, x: Any, y: Any, sample_weight: Any, steps: Any) -> Source:
        """Samples to train on; of arrays in memory an epoch may be a part: see `data.limited`."""
        whole = not (data.is_batches(x) or data.is_mapped(x) or data.is_mapped(y))
        if whole and steps is not None:
            checks.integer("fit", "steps_per_epoch", steps)
        found = self._data("fit", x, y, sample_weight, None if whole else steps)
        self._require_trainable("fit")
        return found

    def _checked(self, x: Any, y: Any, sample_weight: Any = None) -> data.Data:
        """Check samples in memory against the model, and choose the metrics that fit."""
        x = self._features(x)
        if self.loss is None:
            self._require_compiled("fit")
        samples = len(data.Data(x, ()))
        objective = self._objective or Objective(self, *self._request)
        y = objective.prepared(y, samples, self.dtype, "y", self)
        weights = objective.weights(sample_weight, samples, self.dtype, self)
        objective.resolve(y)
        self._objective = objective
        return data.Data(x, y, weights)

    def train_step(self, forward: Any, weights: tuple[Any, ...], batch: Any) -> Any:
        """Return ``(loss, rest), gradients`` of one step; a subclass may define another.

        The optimizer then takes its step against the gradients, and the metrics are summed. Write
        it in NumPy and bital's transforms: it is compiled, unless ``run_eagerly``.

        Parameters
        ----------
        forward : callable
            ``forward(weights, x, y, sample_weight) -> (loss, rest)``; ``rest`` is to be returned as
            it is. Weights or inputs that are changed a little give another loss.
        weights : tuple of array
            Values of ``trainable_weights``.
        batch : (x, y, sample_weight)

        Examples
        --------
        Gradients at the weights that are worst nearby (Foret et al. 2021, sharpness-aware
        minimization):

        >>> import numpy as np, bital
        >>> from bital import keras
        >>> class Sharp(keras.Model):
        ...     def train_step(self, forward, weights, batch):
        ...         value, gradients = super().train_step(forward, weights, batch)
        ...         size = np.sqrt(sum(np.sum(g * g) for g in gradients)) + 1e-12
        ...         worse = tuple(w + 0.05 * g / size for w, g in zip(weights, gradients))
        ...         return value, super().train_step(forward, worse, batch)[1]
        >>> x = keras.Input((2,))
        >>> model = Sharp(x, keras.layers.Dense(1)(x))
        >>> model.compile("sgd", "mse")
        >>> model.fit(np.ones((8, 2)), np.ones(8), verbose=0).epoch
        [0]
        """
        return bital.value_and_grad(forward, has_aux=True)(weights, *batch)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None
    ) -> Any:
        """Return the loss of one batch; a subclass may define another, in NumPy.

        What layers add and the penalties of weights come on top. The base class returns the losses
        that the model was compiled with.
        """
        return self._steps().total(y, y_pred, sample_weight)

    def _has_own(self, name: str) -> bool:
        return getattr(type(self), name) is not getattr(Trainer, name)

    def _adds_loss(self) -> bool:
        """Whether there is something to lower without a loss of ``compile``'s."""
        if self._has_own("compute_loss"):
            return True
        with collecting_losses() as found:
            by_probing(self, ((as_shapes(self.input_shape),), {}))
        return bool(found)

    def _require_compiled(self, who: str) -> None:
        if self.optimizer is None or (self.loss is None and self.built and not self._adds_loss()):
            raise ModelStateError(
                f"{who} needs a loss: write model.compile(optimizer='adam', loss='mse') first, or "
                "another loss that fits the targets."
            )

    def _require_trainable(self, who: str) -> None:
        if not self.trainable_weights:
            raise ModelStateError(
                f"{who}: {self.name} has no weights to train; its layers have none, or all have "
                "trainable=False."
            )

    def _validation(self, validation_data: Any, steps: int | None) -> Source | None:
        if validation_data is None:
            return None
        if data.is_batches(validation_data):
            validation_data = (validation_data, None)
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
            raise ArgumentError(
                "fit(validation_data=...): must be (x, y), (x, y, sample_weight) or what makes "
                f"batches of them, and was {type(validation_data).__name__}."
            )
        try:
            found = self._data("fit", *(*validation_data, None)[:3], steps)
        except (DataError, ArgumentError) as error:
            error.add_note("This is about validation_data.")
            raise
        if steps is None and isinstance(found, data.Batches) and not found.ends:
            raise ArgumentError(
                "fit(validation_data=...): a generator ends only once. Give validation_steps, or "
                "an iterable that begins anew each time."
            )
        return found


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
