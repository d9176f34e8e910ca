"""Messages for the ways in which a tracer could have become a plain value."""

from __future__ import annotations

import math
import re
import threading
from types import CodeType
from typing import Any

import numpy as np

from bital.errors import (
    BitalError,
    TracerBoolError,
    TracerConversionError,
    UnsupportedAttributeError,
)
from bital.numpy_language.source import (
    current_expression,
    is_machinery,
    source_line,
    user_frame,
)

_JOIN = "np.stack([a, b]) joins traced values; np.array([a, b], like=a) does too"
_STORE = (
    "make the array part of the trace first, a = np.zeros(n, like=x) or a = np.zeros_like(x), and "
    "then a[i] = x works; or np.where, np.stack, np.concatenate"
)
_MEMORY = "it needs an array in memory, and a traced value has none"
_INDEX = (
    "np.asarray(a, like=i)[i] makes the table part of the trace; or np.take_along_axis(a, i, 0)"
)
_STATIC = (
    "a plain Python number: shapes and counts are fixed while a function is recorded. Under "
    "bital.jit an argument can be made one, bital.jit(f, static_argnums=...)"
)
_RANGE = f"bital.fori_loop(0, n, lambda i, x: x * i, x); or {_STATIC}"
_OUT = "x itself: NumPy functions take it as it is; has_aux=True hands its value out of the trace"
_TEXT = f"{{x}} without a format shows what is known while recording; {_OUT.partition('; ')[2]}"
_SAMPLE = "draw from the standard distribution and scale: loc + scale * rng.normal(size=n)"
_ANY = (
    "np.stack for a list, np.where for a choice, np.take for an index, np.zeros_like(x) or "
    "np.zeros(n, like=x) for an array to fill, has_aux=True to hand a value out"
)
_CHOICE = """one of these:
     each element:     np.where(x > 0, a, b)
     if ... else:      bital.cond(x > 0, lambda x: x / 2, lambda x: 3 * x, x)
     while x > 1:      bital.while_loop(lambda x: x > 1, lambda x: x / 2, x)
     for i in range(n) with a traced n:  bital.fori_loop(0, n, lambda i, x: x * i, x)
     an argument that steers Python code:  bital.jit(f, static_argnums=...)
     bital.grad without jit takes Python branches as they come"""
_NAMES = {
    _JOIN: "array asarray asanyarray ascontiguousarray asfortranarray fromiter mat matrix "
    "masked_array poly1d asmatrix require",
    _STORE: "copyto put place putmask fill_diagonal put_along_axis at itemset __setitem__",
    _INDEX: "take",
    _RANGE: "range",
    _STATIC: "zeros ones empty islice indices",
    _OUT: "float complex item tolist index save savetxt "
    "savez dumps dump assert_allclose assert_array_equal c_double c_float tobytes tofile",
    _TEXT: "format array2string array_repr array_str",
    _SAMPLE: "normal uniform standard_normal exponential poisson binomial laplace choice "
    "permutation shuffle",
    "np.full(shape, x, like=x), or np.broadcast_to(x, shape)": "full full_like",
    "np.full_like(a, x, like=x), or a = np.zeros_like(x) and then a.fill(x)": "fill",
    "np.eye(n) * x": "eye",
    "np.concatenate or np.stack": "r_ c_ block",
    "np.arange(n) * step + start with a plain n": "arange",
    "x.astype(np.int64), which rounds towards zero inside the trace": "int",
    "x.astype(dtype)": "float64 float32 float16 int64 int32 int16 int8 uint8 bool_ longdouble",
    "np.round(x, decimals), np.rint(x) or np.trunc(x)": "round trunc",
    "the function itself on whole arrays, or bital.vmap(f)(x)": "vectorize frompyfunc",
    "bital.random.key(seed)": "seed default_rng RandomState",
    "np.sum(np.stack(values))": "fsum",
    "bital.nn.logsumexp, bital.nn.softmax or bital.nn.log_softmax": "logsumexp softmax log_softmax",
    "(-1) ** (n + 1) * math.factorial(n) * scipy.special.zeta(n + 1, x)": "polygamma",
}
# What to write instead, by the last part of the called function's name.
_INSTEAD = {name: text for text, names in _NAMES.items() for name in names.split()}


class _Last(threading.local):
    refusal: tuple[type[BitalError], str] | None = None
    place: tuple[CodeType, int] | None = None


_last = _Last()


def _refusal(kind: type[BitalError], message: str) -> BitalError:
    frame = user_frame()
    if frame is not None:
        _last.refusal, _last.place = (kind, message), (frame.f_code, frame.f_lineno)
    return kind(message)


