"""Transforms on random Programs: well formed, and what their definitions say."""

import numpy as np
import pytest
from random_programs import F64, Grower, random_arguments, random_program, same_bits

import bital
from bital.errors import DifferentiationError
from bital.primitives import REGISTRY as P
from bital.primitives import evaluate
from bital.program import ArrayType, Builder, Literal, building, check
from bital.transforms import batch, jvp, split, vjp

SEEDS = range(60)


class Smooth(Grower):
    """Only steps whose derivatives exist everywhere and stay of moderate size."""

    def array(self, shape):
        return self.rng.uniform(-1.0, 1.0, shape)

    def number(self):
        return Literal(self.rng.uniform(-1.0, 1.0), F64)

    def unary(self):
        return P[["neg", "tanh", "sin", "arctan"][self.rng.integers(4)]](self.floating())

    def with_number(self):
        return P[["add", "sub", "mul"][self.rng.integers(3)]](self.floating(), self.number())

    def binary(self):
        x = self.floating()
        y = self.pick(lambda a: a.type == x.type)
        return P[["add", "sub", "mul"][self.rng.integers(3)]](P["tanh"](x), P["tanh"](y))

    def reduce(self):
        x = self.pick(lambda a: a.type.dtype == F64 and a.type.ndim > 0)
        axes = (int(self.rng.integers(x.type.ndim)),)
        return P["reduce_sum"](P["tanh"](x), axes=axes, keepdims=bool(self.rng.integers(2)))

    def product(self):
        x = self.pick(lambda a: a.type.dtype == F64 and a.type.ndim == 2)
        if x is None:
            return None
        y = P["transpose"](P["sin"](x), permutation=(1, 0))
        return P["dot_general"](P["tanh"](x), y, contract=((1,), (0,)), batch=((), ()))

    def step(self):
        steps = [self.unary, self.binary, self.with_number, self.reshape, self.transpose,
                 self.stretch, self.reduce, self.slice, self.product, self.update]  # fmt: skip
        return steps[self.rng.integers(len(steps))]()


def smooth(seed):
    """A Program, and arguments."""
    program = Smooth(np.random.default_rng(seed)).grow(18)
    rng = np.random.default_rng(1000 + seed)
    return program, [np.asarray(rng.uniform(-1, 1, t.shape))[()] for t in program.input_types], rng


def directions(rng, types):
    return [np.asarray(rng.uniform(-1, 1, t.shape))[()] for t in types]


