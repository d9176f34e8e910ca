"""Constants folded, and algebra that holds for every floating-point value, to the last bit.

``x * 1``, ``x / 1``, ``x - 0``, ``-(-x)`` and ``x + (-y) = x - y`` are exact for NaN, infinities
and signed zeros. ``x + 0`` (which turns -0.0 into 0.0) and ``x * 0`` are not, and stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.primitives import REGISTRY, Primitive
from bital.primitives.elementwise import broadcast_shapes
from bital.primitives.linear import dot_general, free_axes
from bital.program import (
    Array,
    Atom,
    Builder,
    Equation,
    Literal,
    Program,
    Var,
    building,
    inline,
    subprograms,
)

_FOLD_LIMIT = 1 << 16  # bytes: a larger constant is cheaper to compute than to keep

add, sub, mul, neg = (REGISTRY[name] for name in ("add", "sub", "mul", "neg"))
reshape, transpose, broadcast_to, convert = (
    REGISTRY[name] for name in ("reshape", "transpose", "broadcast_to", "convert")
)


class Simplifier:
    def __init__(self, program: Program) -> None:
        self.builder = Builder(program.name)
        self.definitions: dict[Var, Equation] = {}
        self.uses = Counter(
            atom
            for equation in program.equations
            for atom in equation.inputs
            if isinstance(atom, Var)
        )
        self.uses.update(atom for atom in program.outputs if isinstance(atom, Var))
        self.original: dict[Var, Var] = {}  # variables here -> variables of the old Program

    def definition(self, atom: Atom, name: str) -> Equation | None:
        """The equation that computes an atom, if its primitive has this name."""
        equation = self.definitions.get(atom) if isinstance(atom, Var) else None
        return equation if equation is not None and equation.primitive.name == name else None

    def scalar(self, atom: Atom) -> Any:
        """The number that an atom holds in every element, if that is known."""
        if isinstance(atom, Literal):
            return atom.value
        stretched = self.definition(atom, "broadcast_to")
        if stretched is not None and isinstance(stretched.inputs[0], Literal):
            return stretched.inputs[0].value
        return None

    def used_once(self, var: Var) -> bool:
        return self.uses[self.original.get(var, var)] == 1


Rule = Callable[[Simplifier, list[Atom], dict[str, Any]], "Atom | None"]
RULES: dict[str, list[Rule]] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a rule: it returns what an equation equals, or None where it does not apply."""

    def register(function: Rule) -> Rule:
        for name in names:
            RULES.setdefault(name, []).append(function)
        return function

    return register


def simplify(program: Program) -> Program:
    state = Simplifier(program)
    builder = state.builder
    env: dict[Var, Atom] = {var: var for var in program.inputs}
    builder.inputs = list(program.inputs)
    builder.constants = dict(program.constants)
    env.update({var: var for var in program.constants})

    def read(atom: Atom) -> Atom:
        return env[atom] if isinstance(atom, Var) else atom

    with building(builder):
        for equation in program.equations:
            builder.source = equation.source
            inputs = [read(atom) for atom in equation.inputs]
            start = len(builder.equations)
            outputs = _rewrite(state, equation, inputs)
            for added in builder.equations[start:]:
                state.definitions.update(dict.fromkeys(added.outputs, added))
            for var, out in zip(equation.outputs, outputs, strict=True):
                env[var] = out
                if isinstance(out, Var) and out not in state.original:
                    state.original[out] = var
                    out.name = out.name or var.name
    return builder.build([read(atom) for atom in program.outputs])


def _rewrite(state: Simplifier, equation: Equation, inputs: list[Atom]) -> list[Atom]:
    if equation.primitive.name in ("custom_vjp_call", "custom_jvp_call"):  # it is over with them
        return inline(state.builder, simplify(equation.params["primal"]), inputs)
    if equation.primitive.name == "checkpoint":
        if equation.params["again"]:
            barrier = REGISTRY["barrier"]
            inputs = [barrier(x) if isinstance(x, Var) else x for x in inputs]
        return inline(state.builder, simplify(equation.params["body"]), inputs)
    folded = _fold(state, equation, inputs) or _fold_uniform(state, equation, inputs)
    if folded is not None:
        return [folded]
    params = dict(equation.params)
    inputs = _drop_broadcasts(state, equation, inputs)
    for each in RULES.get(equation.primitive.name, ()):
        result = each(state, inputs, params)
        if result is not None:
            return [result]
    primitive: Primitive = equation.primitive
    return primitive.bind(inputs, equation.params)


