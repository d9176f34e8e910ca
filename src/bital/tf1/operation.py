"""How an operation is defined: a NumPy function, from whose signature all else follows.

``@operation("MatMul")`` makes of a function of arrays one that writes an operation down. Parameters
annotated `Value`, `Values`, `Index`, `Bool`, `Any_` or `Anys` are tensors, those annotated `Key`,
`Run` and `Host` are given by whoever runs the graph, and all others are attributes. Shapes and
dtypes of results come from the function itself, which `bital.eval_shape` runs on arrays without
values; so there is nothing else to write for an operation.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import bital
from bital.tf1.dtypes import DType, as_dtype
from bital.tf1.graph import (
    PROBES,
    Graph,
    Operand,
    Operation,
    Probed,
    Spec,
    Tensor,
    get_default_graph,
    probes_of,
)
from bital.tf1.shapes import Dimension, TensorShape

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
_KNOWN = 1024  # elements of a result that is kept when all that it depends on is known


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
    if several:
        attributes["_several"] = True
    return graph.add(kernel.type, inputs, attributes, results, name)


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
            if role == "Index" and isinstance(value, (list, tuple)) and not value:
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
    if isinstance(value, (list, tuple)):
        return any(_holds_operands(item) for item in value)
    return isinstance(value, Operand)


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
    if isinstance(value, TensorShape):
        value = [int(length) for length in value]
    if isinstance(value, (list, tuple)) and _holds_operands(value):
        found = next(item for item in _flat(value) if isinstance(item, Operand))
        items = [convert_to_tensor(item, wanted or found.dtype) for item in value]  # type: ignore[attr-defined]
        op = record(KERNELS["Pack"], (items,), {}, name)
        return op.outputs[0]
    return constant(value, wanted, name=name or "Const")


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _flat(item)
    else:
        yield value


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
    known = (array, array) if array.size <= _KNOWN else probes_of(array.shape, array.dtype)
    results: list[tuple[DType, Probed]] = [(as_dtype(array.dtype), known)]
    return get_default_graph().add("Const", (), {"value": array}, results, name).outputs[0]


def as_array(value: Any, dtype: Any = None) -> np.ndarray:
    """A new array of a value, as TensorFlow would convert it."""
    if value is None:
        raise ValueError("None values not supported.")
    wanted = None if dtype is None else as_dtype(dtype).numpy
    value = [d.value for d in value] if isinstance(value, TensorShape) else value
    value = value.value if isinstance(value, Dimension) else value
    try:
        array = np.array(value)
    except ValueError as fault:
        raise ValueError(f"{value!r:.80} is no array: its rows differ in length") from fault
    text = wanted is not None and wanted.kind == "O"
    if array.dtype.kind in "US" or (array.dtype.kind == "O" and text):
        strings = [s.encode() if isinstance(s, str) else s for s in array.astype(object).flat]
        array = np.array([*strings, None], object)[:-1].reshape(array.shape)
    elif array.dtype.kind == "O":
        raise TypeError(f"cannot convert {value!r:.80} to a tensor")
    if wanted is None:
        typed = isinstance(value, (np.ndarray, np.generic)) or any(
            isinstance(item, (np.ndarray, np.generic)) for item in _flat(value)
        )
        default = {"f": np.float32, "i": np.int32, "c": np.complex64}.get(array.dtype.kind)
        if default is not None and not typed:
            array = array.astype(default)
    elif array.dtype != wanted:
        if array.dtype.kind in "fc" and wanted.kind in "iub" and array.size:
            raise TypeError(
                f"Expected {as_dtype(wanted).name}, got {value!r:.80} of type {array.dtype}: write "
                "tf.cast, or a value of that type"
            )
        if text != (array.dtype.kind == "O"):
            raise TypeError(f"Expected {as_dtype(wanted).name}, got {value!r:.80}")
        array = array.astype(wanted)
    return array


# --- shapes ---------------------------------------------------------------------------------


def infer(
    kernel: Kernel, inputs: Sequence[Tensor], attributes: dict[str, Any], title: str
) -> tuple[list[tuple[DType, Probed]], bool]:
    """Dtypes and probes of results, and whether the function returns a list.

    The function is run for both probes. Where that fails, an unknown length may have to be that of
    another input; where a rank is unknown, it is tried as 1, 2 and 0. What is the same in all runs
    is known.
    """
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
    failure: Exception | None = None
    found: list[Any] = []
    ranked = all(tensor.probes is not None for tensor in inputs)
    for cases in _cases(inputs) if ranked else _ranks(inputs):
        try:
            found.append([_attempt(kernel, values, attributes) for values in cases])
        except (ValueError, TypeError, IndexError) as fault:
            failure = failure or fault
        else:
            if ranked:
                break
    if not found:
        shapes = ", ".join(f"{tensor.dtype.name}{tensor.shape}" for tensor in inputs)
        kind = TypeError if isinstance(failure, TypeError) else ValueError
        reason = re.sub(r"\b(113|251)\b", "?", str(failure))  # probes mean nothing to users
        raise kind(f"{title!r} cannot be computed of ({shapes}): {reason}") from failure
    runs = [run for each in found for run, _ in each]
    results = [_agreed(each) for each in zip(*runs, strict=True)]
    if not ranked and len(found) == 1:  # other ranks may be what is meant
        results = [(dtype, None) for dtype, _ in results]
    return results, found[0][0][1]


def _agreed(results: Sequence[Any]) -> tuple[DType, Probed]:
    """What several runs agree on; values that are known and few stay."""
    dtype = as_dtype(results[0].dtype)
    if len({len(result.shape) for result in results}) > 1:
        return dtype, None
    if all(isinstance(result, np.ndarray) and result.size <= _KNOWN for result in results):
        return dtype, (results[0], results[-1])
    lengths = zip(*(result.shape for result in results), strict=True)
    known = [each[0] if len({*each}) == 1 else None for each in lengths]
    return dtype, probes_of(known, dtype)


def _cases(inputs: Sequence[Tensor]) -> Iterator[list[list[Any]]]:
    """What the inputs may look like: lists of runs that must all succeed."""
    probes: list[Any] = [tensor.probes for tensor in inputs]
    which = [k for k in range(len(PROBES)) if k == 0 or not all(_same(*pair) for pair in probes)]
    yield [[pair[k] for pair in probes] for k in which]
    lengths = {1}.union(*(tensor.shape.as_list() for tensor in inputs)) - {None}
    places = [
        (i, axis)
        for i, tensor in enumerate(inputs)
        for axis, length in enumerate(tensor.shape.as_list())
        if length is None
    ][:6]
    for count in range(1, min(len(places), 4) + 1):
        for chosen in itertools.combinations(places, count):
            for length in sorted(lengths):
                yield [
                    [_with(p[k], i, chosen, length) for i, p in enumerate(probes)] for k in which
                ]


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray):
        return np.array_equal(first, second)
    return first.shape == second.shape


def _ranks(inputs: Sequence[Tensor]) -> Iterator[list[list[Any]]]:
    """What the inputs may look like if the rank of some is unknown."""
    known = [tensor.probes for tensor in inputs if tensor.probes is not None]
    lengths = {n for pair in known for probe in pair for n in probe.shape} - {*PROBES}
    for rank in (1, 2, 0, 3, 4):
        for last in [None, *sorted(lengths)][: 1 if rank == 0 else None]:
            shapes = [[*[probe] * (rank - 1), last or probe][:rank] for probe in PROBES]
            yield [
                [
                    Spec(shapes[k], t.dtype.numpy) if t.probes is None else t.probes[k]
                    for t in inputs
                ]
                for k in range(len(PROBES))
            ]


def _with(probe: Any, index: int, chosen: Any, length: int) -> Any:
    """A probe with a length in the chosen places."""
    axes = [axis for i, axis in chosen if i == index]
    if not axes:
        return probe
    return Spec([length if axis in axes else n for axis, n in enumerate(probe.shape)], probe.dtype)


def _attempt(kernel: Kernel, values: list[Any], attributes: dict[str, Any]) -> tuple[Any, bool]:
    """Results for these inputs, as arrays where they are known and Specs where they are not."""
    values = [_strings(value) for value in values]
    unknown = [i for i, value in enumerate(values) if isinstance(value, Spec)]
    results: list[Any] = []
    several = False

    def call(given: list[Any], key: Any) -> list[Any]:
        nonlocal several
        full = list(values)
        for index, value in zip(unknown, given, strict=True):
            full[index] = value
        found = kernel.call(full, attributes, **({"key": key} if kernel.random else {}))
        several = isinstance(found, (list, tuple))
        results[:] = found if several else [] if found is None else [found]
        return results

    given = [values[i] for i in unknown]
    traced = bool(unknown) or kernel.random
    types = bital.eval_shape(call, given, Spec((2,), np.uint64)) if traced else call(given, None)
    plain = () if kernel.random or kernel.assigns else (np.ndarray, np.generic, int, float)
    return [
        np.asarray(result) if isinstance(result, plain) else Spec(type_.shape, type_.dtype)
        for result, type_ in zip(results, types, strict=True)
    ], several


def _strings(value: Any) -> Any:
    """Strings cannot be traced: some, in the place of those that are not known."""
    text = isinstance(value, Spec) and value.dtype.kind == "O"
    return np.full(value.shape, b"", object) if text else value
