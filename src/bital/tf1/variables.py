"""Variables, and the scopes in which `get_variable` finds them again."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from bital.graphs.control import group, identity
from bital.graphs.dtypes import DType, as_dtype
from bital.graphs.graph import (
    GraphKeys,
    Operand,
    Operation,
    Tensor,
    get_collection,
    get_default_graph,
    name_scope,
    probes_of,
    session_or_default,
)
from bital.graphs.operation import Index, Value, as_array, convert_to_tensor, operation
from bital.graphs.shapes import TensorShape
from bital.tf1 import initializers


@operation("Variable")
def _variable() -> None:
    """A place for a value, which a session holds."""


@operation("Assign", assigns=1)
def assign(
    ref: Value, value: Value, validate_shape: bool = True, use_locking: bool = True
) -> Value:
    """An operation that sets a variable, and gives the new value; its shape stays."""
    return value


@operation("AssignAdd", assigns=1)
def assign_add(ref: Value, value: Value, use_locking: bool = False) -> Value:
    """An operation that adds to a variable, and gives the new value."""
    return ref + value


@operation("AssignSub", assigns=1)
def assign_sub(ref: Value, value: Value, use_locking: bool = False) -> Value:
    """An operation that subtracts from a variable, and gives the new value."""
    return ref - value


@operation("ScatterUpdate", assigns=1)
def scatter_update(ref: Value, indices: Index, updates: Value) -> Value:
    """Set the rows of a variable that have these indices."""
    result = ref.copy()
    result[indices] = updates
    return result


class Variable(Operand):
    """A tensor whose value a session keeps from run to run.

    The initial value is a tensor, an array, a number, or a function that returns one. A variable is
    listed in `collections` (GLOBAL_VARIABLES), and changed by optimizers if it is `trainable`. With
    ``validate_shape=False`` values of other shapes may be assigned.

    Examples
    --------
    >>> import bital.tf1 as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     count = tf.Variable(0)
    ...     sess.run(count.initializer)
    ...     [int(sess.run(tf.assign_add(count, 2))) for _ in range(2)]
    [2, 4]
    """

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool = True,
        collections: Any = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        expected_shape: Any = None,
        import_scope: Any = None,
        constraint: Callable[[Any], Any] | None = None,
    ) -> None:
        if initial_value is None:
            raise ValueError(f"initial_value of {name or 'a variable'} must be specified.")
        graph = get_default_graph()
        with graph.control_dependencies(None), graph.name_scope(name or "Variable") as scope:
            made = initial_value() if callable(initial_value) else initial_value
            value = convert_to_tensor(made, dtype, name="initial_value")
            probes = probes_of(value.shape, value.dtype) if validate_shape else None
            op = graph.add("Variable", (), {}, [(value.dtype, probes)], scope)
            self.op, self.initial_value, self.constraint = op, value, constraint
            self.trainable = trainable
            self.initializer = assign(self, value, validate_shape, name="Assign").op
        wanted = [GraphKeys.GLOBAL_VARIABLES] if collections is None else list(collections)
        if trainable and GraphKeys.TRAINABLE_VARIABLES not in wanted:
            wanted.append(GraphKeys.TRAINABLE_VARIABLES)
        for key in wanted:
            graph.add_to_collection(key, self)

    graph_element = property(lambda self: self.op.outputs[0], doc="The tensor of its value.")
    graph = property(lambda self: self.op.graph)
    name = property(lambda self: self.graph_element.name)
    dtype = property(lambda self: self.graph_element.dtype)  # type: ignore[assignment]
    shape = property(lambda self: self.graph_element.shape)  # type: ignore[assignment]
    device = ""
    assign: Callable[..., Tensor]
    assign_add: Callable[..., Tensor]
    assign_sub: Callable[..., Tensor]

    def value(self) -> Tensor:
        """The tensor of its value."""
        return self.graph_element

    def read_value(self) -> Tensor:
        """Its value at this place of the graph: after the assignments that stand before."""
        return identity(self, name="read")

    def initialized_value(self) -> Tensor:
        """What it starts with, to compute other initial values of."""
        return self.initial_value

    def eval(self, session: Any = None, feed_dict: Any = None) -> Any:
        """Its value in the default session."""
        return self.graph_element.eval(feed_dict, session)

    def load(self, value: Any, session: Any = None) -> None:
        """Set it in a session, without adding to the graph."""
        array = as_array(value, self.dtype)
        if not self.shape.is_compatible_with(array.shape):
            raise ValueError(f"{self.name} has shape {self.shape}, and the value {array.shape}")
        session_or_default(session, "load").values[self.graph_element] = array

    def __repr__(self) -> str:
        return f"<tf.Variable {self.name!r} shape={self.shape} dtype={self.dtype.name}>"


Variable.assign, Variable.assign_add, Variable.assign_sub = assign, assign_add, assign_sub


# --- lists of variables ---------------------------------------------------------------------


def global_variables(scope: str | None = None) -> list[Variable]:
    """All variables but the local ones."""
    return get_collection(GraphKeys.GLOBAL_VARIABLES, scope)


def trainable_variables(scope: str | None = None) -> list[Variable]:
    """The variables that optimizers change."""
    return get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


def local_variables(scope: str | None = None) -> list[Variable]:
    """Variables that are not saved, such as those of metrics."""
    return get_collection(GraphKeys.LOCAL_VARIABLES, scope)


def variables_initializer(var_list: Any, name: str = "init") -> Operation:
    """An operation that gives each of some variables its initial value."""
    return group(*[variable.initializer for variable in var_list], name=name)


def global_variables_initializer() -> Operation:
    """An operation that gives each global variable its initial value."""
    return variables_initializer(global_variables())


def local_variables_initializer() -> Operation:
    """An operation that gives each local variable its initial value."""
    return variables_initializer(local_variables(), "init_local")


# --- get_variable ---------------------------------------------------------------------------

AUTO_REUSE = "auto"


class VariableScope:
    """Where `get_variable` is at work: a prefix of names, and what variables get by default.

    With `reuse` variables must be there already; AUTO_REUSE makes those that are not.
    """

    def __init__(
        self,
        name: str,
        reuse: Any = False,
        initializer: Any = None,
        regularizer: Any = None,
        dtype: Any = None,
    ) -> None:
        self.name, self.original_name_scope = name, f"{name}/" if name else ""
        self.reuse, self.initializer, self.regularizer = reuse, initializer, regularizer
        self.dtype = dtype or as_dtype("float32")

    def reuse_variables(self) -> None:
        """Let `get_variable` only find variables from here on."""
        self.reuse = True

    def set_initializer(self, initializer: Any) -> None:
        """What variables are initialized with that are given nothing."""
        self.initializer = initializer

    def global_variables(self) -> list[Variable]:
        """The variables whose names begin with the scope's."""
        return global_variables(f"{self.name}/")

    def trainable_variables(self) -> list[Variable]:
        """Those of them that optimizers change."""
        return trainable_variables(f"{self.name}/")


