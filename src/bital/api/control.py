"""Loops that are recorded once, however often they turn when they run.

Their functions are recorded by themselves. What these close over, traced values and plain arrays,
becomes an operand of the one equation that stands for the whole loop.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bital import tree
from bital.api.recording import (
    Recorded,
    apply,
    argument_names,
    check_leaves,
    function_name,
    leaf_type,
    record,
    reopened,
)
from bital.errors import ArgumentError, TypeMismatchError
from bital.numpy_language import Tracer, bind
from bital.numpy_language.dispatch import cast, is_weak, result_dtype, trace_of
from bital.primitives import Primitive
from bital.primitives.loops import scan as scan_p
from bital.primitives.loops import while_loop as while_loop_p
from bital.program import ArrayType, Builder, Program, building

Function = Callable[..., Any]
LeafType = tuple[ArrayType, "type | None"]  # and the Python type of a number of open dtype

_RANK = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}


def rank(kind: Any) -> int:
    """What converts to what without loss of meaning: bool to int to float to complex."""
    return _RANK[np.dtype(kind).kind]


# --- recording the functions ----------------------------------------------------------------


def closed(recorded: Recorded) -> tuple[Program, list[Any]]:
    """The Program with what it closes over as leading inputs, and those values."""
    program, captured = recorded.program, recorded.captured
    count = len(program.inputs) - len(captured)
    inputs = [*program.constants, *program.inputs[count:], *program.inputs[:count]]
    values = [*program.constants.values(), *captured]
    return program.replace(inputs=inputs, constants={}), values


def _run(name: str, primitive: Primitive, operands: Sequence[Any], params: Any) -> list[Any]:
    """Record the equation, or compute it where no operand is being traced."""
    if any(isinstance(x, Tracer) for x in operands):
        outputs: list[Any] = bind(primitive, *operands, **params)
        return outputs
    builder = Builder(name)
    with building(builder):
        inputs = [builder.input(leaf_type(x)[0]) for x in operands]
        program = builder.build(primitive.bind(inputs, params))
    return apply(program, operands)


def probe(type_: ArrayType, weak: type | None = None) -> Any:
    """A leaf of this type, to record with."""
    if weak is not None:
        return weak(0)
    return np.broadcast_to(np.zeros((), type_.dtype), type_.shape)


def as_operand(leaf: Any, type_: ArrayType) -> Any:
    if isinstance(leaf, Tracer):
        return cast(leaf, type_.dtype)
    return type_.dtype.type(leaf) if type(leaf) in (bool, int, float, complex) else leaf


def traced_number(leaf: Any) -> Any:
    """A Python number as a traced one, which knows that its dtype is open."""
    return trace_of(leaf) if type(leaf) in (int, float, complex) else leaf


def _fitted(leaf: Any, wanted: LeafType) -> Any:
    """A number of open dtype takes the dtype that is wanted; the rest stays as it is."""
    type_, weak = wanted
    leaf = traced_number(leaf)
    if not isinstance(leaf, Tracer) or not is_weak(leaf) or rank(leaf.kind) > rank(type_.dtype):
        return leaf
    tracer = trace_of(cast(leaf, type_.dtype))
    return Tracer(tracer._trace, tracer._atom, weak)


class _Body:
    """A loop's function, recorded with carries that come out as they go in.

    Parameters
    ----------
    what : str
        The function's place in messages: "scan: f", ...
    fun : callable
        The user's function.
    step : callable
        ``step(carry, x) -> (carry, y)`` in terms of it.
    init, slices
        Trees of what goes in first, and of what stands for an element of xs.
    paths : list of str
        The names of the carry's leaves in messages.
    """

    def __init__(
        self,
        what: str,
        fun: Function,
        step: Function,
        init: Any,
        slices: Any,
        paths: list[str],
        names: Sequence[str | None],
    ) -> None:
        self.leaves, self.structure = tree.flatten(init)
        self.types: list[LeafType] = [leaf_type(leaf) for leaf in self.leaves]
        self._what, self._paths = what, paths
        count = len(self.leaves)
        rows, of_rows = tree.flatten(slices)

        def call(new: list[Any]) -> Any:
            carry = tree.unflatten(self.structure, new[:count])
            carry, y = step(carry, tree.unflatten(of_rows, new[count:]))
            found, structure = tree.flatten(carry)
            if structure != self.structure:
                raise TypeMismatchError(
                    f"{what} is given a carry of the structure {self.structure} and returns one of "
                    f"the structure {structure}; a loop's carry keeps its structure"
                )
            return list(map(_fitted, found, self.types)), y

        while True:
            probes = [probe(*each) for each in self.types]
            recorded = record(
                fun, [*probes, *rows], call, names=names, values_known=False, freeze=False
            )
            outputs = list(zip(recorded.program.output_types, recorded.weak, strict=True))
            grown = list(map(grown_type, self.types, outputs))
            if grown == self.types:
                break
            self.types = grown
        self._require_equal(outputs[:count])
        self.program, self.consts = closed(recorded)
        self.y_structure = recorded.structure.children[1]
        self.operands = [
            as_operand(leaf, type_)
            for leaf, (type_, _) in zip(self.leaves, self.types, strict=True)
        ]

    def _require_equal(self, outputs: list[LeafType]) -> None:
        for path, (before, _), (after, _) in zip(self._paths, self.types, outputs, strict=True):
            if before == after:
                continue
            if before.shape == after.shape:
                cure = (
                    f"return it with .astype(np.{before.dtype}), or start from "
                    f"np.asarray({path}, np.{after.dtype})"
                )
            else:
                cure = (
                    f"start from an array of shape {after.shape}, or return one of {before.shape}"
                )
            raise TypeMismatchError(
                f"{self._what} is given {path} as {before} and returns it as {after}; a loop's "
                f"carry keeps its type. Instead: {cure}"
            )

    def result(self, outputs: list[Any]) -> Any:
        """The carry that came out, in its structure."""
        pairs = zip(outputs, self.types, strict=False)
        return tree.unflatten(self.structure, [reopened(x, weak) for x, (_, weak) in pairs])


def grown_type(before: LeafType, after: LeafType) -> LeafType:
    """The type that a carry takes: a number of open dtype goes by what comes out."""
    weak = before[1]
    if weak is None or after[0].shape or rank(weak) > rank(after[0].dtype):
        return before
    return after


# --- scan -----------------------------------------------------------------------------------


def scan(
    f: Function, init: Any, xs: Any = None, length: int | None = None, reverse: bool = False
) -> tuple[Any, Any]:
    """A loop that carries a state along an axis: ``carry, y = f(carry, x)`` for each x of xs.

    Parameters
    ----------
    f : callable
        ``f(carry, x) -> (carry, y)``. The carry keeps its structure, shapes and dtypes.
    init : array, number, or any nesting of them
        The first carry. A Python number takes the dtype that f gives it.
    xs : array or any nesting of arrays, optional
        f is given their slices along the first axis, all of one length; without xs, None.
    length : int, optional
        The number of steps; needed only without xs.
    reverse : bool, default False
        Whether to go from the last x to the first. ys keep the order of xs.

    Returns
    -------
    carry
        The last one, of init's structure.
    ys
        Of the structure of y, each array with a first axis of `length`.

    Raises
    ------
    TypeMismatchError
        Where the carry changes its structure, a shape or a dtype.
    ArgumentError
        Where xs have no common length, or f does not return a pair.
    TracerBoolError
        Where f branches on a value: it is recorded once, for all steps.

    Notes
    -----
    Compiled code and its compile time do not grow with `length`. Reverse mode keeps what each step
    needs for the way back: memory that is linear in `length`; with ``checkpoint(f)`` the carries
    alone. Forward mode keeps nothing.

    Examples
    --------
    >>> scan(lambda total, x: (total + x, total), 0.0, np.array([1.0, 2.0, 3.0]))
    (np.float64(6.0), array([0., 1., 3.]))
    """
    check_leaves(f, "init", init)
    check_leaves(f, "xs", xs)
    length = _scan_length(xs, length)

    def step(carry: Any, x: Any) -> Any:
        result = f(carry, x)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise ArgumentError(
                f"scan: {function_name(f)} must return a pair (carry, y), it returned "
                f"{result!r:.80}; where there is no y, return (carry, None)"
            )
        return result

    slices = tree.map(lambda x: _row(leaf_type(x)[0]), xs)
    paths = [f"init{path}" for path, _ in tree.flatten_with_path(init)]
    names = argument_names(f, (init, xs))
    body = _Body(f"scan: {function_name(f)}", f, step, init, slices, paths, names)
    outputs = _run_scan(f, body, tree.leaves(xs), length, reverse)
    count = len(body.leaves)
    return body.result(outputs), tree.unflatten(body.y_structure, outputs[count:])


def _run_scan(f: Function, body: _Body, xs: list[Any], length: int, reverse: bool) -> list[Any]:
    if not body.program.outputs:
        return []
    params = {
        "body": body.program,
        "length": length,
        "n_consts": len(body.consts),
        "n_carry": len(body.leaves),
        "reverse": bool(reverse),
    }
    return _run(function_name(f), scan_p, [*body.consts, *body.operands, *xs], params)


def _row(stack: ArrayType) -> Any:
    return probe(ArrayType(stack.shape[1:], stack.dtype))


def _scan_length(xs: Any, length: Any) -> int:
    if isinstance(length, Tracer):
        raise ArgumentError(
            f"scan: length is a traced value ({length!r}), but the number of steps is fixed while "
            "a function is recorded. Under bital.jit make it static, static_argnums=...; or use "
            "bital.while_loop"
        )
    found = {}
    for path, leaf in tree.flatten_with_path(xs):
        shape = leaf_type(leaf)[0].shape
        if not shape:
            raise ArgumentError(
                f"scan: xs{path} is a number ({leaf!r:.60}), with no axis to go along. Give an "
                "array, np.array([...]); what is the same at each step f may simply close over"
            )
        found[f"xs{path}"] = shape[0]
    if length is not None:
        found["length"] = operator.index(length)
    if not found:
        raise ArgumentError(
            f"scan: got xs={xs!r:.40} without arrays and no length; length= says how many steps"
        )
    if len(set(found.values())) > 1 or min(found.values()) < 0:
        shown = ", ".join(f"{name}: {n}" for name, n in found.items())
        raise ArgumentError(f"scan: xs and length must agree on one number of steps, got {shown}")
    return next(iter(found.values()))


# --- while_loop, fori_loop ------------------------------------------------------------------


def while_loop(cond_fun: Function, body_fun: Function, init_val: Any) -> Any:
    """A loop that turns while a condition holds: ``while cond_fun(val): val = body_fun(val)``.

    Parameters
    ----------
    cond_fun : callable
        ``cond_fun(val) -> bool``, one for the whole val.
    body_fun : callable
        ``body_fun(val) -> val``, of the same structure, shapes and dtypes.
    init_val : array, number, or any nesting of them

    Returns
    -------
    val
        The first for which the condition does not hold.

    Raises
    ------
    TypeMismatchError
        Where val changes its structure, a shape or a dtype, or the condition is not one bool.
    DifferentiationError
        In reverse mode: the number of turns has no bound known beforehand. Forward mode works.

    Notes
    -----
    Under `vmap` all lanes turn until the last one is done; those that are done keep their values.

    Examples
    --------
    >>> while_loop(lambda n: n < 100, lambda n: 2 * n, 3)
    192
    """
    check_leaves(body_fun, "init_val", init_val)
    paths = [f"init_val{path}" for path, _ in tree.flatten_with_path(init_val)]
    names = argument_names(body_fun, (init_val,))
    what = f"while_loop: {function_name(body_fun)}"
    return _while("while_loop", cond_fun, body_fun, body_fun, init_val, (what, paths, names))


def _while(
    name: str, cond_fun: Function, body_fun: Function, step: Function, init: Any, words: Any
) -> Any:
    what, paths, names = words
    body = _Body(what, body_fun, lambda carry, _: (step(carry), None), init, None, paths, names)
    if not body.leaves:
        raise ArgumentError(f"{name}: init_val has no arrays, so the loop could never end")
    test = record(
        cond_fun,
        [probe(*each) for each in body.types],
        lambda new: cond_fun(tree.unflatten(body.structure, new)),
        names=names,
        values_known=False,
        freeze=False,
    )
    if test.program.output_types != (ArrayType((), np.dtype(bool)),):
        shown = ", ".join(map(str, test.program.output_types)) or "nothing"
        raise TypeMismatchError(
            f"{name}: {function_name(cond_fun)} returned {shown}, needed is one bool. Compare a "
            "number, x > 0; join an array's elements with np.any or np.all"
        )
    test_program, test_consts = closed(test)
    params = {
        "cond": test_program,
        "body": body.program,
        "cond_nconsts": len(test_consts),
        "body_nconsts": len(body.consts),
    }
    operands = [*test_consts, *body.consts, *body.operands]
    return body.result(_run(function_name(body_fun), while_loop_p, operands, params))


def fori_loop(lower: Any, upper: Any, body_fun: Function, init_val: Any) -> Any:
    """A loop over integers: ``for i in range(lower, upper): val = body_fun(i, val)``.

    Parameters
    ----------
    lower, upper : int
        Where they are Python or NumPy integers, this is a `scan`, and can be differentiated in
        reverse. Where one is traced it is a `while_loop`.
    body_fun : callable
        ``body_fun(i, val) -> val``, of the same structure, shapes and dtypes.
    init_val : array, number, or any nesting of them

    Returns
    -------
    val
        After the last i; init_val where there is none.

    Raises
    ------
    TypeMismatchError
        Where val changes its structure, a shape or a dtype.
    ArgumentError
        Where a bound is not an integer.

    Examples
    --------
    >>> fori_loop(1, 6, lambda i, product: product * i, 1)
    120
    """
    check_leaves(body_fun, "init_val", init_val)
    bounds = [_bound("lower", lower), _bound("upper", upper)]
    traced = any(isinstance(bound, Tracer) for bound in bounds)
    start = bounds[0]
    if not all(map(is_weak, bounds)):  # a Python int stays open in dtype, as range gives them
        start = as_operand(start, ArrayType((), result_dtype(*bounds)))

    def step(carry: Any) -> Any:
        i, val = carry
        return i + 1, body_fun(i, val)

    init = (start, init_val)
    paths = ["i", *(f"init_val{path}" for path, _ in tree.flatten_with_path(init_val))]
    names = argument_names(body_fun, init)
    what = f"fori_loop: {function_name(body_fun)}"
    if traced:
        val = _while(
            "fori_loop", lambda c: c[0] < bounds[1], body_fun, step, init, (what, paths, names)
        )
        return val[1]
    body = _Body(what, body_fun, lambda carry, _: (step(carry), None), init, None, paths, names)
    turns = max(0, int(bounds[1]) - int(bounds[0]))
    return body.result(_run_scan(body_fun, body, [], turns, False))[1]


def _bound(name: str, value: Any) -> Any:
    type_ = leaf_type(value)[0] if isinstance(value, Tracer) else np.asarray(value)
    if type_.shape or type_.dtype.kind not in "iu":
        raise ArgumentError(f"fori_loop: {name} must be one integer, got {value!r:.60}")
    return value if isinstance(value, (Tracer, int)) else type_.dtype.type(value)
