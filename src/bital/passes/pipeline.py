"""The order in which passes run."""

from __future__ import annotations

from bital.passes import parts, windows
from bital.passes.common import eliminate_common
from bital.passes.dead_code import eliminate_dead
from bital.passes.loops import optimize_inner, simplify_loops
from bital.passes.sequences import batch_sequences
from bital.passes.simplify import simplify
from bital.program import Program, check

__all__ = ["optimize", "parts", "windows"]  # whose rules are in the table of `simplify`
PASSES = (simplify, simplify_loops, batch_sequences, eliminate_common, eliminate_dead)
_ROUNDS = 4  # each round may uncover work for the next; most Programs settle after two


def optimize(program: Program, checked: bool = False) -> Program:
    """Run all passes until nothing changes, on inner Programs first.

    Parameters
    ----------
    program : Program
    checked : bool
        Prove the Program well formed after every pass (as all tests do).
    """
    return _optimize(program, checked, set())


def _optimize(program: Program, checked: bool, done: set[Program]) -> Program:
    """`done` holds what came out of here: there is nothing left to do in it."""

    def inner(each: Program) -> Program:
        return each if each in done else _optimize(each, checked, done)

    for _ in range(_ROUNDS):
        before = program.structure()
        program = optimize_inner(program, inner)
        for each in PASSES:
            program = each(program)
            if checked:
                check(program)
        if program.structure() == before:
            break
    done.add(program)
    return program
