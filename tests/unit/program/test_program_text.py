"""A Program prints as text that is read back as the same Program, to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import bital
from bital.errors import ProgramError
from bital.primitives import REGISTRY, evaluate
from bital.program import ArrayType, Builder, Literal, Program, Var, building, check, parse
from bital.program import text as text_module
from bital.transforms import batch, jvp, vjp


def round_trip(program):
    printed = str(program)
    again = parse(printed, REGISTRY)
    check(again)
    assert str(again) == printed
    assert again.input_types == program.input_types
    assert again.output_types == program.output_types
    for old, new in zip(program.constants.values(), again.constants.values(), strict=True):
        assert old.dtype == new.dtype
        assert old.shape == new.shape
        assert old.tobytes() == new.tobytes()
    return again


def of_literals(*literals):
    """A Program that returns these literals, some through an equation."""
    builder = Builder("literals")
    with building(builder):
        stretched = [REGISTRY["broadcast_to"](x, shape=(2,)) for x in literals]
    return builder.build([*literals, *stretched])


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (np.nan, "float64"),
        (np.inf, "float32"),
        (-np.inf, "float64"),
        (-0.0, "float64"),
        (0.0, "float16"),
        (5e-324, "float64"),
        (1.7976931348623157e308, "float64"),
        (0.1, "float32"),
        (0.1, "float16"),
        (-1e-45, "float32"),
        (1e22, "float64"),
        (1e-05, "float64"),
        (123456789.125, "float64"),
        (2**64 - 1, "uint64"),
        (-(2**63), "int64"),
        (255, "uint8"),
        (-128, "int8"),
        (True, "bool"),
        (False, "bool"),
        (3, "float64"),
    ],
)
def test_literals(value, dtype):
    literal = Literal(value, np.dtype(dtype))
    again = round_trip(of_literals(literal))
    for atom in (again.outputs[0], again.equations[0].inputs[0]):
        assert atom.key == literal.key


@given(st.floats(width=64))
@settings(max_examples=100, deadline=None)
def test_every_float64_literal(value):
    literal = Literal(value, np.dtype(np.float64))
    (atom, _) = parse(str(of_literals(literal)), REGISTRY).outputs
    assert atom.key == literal.key or (np.isnan(value) and np.isnan(atom.value))


@given(
    hnp.arrays(
        st.sampled_from(
            [
                np.dtype(d)
                for d in [
                    "float64",
                    "float32",
                    "float16",
                    "int64",
                    "uint64",
                    "int8",
                    "uint8",
                    "bool",
                ]
            ]
        ),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3),
    )
)
@settings(max_examples=150, deadline=None)
def test_constants_are_bit_exact(array):
    builder = Builder("constants")
    var = builder.constant(array)
    round_trip(builder.build([var]))


def test_nan_constants_keep_their_bits():
    bits = np.array([0x7FF8000000000000, 0xFFF8000000000001, 0x7FF0000000000001], np.uint64)
    builder = Builder("nan")
    var = builder.constant(bits.view(np.float64))
    (array,) = round_trip(builder.build([var])).constants.values()
    assert array.view(np.uint64).tolist() == bits.tolist()


def test_a_constant_that_is_not_contiguous():
    builder = Builder("f")
    array = np.arange(12.0).reshape(3, 4).T[::2]
    var = builder.constant(array)
    (again,) = round_trip(builder.build([var])).constants.values()
    np.testing.assert_array_equal(again, array)


@pytest.mark.parametrize(
    "names",
    [
        ["inf", "nan"],
        ["info", "nanmask"],
        ["infinity", "name"],
        ["dtype", "type"],
        ["program", "constant"],
        ["True_", "b"],
        ["a", "b"],
        ["x", "x"],
        ["x_2", "x"],
        ["이름", "é"],
        ["e5", "_"],
        [None, "a"],
        ["return_", "float64"],
    ],
)
def test_any_name_of_a_variable(names):
    builder = Builder("f")
    x, y = (builder.input(ArrayType((2,), np.dtype(np.float64)), name) for name in names)
    with building(builder):
        out = REGISTRY["mul"](REGISTRY["add"](x, y), x)
    out.name = names[0]
    again = round_trip(builder.build([out, y]))
    a, b = np.array([1.0, 2.0]), np.array([5.0, 7.0])
    result = evaluate(again, (a, b))
    np.testing.assert_array_equal(result[0], (a + b) * a)
    np.testing.assert_array_equal(result[1], b)


@pytest.mark.parametrize("name", ["info", "lambda", "program", "nan2", "f"])
def test_any_name_of_a_program(name):
    builder = Builder(name)
    builder.input(ArrayType((), np.dtype(bool)), "x")
    assert round_trip(builder.build([])).name == name


@bital.custom_vjp
def clipped(x):
    return np.sin(x) * 1.0


clipped.defvjp(lambda x: (clipped(x), x), lambda x, ct: (np.clip(ct, -1, 1) * x,))


def everything(x, y):
    """Something of every folder of primitives."""
    h = np.tanh(x @ y + 0.5)
    h[0] = h[1] * 2
    h[[0, 1], [1, 0]] += 1.0
    parts = np.concatenate([h[::-1], np.where(h > 0, h, -np.inf)], axis=1)
    z = clipped(parts.T.reshape(-1)).astype(np.float32)
    return z.sum(dtype=np.float64), np.argmax(parts, axis=0), parts.max(axis=1, keepdims=True)


X, Y = np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(3, 2) * 0.1


@pytest.mark.parametrize(
    "program",
    [
        bital.trace(everything, X, Y),
        bital.trace(bital.grad(lambda x, y: everything(x, y)[0], argnums=(0, 1)), X, Y),
        bital.trace(lambda key: bital.random.normal(key, (3,)), bital.random.key(1)),
        jvp(bital.trace(np.tanh, X), [True]),
        vjp(bital.trace(lambda x: np.sum(x * x), X), [True]),
        batch(bital.trace(everything, X, Y), 4, [True, False]),
        bital.trace(lambda: (), *()),
        bital.trace(lambda x: (x, 3.0, x), 1.0),
    ],
    ids=lambda program: program.name,
)
def test_whole_programs(program):
    again = round_trip(program)
    rng = np.random.default_rng(0)
    arguments = [
        rng.standard_normal(t.shape).astype(t.dtype)
        if t.dtype.kind == "f"
        else np.ones(t.shape, t.dtype)
        for t in program.input_types
    ]
    with np.errstate(all="ignore"):
        expected, got = evaluate(program, tuple(arguments)), evaluate(again, tuple(arguments))
    for a, b in zip(expected, got, strict=True):
        np.testing.assert_array_equal(a, b)


def test_nested_programs_keep_their_constants():
    table = np.array([0.1, -0.0, np.nan])

    @bital.custom_vjp
    def f(x):
        return x * table

    f.defvjp(lambda x: (f(x), None), lambda _, ct: (ct * table,))
    program = bital.trace(f, np.ones(3))
    inner = round_trip(program).equations[0].params["primal"]
    (array,) = inner.constants.values()
    assert array.tobytes() == table.tobytes()


OPEN, EMPTY = "program f(x: float64[2]) {\n", "program f() {\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected 'program'"),
        ("programm f() {\n}", "expected 'program'"),
        ("program f(x) {\n  return x\n}", "line 1: expected ':'"),
        ("program f(x: float64) {\n  return x\n}", "expected an array type"),
        ("program f(x: float65[2]) {\n  return x\n}", "float65"),
        (OPEN + "  return y\n}", "line 2: 'y' is read before"),
        (OPEN + "  a: float64[2] = sine(x)\n  return a\n}", "no primitive 'sine'"),
        (OPEN + "  a: float64[2] = sin(z)\n  return a\n}", "line 2: 'z' is read"),
        (OPEN + "  a: float64[2] sin(x)\n  return a\n}", "line 2: expected '='"),
        (OPEN + "  x: float64[2] = sin(x)\n  return x\n}", "'x' is assigned twice"),
        ("program f(x: float64[2], x: float64[2]) {\n  return x\n}", "'x' is assigned twice"),
        (OPEN + "  return x", "expected a word, found 'the end'"),
        (OPEN + "  return x\n} more", "goes on after"),
        (EMPTY + "  c: float64[2] = constant [1, 2\n  return c\n}", "line 2"),
        (EMPTY + '  c: float64[2] = constant ["0x1p0"]\n  return c\n}', "line 2: cannot reshape"),
        (EMPTY + '  c: float64[1] = constant ["one"]\n  return c\n}', "line 2"),
        (EMPTY + "  c: float64[1] = constant [1.5]\n  return c\n}", "line 2"),
        (EMPTY + "  c: int8[1] = constant [300]\n  return c\n}", "line 2"),
        (EMPTY + "  c: float64[1] = constant", "line 2"),
        (EMPTY + "  return 1.0:object\n}", "object"),
        (EMPTY + "  return 1..0:float64\n}", "line 2"),
        (EMPTY + "  return 300:uint8\n}", "line 2"),
        (OPEN + "  a: float64[2] = sin(x) [k=word]\n  return a\n}", "line 2"),
        (OPEN + "  a: float64[2] = sin(x) [k=type:int]\n  return a\n}", "line 2"),
        (OPEN + "  a: float64[2] = sin(x) [k=(1, 2\n", "the end"),
        (OPEN + "  a: float64[2] = sin(x) ]\n", "line 2"),
        ("program f(x: float64[2] @ 3) {", "found '@ 3"),
    ],
)
def test_malformed_text_says_where(text, message):
    with pytest.raises(ProgramError) as caught:
        parse(text, REGISTRY)
    assert message in str(caught.value)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_text_is_an_error_or_a_program(data):
    printed = str(bital.trace(everything, X, Y))
    start = data.draw(st.integers(0, len(printed)))
    length = data.draw(st.integers(0, 20))
    damage = data.draw(st.text("{}[]():,=x1.e-\n\"' Ab", max_size=5))
    try:
        program = parse(printed[:start] + damage + printed[start + length :], REGISTRY)
    except ProgramError:
        return
    assert isinstance(program, Program)


def test_a_param_without_text_form_is_an_error():
    x, out = Var(ArrayType((), np.dtype(float))), Var(ArrayType((), np.dtype(float)))
    from bital.program import Equation

    with pytest.raises(ProgramError, match="no text form"):
        str(Program([x], [Equation(REGISTRY["sin"], [x], [out], {"k": object()})], [out]))


def test_unnamed_variables_are_numbered_by_letters():
    names = text_module.Names({"b"})
    given = [names.of(Var(ArrayType((), np.dtype(float)))) for _ in range(53)]
    assert given[:3] == ["a", "c", "d"]
    assert given[25:27] == ["aa", "ab"]
    assert len(set(given)) == 53
