"""Values as products of exponentials, logistic functions and sums: their algebra, and as equations.

What `stabilize` reads from a Program, and writes back.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bital.primitives import REGISTRY as P
from bital.program import Atom, Builder, Equation, Literal, Program, Var
from bital.program.types import Operation, Params, params_key

_MANY = 8  # factors; without a bound they would pile up in long programs
TINY = 1.1e-5  # 1e-5, and what float32 makes of 1 - (1 - 1e-5)

# Kinds of factors: e^a; 1 / (1 + e^-a); 1 / (1 + e^a); a > 0, a sum of exponentials; any a.
EXP, RISE, FALL, SUM, OTHER = "exp", "rise", "fall", "sum", "other"
FLIPPED = {RISE: FALL, FALL: RISE}
Key = tuple[str, Atom]


@dataclass(frozen=True)
class Product:
    """``constant`` times the product of factors, each to its power.

    Attributes
    ----------
    level : int
        2: at most 1, a probability; 1: a sum or a quotient of exponentials; 0: anything else.
    safe : bool
        Whether the value, computed as it is written, cannot overflow.
    """

    factors: Mapping[Key, float] = field(default_factory=dict)
    constant: float = 1.0
    level: int = 0
    safe: bool = False

    def of(self, kind: str) -> dict[Atom, float]:
        return {atom: power for (each, atom), power in self.factors.items() if each == kind}

    def has(self, *kinds: str) -> bool:
        return any(kind in kinds for kind, _ in self.factors)

    @property
    def logistic(self) -> Key | None:
        """The factor, if that is one logistic function."""
        if len(self.factors) == 1:
            ((key, power),) = self.factors.items()
            return key if key[0] in FLIPPED and power == 1 else None
        return None


def number_product(number: float) -> Product | None:
    if number == 0 or not math.isfinite(number):
        return None
    return Product({}, number, 2 if 0 < number <= 1 else 1, True)


@dataclass(frozen=True)
class Affine:
    """``offset + slope * key``; `floor` is how far bounds kept it from the ends of its range."""

    offset: float
    slope: float
    key: Key
    floor: float = 0.0

    def moved(self, scale: float, by: float = 0.0) -> Affine:
        floor = self.floor * abs(scale)
        return Affine(self.offset * scale + by, self.slope * scale, self.key, floor)

    def clipped(self, name: str, bound: float) -> Affine | None:
        """The same, if a bound is so near the end of the range that it may be dropped."""
        low, high = sorted((self.offset, self.offset + self.slope))
        inside = bound - low if name == "maximum" else high - bound
        if inside > TINY * abs(self.slope):
            return None
        return replace(self, floor=max(self.floor, inside))

    def product(self, tolerance: float) -> tuple[Product, float] | None:
        """The product that it is where one end of its range is 0, and how far it is kept from 0."""
        for end, key, factor in (
            (self.offset, self.key, self.slope),
            (self.offset + self.slope, (FLIPPED[self.key[0]], self.key[1]), -self.slope),
        ):
            if abs(end) <= tolerance * abs(self.slope) and factor:
                level = 2 if 0 < factor <= 1 else 1
                return Product({key: 1.0}, factor, level, True), max(end, self.floor)
        return None


class ConsingBuilder(Builder):
    """Adds an equation once; a second one like it gives the first one's outputs."""

    def __init__(self, program: Program) -> None:
        super().__init__(program.name)
        self.inputs = list(program.inputs)
        self.constants = dict(program.constants)
        self.definitions: dict[Var, Equation] = {}
        self._known: dict[Hashable, tuple[Var, ...]] = {}

    def add(self, primitive: Operation, inputs: Sequence[Atom], params: Params) -> list[Var]:
        key = identity(primitive, inputs, params)
        if key not in self._known:
            self._enter(key, super().add(primitive, inputs, params))
        return list(self._known[key])

    def keep(self, equation: Equation) -> tuple[Var, ...]:
        key = identity(equation.primitive, equation.inputs, equation.params)
        if key not in self._known:
            self.equations.append(equation)
            self._enter(key, equation.outputs)
        return self._known[key]

    def _enter(self, key: Hashable, outputs: Iterable[Var]) -> None:
        self._known[key] = tuple(outputs)
        self.definitions.update(dict.fromkeys(self._known[key], self.equations[-1]))


def identity(primitive: Operation, inputs: Sequence[Atom], params: Params) -> Hashable:
    """Equal for equations that compute the same."""
    operands = tuple(atom.key if isinstance(atom, Literal) else atom for atom in inputs)
    return primitive.name, operands, tuple((k, params_key(v)) for k, v in params.items())


