"""Variables: named, typed places for a model's weights.

Layer code reads a variable as if it were its array: ``x @ self.kernel + self.bias``. It takes part
in NumPy's two protocols (NEP 13 and NEP 18) by putting its value in its place, so the value may be
a plain array or, within a training step, a traced one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

import bital
from bital.errors import ShapeError

Source = Callable[["Variable"], np.ndarray]

_source: ContextVar[Source | None] = ContextVar("bital_keras_weight_source", default=None)


class Variable(NDArrayOperatorsMixin):
    """A weight: an array that can be replaced by another of the same shape and dtype.

    Parameters
    ----------
    initializer : array or callable
        The value, or ``initializer(shape, dtype)`` that makes it.
    shape : tuple of int, optional
        Needed if ``initializer`` is a callable.
    dtype : dtype, default float32
        The value's dtype.
    trainable : bool, default True
        Whether ``fit`` changes it by its gradient.
    name : str, default "variable"
        Last part of the ``path``.

    Examples
    --------
    >>> import numpy as np
    >>> v = Variable(np.ones(2), name="scale")
    >>> np.sum(v * 3)
    np.float32(6.0)
    """

    def __init__(
        self,
        initializer: Any,
        shape: tuple[int, ...] | None = None,
        dtype: Any = np.float32,
        trainable: bool = True,
        name: str = "variable",
        owner: Any = None,
    ) -> None:
        self.name = name
        self.trainable = trainable
        self.regularizer: Any = None
        self.constraint: Any = None
        self._owner = owner
        self._dtype = np.dtype(dtype)
        if not callable(initializer):
            self._value = np.array(initializer, dtype=self._dtype)
            self._shape = self._value.shape
            return
        self._shape = tuple(shape or ())
        source = _source.get()
        self._value = None  # a source reads shape and dtype before there is a value
        made = initializer(self._shape, self._dtype) if source is None else source(self)
        self._value = np.array(made, dtype=self._dtype)
        if self._value.shape != self._shape:
            raise ShapeError(
                f"the initializer of {self.path!r} returned shape {self._value.shape} when asked "
                f"for {self._shape}; it must return np.zeros(shape, dtype) or the like."
            )

    @property
    def value(self) -> Any:
        """The array itself: not a copy, and a traced one within a training step.

        If it was left on a device it comes from there now, and is given back at the next step.
        """
        if type(self._value) is bital.DeviceArray:
            self._value = np.asarray(self._value)
        return self._value

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes, always of plain ints."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the value."""
        return self._dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self._shape)

    @property
    def path(self) -> str:
        """Names of the layers around it and its own, joined by ``/``."""
        prefix = self._owner.path if self._owner is not None else ""
        return f"{prefix}/{self.name}" if prefix else self.name

    @property
    def T(self) -> Any:
        """The transposed value."""
        return self.value.T

    def numpy(self) -> np.ndarray:
        """Return a copy of the value as a plain array."""
        return np.array(self.value)

    def assign(self, value: Any) -> Variable:
        """Replace the value by a copy of ``value`` in this variable's dtype; return the variable.

        Raises
        ------
        ShapeError
            If the shape differs.
        """
        found = np.shape(value)
        if found != self._shape:
            raise ShapeError(
                f"assign to {self.path!r} received an array of shape {found}; the variable has "
                f"shape {self._shape}, and it cannot change."
            )
        if isinstance(value, Variable):
            value = value.value
        if isinstance(value, (np.ndarray, np.generic, bital.DeviceArray, int, float, list, tuple)):
            self._value = np.array(value, dtype=self._dtype)
        else:
            self._value = value.astype(self._dtype)
        return self

    def reshape(self, *shape: Any) -> Any:
        """Return the value in another shape."""
        return self.value.reshape(*shape)

    def astype(self, dtype: Any) -> Any:
        """Return the value in another dtype."""
        return self.value.astype(dtype)

    def __getitem__(self, index: Any) -> Any:
        return self.value[_plain(index)]

    def __len__(self) -> int:
        return len(self._value)

    def __float__(self) -> float:
        return float(self.value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.value, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        out = options.pop("out", None)
        result = getattr(ufunc, method)(*map(_plain, inputs), **_plain(options))
        if out is None:
            return result
        # `v += g` arrives here with out=(v,): the name must stay a variable, and must change.
        results = result if isinstance(result, tuple) else (result,)
        kept = tuple(_store(place, value) for place, value in zip(out, results, strict=True))
        return kept if isinstance(result, tuple) else kept[0]

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return function(*_plain(args), **_plain(options))

    def __repr__(self) -> str:
        return (
            f"<Variable {self.path} shape={self._shape} dtype={self._dtype} "
            f"trainable={self.trainable}>"
        )


def _plain(item: Any) -> Any:
    """``item`` with each variable in it replaced by its value."""
    if isinstance(item, Variable):
        return item.value
    if type(item) in (tuple, list):
        return type(item)(_plain(part) for part in item)
    if type(item) is dict:
        return {key: _plain(part) for key, part in item.items()}
    return item


def _store(place: Any, value: Any) -> Any:
    if isinstance(place, Variable):
        return place.assign(value)
    if place is None:
        return value
    place[...] = value
    return place


@contextmanager
def holding(variables: Iterable[Variable], values: Iterable[Any]) -> Iterator[None]:
    """Let the variables have other values, such as traced ones, within the block."""
    pairs = list(zip(variables, values, strict=True))
    kept = [variable._value for variable, _ in pairs]
    try:
        for variable, value in pairs:
            variable._value = value
        yield
    finally:
        for (variable, _), value in zip(pairs, kept, strict=True):
            variable._value = value


def called(variables: Iterable[Variable], values: Iterable[Any]) -> tuple[Any, ...]:
    """Return the values with names such as ``dense_kernel``, for whoever reads the program."""
    pairs = zip(variables, values, strict=True)
    return tuple([bital.named(value, "_".join(v.path.split("/")[-2:])) for v, value in pairs])


def values_of(variables: Iterable[Variable]) -> tuple[Any, ...]:
    """Return the values, not copied, and on a device if they are there."""
    return tuple([variable._value for variable in variables])


def arrays_of(variables: Iterable[Variable]) -> tuple[Any, ...]:
    """Return the values, not copied, in NumPy's memory."""
    return tuple([variable.value for variable in variables])


def commit(variables: Iterable[Variable], values: Iterable[Any]) -> None:
    """Give the variables new values of their own shapes and dtypes, without a copy."""
    for variable, value in zip(variables, values, strict=True):
        variable._value = value


@contextmanager
def values_from(source: Source) -> Iterator[None]:
    """Let ``source(variable)`` make the value of each variable created within the block.

    Loading a file uses this: no initializer runs, and a shape that the file does not hold is
    refused by the source before anything of that size exists.
    """
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


def are_given() -> bool:
    """Whether values come from a source, as while a file is loaded."""
    return _source.get() is not None
