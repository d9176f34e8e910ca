"""Messages for the ways in which a tracer could have become a plain value."""

from __future__ import annotations

import re
from typing import Any

from bital.errors import BitalError, TracerBoolError, TracerConversionError
from bital.numpy_language.source import current_expression, user_frame

# What to write instead, by the last part of the called function's name.
_INSTEAD = {
    "array": "np.stack([a, b]) joins traced values; np.array([a, b], like=a) does too",
    "full": "np.full(shape, x, like=x), or np.broadcast_to(x, shape)",
    "fill": "np.full_like(a, x)",
    "copyto": "np.where(mask, x, a)",
    "put": "a = np.zeros_like(x), then a[indices] = values",
    "eye": "np.eye(n) * x",
    "linspace": "start + (stop - start) * np.linspace(0, 1, n)",
    "arange": "np.arange(n) * step + start with a plain n",
    "float": "the value itself: NumPy functions take it as it is",
    "int": "x.astype(np.int64) to round towards zero inside the trace",
    "range": "bital.jit(f, static_argnums=...) for a count that a loop depends on",
    "vectorize": "the function itself on whole arrays, or bital.vmap(f)(x)",
    "print": "print(x) shows its type; return it (has_aux=True) to see its value",
    "seed": "bital.random.key(seed)",
}
for _name in ("asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "fromiter", "mat"):
    _INSTEAD[_name] = _INSTEAD["array"]
_STORE = (
    "make the array part of the trace first, a = np.zeros(n, like=x) or a = np.zeros_like(x), and "
    "then a[i] = x works; or np.where, np.stack, np.concatenate"
)
_INDEX = "np.take(a, i, axis=0), or np.take_along_axis(a, i, axis)"
_ANY = (
    "np.stack for a list, np.where for a choice, np.take for an index, np.zeros_like(x) or "
    "np.zeros(n, like=x) for an array to fill, has_aux=True to hand a value out"
)


def conversion_error(tracer: Any, wanted: str) -> BitalError:
    """The error for a tracer that was about to become `wanted`."""
    what, where, instead = _describe(wanted)
    return TracerConversionError(
        f"{what} would turn a traced value ({tracer!r}) into {wanted}, and its gradient would be "
        f"lost.\n  at {where}\n  instead: {instead}"
    )


def unknown_value_error(tracer: Any, wanted: str) -> BitalError:
    """The error for a tracer whose value is asked for while it is unknown."""
    what, where, _ = _describe(wanted)
    return TracerBoolError(
        f"{what} needs the value of a traced array ({tracer!r}), which is unknown while bital.jit "
        f"or bital.vmap records the function once for all values.\n  at {where}\n"
        "  instead: np.where(condition, a, b) for a choice; an argument that steers Python code can "
        "be made static, bital.jit(f, static_argnums=...); bital.grad without jit takes Python "
        "branches as they come"
    )


def _describe(wanted: str) -> tuple[str, str, str]:
    frame = user_frame()
    if frame is None:
        return "this call", "an unknown line", _ANY
    operation, text = current_expression(frame)
    where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    if text:
        where += f"\n     {' '.join(text.split())}"
    if operation == "store":
        return "assigning into a plain array", where, _STORE
    if operation == "index":
        if re.match(r"(\w+\.)*[rc]_\[", text):
            return text.partition("[")[0], where, "np.concatenate or np.stack"
        return "indexing a plain array with a traced value", where, _INDEX
    if operation.startswith("call "):
        name = operation.removeprefix("call ")
        if name.startswith("math."):
            return name, where, f"np.{name.removeprefix('math.')}, which bital can trace"
        return name, where, _INSTEAD.get(name.rpartition(".")[2], _ANY)
    default = "a branch" if wanted == "a truth value" else "this expression"
    return default, where, _ANY
