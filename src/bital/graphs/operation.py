"""How an operation is defined: a NumPy function, from whose signature all else follows.

``@operation("MatMul")`` makes of a function of arrays one that writes an operation down. Parameters
annotated `Value`, `Values`, `Index`, `Bool`, `Any_` or `Anys` are tensors, those annotated `Key`
and `Run` are given by whoever runs the graph, and all others are attributes. Shapes and dtypes of
results come from the function itself, which `infer_shapes` runs on arrays without values; so there
is nothing else to write for an operation.
"""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bital import tree
from bital.api.partial_shapes import infer_shapes, known_shape, probed
from bital.graphs.dtypes import DType, as_dtype
from bital.graphs.graph import (
    Graph,
    Operand,
    Operation,
    Probed,
    Tensor,
    get_default_graph,
    probes_of,
)
from bital.graphs.shapes import Dimension, TensorShape

# What annotations of kernels mean.
Value = Any  # a tensor of the operation's common dtype
Values = Sequence[Any]  # a list of such
Index = Any  # integers; those that shapes depend on must be known when the graph is compiled
Bool = Any
Any_ = Any  # a tensor of any dtype
Anys = Sequence[Any]
Key = Any  # a key for bital.random, another one in each run
Run = Callable[..., Any]  # runs a part of the graph: control flow and gradients
_ROLES, _LISTS = ("Value", "Values", "Index", "Bool", "Any_", "Anys"), ("Values", "Anys")
_GRAPH_SEED = 87654321  # where an operation has a seed and its graph has none


class Kernel:
    """What an operation type computes, and how its arguments are told apart.

    Attributes
    ----------
    assigns : int
        How many of the first inputs are variables, which are set to as many first results.
    dynamic, host : bool
        Shapes depend on values, so it is not compiled; it is computed in Python, after the graph.
    """

    def __init__(
        self, kind: str, function: Callable[..., Any], assigns: int, dynamic: bool, host: bool
    ) -> None:
        self.type, self.function, self.signature = kind, function, inspect.signature(function)
        self.assigns, self.dynamic, self.host = assigns, dynamic, host
        annotations = {name: p.annotation for name, p in self.signature.parameters.items()}
        self.roles = {name: role for name, role in annotations.items() if role in _ROLES}
        self.extras = [name for name, role in annotations.items() if role in ("Key", "Run")]
        self.random = "key" in self.extras

    def call(self, values: Sequence[Any], attributes: dict[str, Any], **extras: Any) -> Any:
        """What the function returns for values of the operation's inputs."""
        rest = iter(values)
        arguments: dict[str, Any] = {}
        for name, role in self.roles.items():
            count = attributes.get(f"_{name}", 1)
            if role in _LISTS:
                arguments[name] = [next(rest) for _ in range(count)]
            else:
                arguments[name] = next(rest) if count else None
        others = {k: v for k, v in attributes.items() if not k.startswith("_")}
        return self.function(**arguments, **others, **extras)


KERNELS: dict[str, Kernel] = {}


