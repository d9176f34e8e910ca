"""Reading values as products, through the equations that define them.

One rule a primitive says what it does to products: `stabilize` asks for that of a value.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bital.passes.products import (
    EXP,
    FALL,
    OTHER,
    RISE,
    SUM,
    TINY,
    Affine,
    Algebra,
    ConsingBuilder,
    Key,
    Product,
    aligned,
    as_atom,
    number_product,
    other,
)
from bital.primitives import REGISTRY as P
from bital.program import Atom, Equation, Literal, Var

_DEPTH = 50  # of the definitions that are followed


class Reader(Algebra):
    """Reads the values of one Program as products.

    Attributes
    ----------
    forms : dict
        What is known of values, strictly and under a logarithm.
    finite : set
        Shifts that were made here: finite numbers.
    logarithms : dict
        The level of what an atom is the logarithm of.
    """

    def __init__(self, builder: ConsingBuilder) -> None:
        super().__init__(builder)
        self.forms: dict[tuple[Atom, bool], Product | None] = {}
        self.finite: set[Atom] = set()
        self.logarithms: dict[Atom, int] = {}
        self.sums: dict[Any, tuple[Atom, Atom | None]] = {}
        self._depth = 0

    def form(self, atom: Atom, loose: bool = False) -> Product | None:
        """An atom as a product, or None where it is no such thing.

        `loose`: it stands under a logarithm, and small numbers may be dropped.
        """
        number = self.number(atom)
        if number is not None:
            return number_product(number)
        equation = self.definition(atom)
        if equation is None or atom.type.dtype.kind != "f" or not atom.type.size:
            return None
        key = (equation.outputs[0], loose)
        if key not in self.forms:
            if self._depth >= _DEPTH:
                return None
            self._depth += 1
            self.forms[key] = self.read(equation, loose)
            self._depth -= 1
        return self.forms[key]

    def read(self, equation: Equation, loose: bool) -> Product | None:
        rule = _RULES.get(equation.primitive.name)
        return None if rule is None else rule(self, equation, loose)

    def affine(self, atom: Atom, loose: bool) -> Affine | None:
        """An atom as a number plus a multiple of a logistic function."""
        equation = self.definition(atom)
        if equation is None or self._depth >= _DEPTH:
            return None
        name = equation.primitive.name
        if name == "tanh":  # 2 / (1 + e^-2x) - 1
            return Affine(-1.0, 2.0, self.key(RISE, self.scaled(equation.inputs[0], 2.0)))
        operand, number, first = atom, -1.0, False
        if name in ("add", "sub", "mul", "div", "maximum", "minimum"):
            operand, number, first = self.with_number(equation) or (atom, 0.0, False)
        elif name == "neg":
            operand = equation.inputs[0]
        if operand is atom or (name == "div" and first):
            follows = name not in ("add", "sub", "maximum", "minimum")  # their forms ask us
            form = self.form(atom, loose) if follows else None
            key = form.logistic if form else None
            return Affine(0.0, form.constant, key) if form and key else None
        self._depth += 1
        inner = self.affine(operand, loose)
        self._depth -= 1
        if inner is None or not math.isfinite(number):
            return None
        if name in ("add", "sub"):
            by = -number if name == "sub" and not first else number
            return inner.moved(-1.0 if name == "sub" and first else 1.0, by)
        if name in ("maximum", "minimum"):
            return inner.clipped(name, number) if loose else None
        return inner.moved(1 / number if name == "div" else number) if number else None

    def shifted(self, x: Atom, scale: float, by: float, loose: bool) -> Product | None:
        """``scale * x + by``, for a scale of 1 or -1."""
        dtype = x.type.dtype
        line = self.affine(x, loose)
        if line is not None:
            found = self.end_of(line.moved(scale, by), loose, dtype)
            if found is not None:
                return found
        form, number = self.form(x, loose), number_product(abs(by))
        if form is None or number is None:
            return form if by == 0 and scale == 1 else None
        if scale > 0 and loose and abs(by) <= TINY and form.level:
            return self.kept_from_zero(form, by, dtype)
        if scale > 0:
            return (self.plus if by > 0 else self.minus)(form, number, dtype)
        return self.minus(number, form, dtype) if by > 0 else None

    def end_of(self, line: Affine, loose: bool, dtype: Any) -> Product | None:
        found = line.product(TINY if loose else 0.0)
        if found is None or not loose:
            return found[0] if found else None
        return self.kept_from_zero(*found, dtype)

    def kept_from_zero(self, form: Product, least: float, dtype: Any) -> Product:
        """What is under a logarithm and was at least about `least`: itself, but where it is 0."""
        floor = Literal(least, dtype)
        if floor.value <= 0 or form.constant < 0:
            return form
        factors: dict[Key, float] = {}
        zeros: list[Any] = []
        for (kind, atom), power in form.factors.items():
            if kind in (SUM, OTHER) and power > 0:  # a sum of nothing but zeros
                zeros.append(P["le"](atom, 0))
                atom = as_atom(P["where"](zeros[-1], Literal(1, dtype), atom))
            factors[kind, atom] = power
        form = replace(form, factors=factors)
        logarithm = self.log(form, dtype)
        if logarithm is None:
            return form
        if form.has(RISE, FALL) or set(form.of(EXP)) - self.finite:
            zeros.append(P["eq"](logarithm, -math.inf))
        if not zeros:
            return form
        vanished = functools.reduce(P["bit_or"], zeros)
        lowest = Literal(math.log(floor.value), dtype)
        kept = as_atom(P["where"](vanished, lowest, logarithm))
        return self.exponential(kept, form.level, form.safe)

    def logarithm_of(self, atom: Atom, loose: bool) -> tuple[Atom, Product] | None:
        """The logarithm of an atom that is positive, in its shape, and what was logarithmed."""
        form = self.form(atom, loose)
        if form is None or form.has(OTHER):
            return None
        logarithm = self.log(form, atom.type.dtype)
        if logarithm is None:
            return None
        if logarithm.type.shape != atom.type.shape:
            logarithm = as_atom(P["broadcast_to"](logarithm, shape=atom.type.shape))
        return logarithm, form


# --- what each primitive does to products ---------------------------------------------------

Rule = Callable[[Reader, Equation, bool], "Product | None"]
_RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a rule: it returns an equation's result as a product, or None."""

    def register(function: Rule) -> Rule:
        _RULES.update(dict.fromkeys(names, function))
        return function

    return register


