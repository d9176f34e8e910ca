"""Passes keep every bit of every result, and do what each is for."""

import numpy as np
import pytest
from random_programs import F64, random_arguments, random_program, same_bits

import bital
from bital.passes import optimize
from bital.passes.common import eliminate_common
from bital.passes.dead_code import eliminate_dead
from bital.passes.pipeline import PASSES
from bital.passes.simplify import simplify
from bital.primitives import REGISTRY as P
from bital.primitives import evaluate
from bital.program import ArrayType, Builder, Literal, Program, building, check, parse

SEEDS = range(80)


def assert_same(before, after, seed=0):
    check(after)
    assert after.input_types == before.input_types
    assert after.output_types == before.output_types
    for trial in range(2):
        arguments = random_arguments(before, 1000 * seed + trial)
        with np.errstate(all="ignore"):
            expected, got = evaluate(before, arguments), evaluate(after, arguments)
        for index, (a, b) in enumerate(zip(expected, got, strict=True)):
            assert same_bits(a, b), f"output {index}: {a} became {b}\n{before}\n{after}"


@pytest.mark.parametrize("each", PASSES, ids=lambda f: f.__name__)
def test_one_pass_keeps_every_bit(each):
    for seed in SEEDS:
        program = random_program(seed)
        assert_same(program, each(program), seed)


def test_all_passes_keep_every_bit():
    shorter = 0
    for seed in SEEDS:
        program = random_program(seed)
        optimized = optimize(program, checked=True)
        assert_same(program, optimized, seed)
        shorter += len(optimized.equations) < len(program.equations)
    assert shorter > 0.9 * len(SEEDS)


def test_passes_settle():
    for seed in SEEDS[:50]:
        once = optimize(random_program(seed))
        assert optimize(once).structure() == once.structure()


def test_a_pass_leaves_its_input_as_it_is():
    for seed in SEEDS[:30]:
        program = random_program(seed)
        text = str(program)
        optimize(program)
        assert str(program) == text


# --- each rule on its example and its counter-example ---------------------------------------

X = ArrayType((2, 3), F64)


def built(make, *types):
    builder = Builder("f")
    inputs = [builder.input(t, name) for t, name in zip(types or (X,), "xyz", strict=False)]
    with building(builder):
        result = make(*inputs)
    outputs = result if isinstance(result, list) else [result]
    return check(builder.build(outputs))


def after(make, *types, passes=optimize):
    program = built(make, *types)
    changed = passes(program)
    assert_same(program, changed)
    return changed


def names(program):
    return [equation.primitive.name for equation in program.equations]


def full(x, value):
    return P["broadcast_to"](Literal(value, F64), shape=x.type.shape)