def operation(
    kind: str, *, assigns: int = 0, dynamic: bool = False, host: bool = False
) -> Callable[[Callable[..., Any]], Any]:
    """Make of a function of arrays one that adds an operation to the default graph.

    The new function takes a `name` too, and returns a tensor, a list of them where the function
    returns several, or the operation where it returns None.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        kernel = KERNELS[kind] = Kernel(kind, function, assigns, dynamic, host)
        keyword = inspect.Parameter("name", inspect.Parameter.KEYWORD_ONLY, default=None)
        shown = [p for n, p in kernel.signature.parameters.items() if n not in kernel.extras]

        @functools.wraps(function)
        def call(*args: Any, name: str | None = None, **kwargs: Any) -> Any:
            op = record(kernel, args, kwargs, name)
            if not op.outputs:
                return op
            return list(op.outputs) if op.attributes.get("_several") else op.outputs[0]

        call.__signature__ = inspect.Signature([*shown, keyword])  # type: ignore[attr-defined]
        call.kernel = kernel  # type: ignore[attr-defined]
        return call

    return decorate


def record(kernel: Kernel, args: Any, kwargs: Any, name: str | None = None) -> Operation:
    """Add an operation for a call of its function."""
    bound = kernel.signature.bind_partial(*args, **kwargs)
    bound.apply_defaults()
    attributes: dict[str, Any] = {}
    groups: dict[str, list[Any]] = {}
    for key, parameter in kernel.signature.parameters.items():
        if key in kernel.extras:
            continue
        if key not in bound.arguments:
            raise TypeError(f"tf's {kernel.type} lacks its argument {parameter.name!r}")
        value, role = bound.arguments[key], kernel.roles.get(key)
        if role and value is None and parameter.default is not None:
            raise ValueError(f"None values not supported: {key} of {kernel.type} is {value}")
        if role is None:
            attributes[key] = _attribute(value)
        elif role in _LISTS:
            groups[key] = list(value)
            attributes[f"_{key}"] = len(groups[key])
        else:
            groups[key] = [] if value is None else [value]
            if value is None:
                attributes[f"_{key}"] = 0
    graph = get_default_graph()
    if kernel.random:
        attributes["_seed"] = _seed(graph, attributes.get("seed"))
    inputs = _converted(kernel, groups, name or kernel.type)
    results, several = infer(kernel, inputs, attributes, name or kernel.type)
    for tensor, (_, probes) in zip(inputs[: kernel.assigns], results, strict=False):
        _check_assignment(tensor, probes, attributes.get("validate_shape", True))
    if several:
        attributes["_several"] = True
    return graph.add(kernel.type, inputs, attributes, results, name)


def _check_assignment(tensor: Tensor, probes: Probed, validate_shape: bool) -> None:
    if tensor.op.type != "Variable":
        raise ValueError(f"only a variable can be assigned to, got {tensor!r}")
    shape = TensorShape(probes and known_shape(probes))
    if validate_shape and not tensor.shape.is_compatible_with(shape):
        raise ValueError(f"{tensor.op.name} has shape {tensor.shape}, and the value {shape}")


def _attribute(value: Any) -> Any:
    """An attribute as JSON or an array."""
    value = getattr(value, "graph_element", value)
    if isinstance(value, Tensor):
        known = value.probes is not None and isinstance(value.probes[0], np.ndarray)
        if not known or not np.array_equal(*value.probes):
            raise TypeError(f"{value!r} stands where a plain value is needed")
        value = value.probes[0].tolist()
    if isinstance(value, TensorShape):
        return value.as_list() if value.ndims is not None else None
    if isinstance(value, (list, tuple)):
        return [_attribute(item) for item in value]
    if isinstance(value, (DType, Dimension)):
        return value.name if isinstance(value, DType) else value.value
    return value.item() if isinstance(value, np.generic) else value


def _seed(graph: Graph, seed: int | None) -> list[int] | None:
    """What the numbers of an operation depend on beside the run; None: on the session too."""
    if graph.seed is None and seed is None:
        return None
    first = _GRAPH_SEED if graph.seed is None else graph.seed
    return [first, len(graph.get_operations()) if seed is None else seed]


# --- conversion -----------------------------------------------------------------------------


def _converted(kernel: Kernel, groups: dict[str, list[Any]], title: str) -> list[Tensor]:
    """The tensors of all arguments; those annotated Value and Values have one dtype."""
    shared = [v for key, vs in groups.items() if kernel.roles[key].startswith("V") for v in vs]
    common = next((value.dtype for value in shared if isinstance(value, Operand)), None)
    if common is None and shared:
        common = convert_to_tensor(max(shared, key=_weight)).dtype
    result = []
    for key, values in groups.items():
        role = kernel.roles[key]
        for value in values:
            wanted = common if role.startswith("V") else None
            if (
                role == "Index"
                and isinstance(value, (list, tuple, TensorShape))
                and len(value) == 0
            ):
                value = np.zeros(0, np.int32)  # the shape of a scalar
            tensor = convert_to_tensor(value, dtype=None if isinstance(value, Operand) else wanted)
            if wanted is not None and tensor.dtype != wanted:
                raise TypeError(
                    f"Input {key!r} of {title!r} Op has type {tensor.dtype.name} that does not "
                    f"match type {wanted.name} of its other inputs: write "
                    f"tf.cast({tensor.op.name}, tf.{wanted.name})"
                )
            if role == "Index" and not tensor.dtype.is_integer:
                raise TypeError(f"{title}: {key} must be integers, got {tensor!r}")
            if role == "Bool" and not tensor.dtype.is_bool:
                raise TypeError(f"{title}: {key} must be bool, got {tensor!r}")
            result.append(tensor)
    return result


def _weight(value: Any) -> tuple[bool, str]:
    """Which of several plain values gives the dtype: an array, else a fraction."""
    array = np.asarray(value) if not _holds_operands(value) else np.zeros(())
    return isinstance(value, np.ndarray), array.dtype.kind.replace("i", "b")


def _holds_operands(value: Any) -> bool:
    return any(isinstance(item, Operand) for item in tree.leaves(value))


def convert_to_tensor(
    value: Any, dtype: Any = None, name: str | None = None, preferred_dtype: Any = None
) -> Tensor:
    """A tensor of a value: itself, or a constant, or a list's tensors stacked."""
    wanted = None if dtype is None else as_dtype(dtype)
    value = getattr(value, "graph_element", value)
    if isinstance(value, Tensor):
        if wanted is not None and value.dtype != wanted:
            raise ValueError(
                f"Tensor conversion requested dtype {wanted.name} for Tensor with dtype "
                f"{value.dtype.name}: {value!r}"
            )
        return value
    if isinstance(value, Operation):
        raise TypeError(f"{value!r} is an Operation and has no value: use one of its outputs")
    value = [int(n) for n in value] if isinstance(value, TensorShape) else value
    if isinstance(value, (list, tuple)) and _holds_operands(value):
        found = next(item for item in tree.leaves(value) if isinstance(item, Operand))
        items = [convert_to_tensor(item, wanted or found.dtype) for item in value]  # type: ignore[attr-defined]
        op = record(KERNELS["Pack"], (items,), {}, name)
        return op.outputs[0]
    return constant(value, wanted, name=name or "Const")


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str = "Const") -> Tensor:
    """A tensor that always has this value, which is repeated to fill a shape.

    By default Python's floats become float32, its integers int32, and arrays keep their dtype.
    """
    array = as_array(value, dtype)
    if shape is not None:
        lengths = [int(length) for length in TensorShape(shape)]
        missing = math.prod(lengths) - array.size
        if missing < 0 or (missing and not array.size):
            raise ValueError(f"tf.constant: {array.size} values do not fit the shape {lengths}")
        array = np.append(array, np.repeat(array.reshape(-1)[-1:], missing)).reshape(lengths)
    array.flags.writeable = False
    known = (array, array) if array.size <= 1024 else probes_of(array.shape, array.dtype)
    results: list[tuple[DType, Probed]] = [(as_dtype(array.dtype), known)]
    return get_default_graph().add("Const", (), {"value": array}, results, name).outputs[0]