def hidden_refusal(fault: BaseException) -> BitalError | None:
    """The refusal of this module in whose place somebody raised `fault`, if there is one.

    Where ``__float__`` or ``__index__`` raises, NumPy (``a[0] = x``) and Python (``"%d" % x``)
    put an error of their own in its place, which says nothing of tracing.
    """
    refusal, place = _last.refusal, _last.place
    _last.refusal = _last.place = None
    if refusal is None or isinstance(fault, BitalError):
        return None
    innermost, entry = None, fault.__traceback__
    while entry is not None:
        if not is_machinery(entry.tb_frame.f_code.co_filename):
            innermost = (entry.tb_frame.f_code, entry.tb_lineno)
        entry = entry.tb_next
    kind, message = refusal
    return kind(message) if innermost == place else None


def conversion_error(tracer: Any, wanted: str) -> BitalError:
    """The error for a tracer that was about to become `wanted`."""
    what, where, instead = _describe(wanted)
    return _refusal(
        TracerConversionError,
        f"{what} would turn a traced value ({tracer!r}) into {wanted}, and its gradient would be "
        f"lost.\n  at {where}\n  instead: {instead}",
    )


def unknown_value_error(tracer: Any, wanted: str) -> BitalError:
    """The error for a tracer whose value is asked for while it is unknown."""
    what, where, instead = _describe(wanted)
    if wanted == "a truth value" or instead == _ANY:
        instead = _CHOICE
    return _refusal(
        TracerBoolError,
        f"{what} needs the value of a traced array ({tracer!r}), which is unknown while bital.jit, "
        "bital.vmap, a loop or a branch records the function once for all values.\n"
        f"  at {where}\n"
        f"  instead: {instead}",
    )


def attribute_error(tracer: Any, name: str) -> AttributeError:
    """The error for what an array has and a tracer has not."""
    if name.startswith("__") or not hasattr(np.ndarray, name):
        return AttributeError(f"a traced array has no attribute {name!r}")
    where = _describe("a plain value")[1]
    from bital.numpy_language.coverage import REFUSED

    reason, instead = REFUSED.get(f"ndarray.{name}", (_MEMORY, ""))
    if not instead:
        function = f"np.{name}(x)" if hasattr(np, name) else "a NumPy function of the same meaning"
        default = f"{function}, where bital can trace it (bital.numpy_language.supported())"
        instead = _INSTEAD.get(name, default)
    return UnsupportedAttributeError(
        f"x.{name} of a traced value ({tracer!r}) is refused: {reason}.\n"
        f"  at {where}\n  instead: {instead}"
    )


def assignment_error(tracer: Any, name: str, instead: str) -> AttributeError:
    """The error for an attribute that an array lets be assigned and a tracer does not."""
    where = _describe("a plain value")[1]
    return UnsupportedAttributeError(
        f"x.{name} = ... of a traced value ({tracer!r}) would change an array in memory, and a "
        f"traced value has none.\n  at {where}\n  instead: {instead}"
    )


def describe_call(name: str) -> tuple[str, str, str | None]:
    """A NumPy function that cannot be traced: what the user called, where, and what works."""
    frame = user_frame()
    if frame is None:
        return name, "an unknown line", None
    operation, text = current_expression(frame)
    where = _place(frame.f_code.co_filename, frame.f_lineno, text)
    written = operation.removeprefix("call ") if operation.startswith("call ") else ""
    short = name.partition("(")[0].rpartition(".")[2]
    called = written.removesuffix("()").rpartition(".")[2]
    if called and called != short:
        name = f"{written} (which calls {name})"
    return name, where, _INSTEAD.get(called) or _INSTEAD.get(short)


def _place(filename: str, line: int, text: str) -> str:
    return f"{filename}:{line}" + (f"\n     {' '.join(text.split())}" if text else "")


def _describe(wanted: str) -> tuple[str, str, str]:
    frame = user_frame()
    if frame is None:
        return "this call", "an unknown line", _ANY
    operation, text = current_expression(frame)
    if operation == "store":
        text = source_line(frame)
    where = _place(frame.f_code.co_filename, frame.f_lineno, text)
    if operation == "store":
        return "assigning into a plain array", where, _STORE
    if operation == "index":
        if re.match(r"(\w+\.)*[rc]_\[", text):
            return text.partition("[")[0], where, _INSTEAD["r_"]
        return "indexing a plain array or list with a traced value", where, _INDEX
    if operation == "format":
        return "a text format", where, _TEXT
    if operation.startswith("call "):
        name = operation.removeprefix("call ")
        return name, where, _instead_of(name)
    default = "a branch" if wanted == "a truth value" else "this expression"
    return default, where, _ANY


def _instead_of(name: str) -> str:
    module, _, short = name.removesuffix("()").rpartition(".")
    if module in ("math", "cmath") and hasattr(np, short) and hasattr(math, short):
        return f"np.{short}, which bital can trace"
    return _INSTEAD.get(short, _ANY)
