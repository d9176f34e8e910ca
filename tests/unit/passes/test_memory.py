"""The buffer plan: an interpreter with real buffers finds out if a live value is overwritten."""

import numpy as np
import pytest
from random_programs import WHOLE, random_arguments, random_program

import bital
from bital.executors.numpy.expressions import OVERWRITES, writes_out
from bital.passes import optimize, plan
from bital.passes.memory import VIEWS
from bital.primitives import evaluate
from bital.program import Literal

SCALE = 90  # large enough for every array to be worth a buffer


def plan_of(program, donated=()):
    return plan(
        program,
        {program.inputs[i] for i in donated},
        writes_out,
        lambda equation: OVERWRITES.get(equation.primitive.name, ()),
    )


def run_with_buffers(program, buffers, arguments):
    """Every value lives where the plan says; a slot is ruined before it is written anew."""
    memory = [np.full(t.shape, 77, t.dtype) for t in buffers.slots]
    env = dict(zip(program.inputs, arguments, strict=True)) | program.constants
    for equation in program.equations:
        values = [a.value if isinstance(a, Literal) else env[a] for a in equation.inputs]
        (out,) = equation.outputs
        result = equation.primitive.reference(*values, **equation.params)
        assert not (out in buffers.slot_of and out in buffers.in_place_of)
        if equation.primitive.name in VIEWS:
            env[out] = result
        elif out in buffers.slot_of:
            slot = memory[buffers.slot_of[out]]
            assert not any(np.shares_memory(slot, value) for value in values)
            slot[...] = result
            env[out] = slot
        elif out in buffers.in_place_of:
            result = np.array(result)
            env[out] = env[buffers.in_place_of[out]]
            env[out][...] = result
        else:
            env[out] = np.array(result)[()]
    return [a.value if isinstance(a, Literal) else env[a] for a in program.outputs], memory


def close(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("donate", [False, True])
def test_no_live_value_is_overwritten(donate):
    used = {"slots": 0, "in_place": 0, "shared": 0}
    for seed in range(30):
        program = optimize(random_program(seed, equations=70, scale=SCALE))
        arguments = random_arguments(program, seed, WHOLE)
        donated = range(len(program.inputs)) if donate else ()
        buffers = plan_of(program, donated)
        with np.errstate(all="ignore"):
            expected = evaluate(program, arguments)
            copies = [np.array(a)[()] for a in arguments]
            got, memory = run_with_buffers(program, buffers, copies)
        for a, b in zip(got, expected, strict=True):
            close(a, b)
            assert not any(np.shares_memory(a, slot) for slot in memory)
        if not donate:
            for a, b in zip(copies, arguments, strict=True):
                np.testing.assert_array_equal(a, b)
        used["slots"] += len(buffers.slots)
        used["in_place"] += len(buffers.in_place_of)
        used["shared"] += len(buffers.slot_of) - len(buffers.slots)
    assert min(used.values()) > 10, used


def test_constants_are_never_written_over():
    for seed in range(30):
        program = optimize(random_program(seed, equations=70, scale=SCALE))
        kept = [array.copy() for array in program.constants.values()]
        with np.errstate(all="ignore"):
            run_with_buffers(program, plan_of(program), random_arguments(program, seed, WHOLE))
        for a, b in zip(kept, program.constants.values(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_small_values_get_no_buffer():
    program = optimize(bital.trace(lambda x: np.sin(np.cos(x) + 1.0) * 2.0, np.ones(10)))
    assert plan_of(program).slots == []
    assert plan_of(program).in_place_of == {}


def test_a_chain_runs_in_one_buffer():
    program = optimize(bital.trace(lambda x: np.sum(np.sin(np.cos(x) + 1.0) * 2.0), np.ones(1000)))
    buffers = plan_of(program)
    assert len(buffers.slots) == 1
    assert len(buffers.in_place_of) == 3


def test_a_result_has_its_own_memory():
    program = optimize(bital.trace(lambda x: np.sin(np.cos(x) + 1.0), np.ones(1000)))
    assert plan_of(program).slots == []


def test_a_donated_argument_is_written_over_after_its_last_use():
    program = optimize(bital.trace(lambda w, g: w - 0.1 * g, np.ones(1000), np.ones(1000)))
    w = program.inputs[0]
    assert list(plan_of(program, [0]).in_place_of.values()).count(w) == 1
    assert w not in plan_of(program).in_place_of.values()


def test_a_donated_argument_that_is_returned_is_kept():
    program = optimize(bital.trace(lambda w: (w * 2.0, w), np.ones(1000)))
    assert plan_of(program, [0]).in_place_of == {}


def test_a_view_keeps_its_root_alive():
    def f(x):
        y = np.sin(x)
        turned = y.reshape(20, 50).T
        return (y * 2.0).sum() + turned.sum() * (np.cos(x) + 1.0).sum()

    program = optimize(bital.trace(f, np.ones(1000)))
    got, _ = run_with_buffers(program, plan_of(program), [np.ones(1000)])
    close(got, evaluate(program, (np.ones(1000),)))
