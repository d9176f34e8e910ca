"""The checker: each way in which a Program can be malformed, with the lines around the fault."""

import numpy as np
import pytest

from bital.errors import ProgramError
from bital.primitives import REGISTRY
from bital.primitives import elementwise as e
from bital.primitives import shape as s
from bital.program import (
    ArrayType,
    Builder,
    Equation,
    Literal,
    Program,
    Var,
    building,
    check,
    current_builder,
    inline,
    parse,
)

F64 = np.dtype(np.float64)
VECTOR, SCALAR = ArrayType((3,), F64), ArrayType((), F64)


def example():
    """x -> sin(x) * x, as the equations of a Program."""
    x, a, b = (Var(VECTOR, name) for name in "xab")
    equations = [Equation(e.sin, [x], [a], {}), Equation(e.mul, [a, x], [b], {})]
    return x, a, b, equations


def test_a_good_program_passes():
    x, _, b, equations = example()
    program = Program([x], equations, [b, x, Literal(1.0, F64)])
    assert check(program) is program


def test_read_before_assignment():
    x, _, b, equations = example()
    with pytest.raises(ProgramError, match="read before it is assigned") as caught:
        check(Program([x], equations[::-1], [b]))
    assert "->b: float64[3] = mul(a, x)" in str(caught.value)
    assert "equation 0 (mul)" in str(caught.value)


def test_an_output_that_nothing_assigns():
    x, a, b, equations = example()
    with pytest.raises(ProgramError, match=r"outputs: .*read before") as caught:
        check(Program([x], equations[:1], [b]))
    assert "sin(x)" in str(caught.value)
    with pytest.raises(ProgramError, match="outputs"):
        check(Program([x], [], [a]))


def test_double_assignment():
    x, a, _, equations = example()
    twice = [equations[0], Equation(e.cos, [x], [a], {})]
    with pytest.raises(ProgramError, match="assigned twice") as caught:
        check(Program([x], twice, [a]))
    assert "equation 1 (cos)" in str(caught.value)
    assert "->a: float64[3] = cos(x)" in str(caught.value)
    with pytest.raises(ProgramError, match=r"inputs: .*assigned twice"):
        check(Program([x, x], [], [x]))
    with pytest.raises(ProgramError, match=r"constants: .*assigned twice"):
        check(Program([x], [], [x], {x: np.zeros(3)}))
    with pytest.raises(ProgramError, match="assigned twice"):
        check(Program([x], [Equation(e.sin, [x], [x], {})], [x]))


@pytest.mark.parametrize("wrong", [ArrayType((4,), F64), ArrayType((3,), np.dtype(np.float32))])
def test_an_output_type_that_the_primitive_does_not_give(wrong):
    x = Var(VECTOR, "x")
    out = Var(wrong, "out")
    with pytest.raises(ProgramError, match=r"outputs are .* but the inputs give float64\[3\]"):
        check(Program([x], [Equation(e.sin, [x], [out], {})], [out]))


def test_a_wrong_number_of_outputs_or_operands():
    x, a, b, _ = example()
    with pytest.raises(ProgramError, match="outputs are"):
        check(Program([x], [Equation(e.sin, [x], [a, b], {})], [a]))
    with pytest.raises(ProgramError, match="equation 0"):
        check(Program([x], [Equation(e.mul, [x], [a], {})], [a]))


def test_operands_that_the_primitive_does_not_take():
    x, i, out = Var(VECTOR, "x"), Var(ArrayType((3,), np.dtype(np.int64)), "i"), Var(VECTOR)
    with pytest.raises(ProgramError, match="without conversion"):
        check(Program([x, i], [Equation(e.add, [x, i], [out], {})], [out]))
    short = Var(ArrayType((2,), F64))
    with pytest.raises(ProgramError, match="equation 0"):
        check(Program([x, short], [Equation(e.add, [x, short], [out], {})], [out]))


def test_params_that_do_not_fit_or_have_no_key():
    x, out = Var(VECTOR, "x"), Var(ArrayType((4,), F64))
    with pytest.raises(ProgramError, match="does not reshape"):
        check(Program([x], [Equation(s.reshape, [x], [out], {"shape": (4,)})], [out]))
    with pytest.raises(ProgramError, match="unhashable"):
        check(Program([x], [Equation(s.reshape, [x], [out], {"shape": [3]})], [out]))
    with pytest.raises(ProgramError, match="unexpected keyword"):
        check(Program([x], [Equation(e.sin, [x], [out], {"axis": 0})], [out]))


