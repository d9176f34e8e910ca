"""Estimators: models in a folder, trained, evaluated and asked with functions of input."""

from __future__ import annotations

import contextlib
import copy
import inspect
import itertools
import os
import shutil
import tempfile
import weakref
from collections import namedtuple
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

import bital.tf1 as tf
from bital import tree
from bital.graphs.operation import Any_, operation
from bital.tf1.feature_column import input_layer, lookup
from bital.tf1.nn import relu

ModeKeys = SimpleNamespace(TRAIN="train", EVAL="eval", PREDICT="infer")
_PARTS = "mode predictions loss train_op eval_metric_ops export_outputs"
EstimatorSpec = namedtuple("EstimatorSpec", _PARTS, defaults=[None] * 5)
_OPTIONS = "save_summary_steps save_checkpoints_steps save_checkpoints_secs"  # of no effect
RunConfig = namedtuple("RunConfig", f"model_dir tf_random_seed {_OPTIONS}", defaults=[None] * 5)


class Estimator:
    """Runs ``model_fn(features, labels, mode, params, config)``, which returns an EstimatorSpec.

    Each call has a graph of its own; what was trained is in the newest checkpoint of `model_dir`.
    """

    def __init__(self, model_fn, model_dir=None, config=None, params=None) -> None:
        self._model_fn, self.params, self.config = model_fn, params or {}, config or RunConfig()
        self.model_dir = model_dir or self.config.model_dir or tempfile.mkdtemp()
        if not (model_dir or self.config.model_dir):
            weakref.finalize(self, shutil.rmtree, self.model_dir, ignore_errors=True)

    def train(self, input_fn, hooks=None, steps=None, max_steps=None) -> Any:
        """Train for some steps more, or up to `max_steps`, or until there is no more input."""
        if hooks:
            raise tf.errors.UnimplementedError(f"hooks={hooks}: write a loop over sess.run")
        with self._built(ModeKeys.TRAIN, input_fn) as (run, spec, feeds, step):
            rest = steps if max_steps is None else max(0, max_steps - step)
            for turn, feed in enumerate(feeds(rest), step + 1):
                if np.isnan(run([spec.loss, spec.train_op], feed)[0]):
                    raise RuntimeError(f"NaN loss during training, in step {turn}.")
        return self

    def evaluate(self, input_fn, steps=None) -> dict[str, Any]:
        """The metrics, the mean of the batches' losses, and the global step."""
        with self._built(ModeKeys.EVAL, input_fn) as (run, spec, feeds, step):
            metrics = spec.eval_metric_ops or {}
            wanted = [spec.loss, [update for _, update in metrics.values()]]
            losses = [run(wanted, feed)[0] for feed in feeds(steps)]
            found = run({name: value for name, (value, _) in metrics.items()})
        return {**found, "loss": np.mean(losses), "global_step": step}

    def predict(self, input_fn, predict_keys=None) -> Iterator[Any]:
        """The predictions for one example after the other."""
        with self._built(ModeKeys.PREDICT, input_fn) as (run, spec, feeds, _):
            wanted = spec.predictions
            if predict_keys is not None:
                wanted = {key: wanted[key] for key in predict_keys}
            for feed in feeds(None):
                rows, structure = tree.flatten(run(wanted, feed))
                yield from (tree.unflatten(structure, row) for row in zip(*rows, strict=True))

    def latest_checkpoint(self) -> str | None:
        """The newest checkpoint's path, if there is one."""
        return tf.train.latest_checkpoint(self.model_dir)

    def get_variable_names(self) -> list[str]:
        """The names of all variables that were trained."""
        return [name for name, _ in tf.train.list_variables(self.model_dir)]

    def get_variable_value(self, name: str) -> np.ndarray:
        """What was trained."""
        return tf.train.load_variable(self.model_dir, name)

    @contextlib.contextmanager
    def _built(self, mode: str, input_fn: Any) -> Iterator[Any]:
        """How to run the model, the model, what to feed, and the global step."""
        with tf.Graph().as_default() as graph:
            graph.seed = self.config.tf_random_seed
            counter = tf.train.get_or_create_global_step()
            found = input_fn()
            features, labels = found if isinstance(found, tuple) else (found, None)
            known = {"labels": None if mode == ModeKeys.PREDICT else labels, "mode": mode}
            known |= {"params": self.params, "config": self.config}
            taken = inspect.signature(self._model_fn).parameters
            spec = self._model_fn(features, **{k: v for k, v in known.items() if k in taken})
            session, saver = tf.Session(), tf.train.Saver()
            session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        if checkpoint := self.latest_checkpoint():
            saver.restore(session, checkpoint)
        elif mode != ModeKeys.TRAIN:
            raise ValueError(f"Could not find trained model in model_dir: {self.model_dir}.")

        def feeds(steps: int | None) -> Iterator[dict[Any, Any]]:
            found, epochs = graph.stores.get("_feeds", (itertools.repeat({}), None))
            if steps is None and epochs is None and mode != ModeKeys.PREDICT:
                raise ValueError(f"the input never ends: write {mode}(..., steps=1000)")
            return itertools.islice(found, steps)

        yield session.run, spec, feeds, int(session.run(counter))
        if mode == ModeKeys.TRAIN:
            os.makedirs(self.model_dir, exist_ok=True)
            saver.save(session, os.path.join(self.model_dir, "model.ckpt"))


# --- input ----------------------------------------------------------------------------------


