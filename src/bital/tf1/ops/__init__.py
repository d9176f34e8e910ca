"""Operations: NumPy functions under TensorFlow's names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

import numpy as np

from bital.graphs.operation import operation

# Keywords that TensorFlow 1 has two of.
_SYNONYMS = dict.fromkeys(("reduction_indices", "squeeze_dims", "dimension", "dim"), "axis")
_SYNONYMS["keep_dims"] = "keepdims"


def op(kind: str, name: str | None = None, **options: bool) -> Callable[[Any], Any]:
    """`operation`, with a default name, synonyms of keywords, and the name as last argument.

    The function gets tuples where attributes and inputs are lists, as NumPy wants axes.
    """

    def decorate(function: Any) -> Any:
        @functools.wraps(function)
        def kernel(**given: Any) -> Any:
            return function(**{k: tuple(v) if type(v) is list else v for k, v in given.items()})

        write = operation(kind, **options)(kernel)  # type: ignore[arg-type]
        count = len(write.__signature__.parameters) - 1

        @functools.wraps(write)
        def call(*args: Any, **kwargs: Any) -> Any:
            kwargs = {_SYNONYMS.get(key, key): value for key, value in kwargs.items()}
            title = args[count] if len(args) > count else kwargs.pop("name", None)
            return write(*args[:count], name=title or name, **kwargs)

        return call

    return decorate


def define(
    kind: str, function: Any, inputs: str = "x", name: Any = None, dynamic=False, **attributes: Any
) -> Any:
    """An operation that calls a function of arrays: its tensors in order, its attributes by name.

    `inputs` names the tensors, each with its annotation (``x:Any_``). Those without one are Values
    whose dtype the result must have, unless it is bool, so that sqrt(int32) is an error.
    """
    roles = dict((*item.split(":"), "Value")[:2] for item in inputs.split())
    either, empty = Parameter.POSITIONAL_OR_KEYWORD, Parameter.empty
    shown = [Parameter(key, either, annotation=role) for key, role in roles.items()]
    for key, value in attributes.items():
        shown.append(Parameter(key, either, default=empty if value is ... else value))

    def apply(**given: Any) -> Any:
        args = [given.pop(key) for key in roles]
        result = function(*args, **given)
        if ":" not in inputs and result.dtype not in (args[0].dtype, np.bool_):
            raise TypeError(f"{kind} takes no {args[0].dtype}: write tf.cast(x, tf.float32)")
        return result

    apply.__signature__ = Signature(shown)  # type: ignore[attr-defined]
    apply.__doc__ = f"{kind} of {inputs}: `{getattr(function, '__name__', kind)}` of arrays."
    return op(kind, name, dynamic=dynamic)(apply)


def table(names: str, library: Any, inputs: str = "x", **attributes: Any) -> dict[str, Any]:
    """Operations that have the names of a library's functions, with or without underscores."""
    found = {}
    for name in names.split():
        function = getattr(library, name, None) or getattr(library, name.replace("_", ""))
        kind = "".join(part.capitalize() for part in name.split("_"))
        found[name] = define(kind, function, inputs, **attributes)
    return found


def exported(names: dict[str, Any]) -> list[str]:
    """What a module of operations defines: operations, and functions that are its own."""
    own = [n for n, v in names.items() if getattr(v, "__module__", None) == names["__name__"]]
    own += [n for n, v in names.items() if hasattr(v, "kernel")]
    return sorted({name for name in own if not name.startswith("_")})


def traced(array: Any, like: Any) -> Any:
    """A known array as one that can be indexed by an unknown one."""
    known = isinstance(array, np.ndarray) and not isinstance(like, np.ndarray)
    return np.asarray(array, like=like) if known else array


def within(indices: Any, length: int) -> Any:
    """Indices of which negative ones are out of range for NumPy too."""
    return np.where(indices < 0, indices - length, indices)