def test_a_constant_of_another_type():
    c = Var(VECTOR, "c")
    with pytest.raises(ProgramError, match=r"constant .* holds an array of type float32\[3\]"):
        check(Program([], [], [c], {c: np.zeros(3, np.float32)}))


def test_a_fault_inside_a_nested_program_is_found():
    x, a, _, _ = example()
    bad = Program([x], [], [a])
    y, out = Var(VECTOR, "y"), Var(VECTOR)
    params = {"primal": bad, "forward": bad, "backward": bad}
    call = Equation(REGISTRY["custom_vjp_call"], [y], [out], params)
    with pytest.raises(ProgramError, match=r"custom_vjp_call.*read before"):
        check(Program([y], [call], [out]))


def test_the_neighbourhood_shows_three_lines_on_either_side():
    builder = Builder("long")
    x = builder.input(VECTOR, "x")
    value = x
    for _ in range(10):
        (value,) = builder.add(e.sin, [value], {})
    program = builder.build([value])
    broken = list(program.equations)
    broken[7] = Equation(e.cos, [Var(VECTOR, "lost")], broken[7].outputs, {})
    with pytest.raises(ProgramError) as caught:
        check(program.replace(equations=broken))
    lines = str(caught.value).splitlines()[1:]
    assert len(lines) == 6
    assert [line.startswith("->") for line in lines] == [False] * 3 + [True] + [False] * 2
    assert "cos(lost)" in lines[3]


class TestBuilder:
    def test_types_are_inferred(self):
        builder = Builder()
        x = builder.input(VECTOR, "x")
        with building(builder):
            y = e.mul(x, 2)
        assert y.type == VECTOR
        assert current_text(builder.build([y])) == "mul(x, 2.0:float64)"

    def test_no_builder_no_call(self):
        with pytest.raises(RuntimeError, match="outside of a Builder"):
            current_builder()
        with pytest.raises(RuntimeError):
            e.sin(Literal(1.0, F64))

    def test_building_nests_and_ends_with_an_error(self):
        outer, inner = Builder("outer"), Builder("inner")
        with building(outer):
            with pytest.raises(KeyError), building(inner):
                raise KeyError(current_builder().name)
            assert current_builder() is outer
        with pytest.raises(RuntimeError):
            current_builder()

    def test_a_type_error_adds_nothing(self):
        builder = Builder()
        x = builder.input(VECTOR)
        with pytest.raises(ProgramError):
            builder.add(s.reshape, [x], {"shape": (4,)})
        assert builder.equations == []

    def test_inline_gives_fresh_variables_and_keeps_constants(self):
        c = Var(VECTOR, "c")
        x, out = Var(VECTOR, "x"), Var(VECTOR, "out")
        inner = Program([x], [Equation(e.mul, [x, c], [out], {})], [out, x], {c: np.arange(3.0)})
        builder = Builder()
        y = builder.input(VECTOR, "y")
        first = inline(builder, inner, [y])
        second = inline(builder, inner, [first[0]])
        program = check(builder.build(second))
        assert len(program.equations) == 2
        assert second[1] is first[0]
        assert len(program.constants) == 2


class TestStructure:
    def test_names_do_not_count_values_of_literals_do(self):
        def program(name, value):
            x, out = Var(VECTOR, name), Var(VECTOR, name + "2")
            return Program([x], [Equation(e.mul, [x, Literal(value, F64)], [out], {})], [out])

        assert program("x", 1.0).structure() == program("y", 1.0).structure()
        assert program("x", 1.0).structure() != program("x", 2.0).structure()
        assert program("x", 0.0).structure() != program("x", -0.0).structure()
        assert program("x", np.nan).structure() == program("x", np.nan).structure()

    def test_which_operand_is_read_counts(self):
        x, y, out = Var(VECTOR), Var(VECTOR), Var(VECTOR)
        one = Program([x, y], [Equation(e.sub, [x, y], [out], {})], [out])
        other = Program([x, y], [Equation(e.sub, [y, x], [out], {})], [out])
        assert one.structure() != other.structure()

    def test_nested_programs_count(self):
        def program(inner_name):
            text = f"""
            program f(x: float64[3]) {{
              a: float64[3] = custom_vjp_call(x) [primal=program p(y: float64[3]) {{
                b: float64[3] = {inner_name}(y)
                return b
              }}, forward=program q(y: float64[3]) {{
                return y
              }}, backward=program r(y: float64[3]) {{
                return y
              }}]
              return a
            }}"""
            return parse(text, REGISTRY)

        assert program("sin").structure() == program("sin").structure()
        assert program("sin").structure() != program("cos").structure()


def current_text(program):
    return str(program).splitlines()[1].partition("= ")[2]