def as_array(value: Any, dtype: Any = None) -> np.ndarray:
    """A new array of a value, as TensorFlow would convert it."""
    if value is None:
        raise ValueError(f"{value} values not supported.")
    wanted = None if dtype is None else as_dtype(dtype).numpy
    value = list(value) if isinstance(value, TensorShape) else value
    value = tree.map(lambda item: item.value if isinstance(item, Dimension) else item, value)
    try:
        array = np.array(value)
    except ValueError as fault:
        raise ValueError(f"{value!r:.80} is no array: its rows differ in length") from fault
    if array.dtype.kind in "USO":
        return _strings_of(array, value, wanted)
    if wanted is None:
        default = {"f": np.float32, "i": np.int32, "c": np.complex64}.get(array.dtype.kind)
        typed = any(isinstance(item, (np.ndarray, np.generic)) for item in tree.leaves(value))
        return array if typed or default is None else array.astype(default)
    lost = array.dtype.kind in "fc" and wanted.kind in "iub" and array.size
    if lost or wanted.kind == "O":
        raise TypeError(
            f"Expected {as_dtype(wanted).name}, got {value!r:.80} of type {array.dtype}: write "
            "tf.cast, or a value of that type"
        )
    return array.astype(wanted, copy=False)


def _strings_of(array: np.ndarray, value: Any, wanted: Any) -> np.ndarray:
    """An array of bytes, TensorFlow's strings."""
    items = [item.encode() if isinstance(item, str) else item for item in array.astype(object).flat]
    text = all(isinstance(item, bytes) for item in items)
    if not text or (wanted is not None and wanted.kind != "O"):
        kind = as_dtype(wanted).name if wanted else "numbers"
        raise TypeError(f"Expected {kind}, got {value!r:.80}")
    found = np.empty(len(items), object)
    found[:] = items
    return found.reshape(array.shape)


