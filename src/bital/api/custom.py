"""What a function says of its own derivative, and random bits."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from bital import tree
from bital.api.recording import Recorded, function_name, leaf_type, record
from bital.errors import DifferentiationError, ShapeError
from bital.numpy_language import Tracer, bind
from bital.primitives.control import custom_vjp_call
from bital.primitives.elementwise import stop_gradient as stop_gradient_p
from bital.primitives.random import random_bits as random_bits_p
from bital.program import Program

Function = Callable[..., Any]


def stop_gradient(x: Any) -> Any:
    """x, as a constant to every derivative. Takes any nesting of arrays.

    Examples
    --------
    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return tree.map(
        lambda leaf: bind(stop_gradient_p, leaf) if isinstance(leaf, Tracer) else leaf, x
    )


class custom_vjp:
    """A function with its own backward rule.

    Parameters
    ----------
    fun : callable
        The function: floating arrays -> floating arrays.

    Notes
    -----
    The rules are traced too, so second derivatives are those of the rules; where a rule calls
    `fun`, those of `fun` itself.

    Examples
    --------
    >>> @custom_vjp
    ... def clipped(x):
    ...     return x * 1.0
    >>> def forward(x):
    ...     return clipped(x), None
    >>> def backward(residuals, ct):
    ...     return (np.clip(ct, -1.0, 1.0),)
    >>> clipped.defvjp(forward, backward)
    >>> grad(lambda x: 100.0 * clipped(x))(2.0)
    np.float64(1.0)
    """

    def __init__(self, fun: Function) -> None:
        functools.update_wrapper(self, fun)
        self._fun = fun
        self._rules: tuple[Function, Function] | None = None
        self._local = threading.local()

    def defvjp(self, forward: Function, backward: Function) -> None:
        """Set the rules.

        Parameters
        ----------
        forward : callable
            ``forward(*args) -> (outputs, residuals)``.
        backward : callable
            ``backward(residuals, cotangents) -> tuple``: a cotangent for each argument, or None for
            zero.
        """
        self._rules = forward, backward

    def __call__(self, *args: Any) -> Any:
        leaves, structure = tree.flatten(args)
        # A rule that calls the function itself means the function, not the rule over again.
        if self._rules_running() or not any(isinstance(leaf, Tracer) for leaf in leaves):
            return self._fun(*args)
        if self._rules is None:
            raise DifferentiationError(
                f"{function_name(self._fun)} is a custom_vjp without rules; give them with "
                f"{function_name(self._fun)}.defvjp(forward, backward)"
            )
        with self._running():
            primal = self._closed_over(self._fun, structure, leaves)
            forward = self._closed_over(self._rules[0], structure, leaves)
            backward = self._record_backward(forward, primal, structure, leaves)
        outputs = bind(
            custom_vjp_call,
            *leaves,
            primal=primal.program,
            forward=forward.program,
            backward=backward,
        )
        return tree.unflatten(primal.structure, outputs)

    def _rules_running(self) -> bool:
        return getattr(self._local, "running", False)

    @contextmanager
    def _running(self) -> Iterator[None]:
        self._local.running = True
        try:
            yield
        finally:
            self._local.running = False

    def _closed_over(self, fun: Function, structure: tree.Structure, leaves: list[Any]) -> Recorded:
        return self._closed(fun, leaves, lambda new: fun(*tree.unflatten(structure, new)))

    @staticmethod
    def _closed(fun: Function, leaves: list[Any], call: Callable[[list[Any]], Any]) -> Recorded:
        recorded = record(fun, leaves, call, values_known=False, freeze=True)
        if recorded.captured:
            raise DifferentiationError(
                f"{function_name(fun)} is part of a custom_vjp and closes over a traced value; "
                "pass that value as an argument, so that the backward rule can give it a cotangent"
            )
        return recorded

    def _record_backward(
        self, forward: Recorded, primal: Recorded, structure: tree.Structure, leaves: list[Any]
    ) -> Program:
        """``backward`` as residuals, cotangents -> a cotangent for each leaf of the arguments."""
        rules = self._rules
        assert rules is not None
        name = function_name(rules[0])
        pair = forward.structure
        if (
            pair.kind is not tuple
            or len(pair.children) != 2
            or pair.children[0] != primal.structure
        ):
            raise DifferentiationError(
                f"{name} must return (outputs, residuals) with outputs as in "
                f"{primal.structure}, it returned {pair}"
            )
        count = len(primal.program.outputs)
        types = [*forward.program.output_types[count:], *primal.program.output_types]
        residual_count = len(types) - count
        probes = [np.broadcast_to(np.zeros((), t.dtype), t.shape) for t in types]

        def call(new: list[Any]) -> list[Any]:
            residuals = tree.unflatten(pair.children[1], new[:residual_count])
            cts = tree.unflatten(primal.structure, new[residual_count:])
            results = rules[1](residuals, cts)
            if not isinstance(results, (tuple, list)) or len(results) != len(structure.children):
                raise DifferentiationError(
                    f"{function_name(rules[1])} must return a tuple of {len(structure.children)} "
                    f"cotangents, one for each argument, it returned {results!r:.80}"
                )
            return _cotangent_leaves(function_name(rules[1]), results, structure, leaves)

        return self._closed(rules[1], probes, call).program


def _cotangent_leaves(
    name: str, results: Sequence[Any], structure: tree.Structure, leaves: list[Any]
) -> list[Any]:
    given: list[Any] = []
    rest = iter(leaves)
    for child, result in zip(structure.children, results, strict=True):
        wanted = [next(rest) for _ in range(child.leaf_count)]
        if result is None:
            given += [np.zeros(leaf_type(x)[0].shape, leaf_type(x)[0].dtype) for x in wanted]
            continue
        found, shape = tree.flatten(result)
        if shape != child:
            raise ShapeError(f"{name}: a cotangent has structure {shape}, the argument is {child}")
        for leaf, x in zip(found, wanted, strict=True):
            type_, actual = leaf_type(x)[0], leaf_type(leaf)
            if actual[0].shape != type_.shape:
                raise ShapeError(f"{name}: a cotangent is {actual[0]}, the argument is {type_}")
            given.append(
                leaf if actual[0].dtype == type_.dtype else leaf * np.ones((), type_.dtype)
            )
    return given


def random_bits(key: Any, shape: Sequence[int], dtype: Any = np.uint32, stream: int = 0) -> Any:
    """Random unsigned integers that depend on `key` alone.

    Parameters
    ----------
    key : (2,) uint64
        From `bital.random.key` or `bital.random.split`.
    shape : sequence of int
    dtype : uint32 or uint64
    stream : int
        Another stream of the same key.

    Returns
    -------
    array of `shape` and `dtype`
        Philox-4x64-10 in counter mode (Salmon et al., SC 2011).
    """
    params = {"shape": tuple(shape), "dtype": np.dtype(dtype), "stream": stream}
    if isinstance(key, Tracer):
        return bind(random_bits_p, key, **params)
    return random_bits_p.reference(np.asarray(key, np.uint64), **params)
