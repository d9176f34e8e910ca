"""Compute the coefficients in ``src/bital/executors/loops/``: polynomials of least largest error.

They were made by this script, and it can be made sure that they are what it computes::

    pip install mpmath
    python tools/minimax.py               # prints all tables; takes two minutes
    python tools/minimax.py _EXP _LOG     # some
    python tools/minimax.py --check       # compares them with the modules

A table's polynomial ``p`` is the one whose largest ``weight(x) * abs(target(x) - p(x))`` on an
interval is least, by Remez' exchange (Cheney, *Introduction to Approximation Theory*, 1966) in 50
digits. The weight makes that the relative error of the function that the polynomial serves.
Coefficients are rounded to the float's digits one after the other, lowest power first, and those
that follow make good what rounding took. The quotient for the tangent comes from linearised least
squares with Lawson's weights.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

from mpmath import mp, mpf

mp.dps = 50
Real = Any  # mpf
Function = Callable[[Real], Real]
LN2, PI = mp.log(2), mp.pi


# --- polynomials ----------------------------------------------------------------------------


def rounded(value: Real, bits: int) -> Real:
    mantissa, exponent = mp.frexp(value)
    return mp.ldexp(mp.nint(mp.ldexp(mantissa, bits)), int(exponent) - bits)


def points(low: Real, high: Real, count: int) -> list[Real]:
    """Chebyshev's nodes."""
    angles = [PI * (i + mpf("0.5")) / count for i in range(count)]
    return [(low + high) / 2 - (high - low) / 2 * mp.cos(angle) for angle in angles]


def exchange(errors: list[Real], count: int) -> list[int]:
    """Where the error is extreme with alternating signs: the `count` largest in a row."""
    extremes: list[int] = []
    for i, error in enumerate(errors):
        if extremes and (errors[extremes[-1]] > 0) == (error > 0):
            if abs(error) > abs(errors[extremes[-1]]):
                extremes[-1] = i
        else:
            extremes.append(i)
    while len(extremes) > count:
        if len(extremes) == count + 1:
            extremes.pop(0 if abs(errors[extremes[0]]) < abs(errors[extremes[-1]]) else -1)
        else:  # leave out the neighbours that are least
            sizes = [max(abs(errors[i]), abs(errors[j])) for i, j in itertools.pairwise(extremes)]
            least = sizes.index(min(sizes))
            del extremes[least : least + 2]
    return extremes


def remez(target: Function, low: Real, high: Real, powers: range, weight: Function) -> list[Real]:
    """Coefficients of these powers."""
    n = len(powers)
    nodes = points(low, high, 40 * (n + 1))
    targets, weights = [target(x) for x in nodes], [abs(weight(x)) for x in nodes]
    terms = [[x**power for power in powers] for x in nodes]
    chosen = [40 * i + 20 for i in range(n + 1)]
    best: tuple[Real, list[Real]] | None = None
    for _ in range(12):
        rows = [[w * weights[i] for w in terms[i]] + [(-1) ** k] for k, i in enumerate(chosen)]
        solution = mp.lu_solve(
            mp.matrix(rows), mp.matrix([targets[i] * weights[i] for i in chosen])
        )
        found = [solution[k] for k in range(n)]
        errors = [
            w * (t - sum(c * term for c, term in zip(found, each, strict=True)))
            for w, t, each in zip(weights, targets, terms, strict=True)
        ]
        largest = max(abs(error) for error in errors)
        if best is None or largest < best[0]:
            best = largest, found
        chosen = exchange(errors, n + 1)
        if largest < abs(solution[n]) * mpf("1.0005") or len(chosen) <= n:
            break
    assert best is not None
    return best[1]


def polynomial(
    target: Function, low: Real, high: Real, count: int, weight: Function, bits: int
) -> list[float]:
    done: list[Real] = []
    for k in range(count):

        def rest(x: Real, k: int = k) -> Real:  # over x**k, so that 0 inside does no harm
            return (target(x) - sum(c * x**j for j, c in enumerate(done))) / x**k

        found = remez(rest, low, high, range(count - k), lambda x, k=k: weight(x) * abs(x) ** k)
        done.append(rounded(found[0], bits))
    return [float(c) for c in done]


# --- quotients ------------------------------------------------------------------------------