@rule("exp")
def _exp(state: Reader, equation: Equation, loose: bool) -> Product | None:
    (x,) = equation.inputs
    difference = state.definition(x, "sub")  # a - log(sum(...)): a probability's logarithm
    level = state.logarithms.get(difference.inputs[1], 0) if difference else 0
    return state.exponential(x, level, state.nonpositive(x) or state.is_limited(x))


@rule("mul")
def _mul(state: Reader, equation: Equation, loose: bool) -> Product | None:
    x, y = equation.inputs
    left, right = state.form(x, loose), state.form(y, loose)
    if not any(form and form.factors for form in (left, right)):
        return None
    return state.times(left or other(x), right or other(y))


@rule("neg")
def _neg(state: Reader, equation: Equation, loose: bool) -> Product | None:
    form = state.form(equation.inputs[0], loose)
    return form and replace(form, constant=-form.constant, level=0)


@rule("power")
def _power(state: Reader, equation: Equation, loose: bool) -> Product | None:
    x, y = equation.inputs
    form, power = state.form(x, loose), state.number(y)
    if form is None or not power or not math.isfinite(power) or (power % 1 and form.has(OTHER)):
        return None
    return state.times(Product({}, safe=True), form, power)


@rule("div")
def _div(state: Reader, equation: Equation, loose: bool) -> Product | None:
    x, y = equation.inputs
    below = state.form(y, loose)
    choice = state.definition(x, "where")
    if choice and below:
        chosen = [state.form(atom, loose) for atom in choice.inputs[1:]]
        parts = [form and state.times(form, below, -1.0) for form in chosen]
        merged = _merged(state, choice, *parts)
        if merged is not None:
            return merged
    above = state.form(x, loose)
    if not any(form and form.factors for form in (above, below)):
        return None
    form = state.times(above or other(x), below or other(y), -1.0)
    if form and _is_share(state, x, y):
        return replace(form, level=1 if form.has(OTHER) else 2, safe=True)
    return form


