"""Rows of SciPy's distributions, of integrals, and of solutions of differential equations."""

from __future__ import annotations

from tables.row import FLOATS, Operand, Row
from tables.special import _of_orders, _row, special

_UNIT = Operand((4,), 0.15, 0.85)
_POSITIVE = Operand((4,), 0.4, 2.5)
_WHOLE = {"dtypes": ("float32", "float64")}


def _rows() -> list[Row]:
    integrals = "itj0y0 iti0k0 it2j0y0 it2i0k0 itstruve0 it2struve0 itmodstruve0"
    mathieu = "mathieu_modcem1 mathieu_modcem2 mathieu_modsem1 mathieu_modsem2"
    return [
        _row("F", "fdtr fdtrc", _POSITIVE, function=_of_orders("fdtr fdtrc", (3.0, 4.5))),
        _row("F quantile", "fdtri", _UNIT, function=_of_orders("fdtri", (3.0, 4.5))),
        _row(
            "binomial",
            "bdtr bdtrc bdtri nbdtr nbdtrc nbdtri pdtri",
            _UNIT,
            function=lambda x: [
                *_of_orders("bdtr bdtrc bdtri nbdtr nbdtrc nbdtri", (2, 5))(x),
                special.pdtri(2, x),
            ],
            **_WHOLE,
        ),
        _row(
            "noncentral chi-square",
            "chndtr chndtrix chndtrinc",
            _UNIT,
            _POSITIVE,
            function=lambda q, x: [
                special.chndtr(x, 2.5, x + 0.5),
                special.chndtrix(q, 2.5, x),
                special.chndtrinc(x + 5, 2.5, q * 0.7),
            ],
            rtol=64.0,
            dtypes=FLOATS,
        ),
        _row(
            "parameters",
            "gdtria gdtrix nrdtrimn nrdtrisd tklmbda",
            _UNIT,
            _POSITIVE,
            function=lambda q, x: [
                special.gdtria(q, 1.5, x),
                special.gdtrix(x, 1.5, q),
                special.nrdtrimn(q, x, x + 1),
                special.nrdtrisd(x - 3, q * 0.4 + 0.55, x + 1),
                special.tklmbda(x * 0.5, -x),
            ],
            rtol=64.0,
            dtypes=FLOATS,
        ),
        _row("integrals", integrals, _POSITIVE),
        _row("integrals of airy", "itairy", Operand((4,), 0.2, 1.2)),
        _row(
            "orders and degrees",
            "eval_sh_jacobi lpmv ellipkm1",
            _UNIT,
            function=lambda x: [
                *(special.eval_sh_jacobi(n, 2.5, 1.5, x) for n in (0, 1, 3)),
                special.lpmv(1, 2.0, x),
                special.ellipkm1(x),
            ],
            **_WHOLE,
        ),
        _row(
            "wright",
            "wright_bessel log_wright_bessel",
            _POSITIVE,
            function=_of_orders(
                " ".join(n for n in ("wright_bessel", "log_wright_bessel") if hasattr(special, n)),
                (0.5, 1.5),
            ),
            rtol=64.0,
        ),
        _row(
            "parabolic cylinders",
            "pbdv pbvv pbwa",
            _POSITIVE,
            function=_of_orders("pbdv pbvv pbwa", (1.5,)),
            rtol=64.0,
        ),
        _row(
            "mathieu",
            f"mathieu_cem mathieu_sem {mathieu}",
            _POSITIVE,
            function=lambda x: [
                special.mathieu_cem(2, 0.5, 20 * x),
                special.mathieu_sem(2, 0.5, 20 * x),
                *_of_orders(mathieu, (2, 0.5))(x),
            ],
            rtol=64.0,
            **_WHOLE,
        ),
    ]


ROWS = _rows() if special else []