def quotient(
    target: Function, low: Real, high: Real, above: int, below: int
) -> tuple[list[float], list[float]]:
    """``(1 + x * first(x)) / (1 + x * second(x))``, of least relative error."""
    nodes = points(low, high, 12 * (above + below))
    targets = [target(x) for x in nodes]
    under, lawson = [mpf(1)] * len(nodes), [mpf(1)] * len(nodes)
    best: tuple[Real, list[Real]] | None = None
    for _ in range(40):
        rows, right = [], []
        for x, t, u, weight in zip(nodes, targets, under, lawson, strict=True):
            scale = mp.sqrt(weight) / (t * u)
            row = [x**k for k in range(1, above + 1)] + [-t * x**k for k in range(1, below + 1)]
            rows.append([scale * each for each in row])
            right.append(scale * (t - 1))
        matrix = mp.matrix(rows)
        solution = mp.lu_solve(matrix.T * matrix, matrix.T * mp.matrix(right))
        found = [solution[k] for k in range(above + below)]
        over = [1 + sum(c * x ** (k + 1) for k, c in enumerate(found[:above])) for x in nodes]
        under = [1 + sum(c * x ** (k + 1) for k, c in enumerate(found[above:])) for x in nodes]
        errors = [abs(1 - o / (u * t)) for o, u, t in zip(over, under, targets, strict=True)]
        largest = max(errors)
        if best is None or largest < best[0]:
            best = largest, found
        lawson = [w * (e / largest + mpf("1e-6")) for w, e in zip(lawson, errors, strict=True)]
        mean = sum(lawson) / len(lawson)
        lawson = [weight / mean for weight in lawson]
    assert best is not None
    numbers = [float(c) for c in best[1]]
    return numbers[:above], numbers[above:]


# --- the tables -----------------------------------------------------------------------------


class Table(NamedTuple):
    """What is approximated, where, and by how many coefficients.

    `counts` and, where they differ, `high` are by the bytes of a float; by 0 where one table of
    coefficients with `bits` digits serves both.
    """

    module: str
    target: Function
    low: Real
    high: Real | dict[int, Real]
    weight: Function
    counts: dict[int, int]
    bits: int = 0


def by_series(near: Callable[[int], Real], far: Function) -> Function:
    """`far`, and where it cancels its power series with the coefficients ``near(k)``."""
    return lambda x: sum(near(k) * x**k for k in range(9)) if abs(x) < mpf("1e-6") else far(x)


def of_root(function: Function) -> Function:
    """An odd function over its argument, in the square of the argument."""
    return lambda z: function(mp.sqrt(z)) / mp.sqrt(z) if z else mpf(1)


def factorial(k: int) -> Real:
    return mp.factorial(k)


def sign(k: int) -> int:
    return (-1) ** k


_HALF = LN2 / 2 * mpf("1.0001")
_Z_HALF = (LN2 / 2) ** 2 * mpf("1.001")
_Z_LOG = (3 - 2 * mp.sqrt(2)) ** 2 * mpf("1.0002")
_Z_SIN = (PI / 4) ** 2 * mpf("1.0005")
_C = mpf("0.9")

_sinh = by_series(lambda k: 1 / factorial(2 * k + 3), lambda z: (of_root(mp.sinh)(z) - 1) / z)
_cosh = by_series(lambda k: 1 / factorial(2 * k + 2), lambda z: (mp.cosh(mp.sqrt(z)) - 1) / z)
_sin = by_series(
    lambda k: sign(k + 1) / factorial(2 * k + 3), lambda z: (of_root(mp.sin)(z) - 1) / z
)
_cos = by_series(
    lambda k: sign(k + 1) / factorial(2 * k + 2), lambda z: (mp.cos(mp.sqrt(z)) - 1) / z
)
_exp = by_series(lambda k: 1 / factorial(k + 2), lambda r: (mp.expm1(r) - r) / r**2)
_exp2 = by_series(lambda k: LN2 ** (k + 1) / factorial(k + 1), lambda r: mp.expm1(r * LN2) / r)
_log = by_series(lambda k: mpf(2) / (2 * k + 3), lambda z: 2 * (of_root(mp.atanh)(z) - 1) / z)
_log_long = by_series(
    lambda k: mpf(1) / (2 * k + 5), lambda z: (of_root(mp.atanh)(z) - 1 - z / 3) / z**2
)
_arctan = by_series(
    lambda k: mpf(sign(k + 1)) / (2 * k + 3), lambda z: (of_root(mp.atan)(z) - 1) / z
)
_arcsin = by_series(
    lambda k: mp.binomial(2 * k + 2, k + 1) / mpf(4) ** (k + 1) / (2 * k + 3),
    lambda z: (of_root(mp.asin)(z) - 1) / z,
)
_erf = by_series(
    lambda k: 2 / mp.sqrt(PI) * sign(k) / factorial(k) / (2 * k + 1) - (k == 0),
    lambda z: of_root(mp.erf)(z) - 1,
)

