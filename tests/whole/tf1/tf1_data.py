"""Real data for the programs, by NumPy alone: TensorFlow's environment has nothing else.

Where scikit-learn is installed, `save` writes its tables into a folder; the programs read them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[3]
MNIST = ROOT / "src" / "bital" / "datasets" / "mnist.npz"
FOLDER = "TF1_PROGRAMS_DATA"  # the variable that names the folder
TABLES = ("breast_cancer", "diabetes", "digits", "iris")


def save(folder: Path) -> None:
    """Write scikit-learn's tables; each has X, standardized, and t."""
    from sklearn import datasets

    for name in TABLES:
        X, t = getattr(datasets, f"load_{name}")(return_X_y=True)
        scale = 16 if name == "digits" else X.std(axis=0)
        mean = 0 if name == "digits" else X.mean(axis=0)
        X = ((X - mean) / scale).astype(np.float32)
        order = np.random.default_rng(0).permutation(len(X))
        np.savez(folder / f"{name}.npz", X=X[order], t=t[order])


def table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows and targets in a shuffled order: float32 ``(n, features)`` and ``(n,)``."""
    with np.load(Path(os.environ[FOLDER]) / f"{name}.npz") as found:
        return found["X"], found["t"]


def mnist(train: int, test: int = 10_000) -> tuple[np.ndarray, ...]:
    """So many images ``(n, 784)`` float32 in [0, 1] and labels int32: X, t, X_test, t_test."""
    with np.load(MNIST) as found:
        parts = [found[f"{k}_{which}"][:n] for which, n in _counts(train, test) for k in "xy"]
    X, t, X_test, t_test = parts
    flat = [images.reshape(-1, 784).astype(np.float32) / 255 for images in (X, X_test)]
    return flat[0], t.astype(np.int32), flat[1], t_test.astype(np.int32)


def _counts(train: int, test: int) -> tuple[tuple[str, int], ...]:
    return ("train", train), ("test", test)


def sunspots() -> np.ndarray:
    """The yearly numbers from 1700 to 2008, in hundreds: float32 ``(309,)``."""
    path = ROOT / "examples" / "sunspots.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()]
    values = [float(row[1]) for row in rows if row[0].strip('"').replace(".", "").isdigit()]
    return np.array(values, np.float32) / 100


def text(size: int) -> str:
    """The beginning of Python's language reference, as ``help()`` shows it."""
    from pydoc_data.topics import topics

    whole = "\n".join(topics[name] for name in sorted(topics))
    return "".join(c for c in whole if c == "\n" or " " <= c <= "~")[:size]


def batches(size: int, *arrays: np.ndarray, seed: int = 0) -> Iterator[Any]:
    """The rows of some arrays in a random order, so many at a time."""
    order = np.random.default_rng(seed).permutation(len(arrays[0]))
    for start in range(0, len(order) - size + 1, size):
        rows = order[start : start + size]
        yield tuple(array[rows] for array in arrays)
