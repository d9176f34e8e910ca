"""A user's own functions: called as they are, and saved as their Programs.

A loss, metric, activation or regularizer may be a plain function of NumPy code. A model file holds
no code; it holds what the function computes (see `bital.to_text`), once for each form of arguments
that the function has been called with. After loading, the function is made of that.
"""

from __future__ import annotations

import functools
import inspect
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType
from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError, BitalError, ModelStateError
from bital.keras import checks

_KEPT = 8  # forms of arguments

_comparing: ContextVar[bool] = ContextVar("bital_keras_comparing", default=False)


@contextmanager
def comparing() -> Iterator[None]:
    """Describe functions, and classes of the user's own, by name and code within the block.

    That serves to tell whether two models are the same, not to make one.
    """
    token = _comparing.set(True)
    try:
        yield
    finally:
        _comparing.reset(token)


def is_comparing() -> bool:
    """Whether `comparing` is in force."""
    return _comparing.get()


def digest(function: Any) -> str:
    """Return a checksum of what a function is made of: equal in another process."""
    if isinstance(function, OwnFunction):
        return digest(function.function)
    if isinstance(function, _Stored):
        return digest_of("".join(part.text for part in function.parts))
    code = getattr(inspect.unwrap(function), "__code__", None)
    return digest_of(getattr(function, "__name__", "") if code is None else _code(code))


def digest_of(text: str) -> str:
    """Return a checksum of a text."""
    return f"{zlib.crc32(text.encode()):08x}"


def _code(code: CodeType) -> str:
    return f"{code.co_code.hex()} {code.co_names} {list(map(_constant, code.co_consts))}"


def _constant(value: Any) -> str:
    if isinstance(value, CodeType):
        return _code(value)
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)


class OwnFunction:
    """A function of arrays that remembers what it has been called with.

    Parameters
    ----------
    function : callable
        Plain NumPy code of arrays, to one array.
    any_rows : bool, default True
        Whether the first axis of its arguments is that of the samples: of any length.
    """

    def __init__(self, function: Callable[..., Any], any_rows: bool = True) -> None:
        functools.update_wrapper(self, function)
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.function = function
        self.any_rows = any_rows
        self._seen: dict[Any, tuple[Any, ...]] = {}

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Return what the function returns; options are numbers and the like, not arrays."""
        self._note(args, options)
        return self.function(*args, **options)

    def __repr__(self) -> str:
        return f"<OwnFunction {self.__name__}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OwnFunction) and other.function is self.function

    def __hash__(self) -> int:
        return hash(id(self.function))

    def _note(self, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        if not all(hasattr(a, "shape") and hasattr(a, "dtype") for a in args):
            return
        first = 1 if self.any_rows else 0
        types = [(len(a.shape), tuple(a.shape[first:]), np.dtype(a.dtype)) for a in args]
        key = (*types, repr(options)) if options else tuple(types)
        if key not in self._seen:
            examples = [np.broadcast_to(np.dtype(a.dtype).type(0), a.shape) for a in args]
            self._seen[key] = tuple(examples), options
            while len(self._seen) > _KEPT:
                del self._seen[next(iter(self._seen))]

    def texts(self) -> list[str]:
        """Return the function as texts, one for each form of arguments.

        Raises
        ------
        ModelStateError
            If it has not been called yet.
        ArgumentError
            If it cannot be a text: see `bital.to_text`.
        """
        if isinstance(self.function, _Stored):
            return [part.text for part in self.function.parts]
        if not self._seen:
            raise ModelStateError(
                f"the function {self.__name__!r} is stored as what it computes for arrays of the "
                "model's shapes, and it has not been called yet: call the model, or fit, first."
            )
        try:
            return [
                bital.to_text(
                    functools.partial(self.function, **options) if options else self.function,
                    *examples,
                    any_rows=self.any_rows,
                )
                for examples, options in self._seen.values()
            ]
        except BitalError as error:
            raise ArgumentError(
                f"the function {self.__name__!r} cannot be saved. {error} Or save with "
                "model.save_weights(path)."
            ) from error


class _Stored:
    """Texts as one function: of the part that takes the arguments."""

    def __init__(self, name: str, parts: list[Any]) -> None:
        self.__name__ = name
        self.parts = parts

    def __call__(self, *args: Any, **options: Any) -> Any:
        del options  # the texts hold what they made of it
        for part in self.parts:
            if part.takes(*args):
                return part(*args)
        return self.parts[0](*args)  # it says what it takes


def own(function: Callable[..., Any], any_rows: bool = True) -> OwnFunction:
    """Return a user's function as one that can be saved."""
    return function if isinstance(function, OwnFunction) else OwnFunction(function, any_rows)


def serialize(function: Any, name: str | None = None) -> dict[str, Any]:
    """Return a function as plain data: ``{"function": {"name": ..., "programs": [text, ...]}}``.

    Raises
    ------
    ArgumentError, ModelStateError
        As `OwnFunction.texts`.
    """
    function = own(function)
    if is_comparing():
        return {"function": {"name": name or function.__name__, "code": digest(function)}}
    described = {
        "name": name or re.sub(r"\W+", "", function.__name__) or "function",
        "any_rows": function.any_rows,
        "programs": function.texts(),
    }
    return {"function": described}


def deserialize(data: Any) -> OwnFunction:
    """Return the function that `serialize` described. Nothing is run.

    Raises
    ------
    ArgumentError, ProgramError
        If ``data`` is not exactly what `serialize` writes.
    """
    who = "a stored function"
    inner = data.get("function") if isinstance(data, dict) and len(data) == 1 else None
    if not isinstance(inner, dict) or set(inner) != {"name", "any_rows", "programs"}:
        raise ArgumentError(f"{who} must have a name, any_rows and programs.")
    programs = inner["programs"]
    if (
        not isinstance(programs, list)
        or not 0 < len(programs) <= _KEPT
        or not all(isinstance(text, str) for text in programs)
    ):
        raise ArgumentError(f"{who} must have 1 to {_KEPT} programs.")
    name = checks.object_name(who, inner["name"])
    checks.boolean(who, "any_rows", inner["any_rows"])
    return OwnFunction(
        _Stored(name, [bital.from_text(text) for text in programs]), inner["any_rows"]
    )


__all__ = ["OwnFunction", "deserialize", "own", "serialize"]
