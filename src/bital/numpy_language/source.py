"""Where in the user's code a call stands."""

from __future__ import annotations

import ast
import dis
import functools
import itertools
import linecache
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType, FrameType

import numpy as np

from bital.program import SourceLocation

_PACKAGE = os.path.dirname(os.path.dirname(__file__))
# Frames of these are machinery; layers and losses count as user code, for they are plain NumPy.
_FOLDERS = ("program", "primitives", "numpy_language", "transforms", "passes", "executors", "api")
_MACHINERY = (
    *(os.path.join(_PACKAGE, folder, "") for folder in _FOLDERS),
    *(os.path.join(_PACKAGE, name) for name in ("testing.py", "tree.py")),
    os.path.join(_PACKAGE, "keras", "variables.py"),  # which hands over to its value
    os.path.join(os.path.dirname(np.__file__), ""),
    os.path.join(os.path.dirname(os.path.dirname(np.__file__)), "scipy", ""),
)


@functools.cache
def is_machinery(filename: str) -> bool:
    """Whether a file is bital's engine, NumPy or SciPy."""
    return filename.startswith(_MACHINERY)


def user_frame() -> FrameType | None:
    """The innermost frame outside of bital's engine, NumPy and SciPy."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_machinery(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def user_location() -> SourceLocation | None:
    """Where the user's code is now: one object for each instruction, within one scope."""
    frame = user_frame()
    if frame is None:
        return None
    key = id(frame.f_code), frame.f_lasti, _scope.get()
    known = _locations.get(key)
    if known is None:
        known = frame.f_code, *_described(frame, key[2])
        if len(_locations) >= _MOST_LOCATIONS:
            _locations.clear()
        _locations[key] = known
    _, location, returns = known
    if returns and frame.f_back is not None:  # what is returned has its name in the caller
        return _returned(location, frame.f_back)
    return location


_scope: ContextVar[str] = ContextVar("scope", default="")
# The code object is kept, so that its id stays its own.
_locations: dict[tuple[int, int, str], tuple[CodeType, SourceLocation, bool]] = {}
_returns: dict[tuple[SourceLocation, int, int], tuple[CodeType, SourceLocation]] = {}
_MOST_LOCATIONS = 1 << 16


@contextmanager
def named_scope(name: str) -> Iterator[None]:
    """Let errors and printed Programs name what is recorded inside.

    Parameters
    ----------
    name : str
        Such as the name of a layer. An inner scope stands behind a slash: ``encoder/dense``.

    Examples
    --------
    >>> import bital, numpy as np
    >>> def model(x):
    ...     with bital.named_scope("scale"):
    ...         return 2.0 * x
    >>> bital.trace(model, np.ones(3)).equations[0].source.scope
    'scale'
    """
    outer = _scope.get()
    token = _scope.set(f"{outer}/{name}" if outer else name)
    try:
        yield
    finally:
        _scope.reset(token)


def _described(frame: FrameType, scope: str) -> tuple[SourceLocation, bool]:
    """The location, and whether the instruction's result is what the function returns."""
    code = frame.f_code
    following = _following(code, frame.f_lasti)
    returns = following is not None and following.opname == "RETURN_VALUE"
    location = SourceLocation(code.co_filename, frame.f_lineno, _stored(following), scope)
    return location, returns


def _returned(location: SourceLocation, caller: FrameType) -> SourceLocation:
    """The location with the name that the caller gives to what is returned there."""
    key = location, id(caller.f_code), caller.f_lasti
    known = _returns.get(key)
    if known is None:
        name = None
        if not is_machinery(caller.f_code.co_filename):
            name = _stored(_following(caller.f_code, caller.f_lasti))
        known = caller.f_code, location._replace(name=name)
        if len(_returns) >= _MOST_LOCATIONS:
            _returns.clear()
        _returns[key] = known
    return known[1]


def _following(code: CodeType, offset: int) -> dis.Instruction | None:
    return _instructions(code).get(offset)


@functools.lru_cache(maxsize=512)
def _instructions(code: CodeType) -> dict[int, dis.Instruction]:
    """What stands behind each instruction, by all of its offsets: a call has several."""
    listed = list(dis.get_instructions(code))
    return {
        offset: b for a, b in itertools.pairwise(listed) for offset in range(a.offset, b.offset, 2)
    }


def _stored(instruction: dis.Instruction | None) -> str | None:
    """``h`` for the store of ``h = np.tanh(x @ W + b)``: the user's name for what is computed."""
    if instruction is None or not instruction.opname.startswith("STORE_"):
        return None
    if instruction.opname in ("STORE_SUBSCR", "STORE_SLICE", "STORE_ATTR"):
        return None
    first = instruction.argval[0] if type(instruction.argval) is tuple else instruction.argval
    name = str(first)
    return name if name.isidentifier() else None  # as are not the names that pytest makes


def source_line(frame: FrameType) -> str:
    """The line that a frame is in."""
    return linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()


def current_expression(frame: FrameType) -> tuple[str, str]:
    """The operation that a frame is in, and its source text where that is known.

    Returns
    -------
    operation : str
        "call NAME", "store" (``a[i] = x``), "index" (``a[x]``), "format" (``f"{x:.2f}"``) or "".
    text : str
    """
    code, offset = frame.f_code, frame.f_lasti
    opname = dis.opname[code.co_code[offset]] if 0 <= offset < len(code.co_code) else ""
    text = _segment(code, offset)
    if opname in ("STORE_SUBSCR", "STORE_SLICE"):
        return "store", text
    if opname.startswith("FORMAT_"):  # FORMAT_VALUE, FORMAT_WITH_SPEC
        return "format", text
    if opname.startswith("BINARY_"):  # BINARY_SUBSCR, BINARY_SLICE; BINARY_OP for operators
        return _binary(opname, text), text
    name = called_name(text)
    return (f"call {name}" if name else ""), text


def _binary(opname: str, text: str) -> str:
    if opname.startswith(("BINARY_SUBSCR", "BINARY_SLICE")):
        return "index"
    node = _parsed(text)
    if isinstance(node, ast.Subscript):
        return "index"
    return "format" if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) else ""


def _segment(code: CodeType, offset: int) -> str:
    positions = list(code.co_positions())
    index = offset // 2
    if index >= len(positions):
        return ""
    line, end_line, column, end_column = positions[index]
    if line is None or end_line is None or column is None or end_column is None:
        return ""
    lines = [
        linecache.getline(code.co_filename, number).encode() for number in range(line, end_line + 1)
    ]
    if not any(lines):
        return ""
    lines[-1] = lines[-1][:end_column]
    lines[0] = lines[0][column:]
    return b"".join(lines).decode(errors="replace").strip()


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return None


def called_name(text: str) -> str:
    """``np.full`` for ``np.full(3, x)``; ``np.vectorize()`` for ``np.vectorize(f)(x)``."""
    node = _parsed(text)
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Call):
        return f"{ast.unparse(node.func.func)}()"
    return ast.unparse(node.func)