def get_variable_scope() -> VariableScope:
    """The scope in which `get_variable` is at work."""
    graph = get_default_graph()
    if graph.scope is None:
        graph.scope = VariableScope("")
    return graph.scope


@contextlib.contextmanager
def variable_scope(
    name_or_scope: Any = None,
    default_name: str | None = None,
    values: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    reuse: Any = None,
    dtype: Any = None,
    **options: Any,
) -> Iterator[VariableScope]:
    """A with block whose variables and operations have a prefix; `default_name` is made unique.

    A VariableScope is entered again as it was, whatever is around it. `initializer` and
    `regularizer` are for variables that are given none; `reuse` is as outside unless it is given.
    """
    graph = get_default_graph()
    outer = get_variable_scope()
    counts = graph.scope_counts
    if again := isinstance(name_or_scope, VariableScope):
        full, title = name_or_scope.name, name_or_scope.name.rpartition("/")[2] or None
    else:
        prefix = f"{outer.name}/" if outer.name else ""
        title = name_or_scope
        if title is None:
            title = default_name or "scope"
            names = itertools.chain([title], (f"{title}_{k}" for k in itertools.count(1)))
            title = next(name for name in names if not counts.get(prefix + name))
        full = prefix + title
    base = name_or_scope if again else outer
    counts[full] = counts.get(full, 0) + 1
    before = dict(counts)
    inner = VariableScope(
        full,
        base.reuse if reuse is None else (base.reuse if base.reuse is True else reuse),
        base.initializer if initializer is None else initializer,
        regularizer or base.regularizer,
        dtype or base.dtype,
    )
    graph.scope = inner
    try:
        with graph.name_scope(title) as scope:
            inner.original_name_scope = scope
            yield inner
    finally:
        graph.scope = outer
        # Unnamed scopes inside are counted anew when this one is entered again.
        inside = [name for name in counts if name.startswith(f"{full}/")]
        counts.update({name: before.get(name, 0) if again else 0 for name in inside})


