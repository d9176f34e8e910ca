"""`arg_scope`: arguments for all calls of some functions in a block."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

_stack: list[dict[Any, dict[str, Any]]] = [{}]


def add_arg_scope(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let `arg_scope` give arguments to a function; a call's own come first."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **{**_stack[-1].get(call, {}), **kwargs})

    call.takes_arg_scope = True  # type: ignore[attr-defined]
    return call


@contextlib.contextmanager
def arg_scope(list_ops_or_scope: Any, **kwargs: Any) -> Iterator[Any]:
    """Give these arguments to all calls of these functions in a with block, or enter one again."""
    scope = list_ops_or_scope
    if not isinstance(scope, dict):
        if bad := [f for f in scope if not hasattr(f, "takes_arg_scope")]:
            raise ValueError(f"{bad[0]} is not decorated with @add_arg_scope")
        scope = _stack[-1] | {f: {**_stack[-1].get(f, {}), **kwargs} for f in scope}
    _stack.append(scope)
    try:
        yield scope
    finally:
        _stack.pop()
