"""Where values come from, and how they are arranged: placeholders, shapes, slices, selections."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from bital import nn
from bital.tf1.dtypes import as_dtype
from bital.tf1.graph import Operand, Tensor, get_default_graph, probes_of
from bital.tf1.operation import Any_, Anys, Bool, Index, Value, convert_to_tensor, operation
from bital.tf1.ops import define, exported, op


@operation("Placeholder")
def _placeholder() -> None:
    """What is fed."""


@operation("Const")
def _const(value: Any) -> Any_:
    return value


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """A tensor that `Session.run` is given in its feed_dict.

    Parameters
    ----------
    dtype : DType
    shape : shape, optional
        None in it is any length; without one, any rank too.
    """
    kind = as_dtype(dtype)
    results = [(kind, probes_of(shape, kind))]
    return get_default_graph().add("Placeholder", (), {}, results, name).outputs[0]


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """A tensor that may be fed, and else is the input."""
    tensor = _placeholder_with_default(input, name=name)
    tensor.probes = probes_of(shape, tensor.dtype)
    return tensor


_placeholder_with_default = define("PlaceholderWithDefault", lambda input: input, "input:Any_")

# --- new tensors


def _filled(kind: str, value: int) -> Any:
    def of_shape(shape: Any, dtype: Any) -> Any:
        return np.full(tuple(shape), value, dtype)

    def of_tensor(tensor: Any, dtype: Any) -> Any:
        return np.full(np.shape(tensor), value, dtype or tensor.dtype)

    filled = define(f"{kind}", of_shape, "shape:Index", kind, dtype="float32")
    return filled, define(f"{kind}Like", of_tensor, "tensor:Any_", f"{kind}_like", dtype=None)


zeros, zeros_like = _filled("zeros", 0)
ones, ones_like = _filled("ones", 1)
diag = define("Diag", np.diag, "diagonal")
diag_part = define("DiagPart", np.diagonal, "input")
eye = define(
    "Eye",
    lambda num_rows, num_columns, dtype: np.eye(num_rows, num_columns, dtype=dtype),
    "",
    "eye",
    num_rows=...,
    num_columns=None,
    dtype="float32",
)


@op("Fill")
def fill(dims: Index, value: Value) -> Value:
    """A tensor of this shape, all of whose elements have one value."""
    return np.broadcast_to(value, tuple(dims))


def range(
    start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range"
) -> Tensor:
    """The numbers from start (0) up to and without limit, delta apart."""
    start, limit = (0, start) if limit is None else (start, limit)
    if dtype is not None:
        start = convert_to_tensor(start, dtype)
    return _range(start, limit, delta, name=name)


@op("Range")
def _range(start: Value, limit: Value, delta: Value) -> Value:
    return np.arange(start, limit, delta, start.dtype)


@op("LinSpace")
def linspace(start: Value, stop: Value, num: int) -> Value:
    """So many numbers from start to stop, both included, the same distance apart."""
    return start + (stop - start) * np.linspace(0, 1, num, dtype=start.dtype)


@op("OneHot", "one_hot")
def one_hot(
    indices: Index,
    depth: Index,
    on_value: Any = None,
    off_value: Any = None,
    axis: Any = None,
    dtype: Any = None,
) -> Any_:
    """A new axis with on_value (1) at each index and off_value (0) elsewhere."""
    kind = dtype or (np.float32 if on_value is None else np.asarray(on_value).dtype)
    hot = nn.one_hot(indices, int(depth), np.bool_, -1 if axis is None else axis)
    on, off = (np.asarray(d if v is None else v, kind) for v, d in ((on_value, 1), (off_value, 0)))
    return np.where(hot, on, off)


# --- shapes


@op("Shape")
def shape(input: Any_, out_type: Any = "int32") -> Index:
    """The shape, which is known when the graph is compiled."""
    return np.array(np.shape(input), out_type)


def _shaped(function: Any) -> Any:
    return lambda tensor, shape: function(tensor, tuple(shape))


broadcast_to = define("BroadcastTo", _shaped(np.broadcast_to), "input:Any_ shape:Index")
expand_dims = define("ExpandDims", np.expand_dims, "input:Any_", axis=...)
rank = define("Rank", lambda input: np.array(np.ndim(input), np.int32), "input:Any_")
reshape = define("Reshape", _shaped(np.reshape), "tensor:Any_ shape:Index")
size = define("Size", lambda input: np.array(np.size(input), np.int32), "input:Any_")
tile = define("Tile", _shaped(np.tile), "input:Any_ multiples:Index")


@op("Squeeze")
def squeeze(input: Any_, axis: Any = None) -> Any_:
    """Without axes of length 1, or without these."""
    return np.squeeze(input, tuple(np.atleast_1d(axis)) if axis else None)


@op("Transpose", "transpose")
def transpose(a: Any_, perm: Any = None) -> Any_:
    """The axes in another order; by default in reverse."""
    return np.transpose(a, perm)


# --- joining and taking apart

stack = define(
    "Pack", lambda values, axis: np.stack(values, axis), "values:Values", "stack", axis=0
)
concat = define("Concat", np.concatenate, "values:Values", "concat", axis=...)


@op("Unpack", "unstack")
def unstack(value: Any_, num: int | None = None, axis: int = 0) -> Anys:
    """The slices along an axis."""
    return [np.take(value, i, axis) for i in builtins.range(num or np.shape(value)[axis])]


@op("Split", "split")
def split(value: Any_, num_or_size_splits: Any, axis: int = 0) -> Anys:
    """So many equal parts along an axis, or parts of these lengths."""
    parts = num_or_size_splits
    return np.split(value, np.cumsum(parts)[:-1] if isinstance(parts, list) else parts, axis)


@op("Pad")
def pad(tensor: Any_, paddings: Index, mode: str = "CONSTANT", constant_values: Any = 0) -> Any_:
    """With elements before and after each axis, ``paddings: (axes, 2)``."""
    widths = [(int(before), int(after)) for before, after in paddings]
    if mode.upper() != "CONSTANT":
        return np.pad(tensor, widths, mode.lower())
    return np.pad(tensor, widths, constant_values=constant_values)


@op("ReverseV2", "ReverseV2")
def reverse(tensor: Any_, axis: Index) -> Any_:
    """Turned round along axes."""
    return np.flip(tensor, tuple(axis))


# --- selections


def _within(indices: Any, length: int) -> Any:
    """Indices of which negative ones are out of range for NumPy too."""
    return np.where(indices < 0, indices - length, indices)


@op("GatherV2")
def gather(params: Any_, indices: Index, validate_indices: Any = None, axis: int = 0) -> Any_:
    """The slices with these indices along an axis."""
    return np.take(params, _within(indices, params.shape[axis]), axis)


@op("GatherNd")
def gather_nd(params: Any_, indices: Index) -> Any_:
    """The elements or slices at these places: the last axis of indices is one place."""
    places = [
        _within(indices[..., i], n) for i, n in zip(_upto(indices), params.shape, strict=False)
    ]
    return params[tuple(places)]


@op("ScatterNd")
def scatter_nd(indices: Index, updates: Any_, shape: Index) -> Any_:
    """Zeros to which updates are added at these places."""
    result = np.zeros(tuple(shape), updates.dtype, like=updates)
    np.add.at(result, tuple(indices[..., i] for i in _upto(indices)), updates)
    return result


def _upto(indices: Any) -> Any:
    return builtins.range(indices.shape[-1])


@op("Select")
def _select(condition: Bool, x: Value, y: Value) -> Value:
    rows = np.ndim(condition) == 1 and np.ndim(x) > 1
    return np.where(condition.reshape((-1,) + (1,) * (np.ndim(x) - 1)) if rows else condition, x, y)


@op("Where", dynamic=True)
def _places(condition: Any_) -> Any_:
    return np.argwhere(condition)


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """The elements (or rows) of x where the condition holds, else of y; or the places where."""
    if x is None and y is None:
        return _places(condition, name=name)
    return _select(condition, x, y, name=name)


@op("BooleanMask", "boolean_mask", dynamic=True)
def boolean_mask(tensor: Any_, mask: Bool, axis: int = 0) -> Any_:
    """The elements or slices where a mask holds."""
    return tensor[(builtins.slice(None),) * axis + (mask,)]


@op("StridedSlice", "strided_slice")
def _item(input: Any_, bounds: Anys, key: Any) -> Any_:
    rest = iter(bounds)

    def built(item: Any) -> Any:
        if isinstance(item, list):
            return builtins.slice(*[built(each) for each in item])
        if item == "tensor":
            value = next(rest)
            return int(value) if isinstance(value, np.ndarray) else value
        return Ellipsis if item == "..." else item

    return input[tuple(built(item) for item in key)]


def _getitem(self: Any, key: Any) -> Tensor:
    bounds: list[Any] = []

    def written(item: Any) -> Any:
        if isinstance(item, builtins.slice):
            return [written(each) for each in (item.start, item.stop, item.step)]
        if isinstance(item, Operand):
            bounds.append(item)
            return "tensor"
        return "..." if item is Ellipsis else item

    keys = [written(item) for item in (key if isinstance(key, tuple) else (key,))]
    return _item(self, bounds, keys)


Operand.__getitem__ = _getitem  # type: ignore[method-assign]

__all__ = exported(dict(globals()))