def numpy_input_fn(
    x, y=None, batch_size=128, num_epochs=1, shuffle=None, queue_capacity=1000, num_threads=1
) -> Any:
    """A function of input: batches of arrays, or of dicts of them; num_epochs=None: no end.

    There is no queue, so that the last two change nothing.
    """
    if not isinstance(shuffle, bool):
        raise ValueError(f"shuffle must be provided and explicitly set as boolean; got {shuffle!r}")
    x, y = (item if isinstance(item, dict) or item is None else np.asarray(item) for item in (x, y))
    leaves, structure = tree.flatten((x, y))
    arrays = [np.asarray(leaf) for leaf in leaves]
    if len(counts := {len(array) for array in arrays}) != 1:
        raise ValueError(f"Length of tensors in x and y is mismatched: {sorted(counts)}")

    def input_fn() -> Any:
        graph = tf.get_default_graph()
        fed = [tf.placeholder(array.dtype, [None, *array.shape[1:]]) for array in arrays]
        order = np.random.default_rng(graph.seed).permutation if shuffle else np.arange
        turns = itertools.count() if num_epochs is None else range(num_epochs)
        stream = itertools.chain.from_iterable(order(*counts) for _ in turns)
        batches = iter(lambda: [*itertools.islice(stream, batch_size)], [])
        feeds = ({t: a[rows] for t, a in zip(fed, arrays, strict=True)} for rows in batches)
        graph.stores["_feeds"] = feeds, num_epochs
        return tree.unflatten(structure, fed)

    return input_fn


def pandas_input_fn(x: Any, y: Any = None, *args: Any, **options: Any) -> Any:
    """The same of a data frame, by its columns."""
    return numpy_input_fn(dict(x.items()), y, *args, **options)


inputs = SimpleNamespace(numpy_input_fn=numpy_input_fn, pandas_input_fn=pandas_input_fn)


# --- networks -------------------------------------------------------------------------------


class DNN(Estimator):
    """Dense layers over columns; the head gives predictions, losses and metrics of outputs."""

    _total = "reduce_sum"

    def __init__(
        self, head, units, columns, optimizer="Adagrad", activation_fn=relu, dropout=None, **folder
    ) -> None:
        if isinstance(optimizer, str):
            optimizer = getattr(tf.train, f"{optimizer}Optimizer")(0.05)
        new = optimizer if callable(optimizer) else lambda: copy.deepcopy(optimizer)

        def model_fn(features: Any, labels: Any, mode: str) -> EstimatorSpec:
            training = mode == ModeKeys.TRAIN
            with tf.variable_scope("dnn"):
                with tf.variable_scope("input_from_feature_columns"):
                    net = input_layer(features, columns)
                for i, width in enumerate(units[:-1]):
                    net = tf.layers.dense(net, width, activation_fn, name=f"hiddenlayer_{i}")
                    net = tf.layers.dropout(net, dropout, training=training) if dropout else net
                outputs = tf.layers.dense(net, units[-1], name="logits")
            predictions, losses, metrics = head(outputs, labels)
            if losses is None:
                return EstimatorSpec(mode, predictions)
            metrics["average_loss"] = tf.metrics.mean(losses)
            loss, step = getattr(tf, self._total)(losses), tf.train.get_global_step()
            update = new().minimize(loss, step) if training else None
            return EstimatorSpec(mode, predictions, loss, update, metrics)

        super().__init__(model_fn, **folder)


class DNNRegressor(DNN):
    """Dense layers, the sum of squared errors as loss, Adagrad at the rate 0.05."""

    def __init__(self, hidden_units, feature_columns, model_dir=None, label_dimension=1, **options):
        def head(outputs: Any, labels: Any) -> tuple[Any, Any, Any]:
            if labels is None:
                return {"predictions": outputs}, None, None
            labels = tf.reshape(tf.cast(labels, tf.float32), [-1, label_dimension])
            means = {"label/mean": labels, "prediction/mean": outputs}
            metrics = {name: tf.metrics.mean(values) for name, values in means.items()}
            return {"predictions": outputs}, tf.square(outputs - labels), metrics

        units = [*hidden_units, label_dimension]
        super().__init__(head, units, feature_columns, model_dir=model_dir, **options)


class DNNClassifier(DNN):
    """Dense layers, the sum of cross-entropies as loss, Adagrad at the rate 0.05.

    Labels are integers below `n_classes`, or strings of the option `label_vocabulary`.
    """

    def __init__(self, hidden_units, feature_columns, model_dir=None, n_classes=2, **options):
        words, binary = options.pop("label_vocabulary", None), n_classes == 2

        def head(logits: Any, labels: Any) -> tuple[Any, Any, Any]:
            scores = tf.concat([tf.zeros_like(logits), logits], 1) if binary else logits
            found = tf.argmax(scores, 1)
            ids = tf.expand_dims(found, 1)
            predictions = {"logits": logits, "probabilities": tf.nn.softmax(scores)}
            predictions |= {"class_ids": ids, "classes": _as_string(ids, words)}
            predictions |= {"logistic": tf.sigmoid(logits)} if binary else {}
            if labels is None:
                return predictions, None, None
            labels = lookup(labels, np.array(words, str)) if words else labels
            labels = tf.reshape(labels, [-1])
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=scores)
            return predictions, losses, {"accuracy": tf.metrics.accuracy(labels, found)}

        units = [*hidden_units, 1 if binary else n_classes]
        super().__init__(head, units, feature_columns, model_dir=model_dir, **options)


@operation("AsString", host=True)
def _as_string(ids: Any_, vocabulary: Any = None) -> Any_:
    words = [vocabulary[i] if vocabulary else str(i) for i in ids.flat]
    return np.array([word.encode() for word in words], object).reshape(ids.shape)
