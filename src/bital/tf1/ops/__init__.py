"""Operations: NumPy functions under TensorFlow's names."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.tf1.operation import operation

# Keywords that TensorFlow 1 has two of.
_SYNONYMS = {
    "keep_dims": "keepdims",
    "reduction_indices": "axis",
    "squeeze_dims": "axis",
    "dimension": "axis",
    "dim": "axis",
}


def op(kind: str, name: str | None = None, **options: bool) -> Callable[[Any], Any]:
    """`operation`, with a default name, a keyword's other names, and the name as last argument."""

    def decorate(function: Any) -> Any:
        write = operation(kind, **options)(function)  # type: ignore[arg-type]
        count = len(write.__signature__.parameters) - 1

        @functools.wraps(write)
        def call(*args: Any, **kwargs: Any) -> Any:
            kwargs = {_SYNONYMS.get(key, key): value for key, value in kwargs.items()}
            if len(args) == count + 1:
                kwargs["name"] = args[-1]
            kwargs["name"] = kwargs.get("name") or name
            return write(*args[:count], **kwargs)

        return call

    return decorate


def define(
    kind: str, function: Any, inputs: str = "x", name: str | None = None, **attributes: Any
) -> Any:
    """An operation that calls a function of arrays: first its tensors, then its attributes by name.

    `inputs` names the tensors, each with its annotation (``x:Any_``; by default Value). A result of
    another dtype than a Value's, other than bool, is an error, so that sqrt(int32) is one.
    """
    roles = dict(item.split(":") if ":" in item else (item, "Value") for item in inputs.split())
    empty, either = inspect.Parameter.empty, inspect.Parameter.POSITIONAL_OR_KEYWORD
    shown = [inspect.Parameter(key, either, annotation=role) for key, role in roles.items()]
    shown += [
        inspect.Parameter(key, either, default=empty if value is ... else value)
        for key, value in attributes.items()
    ]

    def apply(**given: Any) -> Any:
        args = [given.pop(key) for key in roles]
        result = function(*args, **given)
        if "Value" in roles.values() and result.dtype not in (args[0].dtype, np.bool_):
            raise TypeError(f"{kind} takes no {args[0].dtype}: write tf.cast(x, tf.float32)")
        return result

    apply.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    apply.__doc__ = f"{kind} of {inputs}: NumPy's {getattr(function, '__name__', kind)}."
    return op(kind, name)(apply)


def exported(names: dict[str, Any]) -> list[str]:
    """What a module of operations defines: operations, and functions that are its own."""
    module = names["__name__"]
    return [
        name
        for name, value in names.items()
        if name[0] != "_"
        and (hasattr(value, "kernel") or getattr(value, "__module__", 0) == module)
    ]
