"""How often functions are recorded, and why again."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from bital import tree
from bital.errors import ArgumentError
from bital.numpy_language import Tracer


class Traces:
    """What a `count_traces` block saw.

    Attributes
    ----------
    by_name : Counter
        Recordings of jitted functions, by the function's name.
    reasons : list of str
        For each recording of a function that had been recorded before: which argument was of
        another type, and of which.
    """

    def __init__(self) -> None:
        self.by_name: Counter[str] = Counter()
        self.reasons: list[str] = []

    @property
    def count(self) -> int:
        """All recordings."""
        return self.by_name.total()

    def __repr__(self) -> str:
        return f"<{self.count} recordings: {dict(self.by_name)}>"


_watching: ContextVar[tuple[Traces, ...]] = ContextVar("watching", default=())


def count_traces(fun: Callable[..., Any] | None = None) -> Any:
    """How often functions are recorded.

    Parameters
    ----------
    fun : callable, optional
        What `jit` returned.

    Returns
    -------
    int or context manager
        With `fun`: how often it was recorded so far. Without: a context manager that gives a
        `Traces`, which counts the recordings of all jitted functions in its block and this thread.

    Raises
    ------
    ArgumentError
        Where `fun` is no jitted function.

    Notes
    -----
    A jitted function is recorded once for each combination of shapes, dtypes and static values.
    Why it is recorded again stands in ``Traces.reasons``, and in the log "bital" at level INFO.

    Examples
    --------
    >>> import bital, numpy as np
    >>> double = bital.jit(lambda x: 2 * x)
    >>> with count_traces() as traces:
    ...     _ = double(np.ones(3)), double(np.zeros(3)), double(np.ones(4))
    >>> traces.count, count_traces(double)
    (2, 2)
    >>> traces.reasons
    ['lambda is recorded again: x is float64[4], it was float64[3]']
    """
    if fun is None:
        return _counted()
    count = getattr(fun, "recordings", None)
    if not isinstance(count, int):
        raise ArgumentError(
            f"count_traces takes a function that bital.jit returned, got {fun!r:.80}; without an "
            "argument it counts all recordings: with bital.count_traces() as traces: ..."
        )
    return count


@contextmanager
def _counted() -> Iterator[Traces]:
    traces = Traces()
    token = _watching.set((*_watching.get(), traces))
    try:
        yield traces
    finally:
        _watching.reset(token)


Signature = dict[str, str]


def signature(
    fun: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    static: Sequence[int],
    executor: str,
) -> Signature:
    """What a recording depends on, in words, by the name of the argument."""
    try:
        names = list(inspect.signature(fun).parameters)
    except (TypeError, ValueError):
        names = []
    found = {}
    for index, value in enumerate(args):
        name = names[index] if index < len(names) else f"argument {index}"
        if index in static:
            found[name] = f"the static value {value!r:.60}"
        else:
            found |= {name + path: _type(leaf) for path, leaf in tree.flatten_with_path(value)}
    for name, value in kwargs.items():
        found |= {name + path: _type(leaf) for path, leaf in tree.flatten_with_path(value)}
    return {**found, "the executor": executor}


def _type(leaf: Any) -> str:
    if isinstance(leaf, Tracer):
        return f"a Python {leaf._weak.__name__}" if leaf._weak else str(leaf._atom.type)
    if isinstance(leaf, (np.ndarray, np.generic)):
        return f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]"
    return f"a Python {type(leaf).__name__}"


def note_recording(name: str, new: Signature, before: Sequence[Signature]) -> None:
    """Count a recording; say why it was needed, if there have been others."""
    watching = _watching.get()
    reason = None
    if before:
        import logging  # at import it would take longer than most of bital

        log = logging.getLogger("bital")
        if watching or log.isEnabledFor(logging.INFO):
            changes = min((_changes(old, new) for old in before), key=len)
            what = "; ".join(changes) or "a setting, or a traced value that it closes over, is new"
            reason = f"{name} is recorded again: {what}"
            log.info(reason)
    for traces in watching:
        traces.by_name[name] += 1
        if reason is not None:
            traces.reasons.append(reason)


def _changes(old: Signature, new: Signature) -> list[str]:
    changed = [
        f"{place} is {new[place]}, it was {old[place]}"
        for place in new
        if place in old and old[place] != new[place]
    ]
    changed += [f"{place} is new ({new[place]})" for place in new if place not in old]
    return changed + [f"{place} is gone ({old[place]})" for place in old if place not in new]
