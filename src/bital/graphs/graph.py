"""The graph: operations that were written down, their tensors, and the scopes that name them."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bital.api import partial_shapes
from bital.graphs.dtypes import DType, as_dtype
from bital.graphs.shapes import TensorShape


class GraphKeys:
    """Names of the collections that the library itself uses."""

    GLOBAL_VARIABLES = "variables"
    VARIABLES = "variables"
    LOCAL_VARIABLES = "local_variables"
    TRAINABLE_VARIABLES = "trainable_variables"
    UPDATE_OPS = "update_ops"
    REGULARIZATION_LOSSES = "regularization_losses"
    LOSSES = "losses"
    SUMMARIES = "summaries"
    GLOBAL_STEP = "global_step"


Probed = partial_shapes.Probed | None  # what is known of a tensor; None: not even the rank


class Operand:
    """Tensors and variables: what operators can be used on, which `ops.math` gives to it."""

    dtype: DType
    shape: TensorShape
    __getitem__: Callable[..., Any]
    __array_ufunc__ = None  # NumPy's arrays leave their operators to ours

    def __bool__(self) -> bool:
        raise TypeError(
            f"Using {self!r} as a Python bool is not allowed: its value is known only while the "
            "graph runs. Write `if t is not None:` to ask whether there is one, tf.cond or "
            "tf.where to choose by its value."
        )

    def __iter__(self) -> Iterator[Any]:
        length = self.shape[0].value
        if length is None:
            raise TypeError(f"{self!r} is not iterable: its first length is unknown")
        return (self[i] for i in range(length))

    def get_shape(self) -> TensorShape:
        """What is known of the shape."""
        return self.shape

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"{self!r} has no value outside of a session: fetch it with sess.run(...), and write "
            "tf's functions in the place of NumPy's"
        )


class Tensor(Operand):
    """What an operation will give when the graph runs."""

    def __init__(self, op: Operation, index: int, dtype: DType, probes: Probed) -> None:
        self.op, self.value_index, self.dtype, self.probes = op, index, dtype, probes

    graph = property(lambda self: self.op.graph, doc="The graph that it belongs to.")
    name = property(lambda self: f"{self.op.name}:{self.value_index}", doc="``operation:index``.")
    device = ""

    @property  # type: ignore[override]
    def shape(self) -> TensorShape:
        """What is known of the shape."""
        if self.probes is None:
            return TensorShape(None)
        return TensorShape(partial_shapes.known_shape(self.probes))

    def allows(self, shape: Sequence[int]) -> bool:
        """Whether an array of this shape may be fed to it."""
        if self.probes is None:
            return True
        first, second = self.probes
        lengths = zip(first.shape, second.shape, shape, strict=False)
        return len(first.shape) == len(shape) and all(a == n or a != b for a, b, n in lengths)

    def set_shape(self, shape: Any) -> None:
        """Add to what is known of the shape; a ValueError if that contradicts it."""
        merged = self.shape.merge_with(shape)
        if merged != self.shape:
            self.probes = probes_of(merged, self.dtype)

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        """Its value: ``session.run(self, feed_dict)`` in the default session."""
        return session_or_default(session, "eval").run(self, feed_dict)

    def consumers(self) -> list[Operation]:
        """The operations that take it."""
        return [op for op in self.graph.get_operations() if self in op.inputs]

    def __repr__(self) -> str:
        return f"<tf.Tensor {self.name!r} shape={self.shape} dtype={self.dtype.name}>"

    def __str__(self) -> str:
        return f'Tensor("{self.name}", shape={self.shape}, dtype={self.dtype.name})'


class Operation:
    """A node of the graph.

    Its `type` is a key of `operation.KERNELS`, which says what it computes of its `inputs` and its
    `attributes` (JSON and arrays). `control_inputs` must have run before it. Its `number` is its
    place in the order in which the graph was written; what it reads has lower ones.
    """

    def __init__(
        self, graph: Graph, kind: str, name: str, inputs: tuple[Tensor, ...], attributes: Any
    ) -> None:
        self.graph, self.type, self.name = graph, kind, name
        self.inputs, self.attributes = inputs, attributes
        self.control_inputs: tuple[Operation, ...] = ()
        self.outputs: tuple[Tensor, ...] = ()
        self.number = 0

    def run(self, feed_dict: Any = None, session: Any = None) -> None:
        """``session.run(self, feed_dict)`` in the default session."""
        session_or_default(session, "run").run(self, feed_dict)

    def get_attr(self, name: str) -> Any:
        """One of the attributes."""
        return self.attributes[name]

    def __repr__(self) -> str:
        return f"<tf.Operation {self.name!r} type={self.type}>"


class Graph:
    """Operations in the order in which they were written, under unique names.

    Examples
    --------
    >>> graph = Graph()
    >>> with graph.as_default():
    ...     graph.unique_name("x"), graph.unique_name("x")
    ('x', 'x_1')
    """

    def __init__(self) -> None:
        self.seed: int | None = None
        self.collections: dict[str, list[Any]] = {}
        self.scope: Any = None  # what variable_scope is at work on
        self.scope_counts: dict[str, int] = {}  # how often each was entered
        self.stores: dict[str, Any] = {}  # what get_variable has made
        self._operations: dict[str, Operation] = {}
        self._names: dict[str, int] = {}
        self._name_scope = ""
        self._controls: tuple[Operation, ...] = ()
        self._finalized = False

    # --- operations

    def add(
        self,
        kind: str,
        inputs: Sequence[Tensor],
        attributes: dict[str, Any],
        results: Sequence[tuple[DType, Probed]],
        name: str | None = None,
    ) -> Operation:
        """Write an operation down. Its results are described by dtypes and probes."""
        if self._finalized:
            raise RuntimeError(f"Graph is finalized and cannot be modified by {name or kind}")
        for tensor in inputs:
            if tensor.graph is not self:
                raise ValueError(f"{tensor!r} must be from the same graph as what it is used in.")
        exact = name is not None and name.endswith("/")
        full = name[:-1] if name is not None and exact else self.unique_name(name or kind)
        op = Operation(self, kind, full, tuple(inputs), attributes)
        op.control_inputs = self._controls
        op.number = len(self._operations)
        op.outputs = tuple(
            Tensor(op, i, dtype, probes) for i, (dtype, probes) in enumerate(results)
        )
        self._operations[op.name] = op
        return op

    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        """The name in the present scope, with a number if it is taken."""
        full = found = f"{self._name_scope}{name}"
        count = self._names.get(full.lower(), 0)
        while found.lower() in self._names:
            found = f"{full}_{count}"
            count += 1
        if mark_as_used:
            self._names[full.lower()] = max(count, 1)
            self._names[found.lower()] = 1 if found != full else self._names[full.lower()]
        return found

    def get_operations(self) -> list[Operation]:
        """All operations, in the order in which they were written."""
        return list(self._operations.values())

    def get_operation_by_name(self, name: str) -> Operation:
        """The operation of this name; a KeyError if there is none."""
        if name not in self._operations:
            raise KeyError(
                f"The name {name!r} refers to an Operation not in the graph."
                + (" It looks like a tensor's name: drop the colon." if ":" in str(name) else "")
            )
        return self._operations[name]

    def get_tensor_by_name(self, name: str) -> Tensor:
        """The tensor of a name such as ``"loss:0"``; a ValueError if it is none, or a KeyError."""
        operation, colon, index = name.rpartition(":")
        if not colon or not index.isdigit():
            raise ValueError(f"The name {name!r} is no tensor's: write '{name}:0'")
        outputs = self.get_operation_by_name(operation).outputs
        if int(index) >= len(outputs):
            raise KeyError(f"The operation {operation!r} has {len(outputs)} results, no {name!r}")
        return outputs[int(index)]

    def as_graph_element(self, item: Any) -> Any:
        """The tensor or operation that an object or a name means."""
        if isinstance(item, str):
            return (self.get_tensor_by_name if ":" in item else self.get_operation_by_name)(item)
        item = getattr(item, "graph_element", item)
        if not isinstance(item, (Tensor, Operation)):
            raise TypeError(f"Can not convert a {type(item).__name__} into a Tensor or Operation.")
        if item.graph is not self:
            raise ValueError(f"{item!r} is not an element of this graph.")
        return item

    def as_graph_def(self) -> Any:
        """Left out: a graph is saved by ``tf.train.export_meta_graph``."""
        raise NotImplementedError(f"{self!r} has no GraphDef: use tf.train.export_meta_graph")

    def finalize(self) -> None:
        """Allow no more operations."""
        self._finalized = True

    # --- scopes

    @contextlib.contextmanager
    def as_default(self) -> Iterator[Graph]:
        """Make it the graph to which operations are added, for the length of a with block."""
        _stacks.graphs.append(self)
        try:
            yield self
        finally:
            _stacks.graphs.remove(self)

    @contextlib.contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        """Put a name, and a slash, before those of all operations in a with block.

        A name that ends with a slash is a scope that is entered again; None leaves all scopes.
        """
        previous = self._name_scope
        if name and not name.endswith("/"):
            name = f"{self.unique_name(name)}/"
        self._name_scope = name or ""
        try:
            yield self._name_scope
        finally:
            self._name_scope = previous

    @contextlib.contextmanager
    def control_dependencies(self, control_inputs: Any) -> Iterator[None]:
        """Let all operations in a with block run after others; None forgets those outside."""
        previous = self._controls
        found = [self.as_graph_element(item) for item in control_inputs or ()]
        added = [item.op if isinstance(item, Tensor) else item for item in found]
        self._controls = () if control_inputs is None else (*previous, *added)
        try:
            yield
        finally:
            self._controls = previous

    # --- collections

    def add_to_collection(self, name: str, value: Any) -> None:
        """Append a value to a named list."""
        self.collections.setdefault(name, []).append(value)

    def get_collection(self, name: str, scope: str | None = None) -> list[Any]:
        """A copy of a named list; of those alone whose names match a scope, if one is given."""
        found = self.collections.get(name, [])
        return [x for x in found if not scope or re.match(scope, getattr(x, "name", ""))]

    def get_collection_ref(self, name: str) -> list[Any]:
        """A named list itself."""
        return self.collections.setdefault(name, [])

    def get_all_collection_keys(self) -> list[str]:
        """The names of all collections."""
        return [name for name, values in self.collections.items() if values]


class _Stacks(threading.local):
    """The graphs and sessions that with blocks have made the default ones."""

    def __init__(self) -> None:
        self.graphs: list[Graph] = []
        self.sessions: list[Any] = []


_stacks = _Stacks()
_base = Graph()


def sessions() -> list[Any]:
    """The default sessions of this thread, the innermost last."""
    return _stacks.sessions


def session_or_default(session: Any, method: str) -> Any:
    """A session, or the default one."""
    if session is None and not _stacks.sessions:
        raise ValueError(
            f"Cannot evaluate with {method}(): no default session. Write `with tf.Session() as "
            f"sess:`, or pass one, {method}(session=sess)"
        )
    return _stacks.sessions[-1] if session is None else session


def get_default_graph() -> Graph:
    """The graph to which operations are added."""
    return _stacks.graphs[-1] if _stacks.graphs else _base


def reset_default_graph() -> None:
    """Begin with an empty default graph."""
    global _base
    if _stacks.graphs:
        raise AssertionError("Do not use tf.reset_default_graph() inside of graph.as_default().")
    _base = Graph()


def of_default(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of graphs as a function that uses the default one."""
    name = method.__name__

    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(get_default_graph(), name)(*args, **kwargs)

    call.__name__, call.__doc__ = name, method.__doc__
    return call


control_dependencies = of_default(Graph.control_dependencies)
add_to_collection = of_default(Graph.add_to_collection)
get_collection = of_default(Graph.get_collection)
get_collection_ref = of_default(Graph.get_collection_ref)


def name_scope(name: str | None, default_name: str | None = None, values: Any = None) -> Any:
    """Put a name, and a slash, before those of all operations in a with block."""
    return get_default_graph().name_scope(default_name if name is None else name)


def set_random_seed(seed: int) -> None:
    """Let all random operations of the default graph give the same numbers in every session."""
    get_default_graph().seed = int(seed)


def probes_of(shape: Any, dtype: Any) -> Probed:
    """What stands for arrays of a shape while shapes are inferred."""
    shape = TensorShape(shape)
    if shape.ndims is None:
        return None
    return partial_shapes.probed(shape.as_list(), as_dtype(dtype).numpy)
