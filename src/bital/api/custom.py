"""What a function says of its own derivative, and random bits."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from bital import tree
from bital.api.recording import Recorded, check_leaves, function_name, leaf_type, record
from bital.errors import ArgumentError, DifferentiationError, ShapeError
from bital.numpy_language import Tracer, bind
from bital.numpy_language.dispatch import cast, trace_of
from bital.primitives.control import custom_jvp_call, custom_vjp_call
from bital.primitives.elementwise import stop_gradient as stop_gradient_p
from bital.primitives.random import random_bits as random_bits_p
from bital.program import ArrayType

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


class _Custom:
    """A function with a rule for its derivative. The rule is recorded when the function is called.

    Parameters
    ----------
    fun : callable
        The function: arrays -> arrays, in any nesting.
    nondiff_argnums : sequence of int
        Positions of arguments that are not traced: functions, words, shapes.
    """

    _kind: ClassVar[str]
    _set_rules: ClassVar[str]  # how the user gives the rules
    # A rule that calls the function means the function with its rule, so that further derivatives
    # are those of the rule too; as rules are recorded ahead, this ends somewhere.
    _deepest: ClassVar[int] = 2

    def __init__(self, fun: Function, nondiff_argnums: Sequence[int] = ()) -> None:
        functools.update_wrapper(self, fun)
        self._fun = fun
        self._static = tuple(nondiff_argnums)
        if any(not isinstance(place, int) or place < 0 for place in self._static):
            raise ArgumentError(
                f"{self._kind}: nondiff_argnums={nondiff_argnums!r:.60} are positions from 0 on"
            )
        self._local = threading.local()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            args = self._positional(args, kwargs)
        static = tuple(args[place] for place in self._static if place < len(args))
        moving = tuple(x for place, x in enumerate(args) if place not in self._static)
        leaves, structure = tree.flatten(moving)
        if not any(isinstance(leaf, Tracer) for leaf in leaves) or self._depth >= self._deepest:
            return self._fun(*args)
        check_leaves(self._fun, "argument ", moving)
        name = function_name(self._fun)
        if not self._has_rules():
            raise DifferentiationError(
                f"{name} is a {self._kind} without rules; give them with {name}.{self._set_rules}"
            )
        with self._deeper():
            primal = self._closed(
                self._fun,
                leaves,
                lambda new: self._fun(*self._joined(static, tree.unflatten(structure, new))),
            )
            outputs = self._bind(primal, static, leaves, structure)
        return tree.unflatten(primal.structure, outputs)

    def _has_rules(self) -> bool:
        raise NotImplementedError

    def _bind(
        self,
        primal: Recorded,
        static: tuple[Any, ...],
        leaves: list[Any],
        structure: tree.Structure,
    ) -> list[Any]:
        """Record the rules, and the equation that stands for the call."""
        raise NotImplementedError

    def _joined(self, static: Sequence[Any], moving: Sequence[Any]) -> list[Any]:
        """All arguments, in their order."""
        rest, fixed = iter(moving), dict(zip(self._static, static, strict=False))
        count = len(static) + len(moving)
        return [fixed[i] if i in fixed else next(rest) for i in range(count)]

    def _positional(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        bound = inspect.signature(self._fun).bind(*args, **kwargs)
        if bound.kwargs:
            raise ArgumentError(
                f"{function_name(self._fun)}: a {self._kind} has positional parameters alone, and "
                f"was called with the keywords {sorted(bound.kwargs)}"
            )
        return bound.args

    @property
    def _depth(self) -> int:
        return getattr(self._local, "depth", 0)

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._local.depth = self._depth + 1
        try:
            yield
        finally:
            self._local.depth -= 1

    def _closed(
        self, fun: Function, leaves: Sequence[Any], call: Callable[[list[Any]], Any]
    ) -> Recorded:
        recorded = record(fun, leaves, call, values_known=False, freeze=True)
        if recorded.captured:
            raise DifferentiationError(
                f"{function_name(fun)} is part of a {self._kind} and closes over a traced value; "
                "pass that value as an argument, so that the rule can give it a derivative"
            )
        return recorded


class custom_vjp(_Custom):
    """A function with its own backward rule.

    Parameters
    ----------
    fun : callable
        The function: floating arrays -> floating arrays.
    nondiff_argnums : sequence of int, optional
        Positions of arguments that are not traced, such as functions. The backward rule is given
        them in front of the others.

    Notes
    -----
    The rules are traced too, so second derivatives are those of the rules. A rule may call `fun`:
    up to the second derivative that is `fun` with its rules, beyond it `fun` as it is written.

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

    _kind = "custom_vjp"
    _set_rules = "defvjp(forward, backward)"

    def __init__(self, fun: Function, nondiff_argnums: Sequence[int] = ()) -> None:
        super().__init__(fun, nondiff_argnums)
        self._rules: tuple[Function, Function] | None = None

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

    def _has_rules(self) -> bool:
        return self._rules is not None

    def _bind(
        self,
        primal: Recorded,
        static: tuple[Any, ...],
        leaves: list[Any],
        structure: tree.Structure,
    ) -> list[Any]:
        assert self._rules is not None
        first, second = self._rules
        forward = self._closed(
            first,
            leaves,
            lambda new: first(*self._joined(static, tree.unflatten(structure, new))),
        )
        name, pair = function_name(first), forward.structure
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

        def call(new: list[Any]) -> list[Any]:
            residuals = tree.unflatten(pair.children[1], new[: len(types) - count])
            cts = tree.unflatten(primal.structure, new[len(types) - count :])
            results = second(*static, residuals, cts)
            if not isinstance(results, (tuple, list)) or len(results) != len(structure.children):
                raise DifferentiationError(
                    f"{function_name(second)} must return a tuple of {len(structure.children)} "
                    f"cotangents, one for each argument, it returned {results!r:.80}"
                )
            return _cotangent_leaves(function_name(second), results, structure, leaves)

        outputs: list[Any] = bind(
            custom_vjp_call,
            *leaves,
            primal=primal.program,
            forward=forward.program,
            backward=self._closed(second, list(map(_probe, types)), call).program,
        )
        return outputs


