"""bital on its ``xla`` executor beside JAX written by hand, on the device that JAX uses.

    python -m benchmarks.xla [--networks mlp,convnet] [--rounds 7] [--out benchmarks/xla.md]

Both are in one process and take turns; weights, state and batches lie on the device. A step is one
call; a loop is all steps in one call, ``bital.scan`` beside ``jax.lax.scan``, state donated. `fit`
of `bital.keras`, which is given NumPy's arrays, is measured beside the same ``jax.lax.scan``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import bital
from bital import keras
from bital.executors import get_executor

TARGET = 1.05  # at most this, for bital's time divided by JAX's
SAME = 2e-3  # relative, of losses: Adam's first steps are little more than signs
NETWORKS = {
    "mlp": "784-300-100-10, relu, batch 4096",
    "convnet": "convolutions of 32 and 64, dense 128, 10, batch 64",
    "lstm": "LSTM(128) over 28 steps of 28, dense 10, batch 64",
    "transformer": "character transformer, 4 layers of 128, 4 heads, 64 tokens, batch 32",
}
STEPS = {"mlp": 8, "convnet": 8, "lstm": 16, "transformer": 3}  # of a loop
EPOCHS = 4  # of `fit`, which copies the samples to the device once
Arrays = Sequence[np.ndarray]


class Side(NamedTuple):
    """How one of the two trains a network.

    Attributes
    ----------
    carry : nested arrays
        Weights and state.
    step : callable
        ``(carry, x, t) -> (carry, loss)``, compiled.
    """

    carry: Any
    step: Callable[[Any, Any, Any], tuple[Any, Any]]


def workload(network: str) -> Any:
    """As the other benchmarks describe it: of the MLP and the ConvNet."""
    from benchmarks.workloads import Workload, named

    if network == "convnet":
        return named("K")
    steps = STEPS["mlp"]
    return Workload("P", (784, 300, 100, 10), "relu", "adam", 0.001, 4096, steps)


def batches(network: str) -> tuple[np.ndarray, np.ndarray]:
    """Batches beside one another."""
    steps = STEPS[network]
    if network in ("mlp", "convnet"):
        from benchmarks.workloads import samples

        return tuple(
            array[: steps * workload(network).batch].reshape(steps, -1, *array.shape[1:])
            for array in samples(workload(network))
        )
    from benchmarks import sequences

    return tuple(np.stack([array] * steps) for array in sequences.batch(network))


def by_jax(network: str) -> Side:
    """Of the other benchmarks, where JAX is written by hand."""
    if network in ("lstm", "transformer"):
        from benchmarks.sequences import by_jax as contender

        made = contender.Network(network)
        return Side((made.weights, made.state), _flat(made.compiled))
    from benchmarks.contenders import jax as networks

    if network == "mlp":
        made = networks.Network(workload(network), "`jit`")
    else:
        made = networks.ConvNet(workload(network), "`jit`, `reshape` and `max`")
    return Side(made.carry, lambda carry, x, t: made.compiled_step(carry, (x, t)))


def by_bital(network: str) -> Side:
    """Of the other benchmarks: plain NumPy."""
    if network in ("lstm", "transformer"):
        from benchmarks.sequences import by_bital as contender

        made = contender.Network(network)
        return Side((made.weights, made.state), _flat(made.compiled))
    from benchmarks.contenders import bital_jit

    if network == "convnet":
        made = bital_jit.ConvNet(workload(network), "windows of NumPy")
        return Side(made.carry, made.compiled)
    made = bital_jit.Network(workload(network), "gradients by bital")
    return Side((made.values, made.state), _flat(made.compiled))


def _flat(step: Callable[..., Any]) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    def one(carry: Any, x: Any, t: Any) -> tuple[Any, Any]:
        *carried, value = step(*carry, x, t)
        return tuple(carried), value

    return one


# --- turns ----------------------------------------------------------------------------------


class Case:
    """One way of taking steps, and what it took."""

    def __init__(self, title: str, run: Callable[[], Any], steps: int) -> None:
        self.title, self.run, self.steps = title, run, steps
        self.times: list[float] = []

    def turn(self, seconds: float) -> None:
        """Milliseconds a step: the median of calls."""
        times: list[float] = []
        while sum(times) < seconds:
            start = time.perf_counter()
            self.run()
            times.append(time.perf_counter() - start)
        self.times.append(1e3 * statistics.median(times) / self.steps)


def cases(network: str) -> list[tuple[Case, Case]]:
    """Pairs of bital and JAX. Raises where they do not do the same work."""
    xs, ts = batches(network)
    steps = len(xs)
    jax_one, jax_many, of_jax = _jax_calls(network, xs, ts)
    one, many, of_bital = _bital_calls(network, xs, ts)
    losses = [[float(loss) for loss in side] for side in (of_bital, of_jax)]
    np.testing.assert_allclose(*losses, rtol=SAME, err_msg="they do not do the same work")
    loop = Case("`lax.scan`", jax_many, steps)
    found = [
        (Case("a step", one, 1), Case("`jit`", jax_one, 1)),
        (Case("`bital.scan`", many, steps), loop),
    ]
    if network != "transformer":
        found.append((Case("`fit`", _fit(network, xs, ts), EPOCHS * steps), loop))
    return found


def _jax_calls(network: str, xs: Any, ts: Any) -> tuple[Any, Any, Any]:
    """A step, a loop, and the losses of the first loop."""
    carry, step = by_jax(network)
    loop = jax.jit(
        lambda carry, *batches: jax.lax.scan(lambda c, b: step(c, *b), carry, batches),
        donate_argnums=0,
    )
    placed = jnp.asarray(xs), jnp.asarray(ts)
    first = placed[0][0], placed[1][0]
    state, losses = loop(jax.tree.map(jnp.copy, carry), *placed)

    def many() -> None:
        nonlocal state
        state, _ = loop(state, *placed)
        jax.block_until_ready(state)

    def one() -> None:
        nonlocal carry
        carry, _ = step(carry, *first)
        jax.block_until_ready(carry)

    return one, many, np.asarray(losses)


def _bital_calls(network: str, xs: Any, ts: Any) -> tuple[Any, Any, Any]:
    carry, step = by_bital(network)
    options = {"executor": "xla", "donate_argnums": 0, "on_device": True}
    call = bital.jit(step, **options)
    loop = bital.jit(
        lambda carry, *batches: bital.scan(lambda c, b: step(c, *b), carry, batches), **options
    )
    place = get_executor("xla").place
    placed = place(xs), place(ts)
    first = place(xs[0]), place(ts[0])
    state, losses = loop(bital.tree.map(np.copy, carry), *placed)

    def finish(state: Any) -> None:
        jax.block_until_ready([each.buffer.array for each in bital.tree.leaves(state) if each.ndim])

    def many() -> None:
        nonlocal state
        state, _ = loop(state, *placed)
        finish(state)

    def one() -> None:
        nonlocal carry
        carry, _ = call(carry, *first)
        finish(carry)

    return one, many, np.asarray(losses)


def _fit(network: str, xs: np.ndarray, ts: np.ndarray) -> Callable[[], None]:
    """The same network and optimizer in `bital.keras`, for some epochs."""
    if network == "lstm":
        layers = [keras.layers.LSTM(128), keras.layers.Dense(10, activation="softmax")]
        model = keras.Sequential([keras.Input(xs.shape[2:]), *layers])
    else:
        from benchmarks.contenders import bital_keras

        kind = bital_keras.ConvNet if network == "convnet" else bital_keras.Network
        model = kind(workload(network), "fit").model
    model.compile(
        keras.optimizers.Adam(0.001, epsilon=1e-10),
        "sparse_categorical_crossentropy",
        executor="xla",
    )
    x, t = xs.reshape(-1, *xs.shape[2:]), ts.reshape(-1)
    options = {"batch_size": xs.shape[1], "epochs": EPOCHS, "shuffle": False, "verbose": 0}
    return lambda: model.fit(x, t, **options)


def measure(network: str, rounds: int, seconds: float) -> list[tuple[Case, Case]]:
    """All pairs of a network; in every round each case takes a turn."""
    found = cases(network)
    every = list(dict.fromkeys(case for pair in found for case in pair))
    for case in every:
        case.run()
        case.run()
    for _ in range(rounds):
        for case in every:
            case.turn(seconds)
    return found


# --- the page -------------------------------------------------------------------------------


def rows(network: str, pairs: list[tuple[Case, Case]]) -> list[list[str]]:
    found = []
    for ours, theirs in pairs:
        times = [statistics.median(case.times) for case in (ours, theirs)]
        ratios = sorted(a / b for a, b in zip(ours.times, theirs.times, strict=True))
        ratio = statistics.median(ratios)
        spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        shown = [f"{each:.2f}" for each in times]
        reached = "yes" if ratio <= TARGET else "no"
        names = [network, ours.title, shown[0], theirs.title, shown[1]]
        found.append([*names, f"{ratio:.2f}", spread, reached])
    return found


def page(table: list[list[str]], conditions: str) -> str:
    from benchmarks.report import machine
    from benchmarks.report import table as laid_out

    head = ("network", "bital", "ms a step", "JAX by hand", "ms a step", "ratio")
    head = (*head, "lowest to highest", f"at most {TARGET:g}")
    device = jax.devices()[0]
    networks = "\n".join(f"- {name}: {what}, Adam" for name, what in NETWORKS.items())
    return (
        "# bital on XLA, and JAX by hand\n\n"
        f"Made by `python -m benchmarks.xla` on {device.platform} ({device.device_kind}): "
        f"{conditions}. Both run in one process, in turns, and arrive at the same losses from the "
        "same weights. Weights, state and batches lie on the device, but for those of `fit`, which "
        f"is given NumPy's arrays, for {EPOCHS} epochs of {STEPS['mlp']} to {STEPS['lstm']} steps, "
        "and is measured beside the same `lax.scan`. Ratios are medians of the rounds'. On a CPU "
        "XLA takes ten times as long for the slope of a convolution's kernel within a loop, which "
        f"bital lowers as a product.\n\n{networks}\n\n{machine()}\n\n{laid_out(head, table)}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.xla", description=__doc__)
    parser.add_argument("--networks", default=",".join(NETWORKS), help="default: all")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="a turn, at least one call")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    table: list[list[str]] = []
    for network in chosen.networks.split(","):
        table += rows(network, measure(network, chosen.rounds, chosen.seconds))
        print(network, file=sys.stderr, flush=True)
    conditions = f"{chosen.rounds} rounds of turns of {chosen.seconds:g} s"
    text = page(table, conditions)
    if chosen.out:
        chosen.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
