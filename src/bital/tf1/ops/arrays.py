"""Where values come from, and how they are arranged: placeholders, shapes, slices, selections."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.tf1.dtypes import as_dtype
from bital.tf1.graph import Tensor, get_default_graph, probes_of
from bital.tf1.operation import Any_, Index, Values, operation

__all__ = ["placeholder", "placeholder_with_default", "reshape", "shape", "stack"]


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


@operation("PlaceholderWithDefault")
def placeholder_with_default(input: Any_) -> Any_:
    """A tensor that may be fed, and else is the input."""
    return input


@operation("Pack")
def stack(values: Values, axis: int = 0) -> Any_:
    """Tensors side by side on a new axis."""
    return np.stack(values, axis)


@operation("Shape")
def shape(input: Any_) -> Index:
    """The shape, which is known when the graph is compiled."""
    return np.array(np.shape(input), np.int32)


@operation("Reshape")
def reshape(tensor: Any_, shape: Index) -> Any_:
    """The same elements in another shape, in which -1 is what is left."""
    return np.reshape(tensor, tuple(shape))
