"""docs/from_scratch.py stays short, runs, and agrees with bital."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bital

SCRIPT = Path(__file__).parents[2] / "docs" / "from_scratch.py"
scratch = runpy.run_path(str(SCRIPT))
grad, jit, trace, evaluate = (scratch[name] for name in ("grad", "jit", "trace", "evaluate"))
RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(3, 3)), RNG.normal(size=(3,))

FUNCTIONS = {
    "wave": (scratch["wave"], (0.5,)),
    "products": (lambda a, b: np.sum((a @ a.T) * b), (A, B)),
    "quotients": (lambda a, b: np.sum(b / (a * a + 1)) - np.sum(a - 2 * b), (A, B)),
    "logarithms": (lambda a: np.sum(np.log(np.exp(a) + 1)), (A,)),
    "axes": (lambda a: np.sum(np.tanh(np.sum(a, axis=0)) * np.sum(a, axis=1)), (A,)),
    "rows": (lambda b: np.sum(np.broadcast_to(b, (4, 3)) * 0.5), (B,)),
    "columns": (lambda b: np.sum(np.tanh(np.reshape(b, (3, 1)) * b)), (B,)),
    "network": (scratch["loss"], tuple(scratch[n] for n in ("W1", "B1", "W2", "B2", "X", "T"))),
}


@pytest.fixture(params=FUNCTIONS)
def case(request):
    return FUNCTIONS[request.param]


def test_gradients(case):
    function, arguments = case
    np.testing.assert_allclose(
        grad(function)(*arguments), bital.grad(function)(*arguments), rtol=1e-11, atol=1e-13
    )


def test_second_derivatives(case):
    function, (x, *rest) = case
    slope = lambda g: lambda x: np.sum(g(function)(x, *rest) * np.cos(np.ones(np.shape(x))))  # noqa: E731
    np.testing.assert_allclose(
        grad(slope(grad))(x), bital.grad(slope(bital.grad))(x), rtol=1e-10, atol=1e-12
    )


def test_a_program_computes_what_the_function_does(case):
    function, arguments = case
    program = trace(function, *(np.shape(x) for x in arguments))
    (value,) = evaluate(program, *arguments)
    np.testing.assert_allclose(value, function(*arguments), rtol=1e-13)


def test_compiled(case):
    function, arguments = case
    for each in (function, grad(function)):
        np.testing.assert_allclose(jit(each)(*arguments), each(*arguments), rtol=1e-13)


def test_what_is_not_in_it_says_so():
    with pytest.raises(TypeError, match=r"np\.sin is not in this small language"):
        grad(np.sin)(1.0)


def test_the_script_runs_by_itself():
    out = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=True)
    ours, bitals = (line.split(":")[1].strip() for line in out.stdout.splitlines()[-2:])
    assert float(ours) == pytest.approx(float(bitals), rel=1e-12)
    assert "def compiled(v0, v1, v2, v3, v4, v5):" in out.stdout


def test_it_can_be_read_in_an_hour():
    lines = [line.strip() for line in SCRIPT.read_text().splitlines()]
    code = [line for line in lines if line and not line.startswith(("#", '"""'))]
    assert len(code) <= 190
    assert len(lines) <= 340
