"""Operators and methods that an array has: each is the NumPy function of its name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


@functools.cache
def _dispatch() -> Any:
    from bital.numpy_language import dispatch  # which imports this module

    return dispatch


def _operator(ufunc: np.ufunc) -> Callable[..., Any]:
    def method(self: Any, *other: Any) -> Any:
        return _dispatch().call_operator(ufunc, self, *other)

    return method


def _reflected(ufunc: np.ufunc) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        return _dispatch().call_operator(ufunc, other, self)

    return method


def _in_place(ufunc: np.ufunc) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        result = _dispatch().call_operator(ufunc, self, other)
        if result is NotImplemented:
            return result
        if self._is_scalar():  # immutable in NumPy too: its name is rebound
            return result
        if self._is_shared_view():
            return self.owe(_dispatch().write_out(ufunc, (np.copy(self),), result))
        return _dispatch().write_out(ufunc, (self,), result)

    return method


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = function.__name__
    method.__doc__ = f"As ``np.{function.__name__}``."
    return method


class ArrayMethods:
    """What ``ndarray`` offers by name and by operator, in terms of NumPy's functions."""

    __slots__ = ()
    shape: Any

    __add__, __radd__, __iadd__ = _operator(np.add), _reflected(np.add), _in_place(np.add)
    __sub__, __rsub__ = _operator(np.subtract), _reflected(np.subtract)
    __isub__ = _in_place(np.subtract)
    __mul__, __rmul__ = _operator(np.multiply), _reflected(np.multiply)
    __imul__ = _in_place(np.multiply)
    __truediv__, __rtruediv__ = _operator(np.true_divide), _reflected(np.true_divide)
    __itruediv__ = _in_place(np.true_divide)
    __floordiv__, __rfloordiv__ = _operator(np.floor_divide), _reflected(np.floor_divide)
    __ifloordiv__ = _in_place(np.floor_divide)
    __mod__, __rmod__ = _operator(np.remainder), _reflected(np.remainder)
    __imod__ = _in_place(np.remainder)
    __divmod__, __rdivmod__ = _operator(np.divmod), _reflected(np.divmod)
    __pow__, __rpow__, __ipow__ = _operator(np.power), _reflected(np.power), _in_place(np.power)
    __matmul__, __rmatmul__ = _operator(np.matmul), _reflected(np.matmul)
    __imatmul__ = _in_place(np.matmul)
    __and__, __rand__ = _operator(np.bitwise_and), _reflected(np.bitwise_and)
    __iand__ = _in_place(np.bitwise_and)
    __or__, __ror__, __ior__ = (
        _operator(np.bitwise_or),
        _reflected(np.bitwise_or),
        _in_place(np.bitwise_or),
    )
    __xor__, __rxor__ = _operator(np.bitwise_xor), _reflected(np.bitwise_xor)
    __ixor__ = _in_place(np.bitwise_xor)
    __lshift__, __rlshift__ = _operator(np.left_shift), _reflected(np.left_shift)
    __ilshift__ = _in_place(np.left_shift)
    __rshift__, __rrshift__ = _operator(np.right_shift), _reflected(np.right_shift)
    __irshift__ = _in_place(np.right_shift)
    __lt__, __le__ = _operator(np.less), _operator(np.less_equal)
    __gt__, __ge__ = _operator(np.greater), _operator(np.greater_equal)
    __eq__, __ne__ = _operator(np.equal), _operator(np.not_equal)
    __neg__, __pos__ = _operator(np.negative), _operator(np.positive)
    __abs__, __invert__ = _operator(np.absolute), _operator(np.invert)

    sum, prod, mean = _method(np.sum), _method(np.prod), _method(np.mean)
    max, min, std, var = _method(np.max), _method(np.min), _method(np.std), _method(np.var)
    argmax, argmin = _method(np.argmax), _method(np.argmin)
    any, all = _method(np.any), _method(np.all)
    swapaxes, squeeze = _method(np.swapaxes), _method(np.squeeze)
    take, dot, round = _method(np.take), _method(np.dot), _method(np.round)
    ravel, repeat, diagonal = _method(np.ravel), _method(np.repeat), _method(np.diagonal)
    cumsum, cumprod, trace = _method(np.cumsum), _method(np.cumprod), _method(np.trace)
    argsort, argpartition = _method(np.argsort), _method(np.argpartition)
    searchsorted, nonzero = _method(np.searchsorted), _method(np.nonzero)
    choose, put = _method(np.choose), _method(np.put)
    copy = __copy__ = _method(np.copy)

    def __deepcopy__(self, memo: Any) -> Any:
        return np.copy(self)  # type: ignore[call-overload]

    def reshape(self, *shape: Any, order: str = "C", copy: Any = None) -> Any:
        """As ``np.reshape``; lengths may stand as separate arguments."""
        wanted = shape[0] if len(shape) == 1 else shape
        return np.reshape(self, wanted, order=order)  # type: ignore[call-overload]

    def transpose(self, *axes: Any) -> Any:
        """As ``np.transpose``; axes may stand as separate arguments."""
        if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
            return np.transpose(self, axes[0])  # type: ignore[call-overload]
        return np.transpose(self, axes or None)  # type: ignore[call-overload]

    def clip(self, min: Any = None, max: Any = None, out: Any = None) -> Any:
        """As ``np.clip``."""
        return np.clip(self, min, max, out=out)  # type: ignore[call-overload]

    def astype(
        self: Any,
        dtype: Any,
        order: str = "K",
        casting: Any = "unsafe",
        subok: bool = True,
        copy: bool = True,
    ) -> Any:
        """As ``np.astype``; `casting` may forbid conversions that lose something."""
        if not np.can_cast(self.dtype, dtype, casting):
            raise TypeError(f"{self!r} cannot become {np.dtype(dtype)} by the rule {casting!r}")
        return np.astype(self, dtype, copy=copy)

    def compress(self, condition: Any, axis: Any = None, out: Any = None) -> Any:
        """As ``np.compress``."""
        return np.compress(condition, self, axis, out)  # type: ignore[call-overload]

    def sort(
        self, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None
    ) -> None:
        """As ``np.sort``, in place."""
        self[...] = np.sort(self, axis, kind, order, stable=stable)  # type: ignore[call-overload]

    def partition(
        self, kth: Any, axis: int = -1, kind: Any = "introselect", order: Any = None
    ) -> None:
        """As ``np.partition``, in place."""
        self[...] = np.partition(self, kth, axis, kind, order)  # type: ignore[call-overload]

    def fill(self, value: Any) -> None:
        """Set every element."""
        self[...] = value

    def conj(self: Any) -> Any:
        """As ``np.conj``; of real numbers the array itself."""
        return np.conj(self) if self.dtype.kind == "c" else self

    conjugate = conj

    def flatten(self, order: str = "C") -> Any:
        """As ``np.ravel``, but never a view."""
        return np.copy(np.ravel(self, order))  # type: ignore[call-overload]

    @property
    def T(self) -> Any:
        return np.transpose(self)  # type: ignore[call-overload]

    @property
    def mT(self) -> Any:
        return np.matrix_transpose(self)  # type: ignore[call-overload]

    @property
    def real(self) -> Any:
        return self._part("real")

    @real.setter
    def real(self, value: Any) -> None:
        self._set_part("real", value)

    @property
    def imag(self) -> Any:
        return self._part("imag")

    @imag.setter
    def imag(self, value: Any) -> None:
        self._set_part("imag", value)

    def _part(self: Any, name: str) -> Any:
        part = getattr(np, name)(self)
        if self._memory is not None and self._memory.is_root(self):
            part._index = name
        return part

    def _set_part(self: Any, name: str, value: Any) -> None:
        from bital.numpy_language.complex import with_part

        self.receive(name, value)
        self.write(with_part(self, name, value))

    @property
    def flat(self) -> Any:
        return np.ravel(self)  # type: ignore[call-overload]

    @flat.setter
    def flat(self: Any, values: Any) -> None:
        from bital.numpy_language.choosing import cycled

        self[...] = cycled(values, self.size, "x.flat = values").reshape(self.shape)

    @property
    def device(self) -> str:
        return "cpu"

    def to_device(self, device: str, /, *, stream: Any = None) -> Any:
        """The array itself: it is on the one device there is, "cpu"."""
        if device != "cpu" or stream is not None:
            raise ValueError(
                f'the one device is "cpu", without streams; got {device!r}, {stream!r}'
            )
        return self

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return np

    def __contains__(self, value: Any) -> bool:
        return bool(np.any(np.equal(self, value)))  # type: ignore[call-overload]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError(f"{self!r} cannot be iterated over: it is 0-d")
        return (self[index] for index in range(self.shape[0]))

    def __getitem__(self: Any, index: Any) -> Any:
        from bital.numpy_language import indexing

        result = indexing.read(self, index)
        if self._memory is not None and self._memory.is_root(self):
            result._index = index
        return result

    def __setitem__(self: Any, index: Any, value: Any) -> None:
        from bital.numpy_language import indexing

        self.receive(index, value)
        self.write(indexing.written(self, index, value))
