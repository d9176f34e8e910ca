"""TensorFlow's names for NumPy's dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np


class DType:
    """The type of a tensor's elements: a NumPy dtype under TensorFlow's name."""

    __slots__ = ("as_numpy_dtype", "name")

    def __init__(self, name: str, numpy_type: Any) -> None:
        self.name = name
        self.as_numpy_dtype = np.dtype(numpy_type).type

    base_dtype = property(lambda self: self)  # variables have no types of their own here
    numpy = property(lambda self: np.dtype(self.as_numpy_dtype), doc="The dtype of its arrays.")
    is_floating = property(lambda self: self.numpy.kind == "f")
    is_complex = property(lambda self: self.numpy.kind == "c")
    is_integer = property(lambda self: self.numpy.kind in "iu")
    is_bool = property(lambda self: self.numpy.kind == "b")
    size = property(lambda self: self.numpy.itemsize)
    min = property(lambda self: self._limits().min)
    max = property(lambda self: self._limits().max)

    def _limits(self) -> Any:
        return np.iinfo(self.numpy) if self.is_integer else np.finfo(self.numpy)

    def __eq__(self, other: object) -> bool:
        try:
            return self.name == as_dtype(other).name
        except TypeError:
            return False

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return f"<dtype: {self.name!r}>"

    def __repr__(self) -> str:
        return f"tf.{self.name}"


_NUMBERS = "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 complex64"
DTYPES = {
    **{name: DType(name, name) for name in (*_NUMBERS.split(), "complex128", "bool")},
    "string": DType("string", object),
}

_OLD = {"half": "float16", "float": "float32", "double": "float64"}  # not as NumPy has them


def as_dtype(value: Any) -> DType:
    """The DType that a DType, its name, or a NumPy dtype means; a TypeError if there is none."""
    if isinstance(value, DType):
        return value
    if isinstance(value, str) and _OLD.get(value, value) in DTYPES:
        return DTYPES[_OLD.get(value, value)]
    try:
        numpy_type = np.dtype(value) if value is not None else None
    except TypeError:
        numpy_type = None
    if numpy_type is not None and numpy_type.kind in "OUS":
        return DTYPES["string"]
    if numpy_type is None or numpy_type.name not in DTYPES:
        raise TypeError(
            f"Cannot convert value {value!r} to a TensorFlow DType; there are: {', '.join(DTYPES)}"
        )
    return DTYPES[numpy_type.name]
