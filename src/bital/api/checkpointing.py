"""checkpoint: a function whose inner values are computed again on the way back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from bital import tree
from bital.api.control import closed
from bital.api.recording import function_name, record, reopened
from bital.errors import ArgumentError
from bital.numpy_language import Tracer, bind, current_trace
from bital.primitives.checkpoint import checkpoint as checkpoint_p

Function = Callable[..., Any]


def checkpoint(fun: Function) -> Function:
    """`fun`, of which the backward pass keeps the arguments alone.

    Parameters
    ----------
    fun : callable
        Any function. It may close over anything, and branch on values as outside of it.

    Returns
    -------
    callable
        The same function. In reverse mode its inner values are not kept from the forward pass: they
        are computed once more where the backward pass needs them. That is one more evaluation of
        `fun` in exchange for the memory of what it computes inside.

    Raises
    ------
    ArgumentError
        Where `fun` is not callable.

    Notes
    -----
    Values and derivatives are the same, up to rounding. Forward mode keeps nothing anyway. In a
    `scan`, ``scan(checkpoint(f), init, xs)`` keeps the carries of all steps and nothing else; a
    scan of scans, with the inner one under `checkpoint`, keeps about 2 sqrt(n) carries of n steps.
    (Chen, Xu, Zhang, Guestrin: "Training Deep Nets with Sublinear Memory Cost", 2016.)

    Examples
    --------
    >>> grad(checkpoint(lambda x: np.sin(np.exp(x))))(0.0) == grad(lambda x: np.sin(np.exp(x)))(0.0)
    np.True_
    """
    if not callable(fun):
        raise ArgumentError(
            f"bital.checkpoint takes a function, got {type(fun).__name__}: {fun!r:.60}"
        )

    @functools.wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if current_trace() is None:
            return fun(*args, **kwargs)
        leaves, structure = tree.flatten((args, kwargs))
        places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tracer)]

        def call(tracers: list[Any]) -> Any:
            full = list(leaves)
            for place, tracer in zip(places, tracers, strict=True):
                full[place] = tracer
            new_args, new_kwargs = tree.unflatten(structure, full)
            return fun(*new_args, **new_kwargs)

        traced = [leaves[place] for place in places]
        recorded = record(fun, traced, call, values_known=True, freeze=False)
        body, values = closed(recorded)
        body = body.replace(name=function_name(fun))
        if not any(isinstance(x, Tracer) for x in (*values, *traced)):
            return fun(*args, **kwargs)
        outputs = bind(checkpoint_p, *values, *traced, body=body, again=False)
        results = [reopened(x, weak) for x, weak in zip(outputs, recorded.weak, strict=True)]
        return tree.unflatten(recorded.structure, results)

    return wrapped
