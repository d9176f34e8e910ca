"""From a NumPy call to its entry in the language: two tables, looked up by function object."""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import numpy as np

from bital.errors import UnsupportedFunctionError
from bital.numpy_language.leaks import describe_call
from bital.numpy_language.tracer import (
    WEAK_DTYPES,
    Kind,
    Tracer,
    as_array,
    as_atom,
    bind,
    current_trace,
)
from bital.primitives import Primitive
from bital.primitives.complex import real
from bital.primitives.elementwise import convert
from bital.program import Array, Literal

Handler = TypeVar("Handler", bound=Callable[..., Any])

UFUNCS: dict[np.ufunc, Callable[..., Any]] = {}
OPERATORS: dict[np.ufunc, Callable[..., Any]] = {}  # where a Python operator has short cuts
UFUNC_METHODS: dict[str, Callable[..., Any]] = {}  # "__call__", "reduce", ...
REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {}  # what ufunc.reduce stands for
FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}
# Options that choose how NumPy computes, not what: accepted at these values, refused at others.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "order": ("K", "C", "A"),
    "subok": (True, False),
    "casting": ("same_kind",),
    "like": (None,),
    "device": (None, "cpu"),
}
_WEAK_KINDS = {"i": int, "f": float, "c": complex}
_NUMBERS = (bool, int, float, complex)
_PLAIN = (np.ndarray, np.generic, bool, int, float, complex, list, tuple, range)


def implements(*functions: Any) -> Callable[[Handler], Handler]:
    """Enter a handler for NumPy functions. It has NumPy's own parameters, those it can trace."""

    def register(handler: Handler) -> Handler:
        for function in functions:
            FUNCTIONS[function] = handler
        return handler

    return register


def implements_ufunc(ufunc: np.ufunc) -> Callable[[Handler], Handler]:
    """Enter a handler that takes a ufunc's operands."""

    def register(handler: Handler) -> Handler:
        UFUNCS[ufunc] = handler
        return handler

    return register


# --- operands -------------------------------------------------------------------------------


def operand(value: Any) -> Any:
    """A tracer, a Python number, or an array that can be traced."""
    if isinstance(value, Tracer) or type(value) in _NUMBERS:
        return value
    return as_array(value)


def kind_of(value: Any) -> Kind:
    if isinstance(value, Tracer):
        return value.kind
    if type(value) in WEAK_DTYPES:
        kind: type = type(value)
        return kind
    if type(value) is bool:
        return np.dtype(bool)
    dtype: np.dtype[Any] = value.dtype
    return dtype


def is_weak(value: Any) -> bool:
    return isinstance(kind_of(value), type)


def cast(value: Any, dtype: Any) -> Any:
    """The operand in another dtype: numbers become literals, arrays are converted in the trace."""
    dtype = np.dtype(dtype)
    if isinstance(value, Tracer):
        if value.dtype == dtype and value._weak is None:
            return value
        if value.dtype == dtype:
            return Tracer(value._trace, value._atom)
        if value.dtype.kind == "c" and dtype.kind in "iuf":
            warnings.warn(
                "Casting complex values to real discards the imaginary part",
                np.exceptions.ComplexWarning,
                stacklevel=3,
            )
            return cast(bind(real, value), dtype)
        return bind(convert, value, dtype=dtype)
    if type(value) in _NUMBERS:
        return Literal(value, dtype)
    return value if value.dtype == dtype else value.astype(dtype)


def trace_of(value: Any) -> Tracer:
    """The operand as a tracer of the current trace."""
    if isinstance(value, Tracer):
        return value
    trace = current_trace()
    assert trace is not None
    if isinstance(value, Literal):
        return Tracer(trace, value)
    value = operand(value)
    kind = kind_of(value)
    return Tracer(trace, as_atom(trace, value), kind if isinstance(kind, type) else None)


def result_dtype(*values: Any) -> np.dtype[Any]:
    """NumPy's promotion over tracers, arrays and Python numbers."""
    dtypes = [kind for kind in map(kind_of, values) if not isinstance(kind, type)]
    numbers = [kind(0) for kind in map(kind_of, values) if isinstance(kind, type)]
    return np.result_type(*dtypes, *numbers)


def elementwise(ufunc: np.ufunc, primitive: Primitive, *values: Any, dtype: Any = None) -> Tracer:
    """Convert operands to the dtypes of the ufunc's loop, then record the primitive."""
    operands = [operand(value) for value in values]
    kinds = [kind_of(value) for value in operands]
    if dtype is not None:
        loop = resolve(ufunc, *kinds, signature=(*[None] * len(kinds), np.dtype(dtype)))
    else:
        loop = resolve(ufunc, *kinds)
    converted = [cast(value, wanted) for value, wanted in zip(operands, loop, strict=False)]
    result: Tracer = bind(primitive, *converted)
    return result