class custom_jvp(_Custom):
    """A function with its own rule for tangents, used in forward and in reverse mode.

    Parameters
    ----------
    fun : callable
        The function: arrays -> arrays, in any nesting.
    nondiff_argnums : sequence of int, optional
        Positions of arguments that are not traced, such as functions. The rule is given them in
        front of the others.

    Notes
    -----
    The rule is differentiated for second derivatives, and transposed for reverse mode: its
    tangents must be linear in the tangents that it is given. It may call `fun`: up to the second
    derivative that is `fun` with its rule, beyond it `fun` as it is written.

    Examples
    --------
    >>> @custom_jvp
    ... def log1pexp(x):
    ...     return np.log(1.0 + np.exp(x))
    >>> @log1pexp.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (dx,) = primals, tangents
    ...     return log1pexp(x), dx / (1.0 + np.exp(-x))
    >>> grad(log1pexp)(0.0), jvp(log1pexp, (0.0,), (2.0,))[1]
    (np.float64(0.5), np.float64(1.0))
    """

    _kind = "custom_jvp"
    _set_rules = "defjvp(rule)"

    def __init__(self, fun: Function, nondiff_argnums: Sequence[int] = ()) -> None:
        super().__init__(fun, nondiff_argnums)
        self._rule: Function | None = None

    def defjvp(self, rule: Function) -> Function:
        """Set the rule, and return it, so that this can be a decorator.

        Parameters
        ----------
        rule : callable
            ``rule(primals, tangents) -> (outputs, output tangents)``; primals and tangents are
            tuples with an entry for each argument. Integer arguments have tangents of zeros.
        """
        self._rule = rule
        return rule

    def defjvps(self, *rules: Function | None) -> None:
        """Set a rule for each argument; the tangents that they give are added.

        Parameters
        ----------
        *rules : callable or None
            ``rule(tangent, outputs, *args) -> output tangents``; None: the argument has no
            derivative. Those of `nondiff_argnums` have no rule.
        """

        def together(*given: Any) -> tuple[Any, Any]:
            *static, primals, tangents = given
            whole = self._joined(static, primals)
            outputs = self(*whole)
            slopes = [
                rule(tangent, outputs, *whole)
                for rule, tangent in zip(rules, tangents, strict=True)
                if rule is not None
            ]
            slopes = slopes or [tree.map(np.zeros_like, outputs)]
            return outputs, functools.reduce(
                lambda total, slope: tree.map(np.add, total, slope), slopes
            )

        self._rule = together

    def _has_rules(self) -> bool:
        return self._rule is not None

    def _bind(
        self,
        primal: Recorded,
        static: tuple[Any, ...],
        leaves: list[Any],
        structure: tree.Structure,
    ) -> list[Any]:
        rule = self._rule
        assert rule is not None
        name, types = function_name(rule), primal.program.output_types

        def call(new: list[Any]) -> list[Any]:
            count = len(leaves)
            primals, moved = (tree.unflatten(structure, x) for x in (new[:count], new[count:]))
            pair = rule(*static, primals, moved)
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise DifferentiationError(
                    f"{name} must return a pair (outputs, output tangents), it returned "
                    f"{pair!r:.80}"
                )
            results = []
            for what, part in zip(("outputs", "output tangents"), pair, strict=True):
                found, given = tree.flatten(part)
                if given != primal.structure:
                    raise ShapeError(
                        f"{name}: the {what} have the structure {given}, those of the function "
                        f"{primal.structure}"
                    )
                results += [
                    _fitted(f"{name}: one of the {what}", leaf, type_)
                    for leaf, type_ in zip(found, types, strict=True)
                ]
            return results

        tangents = [_probe(leaf_type(leaf)[0]) for leaf in leaves]
        program = self._closed(rule, [*leaves, *tangents], call).program
        outputs: list[Any] = bind(custom_jvp_call, *leaves, primal=primal.program, rule=program)
        return outputs


