"""The text that `to_numpy` shows runs by itself, with the user's names."""

import subprocess
import sys

import numpy as np

import bital


def network_loss(params, x, t):
    W1, b1, W2 = params
    h = np.tanh(x @ W1 + b1)
    z = h @ W2
    return -np.mean(z[np.arange(64), t])


def test_the_text_runs_in_a_process_without_bital(tmp_path):
    rng = np.random.default_rng(0)
    params = [rng.normal(size=s) for s in ((20, 30), (30,), (30, 5))]
    x, t = rng.normal(size=(64, 20)), rng.integers(0, 5, 64)
    text = bital.trace(bital.grad(network_loss), params, x, t).to_numpy()
    assert "workspace()" in text
    assert "def network_loss(W1, b1, W2, x, t):" in text
    np.savez(tmp_path / "arguments.npz", *params, x, t)
    script = tmp_path / "pasted.py"
    script.write_text(
        text
        + f"a = np.load({str(tmp_path / 'arguments.npz')!r})\n"
        + "results = network_loss(*[a[f'arr_{i}'] for i in range(5)])\n"
        + f"np.savez({str(tmp_path / 'results.npz')!r}, *results)\n"
    )
    subprocess.run([sys.executable, "-I", "-W", "error", script], check=True)
    with bital.config.executor("numpy"):  # the same text: the same bits
        gradients = bital.grad(network_loss)(params, x, t)
    with np.load(tmp_path / "results.npz") as results:
        for name, expected in zip(results, gradients, strict=True):
            np.testing.assert_array_equal(results[name], expected)


def test_a_long_constant_is_named_not_printed():
    table = np.arange(1000.0)
    program = bital.trace(lambda x: x * table, np.ones(1000))
    assert "too long to print" in program.to_numpy()
    np.testing.assert_array_equal(bital.jit(lambda x: x * table)(np.ones(1000)), table)


def test_no_name_is_taken_from_a_tuple_that_does_not_fit():
    def loss(params):
        first, second = params[:2], params[2]
        a, b = first
        return np.sum(a) + np.sum(b) + np.sum(second)

    text = bital.trace(loss, [np.ones(2)] * 3).to_numpy()
    assert "def loss(params_0, params_1, params_2):" in text
