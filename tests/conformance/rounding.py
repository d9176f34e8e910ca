"""How far another order of operations may move a result: measured, not guessed.

The condition of a Program is measured by Monte Carlo arithmetic (D. S. Parker, 1997): the
references of its primitives are evaluated again, with each rounded result, and each term of a sum
or product, moved at random by a unit in its last place. What this does to a result is what rounding
may do to it, element by element: a sum is measured against its terms, a difference against what it
is the difference of. Zeros, infinities, NaN, integers and bools are never moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tables import TOLERANCES

from bital import tree
from bital.primitives import REGISTRY, evaluate
from bital.primitives.control import observing
from bital.program import Equation, Literal, Program

SAMPLES = 6
FACTOR = 6.0  # on the largest of the samples: XLA's functions are within about 5 units
MOST = 1e4  # of the dtype's tolerance of the largest number in sight: more is not rounding

_SUMS = "reduce_sum reduce_prod cumsum cumprod dot_general fold scatter_add"
# These choose, compare, move or convert, or hold Programs whose inside is moved.
_OTHERS = """
slice slice_update windows reshape transpose broadcast_to concatenate gather scatter where neg abs
sign copysign maximum minimum reduce_max reduce_min sort floor ceil trunc rint real imag complex
conj convert stop_gradient barrier nextafter spacing ldexp while_loop cond scan checkpoint
custom_vjp_call custom_jvp_call custom_linear
"""
_OF_TERMS, _EXACT = frozenset(_SUMS.split()), frozenset(_OTHERS.split())
assert REGISTRY.keys() >= _OF_TERMS | _EXACT


def explained(program: Program, arguments: Sequence[Any], got: Any, want: Any) -> list[Any]:
    """The results in `got`, with those in `want` wherever rounding explains the difference."""
    values = [
        np.asarray(leaf, var.type.dtype)[()]
        for leaf, var in zip(tree.leaves(arguments), program.inputs, strict=True)
    ]
    got, want = ([*map(np.asarray, tree.leaves(each))] for each in (got, want))
    if [(a.shape, a.dtype) for a in got] != [(b.shape, b.dtype) for b in want]:
        return got
    results = []
    for a, b, bound in zip(got, want, bounds(program, values, want), strict=True):
        with np.errstate(all="ignore"):
            results.append(np.where((a != b) & (_apart(a, b) <= bound), b, a))
    return results


def bounds(program: Program, values: Sequence[Any], want: Sequence[Any]) -> list[Any]:
    """For each result the errors that rounding explains, element by element."""
    found = [np.zeros(np.shape(each)) for each in want]
    with np.errstate(all="ignore"):
        for seed in range(SAMPLES):
            with observing(_Moving(seed)):
                results = evaluate(program, tuple(values))
            for bound, a, b in zip(found, results, want, strict=True):
                np.maximum(bound, np.nan_to_num(_apart(a, b), posinf=0), out=bound)
        scale = max(map(_largest, (*values, *want)), default=0)
    return [
        np.minimum(FACTOR * bound, scale * min(MOST * TOLERANCES.get(b.dtype.name, 0), 0.1))
        for bound, b in zip(found, want, strict=True)
    ]


def _apart(a: Any, b: Any) -> Any:
    """Distances in double precision; of integers and bools none is explained."""
    kind = np.asarray(b).dtype.kind
    if kind not in "fc":
        return np.full(np.shape(b), np.nan)
    wide = np.complex128 if kind == "c" else np.float64
    return np.abs(np.asarray(a, wide) - np.asarray(b, wide))


def _largest(x: Any) -> float:
    x = np.asarray(x)
    if x.dtype.kind not in "fc":
        return 1.0
    sizes = np.abs(x)
    return float(sizes[np.isfinite(sizes)].max(initial=0))


class _Moving:
    """Evaluates Programs as `evaluate` does, and moves what is rounded."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def __call__(self, program: Program, arguments: Sequence[Any]) -> list[Any]:
        env = dict(zip(program.inputs, arguments, strict=True)) | program.constants
        for equation in program.equations:
            operands = [a.value if isinstance(a, Literal) else env[a] for a in equation.inputs]
            env.update(zip(equation.outputs, self._results(equation, operands), strict=True))
        return [a.value if isinstance(a, Literal) else env[a] for a in program.outputs]

    def _results(self, equation: Equation, operands: list[Any]) -> list[Any]:
        primitive = equation.primitive
        if primitive.name in _OF_TERMS:
            operands = [self._moved(x) for x in operands]
        result = primitive.reference(*operands, **equation.params)
        results = list(result) if primitive.multiple_results else [result]
        return results if primitive.name in _EXACT else [self._moved(x) for x in results]

    def _moved(self, x: Any) -> Any:
        x = np.asarray(x)
        if x.dtype.kind not in "fc":
            return x[()]
        unit = np.finfo(x.dtype).eps
        step = self.rng.choice([-unit, unit], x.shape)
        if x.dtype.kind == "c":
            step = step + 1j * self.rng.choice([-unit, unit], x.shape)
        return np.where(np.isfinite(x) & (x != 0), x + x * step, x).astype(x.dtype)[()]
