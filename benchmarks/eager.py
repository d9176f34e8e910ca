"""J: gradients without `jit`, against autograd, in one process and in turns.

The second case is one for which autograd has no rule for NumPy's own function: NumPy then computes
with arrays of objects, element by element.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.running import environment

# Name of the case -> at most this, for bital's time divided by autograd's.
TARGETS = {
    "4-16-3 tanh, batch 16": 1.0,
    "784-50-10 tanh, batch 100": 1.0,
    "np.dot of 32x20 and 20x10 (autograd: arrays of objects)": 0.1,
}


def network(numpy: Any) -> Callable[..., Any]:
    """Two layers and softmax cross-entropy, in a namespace's words."""

    def loss(params: Any, x: Any, t: Any) -> Any:
        W1, b1, W2, b2 = params
        h = numpy.tanh(x @ W1 + b1)
        z = h @ W2 + b2
        z = z - numpy.max(z, axis=1, keepdims=True)
        total = numpy.sum(numpy.exp(z), axis=1, keepdims=True)
        return -numpy.mean(numpy.sum(t * (z - numpy.log(total)), axis=1))

    return loss


def squares(W: Any, x: Any, t: Any) -> Any:
    """Plain NumPy: autograd's own namespace would have a rule for `dot`."""
    error = np.dot(x, W) - t
    return np.sum(error * error)


def _arguments(inputs: int, hidden: int, outputs: int, batch: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    W1 = rng.normal(size=(inputs, hidden)) / inputs**0.5
    W2 = rng.normal(size=(hidden, outputs)) / hidden**0.5
    x, t = rng.normal(size=(batch, inputs)), np.eye(outputs)[rng.integers(0, outputs, batch)]
    return (W1, np.zeros(hidden), W2, np.zeros(outputs)), x, t


def _cases() -> Iterator[tuple[str, tuple[Any, ...], dict[str, Callable[..., Any]]]]:
    import autograd
    import autograd.numpy

    import bital

    both = {"autograd": autograd.grad, "bital": bital.grad}
    spaces = {"autograd": autograd.numpy, "bital": np}
    functions = {name: grad(network(spaces[name])) for name, grad in both.items()}
    names = iter(TARGETS)
    yield next(names), _arguments(4, 16, 3, 16), functions
    yield next(names), _arguments(784, 50, 10, 100), functions
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=(20, 10)), rng.normal(size=(32, 20)), rng.normal(size=(32, 10))
    yield next(names), arrays, {name: grad(squares) for name, grad in both.items()}


def serve(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Each case's times of a gradient, in seconds."""
    found = []
    for name, arguments, functions in _cases():
        results = {who: _leaves(function(*arguments)) for who, function in functions.items()}
        for got, want in zip(results["bital"], results["autograd"], strict=True):
            np.testing.assert_allclose(got, want.astype(np.float64), rtol=1e-9, atol=1e-12)
        times: dict[str, list[float]] = {who: [] for who in functions}
        for _ in range(rounds):
            for who, function in functions.items():
                times[who].append(_one_turn(function, arguments, seconds))
        found.append({"case": name, "times": times})
    return found


def _leaves(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple) else [value]


def _one_turn(function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float) -> float:
    count, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds or not count:
        function(*arguments)
        count += 1
    return passed / count


def measure(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """As `serve`, in a process of its own.

    Raises
    ------
    subprocess.CalledProcessError
        Where it fails, as without autograd.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.eager", str(rounds), str(seconds)],
        check=True,
        capture_output=True,
        text=True,
        env=environment({}),
    )
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def rows(found: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Rows of the report: case, who, us a gradient, lowest to highest, ratio, target."""
    for entry in found:
        ours = statistics.median(entry["times"]["bital"])
        for who, times in entry["times"].items():
            middle = statistics.median(times)
            ratio = (
                [] if who == "bital" else [f"{ours / middle:.3g}", f"{TARGETS[entry['case']]:g}"]
            )
            spread = f"{1e6 * min(times):.0f} to {1e6 * max(times):.0f}"
            yield [entry["case"], who, f"{1e6 * middle:.0f}", spread, *(ratio or ["", ""])]


if __name__ == "__main__":
    print(json.dumps(serve(int(sys.argv[1]), float(sys.argv[2]))))