def _is_share(state: Reader, x: Atom, y: Atom) -> bool:
    """Whether y is the sum of x over some axes, and stands along them."""
    inner = state.definition(y, "reshape")
    total = state.definition(inner.inputs[0] if inner else y, "reduce_sum")
    return (
        total is not None
        and total.inputs[0] is x
        and aligned(y.type.shape, x.type.shape, total.params["axes"])
    )


@rule("add", "sub")
def _add(state: Reader, equation: Equation, loose: bool) -> Product | None:
    subtracts = equation.primitive.name == "sub"
    pair = state.with_number(equation)
    if pair is not None:
        x, number, first = pair
        by = -number if subtracts and not first else number
        return state.shifted(x, -1.0 if subtracts and first else 1.0, by, loose)
    left, right = (state.form(atom, loose) for atom in equation.inputs)
    if left is None or right is None:
        return None
    if left.has(OTHER) or right.has(OTHER):
        return None if subtracts else _weighted_pair(state, left, right, equation.outputs[0])
    join = state.minus if subtracts else state.plus
    return join(left, right, equation.outputs[0].type.dtype)


@rule("maximum", "minimum")
def _extremum(state: Reader, equation: Equation, loose: bool) -> Product | None:
    name, (out,) = equation.primitive.name, equation.outputs
    pair = state.with_number(equation)
    if loose and pair is not None:
        x, bound, _ = pair
        line, form = state.affine(out, loose), state.form(x, loose)
        found = line and state.end_of(line, loose, out.type.dtype)
        if found:
            return found
        if form and form.level and name == "maximum" and bound <= TINY:
            return state.kept_from_zero(form, bound, out.type.dtype)
        if form and form.level == 2 and name == "minimum" and bound >= 1 - TINY:
            return form
    return _monotone(state, equation, loose)


@rule("where")
def _where(state: Reader, equation: Equation, loose: bool) -> Product | None:
    condition, *branches = equation.inputs
    for near_zero, (small, x) in ((True, branches), (False, branches[::-1])):
        number, form = state.number(small), state.form(x, loose)
        droppable = loose and form and form.level and 0 < (number or 0) <= TINY
        if form and number and droppable and _tells(state, condition, x, near_zero):
            return state.kept_from_zero(form, number, x.type.dtype)
    merged = _merged(state, equation, *(state.form(x, loose) for x in branches))
    return merged or _monotone(state, equation, loose, start=1)


def _tells(state: Reader, condition: Atom, x: Atom, near_zero: bool) -> bool:
    """Whether a condition says that x, which is not negative, is near 0; or that it is not."""
    test = state.definition(condition, *(_BELOW | _ABOVE))
    pair = state.with_number(test) if test else None
    if test is None or pair is None or pair[0] is not x or not 0 <= pair[1] <= TINY:
        return False
    name = test.primitive.name
    return (name in ("eq", "ne") or not pair[2]) and near_zero == (name in _BELOW)


_BELOW, _ABOVE = {"eq", "lt", "le"}, {"ne", "gt", "ge"}


def _merged(
    state: Reader, choice: Equation, x: Product | None, y: Product | None
) -> Product | None:
    """``where(c, x, y)`` of equal products, or of 1 / (1 + e^-a) and 1 / (1 + e^a)."""
    if x is None or y is None or x.constant != y.constant:
        return None
    if x.factors == y.factors:
        return x
    if x.logistic is None or y.logistic is None or x.logistic[1] is not y.logistic[1]:
        return None
    (kind, a), condition = x.logistic, choice.inputs[0]
    signed = a, as_atom(P["neg"](a))
    chosen = as_atom(P["where"](condition, *(signed if kind == RISE else signed[::-1])))
    unfolded = _twice_unfolded(state, chosen)
    return replace(x, factors={state.key(RISE, unfolded): 1.0})