COLUMN = ArrayType((2, 1), F64)
FIRES = {
    "x * 1": (lambda x: P["mul"](x, 1), []),
    "1 * x": (lambda x: P["mul"](Literal(1.0, F64), x), []),
    "x * ones": (lambda x: P["mul"](x, full(x, 1.0)), []),
    "x / 1": (lambda x: P["div"](x, 1), []),
    "x - 0": (lambda x: P["sub"](x, 0), []),
    "x * -1": (lambda x: P["mul"](x, -1), ["neg"]),
    "-(-x)": (lambda x: P["neg"](P["neg"](x)), []),
    "x + (-x)": (lambda x: P["add"](P["sin"](x), P["neg"](x)), ["sin", "sub"]),
    "(-x) + y": (lambda x: P["add"](P["neg"](x), P["sin"](x)), ["sin", "sub"]),
    "x - (-y)": (lambda x: P["sub"](P["sin"](x), P["neg"](x)), ["sin", "add"]),
    "stop_gradient": (lambda x: P["sin"](P["stop_gradient"](x)), ["sin"]),
    "convert to the same": (lambda x: P["convert"](x, dtype=F64), []),
    "reshape to the same": (lambda x: P["reshape"](x, shape=(2, 3)), []),
    "reshape twice": (
        lambda x: P["reshape"](P["reshape"](x, shape=(6,)), shape=(3, 2)), ["reshape"],
    ),
    "reshape there and back": (
        lambda x: P["reshape"](P["reshape"](x, shape=(6,)), shape=(2, 3)), [],
    ),
    "broadcast to the same": (lambda x: P["broadcast_to"](x, shape=(2, 3)), []),
    "broadcast twice": (
        lambda x: P["broadcast_to"](P["broadcast_to"](x, shape=(4, 2, 3)), shape=(5, 4, 2, 3)),
        ["broadcast_to"],
    ),
    "transpose twice": (
        lambda x: P["transpose"](P["transpose"](x, permutation=(1, 0)), permutation=(1, 0)), [],
    ),
    "transpose by nothing": (lambda x: P["transpose"](x, permutation=(0, 1)), []),
    "slice of everything": (lambda x: P["slice"](x, start=(0, 0), stop=(2, 3), step=(1, 1)), []),
    "x + broadcast number": (lambda x: P["add"](x, full(x, 2.0)), ["add"]),
    "constants": (
        lambda x: P["mul"](x, P["sin"](P["add"](Literal(1.0, F64), Literal(2.0, F64)))), ["mul"],
    ),
    "reshape of a number": (
        lambda x: P["add"](x, P["reshape"](full(x, 2.0), shape=(2, 3))), ["add"],
    ),
    "product of a transposed operand": (
        lambda x: P["dot_general"](P["transpose"](x, permutation=(1, 0)), x,
                                   contract=((1,), (0,)), batch=((), ())),
        ["dot_general"],
    ),
    "equal equations": (
        lambda x: P["mul"](P["sin"](x), P["sin"](x)), ["sin", "mul"],
    ),
    "equal chains": (
        lambda x: P["mul"](P["exp"](P["sin"](x)), P["exp"](P["sin"](x))), ["sin", "exp", "mul"],
    ),
    "dead equations": (lambda x: [P["exp"](P["sin"](x)), P["cos"](x)][1], ["cos"]),
}  # fmt: skip
STAYS = {
    "x + 0": (lambda x: P["add"](x, 0), ["add"]),  # -0.0 + 0 is 0.0
    "x * 0": (lambda x: P["mul"](x, 0), ["mul"]),  # NaN and infinity
    "x - -0.0": (lambda x: P["sub"](x, Literal(-0.0, F64)), ["sub"]),
    "0 - x": (lambda x: P["sub"](Literal(0.0, F64), x), ["sub"]),
    "1 / x": (lambda x: P["div"](Literal(1.0, F64), x), ["div"]),
    "x - x": (lambda x: P["sub"](x, x), ["sub"]),
    "x / x": (lambda x: P["div"](x, x), ["div"]),
    "x + x": (lambda x: P["add"](x, x), ["add"]),
    "x * y and y * x": (
        lambda x: [P["mul"](x, P["sin"](x)), P["sub"](P["sin"](x), x)], ["sin", "mul", "sub"],
    ),
    "x - y is not y - x": (
        lambda x: [P["sub"](x, P["sin"](x)), P["sub"](P["sin"](x), x)], ["sin", "sub", "sub"],
    ),
    "reductions along other axes": (
        lambda x: [P["reduce_sum"](x, axes=(0,), keepdims=False),
                   P["reduce_sum"](x, axes=(1,), keepdims=False)],
        ["reduce_sum", "reduce_sum"],
    ),
    "0.0 and -0.0": (
        lambda x: [P["div"](x, 0.0), P["div"](x, Literal(-0.0, F64))], ["div", "div"],
    ),
    "reversing slice": (
        lambda x: P["slice"](x, start=(1, 0), stop=(-1, 3), step=(-1, 1)), ["slice"],
    ),
    "convert there and back": (
        lambda x: P["convert"](P["convert"](x, dtype=np.dtype(np.float32)), dtype=F64),
        ["convert", "convert"],
    ),
    "a transpose that is not an inverse": (
        lambda x: P["transpose"](x, permutation=(1, 0)), ["transpose"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FIRES)
def test_a_rule_fires(case):
    make, expected = FIRES[case]
    assert names(built(make)) != expected
    assert names(after(make)) == expected


@pytest.mark.parametrize("case", STAYS)
def test_what_is_not_exact_stays(case):
    make, expected = STAYS[case]
    assert sorted(names(after(make))) == sorted(expected)


def test_a_neutral_operand_that_stretches_stays():
    stretched = after(
        lambda x: P["mul"](x, P["broadcast_to"](Literal(1.0, F64), shape=(2, 3))), COLUMN
    )
    assert stretched.output_types[0].shape == (2, 3)
    assert len(stretched.equations) > 0


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "float32", "float16"])
def test_neutral_elements_of_other_dtypes(dtype):
    dtype = np.dtype(dtype)
    builder = Builder("f")
    x = builder.input(ArrayType((3,), dtype), "x")
    with building(builder):
        out = P["mul"](x, Literal(1, dtype))
    program = builder.build([out])
    simplified = simplify(program)
    check(simplified)
    for values in ([0, 1, 1], [1, 0, 0]):
        (got,) = evaluate(simplified, (np.array(values, dtype),))
        assert same_bits(got, np.array(values, dtype))
    assert simplified.equations == ()


