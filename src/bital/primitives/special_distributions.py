"""Derivatives of SciPy's distributions, of integrals, and of solutions of differential equations.

Notation and most formulas: the NIST Digital Library of Mathematical Functions
(https://dlmf.nist.gov); the noncentral chi-square distribution: Johnson, Kotz and Balakrishnan,
Continuous univariate distributions 2, chapter 29.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from bital.primitives import elementwise as p
from bital.primitives.primitive import Primitive
from bital.primitives.special import DERIVATIVES, Rule, Term, special
from bital.primitives.special_derivatives import (
    _DEGREE,
    _beta_density,
    _call,
    _chi2_density,
    _exp,
    _function,
    _gamma_density,
    _log,
    _minus,
    _normal_density,
    _over,
    _poisson,
    _polynomial,
    _quotient,
    _where,
)

_floor = _function(p.floor)


def _result(name: str, output: int) -> Callable[..., Term]:
    """One of the several results of a function."""
    return lambda *xs: Term(special(*(x.atom for x in xs), name=name, output=output))


def _real(x: Term, like: Term) -> Term:
    """A whole number in the dtype of another operand."""
    return (
        Term(p.convert(x.atom, dtype=like.atom.type.dtype)) if x.atom.type != like.atom.type else x
    )


# --- densities ------------------------------------------------------------------------------


def _f_density(dfn: Term, dfd: Term, x: Term) -> Term:
    total = dfn * x + dfd
    return _beta_density(dfn / 2, dfd / 2, dfn * x / total) * dfn * dfd / (total * total)


def _binomial_density(k: Term, n: Term, x: Term) -> Term:
    """Of the chance of more than k successes among n, by the chance of one."""
    whole = _floor(_real(k, x))
    return _beta_density(whole + 1, _real(n, x) - whole, x)


def _negative_binomial_density(k: Term, n: Term, x: Term) -> Term:
    """Of the chance of at most k failures before n successes, by the chance of one."""
    return _beta_density(_real(n, x), _real(k, x) + 1, x)


def _noncentral_density(df: Term, nc: Term, x: Term) -> Term:
    return _exp(nc / -2) * _chi2_density(df, x) * _call("hyp0f1", df / 2, nc * x / 4)


def _by_noncentrality(x: Term, df: Term, nc: Term, out: Term) -> Term:
    """Of the noncentral chi-square distribution."""
    return (_call("chndtr", x, df + 2, nc) - out) / 2


def _tukey_density(x: Term, power: Term, out: Term) -> Term:
    return 1 / (_exp((power - 1) * _log(out)) + _exp((power - 1) * _log(1 - out)))


def _tukey_by_power(out: Term, x: Term, power: Term) -> Term:
    """Of the quantile by the power, with the sign turned, times the density."""
    a, b = _log(out), _log(1 - out)
    slope = (_exp(power * a) * a - _exp(power * b) * b - x) / power
    return -slope * _tukey_density(x, power, out)


def _normal_quantile(chance: Term) -> Term:
    return _call("ndtri", chance)


_DISTRIBUTIONS: dict[str, tuple[Rule, ...]] = {
    "fdtr": (None, None, lambda out, dfn, dfd, x: _f_density(dfn, dfd, x)),
    "fdtrc": (None, None, lambda out, dfn, dfd, x: -_f_density(dfn, dfd, x)),
    "fdtri": (None, None, _over(_f_density)),
    "bdtr": (None, None, lambda out, k, n, x: -_binomial_density(k, n, x)),
    "bdtrc": (None, None, lambda out, k, n, x: _binomial_density(k, n, x)),
    "bdtri": (None, None, _minus(_over(_binomial_density))),
    "nbdtr": (None, None, lambda out, k, n, x: _negative_binomial_density(k, n, x)),
    "nbdtrc": (None, None, lambda out, k, n, x: -_negative_binomial_density(k, n, x)),
    "nbdtri": (None, None, _over(_negative_binomial_density)),
    "pdtri": (None, lambda out, k, y: -1 / _poisson(_real(k, y), out)),
    "chndtr": (
        lambda out, x, df, nc: _noncentral_density(df, nc, x),
        None,
        lambda out, x, df, nc: _by_noncentrality(x, df, nc, out),
    ),
    "chndtrix": (
        lambda out, chance, df, nc: 1 / _noncentral_density(df, nc, out),
        None,
        lambda out, chance, df, nc: (
            -_by_noncentrality(out, df, nc, chance) / _noncentral_density(df, nc, out)
        ),
    ),
    "chndtrinc": (
        lambda out, x, df, chance: (
            -_noncentral_density(df, out, x) / _by_noncentrality(x, df, out, chance)
        ),
        None,
        lambda out, x, df, chance: 1 / _by_noncentrality(x, df, out, chance),
    ),
    "gdtria": (
        lambda out, chance, b, x: 1 / (x * _gamma_density(b, out * x)),
        None,
        lambda out, chance, b, x: -out / x,
    ),
    "gdtrix": (
        lambda out, a, b, chance: -out / a,
        None,
        lambda out, a, b, chance: 1 / (a * _gamma_density(b, a * out)),
    ),
    "nrdtrimn": (
        lambda out, chance, std, x: -std / _normal_density(_normal_quantile(chance)),
        lambda out, chance, std, x: -_normal_quantile(chance),
        lambda out, chance, std, x: Term(p.full_like(x.atom, 1)),
    ),
    "nrdtrisd": (
        lambda out, mean, chance, x: -1 / _normal_quantile(chance),
        lambda out, mean, chance, x: (
            -out / (_normal_quantile(chance) * _normal_density(_normal_quantile(chance)))
        ),
        lambda out, mean, chance, x: 1 / _normal_quantile(chance),
    ),
    "tklmbda": (lambda out, x, power: _tukey_density(x, power, out), _tukey_by_power),
}

# --- integrals, and functions of one variable -----------------------------------------------


def _complete_elliptic_slope(out: Term, m1: Term) -> Term:
    """Of K by the complementary parameter: one form near 0, the other near 1."""
    near = _where(p.lt, m1, 0.5, m1, Term(p.full_like(m1.atom, 0.25)))
    small = (near * out - _call("ellipe", 1 - near)) / (2 * near * (1 - near))
    far = _where(p.lt, m1, 0.5, Term(p.full_like(m1.atom, 0.75)), m1)
    return _where(p.lt, m1, 0.5, small, -math.pi / 8 * _call("hyp2f1", 1.5, 1.5, 2, 1 - far))


_ONE_RESULT: dict[str, tuple[Rule, ...]] = {
    "itstruve0": (lambda out, x: _call("struve", 0, x),),
    "it2struve0": (lambda out, x: -_call("struve", 0, x) / x,),
    "itmodstruve0": (lambda out, x: _call("modstruve", 0, x),),
    "ellipkm1": (_complete_elliptic_slope,),
    "wright_bessel": (None, None, lambda out, a, b, x: _call("wright_bessel", a, a + b, x)),
    "log_wright_bessel": (
        None,
        None,
        lambda out, a, b, x: _exp(_call("log_wright_bessel", a, a + b, x) - out),
    ),
    "eval_sh_jacobi": (
        None,
        None,
        None,
        _polynomial(
            lambda n, a, b, x: n, lambda n, a, b, x: _call("eval_sh_jacobi", n, a + 2, b + 1, x)
        ),
    ),
    "lpmv": (
        None,
        None,
        lambda out, m, v, x: (v * x * out - (v + m) * _call("lpmv", m, v - 1, x)) / (x * x - 1),
    ),
}
_DIFFERENCE: dict[str, Callable[[Term], Term]] = {
    "j0": lambda x: 1 - _call("j0", x),
    "i0": lambda x: _call("i0", x) - 1,
}
_SEVERAL_RESULTS: dict[str, tuple[tuple[Rule, ...], ...]] = {
    "itj0y0": ((lambda out, x: _call("j0", x),), (lambda out, x: _call("y0", x),)),
    "iti0k0": ((lambda out, x: _call("i0", x),), (lambda out, x: _call("k0", x),)),
    "it2j0y0": ((_quotient(_DIFFERENCE["j0"], 0),), (lambda out, x: -_call("y0", x) / x,)),
    "it2i0k0": ((_quotient(_DIFFERENCE["i0"], 0),), (lambda out, x: -_call("k0", x) / x,)),
    "itairy": (
        (lambda out, x: _result("airy", 0)(x),),
        (lambda out, x: _result("airy", 2)(x),),
        (lambda out, x: _result("airy", 0)(-x),),
        (lambda out, x: _result("airy", 2)(-x),),
    ),
}

# --- solutions of y'' = factor y, with y' as the second result ------------------------------


def _solution(
    name: str, parameters: int, factor: Callable[..., Term], unit: float = 1.0
) -> tuple[tuple[Rule, ...], ...]:
    """Derivatives by the variable, of which `unit` is one of the equation's units."""
    unknown: tuple[Rule, ...] = (None,) * parameters

    def slope(out: Term, *operands: Term) -> Term:
        return unit * _result(name, 1)(*operands)

    def bend(out: Term, *operands: Term) -> Term:
        return unit * factor(*operands) * _result(name, 0)(*operands)

    return (*unknown, slope), (*unknown, bend)


