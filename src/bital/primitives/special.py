"""SciPy's special functions: one primitive, with the function's name as a parameter.

Values are SciPy's own. Derivatives stand in `special_derivatives`, in terms of other functions.
"""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.errors import DifferentiationError, MissingExtraError
from bital.primitives import elementwise as p
from bital.primitives.elementwise import batch_broadcasting, broadcast_shapes, broadcast_to
from bital.primitives.primitive import NOT_LINEAR, Primitive, Tangent, require, single
from bital.program import ArrayType, Atom


class Term:
    """A value of a formula, with Python's operators."""

    def __init__(self, atom: Atom) -> None:
        self.atom = atom

    def _join(self, primitive: Primitive, other: Any, turned: bool = False) -> Term:
        value = other.atom if isinstance(other, Term) else other
        return Term(primitive(value, self.atom) if turned else primitive(self.atom, value))

    def __add__(self, other: Any) -> Term:
        return self._join(p.add, other)

    def __sub__(self, other: Any) -> Term:
        return self._join(p.sub, other)

    def __mul__(self, other: Any) -> Term:
        return self._join(p.mul, other)

    def __truediv__(self, other: Any) -> Term:
        return self._join(p.div, other)

    def __radd__(self, other: Any) -> Term:
        return self._join(p.add, other, turned=True)

    def __rsub__(self, other: Any) -> Term:
        return self._join(p.sub, other, turned=True)

    def __rmul__(self, other: Any) -> Term:
        return self._join(p.mul, other, turned=True)

    def __rtruediv__(self, other: Any) -> Term:
        return self._join(p.div, other, turned=True)

    def __neg__(self) -> Term:
        return Term(p.neg(self.atom))


# A derivative by one operand, as a function of (out, *operands). None: no closed form of it.
Rule = Callable[..., Term] | None
# By the name: for each result, the derivative by each operand.
DERIVATIVES: dict[str, tuple[tuple[Rule, ...], ...]] = {}


def ufunc_of(name: str) -> np.ufunc:
    """The ufunc of a name; that of the zeta function has no public one."""
    try:
        module: Any = importlib.import_module("scipy.special")
    except ImportError as fault:
        raise MissingExtraError(
            "special functions are SciPy's, which is not installed: pip install scipy"
        ) from fault
    found = module._ufuncs._zeta if name == "zeta" else getattr(module, name)
    assert isinstance(found, np.ufunc)
    return found


@functools.cache
def _loop(name: str, dtypes: tuple[np.dtype[Any], ...]) -> tuple[Any, ...]:
    ufunc = ufunc_of(name)
    return tuple(ufunc.resolve_dtypes((*dtypes, *[None] * ufunc.nout)))


# What derivatives of others are made of; no rule of their own.
_VALUES_ALONE = ("erf", "mathieu_a", "mathieu_b")


def _abstract_eval(*types: ArrayType, name: str, output: int) -> ArrayType:
    known = name in DERIVATIVES or name in _VALUES_ALONE
    require(known, lambda: f"there is no special function {name!r}")
    dtypes = tuple(type.dtype for type in types)
    loop = _loop(name, dtypes)
    require(
        loop[: len(dtypes)] == dtypes,
        lambda: f"{name} has no loop for ({', '.join(map(str, types))}) without conversion",
    )
    return ArrayType(broadcast_shapes(*types), loop[len(dtypes) + output])


def _reference(*operands: Any, name: str, output: int) -> Any:
    result = ufunc_of(name)(*operands)
    return result[output] if isinstance(result, tuple) else result


def _jvp(tangents: list[Tangent], out: Atom, *primals: Atom, name: str, output: int) -> Tangent:
    total: Tangent = None
    rules = DERIVATIVES[name][output]
    values = [Term(x) for x in (out, *primals)]
    for position, (rule, tangent) in enumerate(zip(rules, tangents, strict=True)):
        if tangent is None:
            continue
        if rule is None:
            raise DifferentiationError(
                f"the derivative of scipy.special.{name} with respect to its argument {position} "
                "has no closed form. Stop it with bital.stop_gradient(argument)"
            )
        part = p.mul(tangent, rule(*values).atom)
        total = part if total is None else p.add(total, part)
    return None if total is None else broadcast_to(total, out.type.shape)


special: Primitive = Primitive(
    "special",
    abstract_eval=_abstract_eval,
    reference=_reference,
    jvp=single(_jvp),
    transpose=NOT_LINEAR,
    batch=batch_broadcasting,
)


def _erf_jvp(tangents: list[Tangent], out: Atom, x: Atom) -> Tangent:
    (tangent,) = tangents
    if tangent is None:
        return None
    slope: Atom = p.mul(p.exp(p.neg(p.mul(x, x))), 2 / math.sqrt(math.pi))
    result: Atom = p.mul(tangent, slope)
    return result


# The error function has a formula of its own in compiled code, so it is a primitive of its own.
erf: Primitive = Primitive(
    "erf",
    abstract_eval=lambda x: _abstract_eval(x, name="erf", output=0),
    reference=lambda x: ufunc_of("erf")(x),
    jvp=single(_erf_jvp),
    transpose=NOT_LINEAR,
    batch=batch_broadcasting,
)