def test_unsigned_minus_one_is_not_a_sign():
    builder = Builder("f")
    x = builder.input(ArrayType((3,), np.dtype(np.int64)), "x")
    with building(builder):
        out = P["mul"](x, Literal(-1, np.dtype(np.int64)))
    assert names(simplify(builder.build([out]))) == ["mul"]


def test_swapped_operands_of_a_product_used_twice_stay():
    def make(x, y):
        product = P["dot_general"](x, y, contract=((1,), (0,)), batch=((), ()))
        return [P["transpose"](product, permutation=(1, 0)), product]

    types = (ArrayType((2, 3), F64), ArrayType((3, 4), F64))
    program = built(make, *types)
    assert sorted(names(optimize(program))) == ["dot_general", "transpose"]
    once = built(lambda x, y: make(x, y)[0], *types)
    assert names(optimize(once)) == ["dot_general"]


def test_products_keep_their_values():
    """Bits may differ where BLAS sums in another order; values do not."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 4, 3, 5)), rng.standard_normal((2, 4, 5, 6))

    def f(x, y):
        z = np.einsum("abij,abjk->abki", x, y)
        return np.swapaxes(z, -1, -2), x.T.swapaxes(0, 1), np.matmul(y.mT, x.mT)

    program = bital.trace(f, x, y)
    for a, b in zip(evaluate(program, (x, y)), evaluate(optimize(program), (x, y)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


class TestFolding:
    def test_a_large_constant_is_not_made(self):
        builder = Builder("f")
        c = builder.constant(np.ones((100, 1)))
        with building(builder):
            out = P["broadcast_to"](c, shape=(100, 1000))
            total = P["add"](out, 1.0)
        program = optimize(builder.build([total]))
        assert all(array.nbytes <= 1 << 16 for array in program.constants.values())
        assert_same(builder.build([total]), program)

    def test_small_constants_are_computed_once(self):
        builder = Builder("f")
        c = builder.constant(np.arange(3.0))
        with building(builder):
            out = P["sin"](P["reshape"](c, shape=(3, 1)))
        program = optimize(builder.build([out]))
        assert program.equations == ()
        (array,) = program.constants.values()
        np.testing.assert_array_equal(array, np.sin(np.arange(3.0))[:, None])

    def test_warnings_of_folded_constants_are_silent(self):
        builder = Builder("f")
        with building(builder):
            out = P["log"](Literal(-1.0, F64))
        program = optimize(builder.build([out]))
        assert np.isnan(program.outputs[0].value)

    def test_random_bits_are_not_folded(self):
        builder = Builder("f")
        key = builder.constant(np.array([1, 0], np.uint64))
        with building(builder):
            bits = P["random_bits"](key, shape=(2,), dtype=np.dtype(np.uint32), stream=0)
        assert names(optimize(builder.build([bits]))) == ["random_bits"]

    def test_a_constant_that_is_read_twice_is_one(self):
        array = np.ones(3)
        program = bital.trace(lambda x: (x * array) + array, np.ones(3))
        assert len(optimize(program).constants) == 1


class TestSingle:
    def test_dead_code_drops_constants_too(self):
        builder = Builder("f")
        x = builder.input(X, "x")
        builder.constant(np.ones(3))
        with building(builder):
            P["sin"](x)
        program = eliminate_dead(builder.build([x]))
        assert program.equations == ()
        assert program.constants == {}
        assert program.input_types == (X,)

    def test_an_equation_of_which_one_result_is_used_stays(self):
        text = """
        program f(x: float64[3]) {
          a: float64[3], b: float64[3] = custom_vjp_call(x) [primal=program p(y: float64[3]) {
            c: float64[3] = sin(y)
            return c, y
          }, forward=program q(y: float64[3]) {
            return y, y
          }, backward=program r(y: float64[3], z: float64[3]) {
            return y
          }]
          return b
        }"""
        program = parse(text, P)
        assert len(eliminate_dead(program).equations) == 1
        assert names(optimize(program)) == []

    def test_common_distinguishes_params_and_literals(self):
        program = built(
            lambda x: [
                P["reshape"](x, shape=(6,)), P["reshape"](x, shape=(6, 1)),
                P["mul"](x, 2.0), P["mul"](x, 3.0), P["mul"](x, 2.0),
            ]
        )  # fmt: skip
        shared = eliminate_common(program)
        assert len(shared.equations) == 4
        assert shared.outputs[2] is shared.outputs[4]

    @pytest.mark.parametrize("depth", [1, 4, 5, 6])
    def test_nested_custom_rules_are_all_inlined(self, depth):
        f = np.sin
        for _ in range(depth):
            f = _with_rule(f)
        program = bital.trace(f, np.ones(3))
        assert names(optimize(program)) == ["sin"]
        np.testing.assert_array_equal(bital.jit(f)(np.ones(3)), np.sin(np.ones(3)))


def _with_rule(g):
    f = bital.custom_vjp(lambda x: g(x))
    f.defvjp(lambda x: (g(x), x), lambda x, ct: (ct * np.cos(x),))
    return f


def test_names_and_lines_survive():
    def f(x):
        hidden = np.sin(x * 1.0)
        return hidden + hidden * 1.0

    program = optimize(bital.trace(f, np.ones(3)))
    first = program.equations[0]
    assert first.outputs[0].name == "hidden"
    assert first.source is not None
    assert first.source.filename == __file__


def test_an_empty_program():
    empty = Program([], [], [])
    assert optimize(empty, checked=True).outputs == ()


def parts(x, y, start=2):
    a, b = np.zeros_like(x, shape=(3, 6)), np.zeros_like(y, shape=(3, 6))
    a[:, :2] = x
    b[:, start:] = y
    return a + b


@pytest.mark.parametrize(("start", "joined"), [(2, True), (3, False), (1, False)])
def test_sums_of_parts(start, joined):
    x, y = np.full((3, 2), -0.0), np.arange(3.0 * (6 - start)).reshape(3, -1)
    program = bital.trace(lambda x, y: parts(x, y, start), x, y)
    optimized = optimize(program, checked=True)
    names = [equation.primitive.name for equation in optimized.equations]
    assert ("concatenate" in names) == joined
    for arguments in ([x, y], [-x, -y]):
        for a, b in zip(evaluate(program, arguments), evaluate(optimized, arguments), strict=True):
            assert same_bits(a, b)


def test_the_gradient_of_slices_is_one_array():
    def f(x):
        a, b, c = (x[:, i : i + 2] for i in (0, 2, 4))
        return np.sum(np.sin(a) * b + c * c)

    x = np.random.default_rng(0).normal(size=(3, 6))
    program = optimize(bital.trace(bital.grad(f), x), checked=True)
    names = [equation.primitive.name for equation in program.equations]
    assert names.count("concatenate") == 1
    assert "slice_update" not in names