def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool = True,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: Any = None,
    custom_getter: Any = None,
    constraint: Any = None,
) -> Variable:
    """The variable of this name in the present scope: a new one, or, under reuse, the old one.

    ``initializer(shape, dtype)`` is Glorot's uniform one by default, or it is a value. What the
    regularizer gives for the variable is added to the collection REGULARIZATION_LOSSES. A
    ValueError is raised if the variable exists and may not be reused, or must and does not.
    """
    graph, scope = get_default_graph(), get_variable_scope()
    full = f"{scope.name}/{name}" if scope.name else name
    found = graph.stores.get(full)
    if found is not None:
        if not scope.reuse:
            raise ValueError(
                f"Variable {full} already exists, disallowed. Did you mean to set reuse=True or "
                "reuse=tf.AUTO_REUSE in variable_scope?"
            )
        if shape is not None and not found.shape.is_compatible_with(shape):
            raise ValueError(
                f"Trying to share variable {full}, but specified shape {TensorShape(shape)} and "
                f"found shape {found.shape}."
            )
        return found
    if scope.reuse is True:
        raise ValueError(
            f"Variable {full} does not exist, or was not created with tf.get_variable(). Did you "
            "mean to set reuse=tf.AUTO_REUSE in variable_scope?"
        )
    wanted = as_dtype(dtype or scope.dtype)
    start = _start(full, shape, wanted, scope.initializer if initializer is None else initializer)
    with _outside(graph):
        variable = Variable(
            start, trainable, collections, validate_shape, name=full, constraint=constraint
        )
        graph.stores[full] = variable
        regularizer = regularizer or scope.regularizer
        if regularizer is not None:
            with name_scope(f"{full}/Regularizer"):
                penalty = regularizer(variable)
            if penalty is not None:
                graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, penalty)
    return variable


def _start(name: str, shape: Any, dtype: DType, initializer: Any) -> Any:
    """What gives a variable its first value."""
    if initializer is not None and not callable(initializer):
        return convert_to_tensor(initializer, None if hasattr(initializer, "op") else dtype)
    if not TensorShape(shape).is_fully_defined():
        raise ValueError(
            f"Shape of a new variable ({name}) must be fully defined, but instead was {shape}."
        )
    if initializer is None:
        floating = dtype.is_floating or dtype.is_complex
        glorot, zeros = initializers.glorot_uniform_initializer, initializers.zeros_initializer
        initializer = glorot() if floating else zeros()
    if isinstance(initializer, type):
        initializer = initializer()
    lengths = [int(length) for length in TensorShape(shape)]
    return lambda: convert_to_tensor(initializer(lengths, dtype=dtype), dtype)


@contextlib.contextmanager
def _outside(graph: Any) -> Iterator[None]:
    """Names as they are given: a variable's name is its scope's and its own."""
    previous, graph._name_scope = graph._name_scope, ""
    try:
        yield
    finally:
        graph._name_scope = previous
