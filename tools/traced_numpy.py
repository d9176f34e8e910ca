"""NumPy's names, with every function recorded by bital and computed from the recording.

For the conformance suite of the array API standard, which takes such a module::

    export PYTHONPATH=tools ARRAY_API_TESTS_MODULE=traced_numpy ARRAY_API_TESTS_VERSION=2024.12
    pytest array_api_tests --max-examples 3 --disable-deadline

What comes of it stands in docs/array_api.md. Arrays are a subclass of NumPy's, so that operators,
indexing and assignments are recorded too; functions that make arrays of no array are NumPy's own.
BITAL_EXECUTOR chooses the executor.
"""

from __future__ import annotations

import functools
import operator
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import (  # the names that the standard asks for and that compute nothing
    __array_namespace_info__,  # noqa: F401
    bool,  # noqa: F401
    can_cast,  # noqa: F401
    complex64,  # noqa: F401
    complex128,  # noqa: F401
    e,  # noqa: F401
    finfo,  # noqa: F401
    float32,  # noqa: F401
    float64,  # noqa: F401
    iinfo,  # noqa: F401
    inf,  # noqa: F401
    int8,  # noqa: F401
    int16,  # noqa: F401
    int32,  # noqa: F401
    int64,  # noqa: F401
    isdtype,  # noqa: F401
    nan,  # noqa: F401
    newaxis,  # noqa: F401
    pi,  # noqa: F401
    uint8,  # noqa: F401
    uint16,  # noqa: F401
    uint32,  # noqa: F401
    uint64,  # noqa: F401
)

import bital

__array_api_version__ = "2024.12"
_NUMBERS = (np.ndarray, np.generic, int, float, complex)


class _Slot:
    """The place of an array in nested arguments."""

    def __init__(self, index: int) -> None:
        self.index = index


def _emptied(value: Any, arrays: list[Any]) -> Any:
    """The arguments with slots for arrays, which go to the list."""
    if isinstance(value, (np.ndarray, np.generic)):
        arrays.append(np.asarray(value))
        return _Slot(len(arrays) - 1)
    if type(value) in (list, tuple):
        return type(value)(_emptied(item, arrays) for item in value)
    if isinstance(value, dict):
        return {key: _emptied(item, arrays) for key, item in value.items()}
    return value


def _filled(value: Any, arrays: Any) -> Any:
    if isinstance(value, _Slot):
        return arrays[value.index]
    if type(value) in (list, tuple):
        return type(value)(_filled(item, arrays) for item in value)
    if isinstance(value, dict):
        return {key: _filled(item, arrays) for key, item in value.items()}
    return value


def _result(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return np.asarray(value).view(Array)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_result, value))
    if isinstance(value, (tuple, list)):
        return type(value)(map(_result, value))
    return value


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, recorded and compiled for the arrays among its arguments."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        arrays: list[Any] = []
        form = _emptied((args, kwargs), arrays)

        def run(*given: Any) -> Any:
            new_args, new_kwargs = _filled(form, given)
            return function(*new_args, **new_kwargs)

        return _result(bital.jit(run)(*arrays) if arrays else run())

    return call


def _stored(x: Any, key: Any, value: Any) -> Any:
    x = np.copy(x)
    x[key] = value
    return x


class Array(np.ndarray):
    """A NumPy array whose operators, indexing and assignments are recorded."""

    __hash__ = None  # type: ignore[assignment]

    def __array_namespace__(self, api_version: str | None = None) -> types.ModuleType:
        return sys.modules[__name__]

    def __getitem__(self, key: Any) -> Any:
        return traced(operator.getitem)(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        np.copyto(self.view(np.ndarray), np.asarray(traced(_stored)(self, key, value)))

    def to_device(self, device: Any, /, *, stream: Any = None) -> Any:
        return np.asarray(self).to_device(device, stream=stream).view(Array)

    T = property(lambda self: traced(lambda x: x.T)(self))
    mT = property(lambda self: traced(lambda x: x.mT)(self))


def _operators(name: str) -> dict[str, Callable[..., Any]]:
    function = traced(getattr(operator, name))

    def forward(self: Any, other: Any, /) -> Any:
        return function(self, other) if isinstance(other, _NUMBERS) else NotImplemented

    def reflected(self: Any, other: Any, /) -> Any:
        return function(other, self) if isinstance(other, _NUMBERS) else NotImplemented

    def in_place(self: Any, other: Any, /) -> Any:
        np.copyto(self.view(np.ndarray), np.asarray(function(self, other)), casting="same_kind")
        return self

    short = name.rstrip("_")
    return {f"__{short}__": forward, f"__r{short}__": reflected, f"__i{short}__": in_place}


def _comparison(name: str) -> Callable[..., Any]:
    return _operators(name)[f"__{name}__"]


def _unary(name: str) -> Callable[..., Any]:
    function = traced(getattr(operator, name))
    return lambda self, /: function(self)


for _name in (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"),
    *("and_", "or_", "xor", "lshift", "rshift"),
):
    for _method, _function in _operators(_name).items():
        setattr(Array, _method, _function)
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Array, f"__{_name}__", _comparison(_name))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(Array, f"__{_name}__", _unary(_name))


def _creating(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return np.asarray(function(*args, **kwargs)).view(Array)

    return call


_CREATING = "arange asarray empty eye from_dlpack full linspace ones zeros"
_TRACED = """
abs acos acosh add all any argmax argmin argsort asin asinh astype atan atan2 atanh bitwise_and
bitwise_invert bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor broadcast_arrays
broadcast_to ceil clip concat conj copysign cos cosh count_nonzero cumulative_prod
cumulative_sum diff divide empty_like equal exp expand_dims expm1 flip floor floor_divide
full_like greater greater_equal hypot imag isfinite isinf isnan less less_equal log log10 log1p
log2 logaddexp logical_and logical_not logical_or logical_xor matmul matrix_transpose max
maximum mean meshgrid min minimum moveaxis multiply negative nextafter nonzero not_equal
ones_like permute_dims positive pow prod real reciprocal remainder repeat reshape roll round
searchsorted sign signbit sin sinh sort sqrt square squeeze stack std subtract sum take
take_along_axis tan tanh tensordot tile tril triu trunc unique_all unique_counts unique_inverse
unique_values unstack var vecdot where zeros_like
"""
_LINALG = """
cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power
matrix_rank matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot
vector_norm
"""
_FFT = """
fft fftfreq fftn fftshift hfft ifft ifftn ifftshift ihfft irfft irfftn rfft rfftfreq rfftn
"""


def _module(name: str, space: Any, names: str) -> types.ModuleType:
    module = types.ModuleType(f"{__name__}.{name}")
    for each in names.split():
        setattr(module, each, traced(getattr(space, each)))
    return module


globals().update({name: _creating(getattr(np, name)) for name in _CREATING.split()})
globals().update({name: traced(getattr(np, name)) for name in _TRACED.split()})
linalg = _module("linalg", np.linalg, _LINALG)
fft = _module("fft", np.fft, _FFT)


def result_type(*operands: Any) -> Any:
    """NumPy's, for arrays, dtypes and numbers."""
    return np.result_type(*(np.asarray(x) if isinstance(x, Array) else x for x in operands))