def _fold(state: Simplifier, equation: Equation, inputs: list[Atom]) -> Atom | None:
    """Compute an equation of constants now, unless that would keep a large array."""
    (out, *more) = equation.outputs
    if (
        more
        or equation.primitive.name in ("random_bits", "custom_linear")
        or any(True for _ in subprograms(equation))
    ):
        return None
    constants = state.builder.constants
    values: list[Any] = []
    for atom in inputs:
        if isinstance(atom, Literal):
            values.append(atom.value)
        elif atom in constants:
            values.append(constants[atom])
        else:
            return None
    if out.type.shape and (
        out.type.nbytes > _FOLD_LIMIT or all(isinstance(atom, Literal) for atom in inputs)
    ):
        return None
    with np.errstate(all="ignore"):
        result: Array = np.asarray(equation.primitive.reference(*values, **equation.params))
    if not out.type.shape:
        return Literal(result[()], out.type.dtype)
    return state.builder.constant(np.ascontiguousarray(result), out.name)


def _fold_uniform(state: Simplifier, equation: Equation, inputs: list[Atom]) -> Atom | None:
    """An elementwise equation of numbers that are equal everywhere gives one such number."""
    if equation.primitive.name not in _ELEMENTWISE:
        return None
    values = [state.scalar(atom) for atom in inputs]
    if any(value is None for value in values):
        return None
    (out,) = equation.outputs
    with np.errstate(all="ignore"):
        number = equation.primitive.reference(*values, **equation.params)
    literal = Literal(np.asarray(number)[()], out.type.dtype)
    return literal if not out.type.shape else _as_atom(broadcast_to(literal, shape=out.type.shape))


_BROADCASTING = frozenset(
    name for name, primitive in REGISTRY.items() if isinstance(primitive.reference, np.ufunc)
) | {"where"}
_ELEMENTWISE = _BROADCASTING | {"convert", "real", "imag", "complex"}


def _drop_broadcasts(state: Simplifier, equation: Equation, inputs: list[Atom]) -> list[Atom]:
    """Operands of an elementwise primitive broadcast by themselves."""
    if equation.primitive.name not in _BROADCASTING:
        return inputs
    shape = equation.outputs[0].type.shape
    result = list(inputs)
    for index, atom in enumerate(inputs):
        stretched = state.definition(atom, "broadcast_to")
        if stretched is None:
            continue
        tried = [*result[:index], stretched.inputs[0], *result[index + 1 :]]
        if broadcast_shapes(*(each.type for each in tried)) == shape:
            result = tried
    return result


# --- identities -----------------------------------------------------------------------------


