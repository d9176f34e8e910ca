"""The order in which passes run."""

from __future__ import annotations

from bital.passes.common import eliminate_common
from bital.passes.dead_code import eliminate_dead
from bital.passes.simplify import simplify
from bital.program import Program, check

PASSES = (simplify, eliminate_common, eliminate_dead)
_ROUNDS = 4  # each round may uncover work for the next; most Programs settle after two


def optimize(program: Program, checked: bool = False) -> Program:
    """Run all passes until nothing changes.

    Parameters
    ----------
    program : Program
    checked : bool
        Prove the Program well formed after every pass (as all tests do).
    """
    for _ in range(_ROUNDS):
        before = program.structure()
        for each in PASSES:
            program = each(program)
            if checked:
                check(program)
        if program.structure() == before:
            break
    return program
