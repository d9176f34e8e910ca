"""`arg_scope`: arguments for all calls of some functions in a block."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

Defaults = dict[Callable[..., Any], dict[str, Any]]
_stack: list[Defaults] = [{}]


def add_arg_scope(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let `arg_scope` give arguments to a function; a call's own come first."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **{**_stack[-1].get(call, {}), **kwargs})

    call.takes_arg_scope = True  # type: ignore[attr-defined]
    return call


@contextlib.contextmanager
def arg_scope(list_ops_or_scope: Any, **kwargs: Any) -> Iterator[Defaults]:
    """Give these arguments to all calls of these functions in a with block, or enter one again."""
    scope = list_ops_or_scope
    if not isinstance(scope, dict):
        for function in scope:
            if not hasattr(function, "takes_arg_scope"):
                raise ValueError(f"{function} is not decorated with @add_arg_scope")
        scope = _stack[-1] | {f: {**_stack[-1].get(f, {}), **kwargs} for f in scope}
    _stack.append(scope)
    try:
        yield scope
    finally:
        _stack.pop()