# --- shapes ---------------------------------------------------------------------------------


def infer(
    kernel: Kernel, inputs: Sequence[Tensor], attributes: dict[str, Any], title: str
) -> tuple[list[tuple[DType, Probed]], bool]:
    """Dtypes and probes of results, and whether the function returns a list."""
    if kernel.host:
        return [(as_dtype(object), None)], False
    probes = [tensor.probes or () for tensor in inputs]
    values = [*attributes.values(), *(probe for pair in probes for probe in pair)]
    if any(isinstance(value, np.ndarray) for value in values):
        return _inferred(kernel, inputs, attributes, title)
    shapes = [[probe.shape for probe in pair] for pair in probes]
    others = {name: value for name, value in attributes.items() if name != "_seed"}
    key = repr((kernel.type, [tensor.dtype for tensor in inputs], shapes, others))
    if key not in _inferences:
        _inferences[key] = _inferred(kernel, inputs, attributes, title)
    return _inferences[key]


_inferences: dict[str, Any] = {}


def _inferred(
    kernel: Kernel, inputs: Sequence[Tensor], attributes: dict[str, Any], title: str
) -> tuple[list[tuple[DType, Probed]], bool]:
    def call(*values: Any) -> Any:
        if kernel.random:
            return kernel.call(values[:-1], attributes, key=values[-1])
        found = kernel.call(values, attributes)
        return () if found is None else found

    pairs = [tensor.probes or probed(None, tensor.dtype.numpy) for tensor in inputs]
    # Strings cannot be traced: some stand for those that are not known.
    pairs = [_strings(pair) if pair[0].dtype.kind == "O" else pair for pair in pairs]
    pairs += [probed((2,), np.uint64)] if kernel.random else []
    try:
        found = _tried(call, pairs) if kernel.dynamic else infer_shapes(call, *pairs)
    except (ValueError, TypeError, IndexError) as failure:
        shapes = ", ".join(f"{tensor.dtype.name}{tensor.shape}" for tensor in inputs)
        kind = TypeError if isinstance(failure, TypeError) else ValueError
        reason = re.sub(r"\b(113|251)\b", "?", str(failure))  # probes mean nothing to users
        raise kind(f"{title!r} cannot be computed of ({shapes}): {reason}") from failure
    several = isinstance(found, list)
    results = []
    for pair in found if several else [found]:
        shape, dtype = known_shape(pair), pair[0].dtype
        valued = isinstance(pair[0], np.ndarray) and not (
            kernel.random or kernel.assigns or kernel.dynamic
        )
        unvalued = None if shape is None else probed(shape, dtype)
        results.append((as_dtype(dtype), pair if valued else unvalued))
    return results, several


def _tried(call: Any, pairs: Sequence[Any]) -> Any:
    """Results whose shapes depend on values: of zeros, and of others."""
    runs = []
    for k, start in enumerate((0, 1)):
        probes = [pair[k] for pair in pairs]
        runs.append(
            call(
                *[
                    probe
                    if isinstance(probe, np.ndarray)
                    else np.resize(start * np.arange(1, 9), probe.shape or ()).astype(probe.dtype)
                    for probe in probes
                ]
            )
        )
    if isinstance(runs[0], (list, tuple)):
        return [*zip(*runs, strict=True)]
    return tuple(np.asarray(run) for run in runs)


def _strings(pair: Any) -> Any:
    return tuple(
        probe if isinstance(probe, np.ndarray) else np.full(probe.shape or (), b"", object)
        for probe in pair
    )
