"""Where values come from, and how they are arranged: placeholders, shapes, slices, selections."""

from __future__ import annotations

import builtins
import functools
from typing import Any

import numpy as np

from bital import nn
from bital.graphs.dtypes import as_dtype
from bital.graphs.graph import Operand, Tensor, get_default_graph, probes_of
from bital.graphs.operation import Any_, Anys, Bool, Index, Value, as_array, operation
from bital.tf1.ops import define, exported, op, traced, within


@operation("Placeholder")
def _placeholder() -> None:
    """What is fed."""


@operation("Const")
def _const(value: Any) -> Any_:
    return value


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """A tensor that is fed. None in its shape is any length; without a shape, any rank too."""
    results = [(as_dtype(dtype), probes_of(shape, dtype))]
    return get_default_graph().add("Placeholder", (), {}, results, name).outputs[0]


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """A tensor that may be fed, and else is the input."""
    tensor = _with_default(input, name=name)
    tensor.probes = probes_of(shape, tensor.dtype)
    return tensor


_with_default = define("PlaceholderWithDefault", lambda x: x, "input:Any_")

# --- new tensors


def _filled(function: Any) -> Any:
    return lambda lengths, dtype: function(tuple(np.atleast_1d(lengths)), dtype)


zeros = define("Zeros", _filled(np.zeros), "shape:Index", "zeros", dtype="float32")
ones = define("Ones", _filled(np.ones), "shape:Index", "ones", dtype="float32")
zeros_like = define("ZerosLike", np.zeros_like, "tensor:Any_", "zeros_like", dtype=None)
ones_like = define("OnesLike", np.ones_like, "tensor:Any_", "ones_like", dtype=None)
fill = define("Fill", lambda n, x: np.broadcast_to(x, tuple(n)), "dims:Index value:Any_")
diag = define("Diag", np.diag, "diagonal")
diag_part = define("DiagPart", np.diagonal, "input")


@op("Eye", "eye")
def eye(num_rows: int, num_columns: int | None = None, dtype: Any = "float32") -> Any_:
    """Ones on the diagonal."""
    return np.eye(num_rows, num_columns, dtype=dtype)


@op("Range", "range")
def range(start: Value, limit: Value = None, delta: Value = 1, dtype: Any = None) -> Value:
    """The numbers from start (0) up to and without limit, delta apart."""
    ends = (0, start) if limit is None else (start, limit)
    return np.arange(*ends, delta, dtype=dtype or start.dtype)


@op("LinSpace")
def linspace(start: Value, stop: Value, num: int) -> Value:
    """So many numbers from start to stop, both included, the same distance apart."""
    return start + (stop - start) * np.linspace(0, 1, num, dtype=start.dtype)


@op("OneHot", "one_hot")
def one_hot(indices: Index, depth: Index, on_value: Any = None, off_value: Any = None,
            axis: int = -1, dtype: Any = None) -> Any_:  # fmt: skip
    """A new axis, with on_value (1) at each index and off_value (0) elsewhere."""
    kind = dtype or ("f4" if on_value is None else as_array(on_value).dtype)
    on, off = (np.asarray(d if v is None else v, kind) for v, d in ((on_value, 1), (off_value, 0)))
    return np.where(nn.one_hot(indices, int(depth), bool, axis), on, off)


@op("SequenceMask")
def sequence_mask(lengths: Index, maxlen: Index = None, dtype: Any = "bool") -> Any_:
    """Which places are within sequences, ``(...) -> (..., maxlen)``; give it a maxlen."""
    places = np.arange(int(np.max(lengths) if maxlen is None else maxlen))
    return (places < lengths[..., None]).astype(dtype)


# --- shapes, joining and taking apart


def _pad(x: Any, paddings: Any, mode: str, constant_values: Any) -> Any:
    options = {"constant_values": constant_values} if mode.upper() == "CONSTANT" else {}
    return np.pad(x, paddings.tolist(), mode.lower(), **options)


def _unstack(x: Any, num: Any, axis: int) -> Any:
    return [np.take(x, i, axis) for i in builtins.range(num or x.shape[axis])]


def _shape(kind: str, function: Any, **options: Any) -> Any:
    return define(kind, function, "input:Any_", out_type="int32", **options)


shape = _shape("Shape", lambda x, out_type: np.array(np.shape(x), out_type))
size = _shape("Size", lambda x, out_type: np.array(np.size(x), out_type))
rank = _shape("Rank", lambda x, out_type: np.array(np.ndim(x), out_type))
reshape = define("Reshape", lambda x, n: np.reshape(x, tuple(n)), "tensor:Any_ shape:Index")
tile = define("Tile", lambda x, n: np.tile(x, tuple(n)), "input:Any_ multiples:Index")
reverse = define("ReverseV2", lambda x, n: np.flip(x, tuple(n)), "tensor:Any_ axis:Index")
broadcast_to = define(
    "BroadcastTo", lambda x, n: np.broadcast_to(x, tuple(n)), "input:Any_ shape:Index"
)
expand_dims = define("ExpandDims", np.expand_dims, "input:Any_", axis=...)
squeeze = define(
    "Squeeze", lambda x, axis: np.squeeze(x, None if axis == () else axis), "input:Any_", axis=[]
)
transpose = define("Transpose", lambda a, perm: a.transpose(perm), "a:Any_", "transpose", perm=None)
pad = define("Pad", _pad, "tensor:Any_ paddings:Index", mode="CONSTANT", constant_values=0)
concat = define("ConcatV2", np.concatenate, "values:Values", "concat", axis=...)
stack = define("Pack", np.stack, "values:Values", "stack", axis=0)
unstack = define("Unpack", _unstack, "value:Any_", "unstack", num=None, axis=0)