def inner(xs, ys):
    return sum(float(np.sum(np.asarray(x) * y)) for x, y in zip(xs, ys, strict=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_jvp_is_the_difference_quotient(seed):
    program, xs, rng = smooth(seed)
    ts = directions(rng, program.input_types)
    forward = check(jvp(program, [True] * len(xs)))
    results = evaluate(forward, (*xs, *ts))
    count = len(program.outputs)
    eps = 1e-6
    above = evaluate(program, tuple(x + eps * t for x, t in zip(xs, ts, strict=True)))
    below = evaluate(program, tuple(x - eps * t for x, t in zip(xs, ts, strict=True)))
    for value, slope, a, b, exact in zip(
        results[:count], results[count:], above, below, evaluate(program, tuple(xs)), strict=True
    ):
        np.testing.assert_array_equal(value, exact)
        np.testing.assert_allclose(slope, (a - b) / (2 * eps), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("seed", SEEDS)
def test_vjp_is_the_transpose_of_jvp(seed):
    program, xs, rng = smooth(seed)
    n, count = len(xs), len(program.outputs)
    ts, cts = directions(rng, program.input_types), directions(rng, program.output_types)
    slopes = evaluate(jvp(program, [True] * n), (*xs, *ts))[count:]
    backward = check(vjp(program, [True] * n))
    gradients = evaluate(backward, (*xs, *cts))[count:]
    assert inner(slopes, cts) == pytest.approx(inner(ts, gradients), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_halves_of_vjp_make_the_whole(seed):
    program, xs, rng = smooth(seed)
    count = len(program.outputs)
    cts = directions(rng, program.output_types)
    whole = vjp(program, [True] * len(xs))
    first, second = split(whole, len(xs), count)
    check(first)
    check(second)
    middle = evaluate(first, tuple(xs))
    expected = evaluate(whole, (*xs, *cts))
    for a, b in zip(middle[:count], expected[:count], strict=True):
        np.testing.assert_array_equal(a, b)
    gradients = evaluate(second, (*middle[count:], *cts))
    for a, b in zip(gradients, expected[count:], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("make", [smooth, lambda seed: (random_program(seed), None, None)])
def test_batch_is_a_loop(make):
    size = 3
    for seed in SEEDS:
        program = make(seed)[0]
        rng = np.random.default_rng(seed)
        mapped = [bool(rng.integers(2)) for _ in program.inputs]
        rows = [list(random_arguments(program, 10 * seed + row)) for row in range(size)]
        for row in rows[1:]:
            row[:] = [x if m else y for x, y, m in zip(row, rows[0], mapped, strict=True)]
        stacked = [
            np.stack([row[i] for row in rows]) if m else rows[0][i] for i, m in enumerate(mapped)
        ]
        with np.errstate(all="ignore"):
            got = evaluate(check(batch(program, size, mapped)), tuple(stacked))
            expected = [evaluate(program, tuple(row)) for row in rows]
        for index, result in enumerate(got):
            wanted = np.stack([each[index] for each in expected])
            assert result.shape == wanted.shape
            if make is smooth:
                np.testing.assert_allclose(result, wanted, rtol=1e-12, atol=1e-12)
            else:  # sums may be taken in another order
                np.testing.assert_allclose(result, wanted, rtol=1e-9, equal_nan=True)


@pytest.mark.parametrize("seed", SEEDS[:20])
def test_transforms_of_transforms_are_well_formed(seed):
    program, xs, rng = smooth(seed)
    n, count = len(xs), len(program.outputs)
    once = vjp(program, [True] * n)
    twice = check(jvp(once, [True] * n + [False] * count))
    check(batch(twice, 2))
    check(vjp(jvp(program, [True] * n), [True] * 2 * n))
    cts = directions(rng, program.output_types)
    ts = directions(rng, program.input_types)
    total = len(once.outputs)
    slopes = evaluate(twice, (*xs, *cts, *ts))[total + count :]
    eps = 1e-6
    above = evaluate(once, (*[x + eps * t for x, t in zip(xs, ts, strict=True)], *cts))[count:]
    below = evaluate(once, (*[x - eps * t for x, t in zip(xs, ts, strict=True)], *cts))[count:]
    for slope, a, b in zip(slopes, above, below, strict=True):
        np.testing.assert_allclose(slope, (a - b) / (2 * eps), rtol=1e-5, atol=1e-6)


def test_programs_are_not_changed_by_transforms():
    for seed in SEEDS[:20]:
        program, xs, _ = smooth(seed)
        text = str(program)
        wrt = [True] * len(xs)
        jvp(program, wrt)
        vjp(program, wrt)
        batch(program, 2)
        split(vjp(program, wrt), len(xs), len(program.outputs))
        assert str(program) == text


def test_only_chosen_inputs_and_pulled_outputs_take_part():
    program = bital.trace(lambda x, y: (x * y, np.sin(x), np.argmax(x)), np.ones(3), np.ones(3))
    backward = vjp(program, [False, True], [True, False, False])
    assert len(backward.inputs) == 3
    assert len(backward.outputs) == 4
    assert [e.primitive.name for e in backward.equations].count("cos") == 0
    with_all = vjp(program, [True, True])
    assert len(with_all.inputs) == 4  # an integer output brings no cotangent


def test_an_input_that_does_not_matter_has_a_zero_cotangent():
    program = bital.trace(lambda x, y: x * 2.0, np.ones(3), np.ones((2, 2)))
    _, dx, dy = evaluate(vjp(program, [True, True]), (np.ones(3), np.ones((2, 2)), np.ones(3)))
    assert dx.tolist() == [2.0] * 3
    assert same_bits(dy, np.zeros((2, 2)))


def test_an_output_that_is_an_input_or_a_number():
    program = bital.trace(lambda x: (x, x, 3.0), np.ones(2))
    out = evaluate(vjp(program, [True]), (np.ones(2), np.ones(2), 10 * np.ones(2), np.float64(5.0)))
    assert out[3].tolist() == [11.0, 11.0]
    slopes = evaluate(jvp(program, [True]), (np.ones(2), np.full(2, 7.0)))[3:]
    assert [np.asarray(s).tolist() for s in slopes] == [[7.0, 7.0], [7.0, 7.0], 0.0]


def test_lines_of_the_user_reach_every_equation():
    def f(x):
        y = np.tanh(x) * x
        return np.sum(y * y)

    program = bital.trace(bital.grad(f), np.ones(3))
    first = f.__code__.co_firstlineno
    lines = {e.source.line for e in program.equations if e.source and e.source.filename == __file__}
    assert {first + 1, first + 2} <= lines
    assert all(e.source is not None for e in program.equations)


def test_names_of_the_user_reach_the_gradient():
    def f(w):
        hidden = np.tanh(w)
        return np.sum(hidden * hidden)

    names = {v.name for e in bital.trace(bital.grad(f), np.ones(3)).equations for v in e.outputs}
    assert "hidden" in names
    assert any(name and name.startswith("d_") for name in names)


def test_what_is_not_linear_cannot_be_transposed():
    """Only a Program whose jvp rule is wrong gets there; the error names the primitive."""
    from bital.transforms.reverse import _LinearHalf

    builder = Builder("f")
    tangent = builder.input(ArrayType((2,), F64), "t")
    with building(builder):
        out = P["exp"](tangent)
        half = _LinearHalf(builder, [tangent])
        half.accumulate(out, tangent)
        with pytest.raises(DifferentiationError, match="exp stands where its operand"):
            half.pull_back()