TABLES = {
    "_EXP": Table("exponential", _exp, -_HALF, _HALF, lambda r: r, {4: 5, 8: 11}),
    "_EXP2": Table(
        "exponential", _exp2, -mpf("0.50001"), mpf("0.50001"), lambda r: r, {4: 6, 8: 11}
    ),
    "_SINH": Table("exponential", _sinh, 0, _Z_HALF, lambda z: z, {4: 3, 8: 5}),
    "_COSH": Table("exponential", _cosh, 0, _Z_HALF, lambda z: z, {4: 3, 8: 6}),
    "_LOG": Table("exponential", _log, 0, _Z_LOG, lambda z: z, {4: 3, 8: 7}),
    "_LOG2_SHORT": Table(
        "exponential",
        lambda z: 2 / LN2 * of_root(mp.atanh)(z),
        0,
        _Z_LOG,
        lambda z: 1 / of_root(mp.atanh)(z),
        {0: 6},
        53,
    ),
    "_EXP2_SHORT": Table(
        "exponential", _exp2, -mpf("0.50001"), mpf("0.50001"), lambda r: r, {0: 7}, 53
    ),
    "_LOG_LONG": Table("exponential", _log_long, 0, _Z_LOG, lambda z: z**2, {0: 8}, 53),
    "_SIN": Table("trigonometric", _sin, 0, _Z_SIN, lambda z: z / of_root(mp.sin)(z), {4: 3, 8: 6}),
    "_COS": Table("trigonometric", _cos, 0, _Z_SIN, lambda z: z / mp.cos(mp.sqrt(z)), {4: 4, 8: 7}),
    "_ARCTAN": Table(
        "trigonometric", _arctan, 0, mpf(1), lambda z: z / of_root(mp.atan)(z), {4: 9, 8: 20}
    ),
    "_ARCSIN": Table(
        "trigonometric",
        _arcsin,
        0,
        mpf("0.2501"),
        lambda z: z / of_root(mp.asin)(z),
        {4: 5, 8: 13},
    ),
    "_ERF": Table("mathematics", _erf, 0, _C**2, lambda z: 1 / (1 + _erf(z)), {4: 6, 8: 12}),
    "_ERFC": Table(
        "mathematics",
        lambda x: mp.log(mp.erfc(x), 2),
        _C,
        {4: mpf("3.93"), 8: mpf("5.93")},
        lambda x: LN2 * mp.erfc(x) / mp.erf(x),
        {4: 7, 8: 19},
    ),
    "_INVERSE_CBRT": Table(
        "mathematics",
        lambda x: x ** (-mpf(1) / 3),
        mpf(2) ** -1.5,
        mpf(2) ** 1.5,
        lambda x: x ** (mpf(1) / 3),
        {0: 6},
        24,
    ),
}
_TAN_DEGREES = {4: (2, 2), 8: (3, 4)}
NAMES = {name: table.module for name, table in TABLES.items()}
NAMES |= {"_TAN_ABOVE": "trigonometric", "_TAN_BELOW": "trigonometric"}


def compute(name: str) -> dict[int, list[float]]:
    """The coefficients by the bytes of a float; by 0 where there is one table for both."""
    if name.startswith("_TAN"):
        high = (PI / 4) ** 2 * mpf("1.0002")
        return {
            size: quotient(of_root(mp.tan), mpf(0), high, *degrees)[name == "_TAN_BELOW"]
            for size, degrees in _TAN_DEGREES.items()
        }
    _, target, low, high, weight, counts, bits = TABLES[name]
    found = {}
    for size, count in counts.items():
        end = high[size] if isinstance(high, dict) else high
        digits = {4: 24, 8: 53, 0: bits}[size]
        found[size] = polynomial(target, mpf(low), end, count, weight, digits)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="TABLE", help=" ".join(NAMES))
    parser.add_argument("--check", action="store_true", help="compare with the modules")
    options = parser.parse_args()
    different = []
    for name in options.names or NAMES:
        found = compute(name)
        if options.check:
            module = importlib.import_module(f"bital.executors.loops.{NAMES[name]}")
            there = getattr(module, name)
            there = {0: there} if 0 in found else there
            if {size: list(numbers) for size, numbers in there.items()} != found:
                different.append(name)
        else:
            for size, numbers in found.items():
                print(f"{name} {f'float{8 * size}' if size else ''}\n    {tuple(numbers)}")
    if different:
        raise SystemExit(f"Not what this script computes: {', '.join(different)}")


if __name__ == "__main__":
    main()