def _probe(type_: ArrayType) -> Any:
    return np.broadcast_to(np.zeros((), type_.dtype), type_.shape)


def _fitted(what: str, leaf: Any, type_: ArrayType) -> Any:
    """What a rule gives, in the type that is needed."""
    actual = leaf_type(leaf)[0]
    if actual.shape != type_.shape:
        raise ShapeError(f"{what} is {actual}, needed is {type_}")
    if actual.dtype == type_.dtype:
        return leaf
    return cast(trace_of(leaf), type_.dtype)


def _cotangent_leaves(
    name: str, results: Sequence[Any], structure: tree.Structure, leaves: list[Any]
) -> list[Any]:
    given: list[Any] = []
    rest = iter(leaves)
    for child, result in zip(structure.children, results, strict=True):
        wanted = [leaf_type(next(rest))[0] for _ in range(child.leaf_count)]
        if result is None:
            given += map(_probe, wanted)
            continue
        found, shape = tree.flatten(result)
        if shape != child:
            raise ShapeError(f"{name}: a cotangent has structure {shape}, the argument is {child}")
        given += [
            _fitted(f"{name}: a cotangent", leaf, type_)
            for leaf, type_ in zip(found, wanted, strict=True)
        ]
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

    Raises
    ------
    ArgumentError
        Where the key is not two uint64 words.
    """
    kind = getattr(key, "dtype", type(key).__name__)
    if np.shape(key) != (2,) or kind != np.dtype(np.uint64):
        raise ArgumentError(
            f"a key is two uint64 words, from bital.random.key(seed) or one row of "
            f"bital.random.split(key), got {kind} of shape {np.shape(key)}"
        )
    params = {"shape": tuple(shape), "dtype": np.dtype(dtype), "stream": stream}
    if isinstance(key, Tracer):
        return bind(random_bits_p, key, **params)
    return random_bits_p.reference(key, **params)