@functools.lru_cache(maxsize=4096)
def resolve(
    ufunc: np.ufunc,
    *kinds: Kind,
    signature: tuple[Any, ...] | None = None,
    casting: Any = "same_kind",
) -> tuple[np.dtype[Any], ...]:
    """The dtypes of the loop that NumPy would choose for these operands."""
    if all(kind is int for kind in kinds):  # which NumPy would compare as objects
        kinds = (np.dtype(np.int64),) * len(kinds)
    dtypes = (*kinds, *[None] * ufunc.nout)
    if signature is None:  # which is not the same as leaving it out
        return tuple(ufunc.resolve_dtypes(dtypes, casting=casting))
    return tuple(ufunc.resolve_dtypes(dtypes, signature=signature, casting=casting))


# --- the protocols --------------------------------------------------------------------------


def call_ufunc(ufunc: np.ufunc, method: str, inputs: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """``Tracer.__array_ufunc__``."""
    outs = kwargs.pop("out", ())
    if any(_defers(value) for value in (*inputs, *outs)):
        return NotImplemented
    if find_ufunc(ufunc) is None or method not in UFUNC_METHODS:
        name = ufunc_name(ufunc)
        raise unsupported(name if method == "__call__" else f"{name}.{method}")
    casting = kwargs.get("casting", "same_kind")
    kwargs = _without_neutral(ufunc.__name__, kwargs, ("casting",))
    kwargs |= {"out": outs} if any(out is not None for out in outs) else {}
    result = UFUNC_METHODS[method](ufunc, *inputs, **kwargs)
    return write_out(ufunc, outs, result, casting) if "out" in kwargs else result


def find_ufunc(ufunc: np.ufunc) -> Callable[..., Any] | None:
    """The entry of a ufunc."""
    if ufunc not in UFUNCS:
        _enter_special()
    return UFUNCS.get(ufunc)


def _enter_special() -> None:
    """The ufuncs of scipy.special are entered once somebody has imported them."""
    if "scipy.special" in sys.modules:
        from bital.numpy_language.special import enter

        enter()


def ufunc_name(ufunc: np.ufunc) -> str:
    """``np.add``, ``scipy.special.erf``."""
    module = "np" if getattr(np, ufunc.__name__, None) is ufunc else "scipy.special"
    return f"{module}.{ufunc.__name__.removeprefix('_')}"


def write_out(ufunc: np.ufunc, outs: Sequence[Any], result: Any, casting: str = "same_kind") -> Any:
    """``out=``: a tracer takes the result as its value, a plain array is superseded by it."""
    results = result if isinstance(result, tuple) else (result,)
    written = []
    for out, value in zip(outs, results, strict=True):
        if out is None:
            written.append(value)
            continue
        if value.shape != out.shape and np.broadcast_shapes(value.shape, out.shape) != out.shape:
            raise ValueError(
                f"np.{ufunc.__name__}: the result has shape {value.shape}, "
                f"which does not fit out= of shape {out.shape}"
            )
        value = in_dtype_of(out, value, ufunc.__name__, casting)
        if value.shape != out.shape:
            value = np.broadcast_to(value, out.shape)
        if isinstance(out, Tracer):
            out.write(value)
            written.append(out)
        else:
            trace = current_trace()
            assert trace is not None
            trace.supersede(out)
            written.append(value)
    return tuple(written) if isinstance(result, tuple) else written[0]


def in_dtype_of(out: Any, value: Tracer, name: str, casting: Any = "same_kind") -> Tracer:
    """The value as in-place operations store it, by NumPy's ``same_kind`` rule or another."""
    if not np.can_cast(value.dtype, out.dtype, casting=casting):
        raise TypeError(
            f"np.{name} gives {value.dtype}, which cannot be stored in place in {out.dtype}; "
            f"convert first: x = x.astype(np.{value.dtype})"
        )
    converted: Tracer = cast(value, out.dtype)
    return converted


def call_operator(ufunc: np.ufunc, *inputs: Any) -> Any:
    """A Python operator on a tracer. Of Python numbers alone the result stays a weak number."""
    if any(_defers(value) for value in inputs):
        return NotImplemented
    result = OPERATORS.get(ufunc, UFUNCS[ufunc])(*inputs)
    if isinstance(result, Tracer) and all(is_weak(operand(value)) for value in inputs):
        number = _WEAK_KINDS.get(result.dtype.kind)
        return Tracer(result._trace, result._atom, number) if number else result
    return result


def call_function(
    function: Callable[..., Any],
    types: Sequence[type],
    args: Sequence[Any],
    kwargs: dict[str, Any],
) -> Any:
    """``Tracer.__array_function__``."""
    if not all(issubclass(each, (Tracer, np.ndarray)) for each in types):
        return NotImplemented
    handler = FUNCTIONS.get(function)
    if handler is None:
        raise unsupported(function_name(function))
    if kwargs:
        kwargs = _without_neutral(function_name(function), kwargs, _parameters(handler))
    try:
        return handler(*args, **kwargs)
    except TypeError as fault:
        name = _refused_option(handler, args, kwargs)
        if name is None:
            raise
        raise unsupported(f"{function_name(function)}(..., {name}=...)") from fault


def _refused_option(
    handler: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> str | None:
    """The keyword that a handler does not take, if that is what went wrong."""
    parameters = inspect.signature(handler).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return None
    return next((name for name in kwargs if name not in parameters), None)


@functools.cache
def _parameters(handler: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(handler).parameters)


def _defers(value: Any) -> bool:
    """Whether an operand's own class is to handle the call (it implements the protocols too)."""
    kind: Any = type(value)
    return kind is not Tracer and _kind_defers(kind)


@functools.lru_cache(maxsize=512)
def _kind_defers(kind: type) -> bool:
    return not issubclass(kind, (Tracer, *_PLAIN)) and hasattr(kind, "__array_ufunc__")


def _without_neutral(
    name: str, kwargs: dict[str, Any], taken: Collection[str] = ()
) -> dict[str, Any]:
    """Options without those that change nothing; a handler sees those that it takes itself."""
    kept = {}
    for key, value in kwargs.items():
        if key in _NEUTRAL and key not in taken:
            if not any(value is known or value == known for known in _NEUTRAL[key]):
                if key == "like" and isinstance(value, Tracer):
                    continue
                raise unsupported(f"{name}(..., {key}={value!r})")
        elif value is not np._NoValue:
            kept[key] = value
    return kept


@functools.lru_cache(maxsize=4096)
def function_name(function: Callable[..., Any]) -> str:
    module = getattr(function, "__module__", None) or "numpy"
    module = ".".join(part for part in module.split(".") if not part.startswith("_"))
    return f"{module.replace('numpy', 'np', 1)}.{function.__name__}"


def unsupported(name: str, instead: str | None = None) -> UnsupportedFunctionError:
    """The error for a NumPy name that has no entry."""
    from bital.numpy_language.coverage import REFUSED  # long, and needed where something fails

    name = name if name.startswith(("np.", "scipy.")) else f"np.{name}"
    called, where, known = describe_call(name)
    reason, advice = REFUSED.get(name, ("", ""))
    hint = (
        instead
        or known
        or advice
        or "a composition of functions that can be traced (bital.numpy_language.supported() lists "
        "them), or the plain array computed outside of the traced function"
    )
    because = f": {reason}" if reason and not instead else ""
    return UnsupportedFunctionError(
        f"{called} cannot be traced{because}.\n  at {where}\n  instead: {hint}"
    )


def handler_of(function: Any) -> Callable[..., Any] | None:
    """The entry for one of NumPy's functions or ufuncs."""
    if isinstance(function, np.ufunc):
        return find_ufunc(function)
    return FUNCTIONS.get(function)


def supported() -> list[str]:
    """The NumPy names that can be traced, sorted."""
    _enter_special()
    names = {ufunc_name(ufunc) for ufunc in UFUNCS}
    return sorted(names | {function_name(function) for function in FUNCTIONS})


def normalize_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """``axis=None``, an int or a tuple, as a tuple of distinct axes from 0 on."""
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, (tuple, list, range)) else (axis,)
    result = tuple(normalize_axis(each, ndim) for each in axes)
    if len(set(result)) != len(result):
        raise ValueError(f"an axis is named twice in axis={axis}")
    return result


def normalize_axis(axis: Any, ndim: int) -> int:
    index = int(axis.__index__())
    if not -ndim <= index < ndim:
        raise np.exceptions.AxisError(index, ndim)
    return index % ndim


def plain(value: Any, name: str) -> Array:
    """An argument that must not be traced, such as a pad width."""
    if isinstance(value, Tracer):
        raise unsupported(f"{name} given as a traced value", "a plain number or array there")
    return np.asarray(value)
