"""Derivatives of SciPy's special functions, in terms of one another.

Most are those of the NIST Digital Library of Mathematical Functions (https://dlmf.nist.gov). Where
one form of several holds at a removable singularity, or does not cancel beside it, it stands here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from bital.primitives import elementwise as p
from bital.primitives.primitive import Primitive
from bital.primitives.special import DERIVATIVES, Rule, Term, erf, special
from bital.program import Literal


def _function(primitive: Primitive) -> Callable[[Term], Term]:
    return lambda x: Term(primitive(x.atom))


_exp, _log, _log1p, _sqrt = map(_function, (p.exp, p.log, p.log1p, p.sqrt))
_sin, _cos, _sinh, _cosh = map(_function, (p.sin, p.cos, p.sinh, p.cosh))
_abs, _sign, _erf = map(_function, (p.abs, p.sign, erf))


def _literal(value: float, like: Term) -> Term:
    return Term(Literal(value, like.atom.type.dtype))


def _call(name: str, *operands: Any) -> Term:
    """A special function of terms and numbers, all in the dtype of the last operand."""
    like = operands[-1]
    dtype = like.atom.type.dtype
    atoms = []
    for each in operands:
        atom = each.atom if isinstance(each, Term) else Literal(each, dtype)
        atoms.append(atom if atom.type.dtype == dtype else p.convert(atom, dtype=dtype))
    return Term(special(*atoms, name=name, output=0))


def _where(condition: Primitive, x: Term, bound: Any, yes: Any, no: Term) -> Term:
    """``yes`` where ``condition(x, bound)``, else ``no``."""
    limit = bound.atom if isinstance(bound, Term) else bound
    chosen = yes if isinstance(yes, Term) else _literal(yes, no)
    return Term(p.select(condition(x.atom, limit), chosen.atom, no.atom))


_ROOT_PI, _ROOT_2PI = math.sqrt(math.pi), math.sqrt(2 * math.pi)
_DEGREE = math.pi / 180


def _flat(out: Term, *operands: Term) -> Term:
    return Term(p.full_like(out.atom, 0))


def _named(name: str, *first: float) -> Callable[..., Term]:
    """The derivative is another special function of the last operand."""
    return lambda out, *operands: _call(name, *first, operands[-1])


def _quotient(above: Callable[[Term], Term], limit: float) -> Rule:
    """``above(x) / x``, and its limit at 0."""

    def rule(out: Term, x: Term) -> Term:
        safe = _where(p.eq, x, 0, 1, x)
        return _where(p.eq, x, 0, limit, above(safe) / safe)

    return rule


def _minus(rule: Callable[..., Term]) -> Callable[..., Term]:
    return lambda *values: -rule(*values)


def _over(density: Callable[..., Term]) -> Callable[..., Term]:
    """Of an inverse of a distribution in its last operand: one over the density at the result."""
    return lambda out, *operands: 1 / density(*operands[:-1], out)


def _normal_density(x: Term) -> Term:
    return _exp(x * x / -2) / _ROOT_2PI


def _gamma_density(a: Term, x: Term) -> Term:
    return _exp(_call("xlogy", a - 1, x) - x - _call("gammaln", a))


def _beta_density(a: Term, b: Term, x: Term) -> Term:
    return _exp(_call("xlogy", a - 1, x) + _call("xlog1py", b - 1, -x) - _call("betaln", a, b))


def _student_density(df: Term, t: Term) -> Term:
    scale = _call("betaln", 0.5, df / 2)
    return _exp((df + 1) / -2 * _log1p(t * t / df) - scale) / _sqrt(df)


def _chi2_density(df: Term, x: Term) -> Term:
    return _gamma_density(df / 2, x / 2) / 2


def _poisson(k: Term, m: Term) -> Term:
    return _exp(_call("xlogy", k, m) - m - _call("gammaln", k + 1))


def _bessel(name: str, below: float, above: float, scale: float = 0) -> Rule:
    """``below f(v-1, x) + above f(v+1, x)``, and ``scale f(v, x)`` where exp(-scale x) is in f."""

    def rule(out: Term, v: Term, x: Term) -> Term:
        slope = below * _call(name, v - 1, x) + above * _call(name, v + 1, x)
        return slope + scale * out if scale else slope

    return rule


def _struve(name: str, sign: float) -> Rule:
    def rule(out: Term, v: Term, x: Term) -> Term:
        power = _exp(_call("xlogy", v, x / 2) - _call("gammaln", v + 1.5)) / _ROOT_PI
        return (_call(name, v - 1, x) + sign * _call(name, v + 1, x) + power) / 2

    return rule


def _hermite(name: str, factor: int) -> Rule:
    """``factor n H_(n-1)(x)``: of whole degrees only."""

    def rule(out: Term, n: Term, x: Term) -> Term:
        lower = _where(p.gt, n, 0, n - 1, Term(p.full_like(n.atom, 0)))
        degree = Term(p.convert(n.atom, dtype=x.atom.type.dtype))
        return factor * degree * Term(special(lower.atom, x.atom, name=name, output=0))

    return rule


def _exponential_integral(out: Term, n: Term, x: Term) -> Term:
    """``-E_(n-1)(x)``, where E_0(x) = exp(-x) / x."""
    degree = (
        n if n.atom.type.dtype.kind == "f" else Term(p.convert(n.atom, dtype=x.atom.type.dtype))
    )
    lower = -_call("expn", _where(p.eq, degree, 0, 1, degree) - 1, x)
    return _where(p.eq, degree, 0, -_exp(-x) * (1 + x) / (x * x), lower)


def _polynomial(factor: Callable[..., Any], lower: Callable[..., Term]) -> Rule:
    """``factor(n, ...) * lower(n - 1, ...)``, and 0 for the degree 0."""

    def rule(out: Term, n: Term, *rest: Term) -> Term:
        degree = Term(p.convert(n.atom, dtype=out.atom.type.dtype))
        safe = _where(p.eq, degree, 0, 1, degree)
        slope = factor(safe, *rest) * lower(safe - 1, *rest)
        return _where(p.eq, degree, 0, 0, slope)

    return rule


def _boxcox_slope(log_x: Term, power: Term) -> Term:
    """Of (exp(power log_x) - 1) / power by the power."""
    return log_x * log_x * _call("hyp1f1", 2, 3, power * log_x) / 2


def _inv_boxcox_slope(value: Term, y: Term, power: Term) -> Term:
    """Of (1 + power y)^(1 / power) by the power."""
    return value * y * y * _call("hyp2f1", 2, 2, 3, -(power * y)) / -2


def _huber_by_delta(out: Term, delta: Term, r: Term) -> Term:
    return _where(p.le, _abs(r), delta, 0, _abs(r) - delta)


def _pseudo_huber_root(delta: Term, r: Term) -> Term:
    ratio = r / delta
    return _sqrt(1 + ratio * ratio)


def _pseudo_huber_by_delta(out: Term, delta: Term, r: Term) -> Term:
    root = _pseudo_huber_root(delta, r)
    return delta * (root - 1) * (root - 1) / root


def _owens_by_a(out: Term, h: Term, a: Term) -> Term:
    return _exp(h * h * (1 + a * a) / -2) / (2 * math.pi * (1 + a * a))


# By the name: a rule for each operand.
_ONE_RESULT: dict[str, tuple[Rule, ...]] = {
    # error functions and the normal distribution
    "erfc": (lambda out, x: -2 / _ROOT_PI * _exp(-(x * x)),),
    "erfcx": (lambda out, x: 2 * x * out - 2 / _ROOT_PI,),
    "erfi": (lambda out, x: 2 / _ROOT_PI * _exp(x * x),),
    "erfinv": (lambda out, x: _ROOT_PI / 2 * _exp(out * out),),
    "erfcinv": (lambda out, x: -_ROOT_PI / 2 * _exp(out * out),),
    "dawsn": (lambda out, x: 1 - 2 * x * out,),
    "ndtr": (lambda out, x: _normal_density(x),),
    "ndtri": (lambda out, x: 1 / _normal_density(out),),
    "log_ndtr": (lambda out, x: math.sqrt(2 / math.pi) / _call("erfcx", x * -math.sqrt(0.5)),),
    "ndtri_exp": (lambda out, x: math.sqrt(math.pi / 2) * _call("erfcx", out * -math.sqrt(0.5)),),
    "owens_t": (
        lambda out, h, a: _exp(h * h / -2) * _erf(a * h * math.sqrt(0.5)) / (-2 * _ROOT_2PI),
        _owens_by_a,
    ),
    # logarithms, exponentials and powers
    "exp10": (lambda out, x: math.log(10) * out,),
    "exprel": (lambda out, x: _call("hyp1f1", 2, 3, x) / 2,),
    "powm1": (
        lambda out, x, y: y * _exp(_call("xlogy", y - 1, x)),
        lambda out, x, y: (out + 1) * _log(x),
    ),
    "xlogy": (lambda out, x, y: _log(y), lambda out, x, y: x / y),
    "xlog1py": (lambda out, x, y: _log1p(y), lambda out, x, y: x / (1 + y)),
    "entr": (lambda out, x: -1 - _log(x),),
    "rel_entr": (lambda out, x, y: _log(x / y) + 1, lambda out, x, y: -(x / y)),
    "kl_div": (lambda out, x, y: _log(x / y), lambda out, x, y: 1 - x / y),
    "boxcox": (
        lambda out, x, power: _exp((power - 1) * _log(x)),
        lambda out, x, power: _boxcox_slope(_log(x), power),
    ),
    "boxcox1p": (
        lambda out, x, power: _exp((power - 1) * _log1p(x)),
        lambda out, x, power: _boxcox_slope(_log1p(x), power),
    ),
    "inv_boxcox": (
        lambda out, y, power: out / (1 + power * y),
        lambda out, y, power: _inv_boxcox_slope(out, y, power),
    ),
    "inv_boxcox1p": (
        lambda out, y, power: (out + 1) / (1 + power * y),
        lambda out, y, power: _inv_boxcox_slope(out + 1, y, power),
    ),
    "wrightomega": (lambda out, x: out / (1 + out),),
    "huber": (
        _huber_by_delta,
        lambda out, delta, r: _where(p.le, _abs(r), delta, r, delta * _sign(r)),
    ),
    "pseudo_huber": (
        _pseudo_huber_by_delta,
        lambda out, delta, r: r / _pseudo_huber_root(delta, r),
    ),
    # trigonometry in degrees, and near 1
    "cosm1": (lambda out, x: -_sin(x),),
    "sindg": (lambda out, x: _DEGREE * _call("cosdg", x),),
    "cosdg": (lambda out, x: -_DEGREE * _call("sindg", x),),
    "tandg": (lambda out, x: _DEGREE * (1 + out * out),),
    "cotdg": (lambda out, x: -_DEGREE * (1 + out * out),),
    "radian": (
        lambda out, d, m, s: _literal(_DEGREE, d),
        lambda out, d, m, s: _literal(_DEGREE / 60, d),
        lambda out, d, m, s: _literal(_DEGREE / 3600, d),
    ),
    "round": (_flat,),
    # gamma and beta
    "gamma": (lambda out, x: out * _call("psi", x),),
    "gammaln": (_named("psi"),),
    "loggamma": (_named("psi"),),
    "rgamma": (lambda out, x: -out * _call("psi", x),),
    "gammasgn": (_flat,),
    "psi": (_named("zeta", 2),),
    "zeta": (None, lambda out, s, q: -s * _call("zeta", s + 1, q)),
    "poch": (
        lambda out, x, m: out * (_call("psi", x + m) - _call("psi", x)),
        lambda out, x, m: out * _call("psi", x + m),
    ),
    "beta": (
        lambda out, a, b: out * (_call("psi", a) - _call("psi", a + b)),
        lambda out, a, b: out * (_call("psi", b) - _call("psi", a + b)),
    ),
    "betaln": (
        lambda out, a, b: _call("psi", a) - _call("psi", a + b),
        lambda out, a, b: _call("psi", b) - _call("psi", a + b),
    ),
    "binom": (
        lambda out, n, k: out * (_call("psi", n + 1) - _call("psi", n - k + 1)),
        lambda out, n, k: out * (_call("psi", n - k + 1) - _call("psi", k + 1)),
    ),
    "gammainc": (None, lambda out, a, x: _gamma_density(a, x)),
    "gammaincc": (None, lambda out, a, x: -_gamma_density(a, x)),
    "gammaincinv": (None, _over(_gamma_density)),
    "gammainccinv": (None, _minus(_over(_gamma_density))),
    "betainc": (None, None, lambda out, a, b, x: _beta_density(a, b, x)),
    "betaincc": (None, None, lambda out, a, b, x: -_beta_density(a, b, x)),
    "betaincinv": (None, None, _over(_beta_density)),
    "betainccinv": (None, None, _minus(_over(_beta_density))),
    # distributions
    "chdtr": (None, lambda out, df, x: _chi2_density(df, x)),
    "chdtrc": (None, lambda out, df, x: -_chi2_density(df, x)),
    "chdtri": (None, _minus(_over(_chi2_density))),
    "gdtr": (
        lambda out, a, b, x: x * _gamma_density(b, a * x),
        None,
        lambda out, a, b, x: a * _gamma_density(b, a * x),
    ),
    "gdtrc": (
        lambda out, a, b, x: -x * _gamma_density(b, a * x),
        None,
        lambda out, a, b, x: -a * _gamma_density(b, a * x),
    ),
    "pdtr": (None, lambda out, k, m: -_poisson(k, m)),
    "pdtrc": (None, lambda out, k, m: _poisson(k, m)),
    "stdtr": (None, lambda out, df, t: _student_density(df, t)),
    "stdtrit": (None, _over(_student_density)),
    # integrals
    "exp1": (lambda out, x: -_exp(-x) / x,),
    "expi": (lambda out, x: _exp(x) / x,),
    "expn": (None, _exponential_integral),
    "spence": (lambda out, x: _where(p.eq, x, 1, -1, _log(x) / _where(p.eq, x, 1, 1, 1 - x)),),
    "ellipk": (lambda out, m: math.pi / 8 * _call("hyp2f1", 1.5, 1.5, 2, m),),
    "ellipe": (lambda out, m: -math.pi / 8 * _call("hyp2f1", 0.5, 1.5, 2, m),),
    "ellipkinc": (lambda out, phi, m: 1 / _sqrt(1 - m * _sin(phi) * _sin(phi)), None),
    "ellipeinc": (lambda out, phi, m: _sqrt(1 - m * _sin(phi) * _sin(phi)), None),
    # Bessel functions and their kin
    "j0": (_minus(_named("j1")),),
    "j1": (lambda out, x: (_call("j0", x) - _call("jv", 2, x)) / 2,),
    "y0": (_minus(_named("y1")),),
    "y1": (lambda out, x: (_call("y0", x) - _call("yv", 2, x)) / 2,),
    "i0": (_named("i1"),),
    "i0e": (lambda out, x: _call("i1e", x) - _sign(x) * out,),
    "i1": (lambda out, x: (_call("i0", x) + _call("iv", 2, x)) / 2,),
    "i1e": (lambda out, x: (_call("i0e", x) + _call("ive", 2, x)) / 2 - _sign(x) * out,),
    "k0": (_minus(_named("k1")),),
    "k0e": (lambda out, x: out - _call("k1e", x),),
    "k1": (lambda out, x: (_call("k0", x) + _call("kv", 2, x)) / -2,),
    "k1e": (lambda out, x: out - (_call("k0e", x) + _call("kve", 2, x)) / 2,),
    "jv": (None, _bessel("jv", 0.5, -0.5)),
    "jve": (None, _bessel("jve", 0.5, -0.5)),
    "yv": (None, _bessel("yv", 0.5, -0.5)),
    "yve": (None, _bessel("yve", 0.5, -0.5)),
    "yn": (None, _bessel("yv", 0.5, -0.5)),
    "iv": (None, _bessel("iv", 0.5, 0.5)),
    "ive": (
        None,
        lambda out, v, x: (_call("ive", v - 1, x) + _call("ive", v + 1, x)) / 2 - _sign(x) * out,
    ),
    "kv": (None, _bessel("kv", -0.5, -0.5)),
    "kve": (None, _bessel("kve", -0.5, -0.5, 1.0)),
    "kn": (None, _bessel("kv", -0.5, -0.5)),
    "struve": (None, _struve("struve", -1)),
    "modstruve": (None, _struve("modstruve", 1)),
    "ber": (_named("berp"),),
    "bei": (_named("beip"),),
    "ker": (_named("kerp"),),
    "kei": (_named("keip"),),
    "berp": (lambda out, x: -_call("bei", x) - out / x,),
    "beip": (lambda out, x: _call("ber", x) - out / x,),
    "kerp": (lambda out, x: -_call("kei", x) - out / x,),
    "keip": (lambda out, x: _call("ker", x) - out / x,),
    # hypergeometric functions
    "hyp0f1": (None, lambda out, v, x: _call("hyp0f1", v + 1, x) / v),
    "hyp1f1": (None, None, lambda out, a, b, x: a / b * _call("hyp1f1", a + 1, b + 1, x)),
    "hyp2f1": (
        None,
        None,
        None,
        lambda out, a, b, c, x: a * b / c * _call("hyp2f1", a + 1, b + 1, c + 1, x),
    ),
    "hyperu": (None, None, lambda out, a, b, x: -a * _call("hyperu", a + 1, b + 1, x)),
    # orthogonal polynomials
    "eval_legendre": (
        None,
        _polynomial(lambda n, x: (n + 1) / 2, lambda n, x: _call("eval_jacobi", n, 1, 1, x)),
    ),
    "eval_sh_legendre": (
        None,
        _polynomial(lambda n, x: n + 1, lambda n, x: _call("eval_jacobi", n, 1, 1, 2 * x - 1)),
    ),
    "eval_chebyt": (None, _polynomial(lambda n, x: n, lambda n, x: _call("eval_chebyu", n, x))),
    "eval_sh_chebyt": (
        None,
        _polynomial(lambda n, x: 2 * n, lambda n, x: _call("eval_chebyu", n, 2 * x - 1)),
    ),
    "eval_chebyu": (
        None,
        _polynomial(lambda n, x: n * 0 + 2, lambda n, x: _call("eval_gegenbauer", n, 2, x)),
    ),
    "eval_sh_chebyu": (
        None,
        _polynomial(lambda n, x: n * 0 + 4, lambda n, x: _call("eval_gegenbauer", n, 2, 2 * x - 1)),
    ),
    "eval_chebyc": (
        None,
        _polynomial(lambda n, x: n, lambda n, x: _call("eval_chebyu", n, x / 2)),
    ),
    "eval_chebys": (
        None,
        _polynomial(lambda n, x: n * 0 + 1, lambda n, x: _call("eval_gegenbauer", n, 2, x / 2)),
    ),
    "eval_gegenbauer": (
        None,
        None,
        _polynomial(lambda n, a, x: 2 * a, lambda n, a, x: _call("eval_gegenbauer", n, a + 1, x)),
    ),
    "eval_jacobi": (
        None,
        None,
        None,
        _polynomial(
            lambda n, a, b, x: (n + a + b + 1) / 2,
            lambda n, a, b, x: _call("eval_jacobi", n, a + 1, b + 1, x),
        ),
    ),
    "eval_hermite": (None, _hermite("eval_hermite", 2)),
    "eval_hermitenorm": (None, _hermite("eval_hermitenorm", 1)),
    "eval_laguerre": (
        None,
        _polynomial(lambda n, x: n * 0 - 1, lambda n, x: _call("eval_genlaguerre", n, 1, x)),
    ),
    "eval_genlaguerre": (
        None,
        None,
        _polynomial(
            lambda n, a, x: n * 0 - 1, lambda n, a, x: _call("eval_genlaguerre", n, a + 1, x)
        ),
    ),
}


def _airy(output: int) -> Callable[[Term], Term]:
    return lambda x: Term(special(x.atom, name="airy", output=output))


def _elliptic(output: int) -> Callable[[Term, Term], Term]:
    return lambda u, m: Term(special(u.atom, m.atom, name="ellipj", output=output))


# By the name: for each result, a rule for each operand.
_SEVERAL_RESULTS: dict[str, tuple[tuple[Rule, ...], ...]] = {
    "airy": (
        (lambda out, x: _airy(1)(x),),
        (lambda out, x: x * _airy(0)(x),),
        (lambda out, x: _airy(3)(x),),
        (lambda out, x: x * _airy(2)(x),),
    ),
    "fresnel": (
        (lambda out, x: _sin(x * x * (math.pi / 2)),),
        (lambda out, x: _cos(x * x * (math.pi / 2)),),
    ),
    "sici": ((_quotient(_sin, 1),), (_quotient(_cos, math.inf),)),
    "shichi": ((_quotient(_sinh, 1),), (_quotient(_cosh, math.inf),)),
    "ellipj": (
        (lambda out, u, m: _elliptic(1)(u, m) * _elliptic(2)(u, m), None),
        (lambda out, u, m: -_elliptic(0)(u, m) * _elliptic(2)(u, m), None),
        (lambda out, u, m: -m * _elliptic(0)(u, m) * _elliptic(1)(u, m), None),
        (lambda out, u, m: _elliptic(2)(u, m), None),
    ),
}
DERIVATIVES.update({name: (rules,) for name, rules in _ONE_RESULT.items()})
DERIVATIVES.update(_SEVERAL_RESULTS)