@rule("stop_gradient")
def _identity(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    return inputs[0]


@rule("convert")
def _same_dtype(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    return inputs[0] if inputs[0].type.dtype == params["dtype"] else None


@rule("reshape", "broadcast_to")
def _same_shape(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    return inputs[0] if inputs[0].type.shape == params["shape"] else None


@rule("reshape")
def _reshape_twice(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    inner = state.definition(inputs[0], "reshape")
    return None if inner is None else _as_atom(reshape(inner.inputs[0], **params))


@rule("broadcast_to")
def _broadcast_twice(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    inner = state.definition(inputs[0], "broadcast_to")
    return None if inner is None else _as_atom(broadcast_to(inner.inputs[0], **params))


@rule("reshape")
def _reshape_of_a_reduction(
    state: Simplifier, inputs: list[Atom], params: dict[str, Any]
) -> Atom | None:
    """``x.sum(axis=1).reshape(n, 1)`` is ``x.sum(axis=1, keepdims=True)``."""
    made = state.definitions.get(inputs[0]) if isinstance(inputs[0], Var) else None
    if (
        made is None
        or not made.primitive.name.startswith("reduce_")
        or made.params.get("keepdims", True)
    ):
        return None
    (operand,), axes = made.inputs, made.params["axes"]
    kept = tuple(1 if i in axes else n for i, n in enumerate(operand.type.shape))
    if params["shape"] != kept or not state.used_once(made.outputs[0]):
        return None
    return _as_atom(made.primitive(operand, axes=axes, keepdims=True))


@rule("reshape")
def _reshape_number(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    value = state.scalar(inputs[0])
    if value is None:
        return None
    return _as_atom(broadcast_to(Literal(value, inputs[0].type.dtype), shape=params["shape"]))


@rule("transpose")
def _transpose_twice(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    (x,), permutation = inputs, params["permutation"]
    if permutation == tuple(range(len(permutation))):
        return x
    inner = state.definition(x, "transpose")
    if inner is None:
        return None
    first = inner.params["permutation"]
    composed = tuple(first[axis] for axis in permutation)
    return _as_atom(transpose(inner.inputs[0], permutation=composed))


@rule("complex")
def _of_parts(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    """The parts of one number are that number; without an imaginary part it is a conversion."""
    x, y = inputs
    real, imag = state.definition(x, "real"), state.definition(y, "imag")
    if real is not None and imag is not None and real.inputs == imag.inputs:
        return real.inputs[0]
    number = state.scalar(y)
    if number is None or number != 0 or np.signbit(number):
        return None
    return _as_atom(convert(x, dtype=np.dtype(f"c{2 * x.type.dtype.itemsize}")))


@rule("real")
def _real_of_parts(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    """Also of a real number that was converted without loss."""
    whole = state.definition(inputs[0], "complex") or state.definition(inputs[0], "convert")
    if whole is None or whole.inputs[0].type.dtype.kind != "f":
        return None
    x, dtype = whole.inputs[0], inputs[0].type.dtype
    return x if 2 * x.type.dtype.itemsize == dtype.itemsize else None


@rule("imag")
def _imag_of_parts(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    whole = state.definition(inputs[0], "complex")
    return None if whole is None else whole.inputs[1]


@rule("conj")
def _twice_conjugated(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    inner = state.definition(inputs[0], "conj")
    return None if inner is None else inner.inputs[0]


@rule("slice")
def _whole(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    shape = inputs[0].type.shape
    whole = params["start"] == (0,) * len(shape) and params["stop"] == shape
    return inputs[0] if whole and set(params["step"]) <= {1} else None


def _as_atom(x: Any) -> Atom:
    atom: Atom = x
    return atom


# --- arithmetic -----------------------------------------------------------------------------


def _neutral(state: Simplifier, x: Atom, other: Atom, value: float) -> bool:
    """Whether `other` is `value` everywhere and does not stretch x.

    No complex number is neutral: of (a + bi) * (1 + 0i) each part is a sum of two products.
    """
    number = state.scalar(other)
    if (
        number is None
        or x.type.dtype.kind == "c"
        or number != value
        or (value == 0 and np.signbit(number))
    ):
        return False
    return broadcast_shapes(x.type, other.type) == x.type.shape


@rule("mul", "div")
def _right_neutral(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    x, y = inputs
    return x if _neutral(state, x, y, 1) else None


@rule("mul")
def _left_neutral(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    x, y = inputs
    return y if _neutral(state, y, x, 1) else None


@rule("sub")
def _minus_zero(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    x, y = inputs
    return x if _neutral(state, x, y, 0) else None


@rule("mul")
def _minus_one(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    for x, y in (inputs, inputs[::-1]):
        if x.type.dtype.kind == "f" and _neutral(state, x, y, -1):
            return _as_atom(neg(x))
    return None


@rule("neg")
def _double_minus(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    inner = state.definition(inputs[0], "neg")
    return None if inner is None else inner.inputs[0]


@rule("add")
def _plus_minus(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    for x, y in (inputs, inputs[::-1]):
        negated = state.definition(y, "neg")
        if negated is not None:
            return _as_atom(sub(x, negated.inputs[0]))
    return None


@rule("sub")
def _minus_minus(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    negated = state.definition(inputs[1], "neg")
    return None if negated is None else _as_atom(add(inputs[0], negated.inputs[0]))


# --- products -------------------------------------------------------------------------------


@rule("dot_general")
def _absorb_transpose(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    """A transposed operand is the operand itself, contracted along other axes."""
    for side, atom in enumerate(inputs):
        turned = state.definition(atom, "transpose")
        if turned is None:
            continue
        permutation = turned.params["permutation"]
        axes = [list(params["contract"]), list(params["batch"])]
        for pair in axes:
            pair[side] = tuple(permutation[axis] for axis in pair[side])
        free = free_axes(atom.type.ndim, params["contract"][side], params["batch"][side])
        if sorted(moved := [permutation[axis] for axis in free]) != moved:
            continue
        operands = list(inputs)
        operands[side] = turned.inputs[0]
        return _as_atom(dot_general(*operands, contract=tuple(axes[0]), batch=tuple(axes[1])))
    return None


@rule("transpose")
def _swap_operands(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    """A transposed product is the product of the operands exchanged."""
    product = state.definition(inputs[0], "dot_general")
    if product is None or not state.used_once(product.outputs[0]):
        return None
    x, y = product.inputs
    contract, batch = product.params["contract"], product.params["batch"]
    count = len(batch[0])
    left = x.type.ndim - len(contract[0])
    order = (*range(count), *range(left, inputs[0].type.ndim), *range(count, left))
    if params["permutation"] != order:
        return None
    swapped = {"contract": contract[::-1], "batch": batch[::-1]}
    return _as_atom(dot_general(y, x, **swapped))