@op("Split", "split")
def split(value: Any_, num_or_size_splits: Any, axis: int = 0) -> Anys:
    """So many equal parts along an axis, or parts of these lengths."""
    parts = num_or_size_splits
    return np.split(value, np.cumsum(parts)[:-1] if isinstance(parts, tuple) else parts, axis)


# --- selections


@op("GatherV2")
def gather(params: Any_, indices: Index, validate_indices: Any = None, axis: int = 0) -> Any_:
    """The slices with these indices along an axis."""
    return np.take(traced(params, indices), within(indices, params.shape[axis]), axis)


def _places(indices: Any, lengths: Any) -> Any:
    last = builtins.range(indices.shape[-1])
    return tuple(within(indices[..., i], lengths[i]) for i in last)


@op("GatherNd")
def gather_nd(params: Any_, indices: Index) -> Any_:
    """The elements or slices at these places: the last axis of indices is one place."""
    return traced(params, indices)[_places(indices, params.shape)]


@op("ScatterNd")
def scatter_nd(indices: Index, updates: Any_, shape: Index) -> Any_:
    """Zeros to which updates are added at these places."""
    result = np.zeros(tuple(shape), updates.dtype, like=updates)
    np.add.at(result, _places(indices, result.shape), updates)
    return result


@op("ReverseSequence")
def reverse_sequence(
    input: Any_, seq_lengths: Index, seq_axis: int = 1, batch_axis: int = 0
) -> Any_:
    """Each sequence in reverse up to its length, and as it is from there on."""
    x = np.moveaxis(input, (batch_axis, seq_axis), (0, 1))
    steps, ends = np.arange(x.shape[1]), seq_lengths[:, None]
    places = np.where(steps < ends, ends - 1 - steps, steps)
    found = np.take_along_axis(x, places.reshape(places.shape + (1,) * (x.ndim - 2)), 1)
    return np.moveaxis(found, (0, 1), (batch_axis, seq_axis))


@op("Select")
def _select(condition: Bool, x: Value, y: Value) -> Value:
    rows = condition.ndim == 1 and x.ndim > 1  # one choice for each row
    return np.where(condition.reshape(-1, *(1,) * (x.ndim - 1)) if rows else condition, x, y)


_where = define("Where", np.argwhere, "condition:Any_", dynamic=True)


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """The elements (or rows) of x where the condition holds, else of y; or the places where."""
    return _where(condition, name=name) if x is None else _select(condition, x, y, name=name)


@op("BooleanMask", "boolean_mask", dynamic=True)
def boolean_mask(tensor: Any_, mask: Bool, axis: int = 0) -> Any_:
    """The elements or slices where a mask holds."""
    return tensor[(builtins.slice(None),) * axis + (mask,)]


@op("Unique", dynamic=True)
def unique(x: Any_) -> Anys:
    """The values in the order in which they come first, and for each element which one it is."""
    values, first, places = np.unique(x, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return [values[order], np.argsort(order)[places].astype(np.int32)]


@op("Slice")
def slice(input: Any_, begin: Index, size: Index) -> Any_:
    """The block of this size, -1 is what is left, that begins there."""
    for axis, (start, length) in enumerate(zip(begin, size, strict=True)):
        stop = input.shape[axis] if length == -1 else start + length
        known = isinstance(start, np.integer) and stop <= input.shape[axis]
        places = builtins.slice(start, stop) if known else start + np.arange(length)
        input = input[(builtins.slice(None),) * axis + (places,)]
    return input


@op("StridedSlice", "strided_slice")
def _item(input: Any_, bounds: Anys, key: Any) -> Any_:
    rest = iter(bounds)

    def built(item: Any) -> Any:
        if isinstance(item, list):
            return builtins.slice(*[built(each) for each in item])
        bound = next(rest) if item == "tensor" else item
        return ... if item == "..." else bound

    index = tuple(built(item) for item in key)
    return functools.reduce(traced, bounds, input)[index]


def _getitem(self: Any, key: Any) -> Tensor:
    bounds: list[Any] = []

    def written(item: Any) -> Any:
        if isinstance(item, (list, np.ndarray)):
            raise TypeError(f"{self!r}[{item!r}]: write tf.gather to choose by indices")
        if isinstance(item, builtins.slice):
            return [written(each) for each in (item.start, item.stop, item.step)]
        bounds.extend([item] if isinstance(item, Operand) else [])
        return "tensor" if isinstance(item, Operand) else "..." if item is ... else item

    return _item(self, bounds, [written(i) for i in (key if isinstance(key, tuple) else (key,))])


Operand.__getitem__ = _getitem  # type: ignore[method-assign]

__all__ = exported(dict(globals()))
