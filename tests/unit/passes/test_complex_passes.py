"""Rules that hold for real numbers alone leave complex ones as they are."""

from __future__ import annotations

import numpy as np
import pytest

import bital
from bital.passes import optimize, stabilize
from bital.primitives import REGISTRY, evaluate
from bital.program import Builder, Literal, Program, Var, building, check, parse
from bital.program.types import ArrayType

CORNERS = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.5]
ALL = np.array([complex(a, b) for a in CORNERS for b in CORNERS])
C128 = np.dtype(np.complex128)


def with_number(name: str, number: complex, first: bool) -> Program:
    builder = Builder("program")
    z = builder.input(ArrayType(ALL.shape, C128), "z")
    literal = Literal(number, C128)
    with building(builder):
        out = REGISTRY[name](*((literal, z) if first else (z, literal)))
    return builder.build([out])


def same_bits(a, b):
    a, b = np.asarray(a), np.asarray(b)
    np.testing.assert_array_equal(a, b)
    for x, y in ((a.real, b.real), (a.imag, b.imag)):
        known = ~np.isnan(x)
        np.testing.assert_array_equal(np.signbit(x[known]), np.signbit(y[known]))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "power"])
@pytest.mark.parametrize("number", [0, 1, -1, 2, 1j, complex(-0.0, 0.0)])
def test_neutral_numbers(name, number):
    """1 is not neutral: of (a + bi)(1 + 0i) each part is a sum, of which one may be NaN."""
    for first in (False, True):
        program = with_number(name, number, first)
        with np.errstate(all="ignore"):
            (want,) = evaluate(program, (ALL,))
            (got,) = evaluate(optimize(program, checked=True), (ALL,))
        same_bits(got, want)


@pytest.mark.parametrize(
    "f",
    [
        lambda z: np.log(np.exp(z)),
        lambda z: np.log(np.sum(np.exp(z))),
        lambda z: np.exp(z) / np.sum(np.exp(z)),
        lambda z: 1 / (1 + np.exp(-z)),
        lambda z: np.log1p(np.tanh(z)),
        lambda z: np.log(np.abs(np.exp(z)) + 1e-7),
        lambda z: np.exp(z) ** -2 / 3j,
    ],
)
def test_logarithms_of_exponentials_are_not_rewritten(f):
    """log(exp(z)) is not z: the imaginary part is that modulo 2 pi."""
    z = np.array([1 + 5j, -2 - 4j, 0.5 + 20j])
    program = bital.trace(f, z)
    (got,) = evaluate(check(stabilize(program)), (z,))
    np.testing.assert_allclose(got, f(z), rtol=1e-13)
    np.testing.assert_allclose(bital.jit(f)(z), f(z), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize(
    "value",
    [
        *(0, 1j, -1.5, complex(-0.0, 0.0), complex(0.0, -0.0), complex(np.nan, np.inf)),
        *(1e-30 - 1e30j, complex(-np.inf, -np.nan), complex(5e-324, 1.7976931348623157e308)),
    ],
)
def test_text_and_source_keep_every_bit(dtype, value):
    """Literals and constants, as the Program prints them and as the numpy executor does."""
    with np.errstate(all="ignore"):
        literal = Literal(value, np.dtype(dtype))
        array = np.array([value, 2 + 3j], dtype)
    var = Var(ArrayType((2,), array.dtype), "c")
    x = Var(ArrayType((2,), array.dtype), "x")
    builder = Builder("program")
    builder.inputs = [x]
    builder.constants = {var: array}
    with building(builder):
        stretched = REGISTRY["broadcast_to"](literal, shape=(2,))
        moved = REGISTRY["where"](Literal(True, np.dtype(bool)), var, x)
    program = builder.build([literal, stretched, var, moved])
    again = parse(str(program), REGISTRY)
    assert str(again) == str(program)
    zeros = np.zeros(2, dtype)
    wanted = evaluate(program, (zeros,))
    for got in (evaluate(again, (zeros,)), run_source(program, zeros)):
        for a, b in zip(got, wanted, strict=True):
            assert np.asarray(a).dtype == dtype
            same_bits(a, b)


def run_source(program, *arguments):
    names: dict[str, object] = {}
    exec(program.to_numpy(), names)
    return names["program"](*arguments)


@pytest.mark.parametrize(
    ("f", "left"),
    [
        (lambda z: np.conj(np.conj(z)), []),
        (lambda z: with_parts(z.real, z.imag), []),
        (lambda z: with_parts(z.real, z.imag * 0.0), ["real", "imag", "mul", "complex"]),
        (lambda z: with_parts(z.imag, z.real).real, ["imag"]),
        (lambda z: with_parts(z.imag, z.real).imag, ["real"]),
        (lambda z: with_parts(z.real, np.zeros_like(z.real)), ["real", "convert"]),
        (
            lambda z: with_parts(z.real, -np.zeros_like(z.real)),
            ["real", "broadcast_to", "complex"],
        ),
        (lambda z: z.real.astype(complex).real, ["real"]),
        (lambda z: z.real.astype(np.complex64).real, ["real", "convert", "real"]),
        (lambda z: z * with_parts(np.zeros_like(z.real), np.ones_like(z.real)), ["mul"]),
    ],
)
def test_parts_and_conjugates_that_cancel(f, left):
    z = np.array([1 + 2j, complex(-0.0, np.inf), complex(np.nan, -0.0)])
    program = optimize(bital.trace(f, z), checked=True)
    assert [equation.primitive.name for equation in program.equations] == left
    with np.errstate(all="ignore"):
        same_bits(bital.jit(f)(z), f(z))


def with_parts(x, y):
    """x + iy, part by part."""
    z = np.zeros_like(x, dtype=complex) if isinstance(x, np.ndarray) else x.astype(complex)
    z.real, z.imag = x, y
    return z
