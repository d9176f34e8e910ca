"""G and H, whole processes: imports, installed sizes, and training from start to 98 % on MNIST.

``python -m benchmarks.whole CONTENDER FILE EPOCHS`` is one such training; it prints JSON.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from benchmarks.contenders import CONTENDERS
from benchmarks.running import environment
from benchmarks.worker import network_class
from benchmarks.workloads import MNIST

GOAL = 0.98

# What is shown: the statement, its process's variables, and the distributions that it needs.
IMPORTS: Mapping[str, tuple[str, dict[str, str], tuple[str, ...]]] = {
    "Python alone": ("pass", {}, ()),
    "NumPy": ("import numpy", {}, ("numpy",)),
    "bital": ("import bital", {}, ("bital",)),
    "bital.keras": ("import bital.keras", {}, ("bital",)),
    "bital.keras, `native`": (
        "import bital.keras, bital.executors as e; e.get_executor('native')",
        {},
        ("bital", "llvmlite", "scipy"),
    ),
    "PyTorch": ("import torch", {}, ("torch",)),
    "JAX": ("import jax.numpy", {}, ("jax",)),
    "Keras, on JAX": ("import keras", {"KERAS_BACKEND": "jax"}, ("keras", "jax")),
    "scikit-learn": ("import sklearn.neural_network", {}, ("scikit-learn",)),
}


def import_time(name: str) -> float:
    """Seconds from the start to the end of a process that imports this and nothing else.

    Raises
    ------
    subprocess.CalledProcessError
        Where it cannot be imported.
    """
    statement, extra, _ = IMPORTS[name]
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", statement], check=True, capture_output=True, env=environment(extra)
    )
    return time.perf_counter() - start


def installed_bytes(requirements: Iterable[str]) -> int:
    """Size of the files of these distributions and of all that they need, without bytecode."""
    from packaging.requirements import Requirement

    waiting = [Requirement(text) for text in requirements]
    seen: set[tuple[str, str]] = set()
    names: set[str] = set()
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *wanted.extras):
            if (wanted.name, extra) in seen:
                continue
            seen.add((wanted.name, extra))
            try:
                needs = importlib.metadata.requires(wanted.name) or ()
            except importlib.metadata.PackageNotFoundError:
                continue
            names.add(wanted.name)
            found = [Requirement(text) for text in needs]
            waiting += [r for r in found if r.marker is None or r.marker.evaluate({"extra": extra})]
    return sum(map(_own_bytes, names))


def _own_bytes(name: str) -> int:
    if name == "bital":  # perhaps installed as a link to its source
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent
        files = [f for f in folder.rglob("*") if not any(p[0] == "." for p in f.parts)]
    else:
        files = [Path(file.locate()) for file in importlib.metadata.files(name) or ()]
    return sum(f.stat().st_size for f in files if f.suffix != ".pyc" and f.is_file())


def write_mnist(path: Path) -> None:
    """The same file for everybody: rows of 784 bytes, and labels."""
    from bital.datasets import mnist

    (x, t), (x_test, t_test) = mnist.load_data()
    np.savez(
        path,
        x=x.reshape(len(x), -1),
        t=t.astype(np.int64),
        x_test=x_test.reshape(len(x_test), -1),
        t_test=t_test.astype(np.int64),
    )


def train_process(contender: str, path: Path, epochs: int) -> dict[str, float]:
    """One training process: ``seconds`` from its start to its end, ``epochs``, ``accuracy``.

    Raises
    ------
    subprocess.CalledProcessError
        Where it fails.
    """
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.whole", contender, str(path), str(epochs)],
        check=True,
        capture_output=True,
        text=True,
        env=environment(CONTENDERS[contender].environment),
    )
    seconds = time.perf_counter() - start
    return {"seconds": seconds, **json.loads(done.stdout.splitlines()[-1])}


def train(contender: str, path: str, epochs: int) -> dict[str, float]:
    """Train to 98 % on the test images; the order of the training images is the same for all."""
    kind = network_class(contender)
    variants = next(iter(kind.CASES.values()))
    network = kind(MNIST, variants[0])
    with np.load(path) as data:
        x, t, x_test, t_test = (data[name] for name in ("x", "t", "x_test", "t_test"))
    x, x_test = (a.astype(np.float32) / np.float32(255) for a in (x, x_test))
    accuracy, epoch = 0.0, 0
    while accuracy < GOAL and epoch < epochs:
        epoch += 1
        order = np.random.default_rng(epoch).permutation(len(x))
        network.fit(network.place(x[order]), network.place(t[order]))
        accuracy = float(np.mean(network.predict(x_test).argmax(axis=1) == t_test))
    return {"epochs": epoch, "accuracy": accuracy}


if __name__ == "__main__":
    print(json.dumps(train(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
