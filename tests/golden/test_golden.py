"""Programs and the NumPy source made from them, as text that a refactoring must reproduce."""

import numpy as np
import pytest
from golden.functions import CASES

import bital
from bital.primitives import REGISTRY, evaluate
from bital.program import check, parse


@pytest.mark.parametrize("name", CASES)
def test_program_text(name, golden):
    function, arguments = CASES[name]
    program = check(bital.trace(function, *arguments))
    golden(f"{name}.program.txt", str(program) + "\n")
    assert parse(str(program), REGISTRY).structure()[0] == program.structure()[0]


@pytest.mark.parametrize("name", CASES)
def test_numpy_source(name, golden):
    function, arguments = CASES[name]
    program = bital.trace(function, *arguments)
    golden(f"{name}.numpy.txt", program.to_numpy())


@pytest.mark.parametrize("name", CASES)
def test_the_golden_program_computes_what_the_function_does(name, golden):
    """The text is more than stable: it is right."""
    function, arguments = CASES[name]
    program = parse(str(bital.trace(function, *arguments)), REGISTRY)
    leaves = [np.array(leaf) for leaf in bital.tree.leaves(arguments)]
    expected = bital.tree.leaves(function(*bital.tree.map(np.array, arguments)))
    for got, want in zip(evaluate(program, tuple(leaves)), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-6)