class Algebra:
    """Computes with products over one Program, and writes them as its equations."""

    def __init__(self, builder: ConsingBuilder) -> None:
        self.builder = builder
        self.linear: dict[Atom, dict[Atom, float]] = {}  # a -> the sum of exponents that it is
        self.tangents: set[Atom] = set()  # what `minus` made

    def definition(self, atom: Atom, *names: str) -> Equation | None:
        """The equation that computes an atom, if its primitive has one of these names.

        None for complex numbers: the rules, written for real ones, do not look into them.
        """
        if atom.type.dtype.kind == "c":
            return None
        equation = self.builder.definitions.get(atom) if isinstance(atom, Var) else None
        return equation if equation and (not names or equation.primitive.name in names) else None

    def number(self, atom: Atom) -> float | None:
        """What an atom holds in every element, if that is known."""
        stretched = self.definition(atom, "broadcast_to")
        atom = stretched.inputs[0] if stretched else atom
        if not isinstance(atom, Literal) or atom.type.dtype.kind == "c":
            return None
        return float(atom.value)

    def with_number(self, equation: Equation) -> tuple[Atom, float, bool] | None:
        """The other operand, the number, and whether the number stands first."""
        x, y = equation.inputs
        for atom, number, first in ((x, self.number(y), False), (y, self.number(x), True)):
            if number is not None:
                return atom, number, first
        return None

    # --- products

    def exponential(self, x: Atom, level: int = 0, safe: bool = False) -> Product:
        """e^x."""
        negated = self.definition(x, "neg")
        power, x = (-1.0, negated.inputs[0]) if negated else (1.0, x)
        if isinstance(x, Literal):
            return Product({}, math.exp(power * float(x.value)), level, True)
        return Product({(EXP, x): power}, 1.0, level, safe)

    def times(self, x: Product, y: Product, power: float = 1.0) -> Product | None:
        """``x * y**power``, with what cancels cancelled; None where that has no good form."""
        if y.constant < 0 and power % 1:
            return None
        constant = x.constant * y.constant**power
        if not constant or not math.isfinite(constant):
            return None
        factors = dict(x.factors)
        for key, each in y.factors.items():
            factors[key] = factors.get(key, 0.0) + power * each
        self._exchange(factors)
        factors = {key: each for key, each in factors.items() if each}
        if len(factors) > _MANY:
            return None
        fraction = 0 < constant <= 1 and all(
            kind in FLIPPED and each > 0 for (kind, _), each in factors.items()
        )
        if any(kind == OTHER for kind, _ in factors):
            level = 0
        elif fraction or (power == 1 and x.level == y.level == 2):
            level = 2
        else:
            level = int(any(each.level for each in (x, y) if each.factors))
        return Product(factors, constant, level, fraction or (power == 1 and x.safe and y.safe))

    def _exchange(self, factors: dict[Key, float]) -> None:
        """e^a / (1 + e^a) = 1 / (1 + e^-a) and its like: e^a turns a FALL into a RISE."""
        for a in dict.fromkeys(a for kind, a in factors if kind in FLIPPED):
            parts = self.linear.get(a, {a: 1.0})
            for source, target, sign in ((FALL, RISE, 1.0), (RISE, FALL, -1.0)):
                while (
                    factors.get((source, a), 0.0) >= 1 or factors.get((target, a), 0.0) <= -1
                ) and all(factors.get((EXP, b), 0.0) * c * sign >= c * c for b, c in parts.items()):
                    factors[source, a] = factors.get((source, a), 0.0) - 1
                    factors[target, a] = factors.get((target, a), 0.0) + 1
                    for b, c in parts.items():
                        factors[EXP, b] -= c * sign

    def plus(self, x: Product, y: Product, dtype: np.dtype[Any]) -> Product | None:
        """``x + y = y (1 + e^u)`` with ``u = log(x / y)``, of two that are positive."""
        if not x.factors:
            x, y = y, x
        if not y.factors and x.safe and x.has(*_SUMS):
            return None  # 1 + p: nothing to be gained
        ratio = self.times(x, y, -1.0)
        if ratio is None or x.constant < 0 or y.constant < 0 or x.has(OTHER) or y.has(OTHER):
            return None
        if ratio.factors:
            exponent = self.log(ratio, dtype)
            assert exponent is not None
            kind, u = self.key(FALL, exponent)
            if ratio.constant == 1 and not ratio.has(RISE, FALL, SUM):
                sign = 1.0 if kind == FALL else -1.0
                self.linear[u] = {a: sign * power for a, power in ratio.of(EXP).items()}
            factor = Product({(kind, u): -1.0}, 1.0, 1)
        else:
            factor = Product({}, 1 + ratio.constant, 1)
        total = self.times(y, factor)
        return total and replace(total, level=1, safe=x.safe and y.safe)

    def minus(self, x: Product, y: Product, dtype: np.dtype[Any]) -> Product | None:
        """``x - y = (x + y) tanh(u / 2)`` with ``u = log(x / y)``, of two exponentials."""
        if x.has(*_SUMS) or y.has(*_SUMS):
            return None
        total, ratio = self.plus(x, y, dtype), self.times(x, y, -1.0)
        if total is None or ratio is None or not ratio.factors:
            return None
        exponent = self.log(ratio, dtype)
        assert exponent is not None
        tangent = as_atom(P["tanh"](self.scaled(exponent, 0.5)))
        self.tangents.add(tangent)
        return self.times(total, other(tangent))

    # --- equations

    def reshaped(self, x: Atom, shape: tuple[int, ...]) -> Atom:
        inner = self.definition(x, "reshape")
        x = inner.inputs[0] if inner else x
        return x if x.type.shape == shape else as_atom(P["reshape"](x, shape=shape))

    def scaled(self, x: Atom, by: float) -> Atom:
        """``by * x``, merged with a number that x is a multiple of."""
        inner = self.definition(x, "mul", "div")
        pair = self.with_number(inner) if inner else None
        if inner and pair and pair[1] and pair[0].type.shape == x.type.shape:
            if inner.primitive.name == "mul":
                x, by = pair[0], by * pair[1]
            elif not pair[2]:
                x, by = pair[0], by / pair[1]
        if abs(by) != 1:
            return as_atom(P["mul"](x, by))
        return x if by == 1 else as_atom(P["neg"](x))

    def key(self, kind: str, x: Atom) -> Key:
        """This kind of factor of x, where that of ``-x`` is the other kind of x."""
        negated = self.definition(x, "neg")
        return (FLIPPED[kind], negated.inputs[0]) if negated else (kind, x)

    def combined(self, terms: Iterable[tuple[float, Atom]]) -> Atom:
        """The sum of multiples, added and subtracted in turn: large ones cancel first."""
        sides: dict[str, list[tuple[float, Atom]]] = {"add": [], "sub": []}
        for power, atom in terms:
            sides["add" if power > 0 else "sub"].append((abs(power), atom))
        total: Atom | None = None
        for index in range(max(map(len, sides.values()))):
            for name, side in sides.items():
                if index >= len(side):
                    continue
                power, atom = side[index]
                term = atom if power == 1 else self.scaled(atom, power)
                if total is None:
                    total = term if name == "add" else as_atom(P["neg"](term))
                else:
                    total = as_atom(P[name](total, term))
        assert total is not None
        return total

    def log(self, form: Product, dtype: np.dtype[Any]) -> Atom | None:
        """The logarithm of a product; None where it has none, or the product's value is better."""
        if not self.tangents.isdisjoint(form.of(OTHER)):  # 1 - e^x loses its digits near 0
            return None
        terms = [(power, atom) for atom, power in form.of(EXP).items()]
        for (kind, atom), power in form.factors.items():
            if kind in FLIPPED:
                terms.append((-power, self.softplus(atom, kind)))
            elif kind == SUM:
                terms.append((power, as_atom(P["log"](atom))))
        constant = form.constant
        others = {key: power for key, power in form.factors.items() if key[0] == OTHER}
        if others:  # of any sign, so together
            number, constant = (constant, 1.0) if constant < 0 else (1.0, constant)
            terms.append((1.0, as_atom(P["log"](self.value(Product(others, number), dtype)))))
        if constant < 0:
            return None
        if constant != 1 or not terms:
            terms.append((1.0, Literal(math.log(constant), dtype)))
        return self.combined(terms)

    def value(self, form: Product, dtype: np.dtype[Any]) -> Atom:
        """The product itself."""
        above: list[Atom] = []
        below: list[Atom] = []
        exponents = [(power, atom) for atom, power in form.of(EXP).items()]
        if exponents:
            exponent = self.combined(exponents)
            if any(power < 0 for power in form.of(OTHER).values()):
                exponent = self.limited(exponent)
            above.append(as_atom(P["exp"](exponent)))
        for (kind, atom), power in form.factors.items():
            if kind == EXP:
                continue
            factor: Atom = self.logistic(atom, kind) if kind in FLIPPED else atom
            if abs(power) != 1:
                factor = as_atom(P["power"](factor, abs(power)))
            (above if power > 0 else below).append(factor)
        if form.constant != 1 or not above:
            above.insert(0, Literal(form.constant, dtype))
        result = above[0]
        for factor in above[1:]:
            result = as_atom(P["mul"](result, factor))
        for factor in below:
            result = as_atom(P["div"](result, factor))
        return result

    def limited(self, exponent: Atom) -> Atom:
        """For terms of weight zero, however large they are: 0 * e^x must not be NaN."""
        if self.is_limited(exponent):
            return exponent
        return as_atom(P["minimum"](exponent, _largest(exponent)))

    def is_limited(self, exponent: Atom) -> bool:
        found = self.definition(exponent, "minimum")
        bound = found and self.number(found.inputs[1])
        return bound is not None and bound == float(_largest(exponent).value)

    def logistic(self, x: Atom, kind: str) -> Atom:
        """``1 / (1 + e^-x)``; ``1 / (1 + e^x)`` for FALL."""
        positive, small = self._parts(x)
        one = Literal(1, x.type.dtype)
        if positive is None:
            top = small if kind == RISE else one
        else:
            top = as_atom(P["where"](positive, *((one, small) if kind == RISE else (small, one))))
        return as_atom(P["div"](top, P["add"](one, small)))

    def softplus(self, x: Atom, kind: str) -> Atom:
        """Minus the logarithm of that."""
        positive, small = self._parts(x)
        rest = as_atom(P["log1p"](small))
        if positive is None:
            return rest if kind == FALL else as_atom(P["sub"](rest, x))
        zero = Literal(0, x.type.dtype)
        pair = (x, zero) if kind == FALL else (zero, P["neg"](x))
        return as_atom(P["add"](P["where"](positive, *pair), rest))

    def _parts(self, x: Atom) -> tuple[Atom | None, Atom]:
        """Where x >= 0 (None: nowhere), and e^-|x|, without the kink of |x| at 0."""
        if self.nonpositive(x):
            return None, as_atom(P["exp"](x))
        positive = as_atom(P["ge"](x, 0))
        return positive, as_atom(P["exp"](P["where"](positive, P["neg"](x), x)))

    # --- what is known of exponents

    def nonpositive(self, x: Atom) -> bool:
        """Whether x is seen to be at most 0."""
        negated = self.definition(x, "neg")
        if negated and self.definition(negated.inputs[0], "abs"):
            return True
        return self.unfolded(x) is not None or self.shifted_over(x) is not None

    def unfolded(self, x: Atom) -> Atom | None:
        """The y of ``where(y >= 0, -y, y)``, in whatever comparison."""
        choice = self.definition(x, "where")
        test = self.definition(choice.inputs[0], "ge", "gt", "le", "lt") if choice else None
        if choice is None or test is None or self.number(test.inputs[1]) != 0:
            return None
        y, branches = test.inputs[0], choice.inputs[1:]
        if test.primitive.name in ("le", "lt"):
            branches = branches[::-1]
        negated = self.definition(branches[0], "neg")
        return y if branches[1] is y and negated and negated.inputs[0] is y else None

    def shifted_over(self, x: Atom) -> tuple[int, ...] | None:
        """The axes along which x is something minus its maximum."""
        difference = self.definition(x, "sub")
        if difference is None:
            return None
        y, shift = difference.inputs
        source = shift
        while found := self.definition(source, "stop_gradient", "reshape", "where"):
            if found.primitive.name != "where":
                source = found.inputs[0]
                continue
            test = self.definition(found.inputs[0], "isfinite")  # where(isfinite(m), m, 0)
            source = found.inputs[1]
            if test is None or test.inputs[0] is not source:
                return None
        maximum = self.definition(source, "reduce_max")
        operand = maximum.inputs[0] if maximum else source
        stopped = self.definition(operand, "stop_gradient")
        if maximum is None or (stopped.inputs[0] if stopped else operand) is not y:
            return None
        axes: tuple[int, ...] = maximum.params["axes"]
        return axes if aligned(shift.type.shape, y.type.shape, axes) else None


def _largest(exponent: Atom) -> Literal:
    dtype = exponent.type.dtype
    return Literal(0.9 * math.log(np.finfo(dtype).max), dtype)


_SUMS = (RISE, FALL, SUM, OTHER)


def other(x: Atom) -> Product:
    """Anything, as a factor."""
    return Product({(OTHER, x): 1.0}, safe=True)


def aligned(part: Sequence[int], whole: Sequence[int], axes: Sequence[int]) -> bool:
    """Whether an array of this shape broadcasts as the reduction of `whole` over `axes` should."""
    padded = (1,) * (len(whole) - len(part)) + tuple(part)
    return padded == tuple(1 if axis in axes else n for axis, n in enumerate(whole))


def as_atom(x: Any) -> Atom:
    atom: Atom = x
    return atom
