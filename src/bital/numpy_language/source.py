"""Where in the user's code a call stands."""

from __future__ import annotations

import ast
import dis
import functools
import linecache
import os
import re
import sys
from types import CodeType, FrameType

import numpy as np

from bital.program import SourceLocation

_PACKAGE = os.path.dirname(os.path.dirname(__file__))
# Frames of these are machinery; layers and losses count as user code, for they are plain NumPy.
_FOLDERS = ("program", "primitives", "numpy_language", "transforms", "passes", "executors", "api")
_MACHINERY = (
    *(os.path.join(_PACKAGE, folder, "") for folder in _FOLDERS),
    *(os.path.join(_PACKAGE, name) for name in ("testing.py", "tree.py")),
    os.path.join(os.path.dirname(np.__file__), ""),
)


@functools.cache
def is_machinery(filename: str) -> bool:
    """Whether a file is bital's engine or NumPy."""
    return filename.startswith(_MACHINERY)


def user_frame() -> FrameType | None:
    """The innermost frame outside of bital's engine and NumPy."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_machinery(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def user_location() -> SourceLocation | None:
    frame = user_frame()
    return None if frame is None else SourceLocation(frame.f_code.co_filename, frame.f_lineno)


@functools.cache
def assigned_name(location: SourceLocation) -> str | None:
    """``h`` for a line such as ``h = np.tanh(x @ W + b)``: the user's name for what it computes."""
    match = re.match(r"\s*([A-Za-z]\w*)\s*=[^=]", linecache.getline(*location))
    return match.group(1) if match else None


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
