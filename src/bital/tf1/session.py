"""Sessions: what runs a graph, and where its variables' values are."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import bital
from bital import tree
from bital.graphs.evaluation import Evaluation, Part, ancestors
from bital.graphs.graph import Graph, Operation, Tensor, get_default_graph, sessions
from bital.graphs.operation import KERNELS, as_array
from bital.tf1 import errors

_log = logging.getLogger("bital.tf1")


class Session:
    """Runs parts of a graph; holds the values of its variables.

    What is fetched together is compiled to one native function, once for each combination of
    fetches and fed shapes: gradients, updates and summaries included.

    Parameters
    ----------
    target : str, optional
        Must be empty: there are no servers.
    graph : Graph, optional
        The default one.
    config : object, optional
        Taken and not used: threads are `bital.config`'s.

    Examples
    --------
    >>> import bital.tf1 as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     x = tf.placeholder(tf.float32, (None, 2))
    ...     sess.run(tf.reduce_sum(x, axis=1), feed_dict={x: [[1, 2]]})
    array([3.], dtype=float32)
    """

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        if target:
            raise errors.UnimplementedError(
                f"Session({target!r}): there are no servers to connect to; leave the target out"
            )
        self.graph = graph or get_default_graph()
        self.values: dict[Tensor, np.ndarray] = {}
        self._plans: dict[Any, _Plan] = {}
        self._entropy = np.frombuffer(os.urandom(8), np.uint64)[0]
        self._turns: dict[Operation, int] = {}  # how often each random operation has run
        self._lock = threading.RLock()  # the variables' arrays are changed in place
        self._closed = False

    def __enter__(self) -> Session:
        self._block = self.as_default()
        return self._block.__enter__()

    def __exit__(self, *exception: Any) -> None:
        self._block.__exit__(*exception)
        self.close()

    @contextlib.contextmanager
    def as_default(self) -> Iterator[Session]:
        """A with block in which it is the default session; it is not closed at its end."""
        sessions().append(self)
        try:
            with self.graph.as_default():
                yield self
        finally:
            sessions().remove(self)

    def close(self) -> None:
        """Forget the variables' values."""
        self._closed = True
        self.values, self._plans = {}, {}

    # --- runs

    def run(
        self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """Compute what is asked for.

        Parameters
        ----------
        fetches : Tensor, Operation, Variable, name, or nested lists, tuples and dicts of them
        feed_dict : dict, optional
            From tensors, mostly placeholders, to values.

        Returns
        -------
        The same nesting, with arrays in the place of tensors and None in the place of operations.

        Raises
        ------
        InvalidArgumentError, FailedPreconditionError, ValueError, TypeError
            A placeholder is not fed; a variable has no value; a fed value does not fit.
        """
        if self._closed:
            raise RuntimeError(f"Attempted to use a closed Session, to run {fetches!r:.80}")
        feeds = self._fed(feed_dict or {})
        leaves, structure = tree.flatten(fetches)
        if fetches is None or (isinstance(fetches, (list, tuple)) and None in fetches):
            raise TypeError(f"Cannot fetch {fetches!r:.200}: is there a gradient that is None?")
        wanted = [self.graph.as_graph_element(leaf) for leaf in leaves]
        static = {tensor: bool(v) for tensor, v in feeds.items() if v.dtype == bool and not v.ndim}
        key = (*wanted, None, *feeds, *static.values())
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = _Plan(wanted, feeds, static)
        try:
            with self._lock:
                found = tree.unflatten(structure, plan.run(self, feeds))
        except IndexError as fault:
            raise errors.InvalidArgumentError(str(fault)) from fault
        return {key: found[key] for key in fetches} if isinstance(fetches, dict) else found

    def _fed(self, feed_dict: Mapping[Any, Any]) -> dict[Tensor, np.ndarray]:
        result: dict[Tensor, np.ndarray] = {}
        for item, value in _pairs(feed_dict):
            tensor = self.graph.as_graph_element(item)
            if isinstance(tensor, Operation) or isinstance(value, Tensor):
                raise TypeError(
                    f"Cannot feed {tensor!r} with {value!r}: values are fed, which a run may have "
                    "fetched, and only to tensors"
                )
            array = value
            if type(array) is not np.ndarray or array.dtype != tensor.dtype.as_numpy_dtype:
                try:
                    array = as_array(np.asarray(value), tensor.dtype)
                except (TypeError, ValueError) as fault:
                    raise type(fault)(f"Cannot feed {tensor.name!r}: {fault}") from fault
            if not tensor.allows(array.shape):
                raise ValueError(
                    f"Cannot feed value of shape {array.shape} for Tensor {tensor.name!r}, which "
                    f"has shape {str(tensor.shape)!r}"
                )
            result[tensor] = array
        return result

    def keys(self, random: Sequence[Operation]) -> np.ndarray:
        """A key for each random operation, ``(operations, 2)``: of its seed and of its turn."""
        found = np.empty((len(random), 2), np.uint64)
        for row, op in zip(found, random, strict=True):
            turn = self._turns[op] = self._turns.get(op, 0) + 1
            first, second = op.attributes["_seed"] or (self._entropy, op.number)
            # The low half of the second word is left to `random.fold_in`: a loop's turns.
            row[0], row[1] = (int(first) ^ turn << 32) % 2**64, (int(second) << 32) % 2**64
        return found


class InteractiveSession(Session):
    """A session that is the default one from its making to its `close`."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        super().__init__(target, graph, config)
        sessions().append(self)

    def close(self) -> None:
        """Forget the variables' values, and be no longer the default."""
        if self in sessions():
            sessions().remove(self)
        super().close()


def _pairs(feed_dict: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """Tensors and values; a tuple of tensors, such as an LSTM's state, is fed a tuple of values."""
    for item, value in feed_dict.items():
        if not isinstance(item, tuple):
            yield item, value
        elif (found := tree.flatten(value))[1] == tree.structure(item):
            yield from zip(tree.leaves(item), found[0], strict=True)
        else:
            raise ValueError(f"Cannot feed {item!r:.200} with values in another nesting")


def get_default_session() -> Session | None:
    """The innermost session of a with block, if there is one."""
    return sessions()[-1] if sessions() else None


class _Plan:
    """How one combination of fetches and feeds is run."""

    def __init__(
        self, wanted: Sequence[Any], feeds: Mapping[Tensor, Any], static: Mapping[Tensor, bool]
    ) -> None:
        self.wanted = wanted
        self.static = static
        targets = [item.op if isinstance(item, Tensor) else item for item in wanted]
        needed = ancestors([op for op in targets if not {*op.outputs} & {*feeds}], feeds)
        # Strings are Python's: what makes or reads them runs before the rest, or is fetched as is.
        self.ahead = ancestors([op for op in needed if _text(op)], feeds)
        self.host = [op for op in needed if KERNELS[op.type].host]
        self.operations = [op for op in needed if op not in self.host and op not in self.ahead]
        early = [tensor for op in self.ahead for tensor in op.outputs]
        self.fed = [t for t in [*feeds, *early] if t not in static and t.dtype != "string"]
        asked = [item for item in wanted if isinstance(item, Tensor)]
        asked += [tensor for op in self.host for tensor in op.inputs]
        self.results = [tensor for tensor in dict.fromkeys(asked) if tensor.dtype != "string"]
        inner = [*self.operations, *_inner(self.operations)]
        self.written = list(
            dict.fromkeys(t for op in inner for t in op.inputs[: KERNELS[op.type].assigns])
        )
        read = [op.outputs[0] for op in inner if op.type == "Variable"]
        self.kept = [tensor for tensor in read if tensor not in {*self.written, *feeds}]
        self.random = [op for op in dict.fromkeys(inner) if KERNELS[op.type].random]
        self._check(feeds)
        self.step = self._step
        dynamic = [op for op in inner if KERNELS[op.type].dynamic]
        once = self.written and not self.initial and not feeds  # initializers
        if not dynamic and not once:
            self.step = bital.jit(self._step, donate_argnums=0)
        elif dynamic:
            _log.warning(
                "%r has a shape that depends on values: what is fetched with it runs operation by "
                "operation, without being compiled",
                dynamic[0].name,
            )

    def _check(self, feeds: Mapping[Tensor, Any]) -> None:
        for op in [*self.ahead, *self.operations]:
            if op.type == "Placeholder" and op.outputs[0] not in feeds:
                raise errors.InvalidArgumentError(
                    f"You must feed a value for placeholder tensor {op.name!r} with dtype "
                    f"{op.outputs[0].dtype.name} and shape {op.outputs[0].shape}: "
                    f"sess.run(..., feed_dict={{{op.name}: value}})"
                )
        self.initial = []  # variables whose value before the run is read
        assigned: set[Tensor] = set()
        for op in self.operations:
            kernel = KERNELS[op.type]
            fresh = op.inputs[1 if op.type == "Assign" else 0 :]
            self.initial += [t for t in fresh if t.op.type == "Variable" and t not in assigned]
            assigned.update(op.inputs[: kernel.assigns])
        self.initial += [t for t in self.results if t.op.type == "Variable"]
        self.initial = [t for t in dict.fromkeys(self.initial) if t not in feeds]

    def run(self, session: Session, feeds: Mapping[Tensor, np.ndarray]) -> list[Any]:
        values = session.values
        for tensor in self.initial:
            if tensor not in values:
                raise errors.FailedPreconditionError(
                    f"Attempting to use uninitialized value {tensor.op.name}: run "
                    "tf.global_variables_initializer(), or restore a checkpoint, first"
                )
        written = [values.get(tensor) for tensor in self.written]
        kept = [values[tensor] for tensor in self.kept]
        keys = session.keys(self.random) if self.random else None
        if self.ahead:
            evaluation = Evaluation(dict(feeds), {})
            evaluation.run(self.ahead)
            feeds = evaluation.values
        fed = [feeds[tensor] for tensor in self.fed]
        results, new = self.step(written, kept, fed, keys)
        values.update(zip(self.written, new, strict=True))
        found = {**feeds, **dict(zip(self.results, results, strict=True))}
        for op in self.host:
            kernel = KERNELS[op.type]
            result = kernel.call([found[t] for t in op.inputs], op.attributes)
            found.update(zip(op.outputs, [result], strict=False))
        return [_plain(found.get(item)) for item in self.wanted]

    def _step(self, written: Any, kept: Any, fed: Any, keys: Any) -> Any:
        given = {t: v for t, v in zip(self.written, written, strict=True) if v is not None}
        given |= dict(zip(self.kept, kept, strict=True))
        given |= {tensor: np.asarray(value) for tensor, value in self.static.items()}
        given |= dict(zip(self.fed, fed, strict=True))
        evaluation = Evaluation(given, {op: keys[i] for i, op in enumerate(self.random)})
        evaluation.run(self.operations)
        results = [evaluation.read(t, t.op.number) for t in self.results]
        return results, [evaluation.read(t, 1 << 62) for t in self.written]


def _text(op: Operation) -> bool:
    strings = any(tensor.dtype == "string" for tensor in (*op.inputs, *op.outputs))
    return strings and not KERNELS[op.type].host


def _plain(value: Any) -> Any:
    """A scalar as NumPy's scalar."""
    return value[()] if isinstance(value, np.ndarray) and not value.ndim else value


def _inner(operations: Sequence[Operation]) -> list[Operation]:
    """The operations of parts that some operations run, at any depth."""
    found: dict[Operation, None] = {}
    waiting = list(operations)
    while waiting:
        op = waiting.pop()
        for name, value in op.attributes.items():
            if isinstance(value, dict) and "operations" in value:
                new = [inner for inner in Part.of(op, name).operations if inner not in found]
                found.update(dict.fromkeys(new))
                waiting += new
    return list(found)
