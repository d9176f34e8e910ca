"""Rows of SciPy's special functions: several of one domain a row."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

from tables.row import DTYPES, FLOATS, Operand, Row, row

special: Any = None
if importlib.util.find_spec("scipy"):
    special = importlib.import_module("scipy.special")


def _each(names: str) -> Callable[..., list[Any]]:
    """All of these functions of the same operands."""
    return lambda *operands: [getattr(special, name)(*operands) for name in names.split()]


def _row(title: str, names: str, *operands: Operand, **options: Any) -> Row:
    options.setdefault("rtol", 4.0)
    options.setdefault("corners", False)  # SciPy's own values; some take seconds far out
    present = " ".join(name for name in names.split() if hasattr(special, name))
    aliases = {"digamma": "psi", "jn": "jv"}
    covers = [f"scipy.special.{aliases.get(name, name)}" for name in present.split()]
    function = options.pop("function", None) or _each(present)
    return row(f"special {title}", function, *operands, covers=covers, **options)


def _of_orders(names: str, first: tuple[float, ...]) -> Callable[..., list[Any]]:
    """All of these functions, of plain first operands that have no derivative of their own."""
    return lambda *rest: [getattr(special, name)(*first, *rest) for name in names.split()]


def _of_degrees(names: str, *between: float) -> Callable[[Any], list[Any]]:
    return lambda x: [
        getattr(special, name)(degree, *between, x) for name in names.split() for degree in (0, 3)
    ]


_ANY = Operand((5,), -2, 2, (0.0,))
_UNIT = Operand((5,), 0.15, 0.85)
_POSITIVE = Operand((5,), 0.4, 2.5)
_SECOND = Operand((3, 1), 0.4, 2.5)
_ERRORS = "erf erfc erfcx erfi dawsn ndtr log_ndtr"
_EXPONENTIALS = "expit log_expit expm1 exp2 exp10 exprel cosm1 sindg cosdg wrightomega"
_CYLINDERS = "i0 i0e i1 i1e j0 j1 ber bei"
_INVERSES = "erfinv erfcinv ndtri logit entr ellipk ellipe tandg cotdg"
_GAMMAS = "gamma gammaln loggamma rgamma psi digamma"
_LOGARITHMS = "log1p cbrt exp1 expi spence"
_KELVIN = "y0 y1 k0 k0e k1 k1e berp beip ker kei kerp keip"
_PAIRS = "xlogy xlog1py rel_entr kl_div powm1 boxcox boxcox1p inv_boxcox inv_boxcox1p"
_BETAS = "beta betaln poch binom owens_t pseudo_huber"
_ORDERS = "jv jve yv yve iv ive kv kve struve modstruve gammainc gammaincc hyp0f1"
_FAMILIES = "chdtr chdtrc stdtr pdtr pdtrc"
_QUANTILES = "gammaincinv gammainccinv chdtri stdtrit"
_POLYNOMIALS = (
    "eval_legendre eval_sh_legendre eval_chebyt eval_sh_chebyt eval_chebyu eval_sh_chebyu "
    "eval_chebyc eval_chebys eval_hermite eval_hermitenorm eval_laguerre"
)


def _rows() -> list[Row]:
    return [
        _row("errors", _ERRORS, _ANY, corners=True, shapes=(((),), ((0,),), ((2, 1),))),
        _row("exponentials", _EXPONENTIALS, _ANY, corners=True),
        _row("cylinders", _CYLINDERS, _ANY),
        _row("inverses", _INVERSES, _UNIT),
        _row("ndtri_exp", "ndtri_exp", Operand((5,), -3, -0.2)),
        _row("gammas", _GAMMAS, _POSITIVE),
        _row("logarithms", _LOGARITHMS, _POSITIVE),
        _row("kelvin", _KELVIN, _POSITIVE),
        _row("pairs", _PAIRS, _POSITIVE, _SECOND, shapes=(((), ()), ((0,), (2, 1)))),
        _row("betas", _BETAS, _POSITIVE, _SECOND),
        _row("huber", "huber", _POSITIVE, _SECOND, kink=lambda delta, r: abs(r) - delta),
        _row("orders", _ORDERS, _POSITIVE, function=_of_orders(_ORDERS, (1.5,))),
        _row("families", _FAMILIES, _POSITIVE, function=_of_orders(_FAMILIES, (3.0,))),
        _row("quantiles", _QUANTILES, _UNIT, function=_of_orders(_QUANTILES, (2.5,))),
        _row(
            "whole orders",
            "kn yn expn",
            Operand((4,), 0, 3, dtype="int32"),
            Operand((4,), 0.4, 2.5),
            dtypes=FLOATS,
        ),
        _row(
            "incomplete betas",
            "betainc betaincc betaincinv betainccinv",
            _UNIT,
            function=_of_orders("betainc betaincc betaincinv betainccinv", (1.5, 2.5)),
        ),
        _row(
            "gamma distribution",
            "gdtr gdtrc",
            _POSITIVE,
            _SECOND,
            function=lambda a, x: [special.gdtr(a, 1.5, x), special.gdtrc(a, 1.5, x)],
        ),
        _row(
            "hypergeometric",
            "hyp1f1 hyp2f1 hyperu ellipkinc ellipeinc zeta",
            _UNIT,
            function=lambda x: [
                special.hyp1f1(0.5, 1.5, x),
                special.hyp2f1(0.5, 1.5, 2.0, x),
                special.hyperu(0.5, 1.5, x),
                special.ellipkinc(x, 0.3),
                special.ellipeinc(x, 0.3),
                special.zeta(2.5, x),
            ],
            rtol=40.0,
        ),
        _row(
            "polynomials",
            _POLYNOMIALS + " eval_gegenbauer eval_jacobi eval_genlaguerre",
            _UNIT,
            function=lambda x: [
                *_of_degrees(_POLYNOMIALS)(x),
                *_of_degrees("eval_gegenbauer eval_genlaguerre", 1.5)(x),
                *_of_degrees("eval_jacobi", 0.5, 1.5)(x),
            ],
            dtypes=FLOATS,
        ),
        _row("several", "airy fresnel sici shichi", _POSITIVE),
        _row("ellipj", "ellipj", _POSITIVE, function=lambda u: special.ellipj(u, 0.4)),
        _row("flat", "round gammasgn", Operand((4,), 0.6, 1.4)),
        _row("radian", "radian", Operand((3,)), Operand((3,)), Operand(()), dtypes=DTYPES),
    ]


ROWS = _rows() if special else []