def _twice_unfolded(state: Reader, x: Atom) -> Atom:
    """``where(c, -s, s)`` with ``s = where(c, -y, y)`` is y."""
    outer = state.definition(x, "where")
    assert outer is not None
    condition, first, second = outer.inputs
    inner = state.definition(second, "where")
    if inner and inner.inputs[0] is condition and state.definition(first, "neg"):
        negated = state.definition(inner.inputs[1], "neg")
        if negated and negated.inputs[0] is inner.inputs[2]:
            return inner.inputs[2]
    return x


def _monotone(state: Reader, equation: Equation, loose: bool, start: int = 0) -> Product | None:
    """``log(f(x, y)) = f(log x, log y)``: of what chooses or moves positive values."""
    if not any(
        form and form.has(EXP, RISE, FALL)
        for form in (state.form(atom, loose) for atom in equation.inputs[start:])
    ):
        return None
    logarithms = [state.logarithm_of(atom, loose) for atom in equation.inputs[start:]]
    found = [each for each in logarithms if each is not None]
    if len(found) < len(logarithms):
        return None
    operands = [*equation.inputs[:start], *(logarithm for logarithm, _ in found)]
    (result,) = equation.primitive.bind(operands, equation.params)
    forms = [form for _, form in found]
    level = min(form.level for form in forms)
    return state.exponential(result, level, all(form.safe for form in forms))


@rule("concatenate", "reduce_max", "reduce_min")
def _choosing(state: Reader, equation: Equation, loose: bool) -> Product | None:
    return _monotone(state, equation, loose)


@rule("reshape", "transpose", "slice", "gather", "convert", "stop_gradient")
def _moving(state: Reader, equation: Equation, loose: bool) -> Product | None:
    """Factor by factor where all have the value's shape; else the value's logarithm."""
    x, *indices = equation.inputs
    form = state.form(x, loose)
    if form is None or not form.factors:
        return form
    anywhere = equation.primitive.name in ("convert", "stop_gradient")
    if not anywhere and any(a.type.shape != x.type.shape for _, a in form.factors):
        found = state.logarithm_of(x, loose)
        if found is None:
            return None
        form = state.exponential(found[0], form.level, form.safe)
    factors = {}
    for (kind, atom), power in form.factors.items():
        if equation.primitive.name == "reshape":
            moved = state.reshaped(atom, equation.params["shape"])
        else:
            (moved,) = equation.primitive.bind([atom, *indices], equation.params)
        if atom in state.finite:
            state.finite.add(moved)
        factors[kind, moved] = power
    return replace(form, factors=factors)


@rule("broadcast_to")
def _broadcast_to(state: Reader, equation: Equation, loose: bool) -> Product | None:
    return state.form(equation.inputs[0], loose)


@rule("reduce_prod")
def _prod(state: Reader, equation: Equation, loose: bool) -> Product | None:
    found = state.logarithm_of(equation.inputs[0], loose)
    if found is None or not found[1].has(EXP, RISE, FALL):
        return None
    total = as_atom(P["reduce_sum"](found[0], **equation.params))
    return state.exponential(total, found[1].level, found[1].safe)


@rule("reduce_sum")
def _sum(state: Reader, equation: Equation, loose: bool) -> Product | None:
    """``sum(k w e^a) = k e^M sum(w e^(a - M))``, with k constant along the axes, M = max a."""
    (x,), (out,) = equation.inputs, equation.outputs
    axes: tuple[int, ...] = equation.params["axes"]
    form = state.form(x, loose)
    if form is None or not axes or not form.factors:
        return None
    shape = x.type.shape
    outside: dict[Key, float] = {}
    inside: dict[Key, float] = {}
    for (kind, atom), power in form.factors.items():
        padded = (1,) * (len(shape) - atom.type.ndim) + atom.type.shape
        if any(padded[axis] != 1 for axis in axes):
            inside[kind, atom] = power
            continue
        if not equation.params["keepdims"]:
            padded = tuple(n for axis, n in enumerate(padded) if axis not in axes)
        lead = next((i for i, n in enumerate(padded) if n != 1), len(padded))
        same = padded[lead:] == atom.type.shape
        moved = atom if same else state.reshaped(atom, padded)
        if atom in state.finite:
            state.finite.add(moved)
        outside[kind, moved] = power
    if not any(kind in (EXP, RISE, FALL) for kind, _ in inside):
        return None
    if any(atom in state.tangents for _, atom in inside):  # a difference of exponentials
        return None
    weight, exponent = _weight_and_exponent(state, inside, 1.0, out)
    total = _sum_of_exponentials(state, exponent, weight, shape, equation)
    rest = Product(outside, form.constant, 1, safe=not any(kind == EXP for kind, _ in outside))
    result = state.times(total, rest)
    return result and replace(result, level=1)