def _mathieu(value: str, wave: Primitive, sign: float, unit: float) -> Callable[..., Term]:
    def factor(m: Term, q: Term, x: Term) -> Term:
        turning = Term(wave((2 * unit * x).atom))
        return sign * (_call(value, m, q) - 2 * q * turning)

    return factor


_SEVERAL_RESULTS |= {
    "pbdv": _solution("pbdv", 1, lambda v, x: x * x / 4 - v - 0.5),
    "pbvv": _solution("pbvv", 1, lambda v, x: x * x / 4 - v - 0.5),
    "pbwa": _solution("pbwa", 1, lambda a, x: a - x * x / 4),
    "mathieu_cem": _solution("mathieu_cem", 2, _mathieu("mathieu_a", p.cos, -1, _DEGREE), _DEGREE),
    "mathieu_sem": _solution("mathieu_sem", 2, _mathieu("mathieu_b", p.cos, -1, _DEGREE), _DEGREE),
}
for _kind, _value in (("c", "mathieu_a"), ("s", "mathieu_b")):
    for _number in ("1", "2"):
        _name = f"mathieu_mod{_kind}em{_number}"
        _SEVERAL_RESULTS[_name] = _solution(_name, 2, _mathieu(_value, p.cosh, 1, 1.0))

DERIVATIVES.update({name: (rules,) for name, rules in (_DISTRIBUTIONS | _ONE_RESULT).items()})
DERIVATIVES.update(_SEVERAL_RESULTS)
