"""The transcendental functions: at most a few units in the last place, anywhere.

Truth for float32 is NumPy in float64, for float64 NumPy in an extended format.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from interpret import interpret

import bital
from bital.errors import ExecutorError
from bital.executors import get_executor
from bital.executors.loops.mathematics import FUNCTIONS

# The most that is allowed in float32 and float64; docs/native_accuracy.md tells what was measured.
BOUNDS = {
    "exp": (1.0, 1.0),
    "exp2": (1.0, 1.1),
    "expm1": (1.7, 2.2),
    "log": (1.0, 1.0),
    "log2": (1.1, 1.1),
    "log10": (1.0, 1.1),
    "log1p": (1.5, 1.5),
    "tanh": (2.6, 2.8),
    "sinh": (2.0, 2.5),
    "cosh": (2.0, 2.0),
    "arcsinh": (2.5, 2.5),
    "arccosh": (2.5, 2.5),
    "arctanh": (2.5, 2.5),
    "sin": (1.6, 1.6),
    "cos": (1.6, 1.6),
    "tan": (3.3, 3.3),
    "arctan": (1.5, 1.5),
    "arcsin": (2.5, 2.5),
    "arccos": (1.3, 1.3),
    "cbrt": (0.6, 0.6),
    "power": (0.6, 1.0),
    "arctan2": (1.7, 1.7),
    "hypot": (1.3, 1.3),
}
BINARY = ("power", "arctan2", "hypot")
UNARY = tuple(name for name in BOUNDS if name not in BINARY)
DTYPES = (np.float32, np.float64)
WIDER = {np.dtype(np.float32): np.float64, np.dtype(np.float64): np.longdouble}
HAS_EXTENDED = np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant

try:
    get_executor("native")
except (ExecutorError, ImportError):
    needs_native = pytest.mark.skip(reason="no native executor here")
else:
    needs_native = pytest.mark.filterwarnings("default::RuntimeWarning")

_SPECIAL = [
    *(0.0, 1.0, 2.0, 0.5, 3.0, 4.0, 1.5, 2.5, 1e-7, 1e-20, math.inf, math.nan, math.pi / 2),
    *(math.sqrt(0.5), 88.72, 103.97, 709.78, 745.1, 1e9, 1e22, 2.0**24, 2.0**24 + 1, 2.0**53),
    *(2.0**53 - 1, 2.0**60),
]


def special(dtype):
    """Numbers at which formulas like to fail, and their neighbours."""
    info = np.finfo(dtype)
    ends = [info.max, info.tiny, info.smallest_subnormal, 3 * info.smallest_subnormal, info.eps]
    with np.errstate(over="ignore"):
        numbers = np.array([*_SPECIAL, *ends], dtype)
        near = [np.nextafter(numbers, dtype(to)) for to in (0, np.inf)]
    numbers = np.concatenate([numbers, *near])
    return np.concatenate([numbers, -numbers])


def arguments(dtype, count, seed=0):
    """Any bits; any magnitude; the range of exp; around 0 and 1; multiples of pi / 2."""
    random = np.random.default_rng(seed)
    integer = np.dtype(f"u{np.dtype(dtype).itemsize}")
    info = np.finfo(dtype)
    highest = info.maxexp * math.log(2) + 1
    lowest = (info.minexp - info.nmant) * math.log(2) - 1
    near = np.exp2(random.uniform(-info.nmant, 0, count)) * random.choice([-1, 1], count)
    groups = [
        random.integers(0, np.iinfo(integer).max, count, integer, endpoint=True).view(dtype),
        np.exp2(random.uniform(-40, 40, count)) * random.choice([-1, 1], count),
        random.uniform(lowest, highest, count),
        random.uniform(-10, 10, count),
        near,
        1 + near,
        random.integers(0, 10**5, count) * (math.pi / 2),
    ]
    return np.concatenate([special(dtype), *(group.astype(dtype) for group in groups)])


def pairs(name, dtype, count):
    """Two arguments; for powers mostly such that the result is in range."""
    x, y = (arguments(dtype, count, seed) for seed in (1, 2))
    few = special(dtype)
    first, second = (grid.ravel() for grid in np.meshgrid(few, few))
    random = np.random.default_rng(3)
    x, y = (random.permutation(each) for each in (x, y))
    if name == "power":
        with np.errstate(all="ignore"):
            fitting = random.uniform(-1, 1, x.size) * np.finfo(dtype).maxexp / np.log2(np.abs(x))
            fitting = np.nan_to_num(fitting, posinf=1, neginf=1).astype(dtype)
            whole = np.rint(np.clip(fitting, -1e3, 1e3))
        y = np.where(random.integers(0, 2, x.size) == 0, fitting, np.where(x < 0, whole, y))
    return np.concatenate([first, x]), np.concatenate([second, y])


def exact(name, *values):
    with np.errstate(all="ignore"):
        return getattr(np, name)(*(value.astype(WIDER[value.dtype]) for value in values))


def errors(got, truth):
    """In units of the last place; infinite where NaN, an infinity or a sign of 0 is wrong."""
    with np.errstate(all="ignore"):
        rounded = truth.astype(got.dtype)
        unit = np.spacing(np.abs(rounded)).astype(truth.dtype)
        error = np.abs(got.astype(truth.dtype) - truth) / unit
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    wrong = ~np.isfinite(error) & ~same
    wrong |= ((got == 0) | (truth == 0)) & (np.signbit(got) != np.signbit(truth))
    wrong |= (truth == 0) & (got != 0)
    return np.where(wrong, np.inf, np.where(same & ~np.isfinite(error), 0, error))


def check(name, got, values):
    error = errors(got, exact(name, *values))
    worst = int(np.argmax(error))
    bound = BOUNDS[name][DTYPES.index(got.dtype.type)]
    assert error[worst] <= bound, (name, [repr(v[worst]) for v in values], repr(got[worst]))


def skip_without_extended(dtype):
    if dtype is np.float64 and not HAS_EXTENDED:
        pytest.skip("this platform has no floating-point format beyond float64")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BOUNDS)
def test_formula(name, dtype):
    skip_without_extended(dtype)
    values = pairs(name, dtype, 4000) if name in BINARY else (arguments(dtype, 4000),)
    check(name, interpret(FUNCTIONS[name], *values), values)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BOUNDS)
def test_special_values(name, dtype):
    """Where the result is 0, an infinity or NaN it is NumPy's own."""
    few = special(dtype)
    grid = tuple(g.ravel() for g in np.meshgrid(few, few)) if name in BINARY else (few,)
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(*grid)
    plain = ~np.isfinite(expected) | (expected == 0)
    got = interpret(FUNCTIONS[name], *grid)
    np.testing.assert_array_equal(got[plain], expected[plain])
    numbers = plain & ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got[numbers]), np.signbit(expected[numbers]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_results(dtype):
    """Where the result is a whole number or an argument, it has no error at all."""
    info = np.finfo(dtype)
    exponents = np.arange(info.minexp, info.maxexp, dtype=dtype)
    powers = np.ldexp(dtype(1), exponents.astype(int))
    np.testing.assert_array_equal(interpret(FUNCTIONS["exp2"], exponents), powers)
    np.testing.assert_array_equal(interpret(FUNCTIONS["log2"], powers), exponents)
    tens = np.arange(0, 11, dtype=dtype)
    np.testing.assert_array_equal(interpret(FUNCTIONS["log10"], dtype(10) ** tens), tens)
    cubes = np.arange(-200, 200, dtype=dtype)
    np.testing.assert_array_equal(interpret(FUNCTIONS["cbrt"], cubes**3), cubes)
    for name in ("exp", "cos", "cosh"):
        assert interpret(FUNCTIONS[name], np.zeros(1, dtype)) == 1
    x = arguments(dtype, 1000)
    np.testing.assert_array_equal(interpret(FUNCTIONS["power"], x, np.ones_like(x)), x)
    base, exponent = np.meshgrid(np.arange(-12, 13, dtype=dtype), np.arange(7, dtype=dtype))
    expected = np.prod([np.where(exponent > k, base, 1) for k in range(7)], axis=0)
    np.testing.assert_array_equal(interpret(FUNCTIONS["power"], base, exponent), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sin", "cos", "tanh", "erf"])
def test_no_result_beyond_one(name, dtype):
    x = arguments(dtype, 20000)
    assert np.nanmax(np.abs(interpret(FUNCTIONS[name], x))) == 1


def test_erf_in_float32():
    x = arguments(np.float32, 2000)
    truth = np.array([math.erf(each) for each in x])
    assert errors(interpret(FUNCTIONS["erf"], x), truth).max() <= 1.5


# The nearest float64 to erf(x), by mpmath with 60 digits.
_ERF = [
    (1e-300, 1.1283791670955126e-300),
    (1e-10, 1.1283791670955126e-10),
    (0.01, 0.011283415555849618),
    (0.1, 0.1124629160182849),
    (0.25, 0.27632639016823696),
    (0.5, 0.5204998778130465),
    (0.75, 0.7111556336535151),
    (0.875, 0.7840750610598597),
    (0.8999999999999999, 0.796908212422832),
    (0.9000000000000001, 0.7969082124228322),
    (0.9210387269445186, 0.8072700115025299),
    (0.95, 0.8208908072732779),
    (1.0, 0.8427007929497149),
    (1.1, 0.8802050695740817),
    (1.25, 0.9229001282564583),
    (1.5, 0.9661051464753108),
    (1.75, 0.9866716712191824),
    (2.0, 0.9953222650189527),
    (2.25, 0.9985372834133188),
    (2.5, 0.999593047982555),
    (3.0, 0.9999779095030014),
    (3.5, 0.9999992569016276),
    (4.0, 0.9999999845827421),
    (4.5, 0.9999999998033839),
    (5.0, 0.9999999999984626),
    (5.5, 0.9999999999999927),
    (5.9, 0.9999999999999999),
]


def test_erf_in_float64():
    x, expected = np.array(_ERF).T
    for sign in (1, -1):
        got = interpret(FUNCTIONS["erf"], sign * x)
        assert np.all(np.abs(got - sign * expected) <= 1.5 * np.spacing(expected))
    ends = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 6.0])
    got = interpret(FUNCTIONS["erf"], ends)
    np.testing.assert_array_equal(got, [0.0, -0.0, 1, -1, np.nan, 5e-324, 1])
    assert np.signbit(got[1])


# --- as compiled ----------------------------------------------------------------------------


def compiled(name, *values):
    with np.errstate(all="ignore"):
        return bital.jit(getattr(np, name), executor="native")(*values)


@needs_native
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BOUNDS)
def test_compiled(name, dtype):
    skip_without_extended(dtype)
    values = pairs(name, dtype, 100_000) if name in BINARY else (arguments(dtype, 100_000),)
    check(name, compiled(name, *values), values)


@needs_native
@pytest.mark.slow
@pytest.mark.parametrize("name", UNARY)
def test_compiled_all_of_float32(name):
    """Every float32 for the functions that networks use most, each 61st for the others."""
    chunk, step = 1 << 24, 1 if name in ("exp", "log", "tanh") else 61
    for start in range(0, 1 << 32, chunk * step):
        bits = np.arange(start, min(start + chunk * step, 1 << 32), step, np.uint32)
        x = bits.view(np.float32)
        got, truth = compiled(name, x), exact(name, x)
        with np.errstate(over="ignore"):
            differs = got.view(np.uint32) != truth.astype(np.float32).view(np.uint32)
        if differs.any():
            check(name, got[differs], (x[differs],))