def _sum_of_exponentials(
    state: Reader, exponent: Atom, weight: Atom | None, shape: tuple[int, ...], equation: Equation
) -> Product:
    """``sum(weight * e^exponent)`` of arrays that broadcast to this shape."""
    (out,), params = equation.outputs, equation.params
    key = (exponent, weight, params["axes"])
    if key not in state.sums:
        state.sums[key] = _shifted_sum(state, exponent, weight, shape, **params)
    total, shift = state.sums[key]
    factors: dict[Key, float] = {}
    if shift is not None:
        shift = state.reshaped(shift, out.type.shape)
        state.finite.add(shift)
        factors[EXP, shift] = 1.0
    factors[SUM if weight is None else OTHER, state.reshaped(total, out.type.shape)] = 1.0
    return Product(factors, level=1, safe=shift is None)


def _shifted_sum(
    state: Reader,
    exponent: Atom,
    weight: Atom | None,
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    keepdims: bool,
) -> tuple[Atom, Atom | None]:
    """``sum(weight * e^(exponent - shift))`` and the shift; None where none is needed."""
    dtype = exponent.type.dtype
    shift: Atom | None = None
    if exponent.type.shape != shape:
        exponent = as_atom(P["broadcast_to"](exponent, shape=shape))
    over = state.shifted_over(exponent)
    shifted = over is not None and set(over) <= set(axes)
    if not (shifted if weight is None else state.is_limited(exponent)):
        counted = exponent
        if weight is not None:  # else a term of weight 0 could make all others vanish
            nowhere = Literal(-math.inf, dtype)
            counted = as_atom(P["where"](P["ne"](weight, 0), exponent, nowhere))
        leading = set(axes) == set(range(len(axes)))  # then it broadcasts without being kept
        kept = keepdims or not leading
        largest = P["reduce_max"](P["stop_gradient"](counted), axes=axes, keepdims=kept)
        shift = as_atom(P["where"](P["isfinite"](largest), largest, Literal(0, dtype)))
        exponent = as_atom(P["sub"](exponent, shift))
        exponent = exponent if weight is None else state.limited(exponent)
    power = P["exp"](exponent)
    terms = power if weight is None else P["mul"](weight, power)
    return as_atom(P["reduce_sum"](terms, axes=axes, keepdims=keepdims)), shift


def _weighted_pair(state: Reader, x: Product, y: Product, out: Var) -> Product:
    """``v e^a + w e^b``, as the sum over an axis that the two make."""
    sides: list[tuple[Atom, Atom]] = []
    for form in (x, y):
        weight, exponent = _weight_and_exponent(state, form.factors, form.constant, out)
        sides.append((weight or Literal(1, out.type.dtype), exponent))
    weight, exponent = (
        as_atom(
            P["concatenate"](
                *(P["broadcast_to"](a, shape=(1, *out.type.shape)) for a in each), axis=0
            )
        )
        for each in zip(*sides, strict=True)
    )
    total, shift = _shifted_sum(state, exponent, weight, exponent.type.shape, (0,), False)
    if shift is None:
        return Product({(OTHER, total): 1.0}, level=1, safe=True)
    state.finite.add(shift)
    return Product({(EXP, shift): 1.0, (OTHER, total): 1.0}, level=1)


def _weight_and_exponent(
    state: Reader, factors: Mapping[Key, float], constant: float, out: Var
) -> tuple[Atom | None, Atom]:
    """A product as ``weight * e^exponent``."""
    weights = {key: power for key, power in factors.items() if key[0] == OTHER}
    rest = {key: power for key, power in factors.items() if key[0] != OTHER}
    exponent = state.log(Product(rest), out.type.dtype)
    assert exponent is not None
    weighted = weights or constant != 1
    return state.value(Product(weights, constant), out.type.dtype) if weighted else None, exponent
