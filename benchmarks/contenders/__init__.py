"""Who is measured. To add one: a module with a `Network`, and a line in `CONTENDERS`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from benchmarks.workloads import Arrays, Workload


class Unavailable(Exception):
    """A contender that cannot run here, and why."""


class Network:
    """One network in one contender's hands; subclasses overwrite what they can do.

    Parameters
    ----------
    workload : Workload
    variant : str
        The way that it is written, one of those in ``CASES``.
    """

    CASES: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Setting -> the variants in which it is measured. The first of the first is used for H."""

    def __init__(self, workload: Workload, variant: str) -> None:
        self.workload = workload

    def place(self, array: np.ndarray) -> Any:
        """The array as the contender likes it best; not timed."""
        return array

    def step(self, x: Any, t: Any) -> None:
        """Train on one batch. It need not be finished on return."""
        raise NotImplementedError

    def hand(self, x: Any, t: Any) -> None:
        """The same, the backward pass written by hand in plain NumPy."""
        raise NotImplementedError

    def fit(self, x: Any, t: Any) -> None:
        """Train on all batches, in order."""
        size = self.workload.batch
        for start in range(0, len(x), size):
            self.step(x[start : start + size], t[start : start + size])
        self.finish()

    def finish(self) -> None:
        """Wait for steps that still run."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Probabilities, NumPy to NumPy."""
        raise NotImplementedError

    def weights(self) -> Arrays:
        """W1, b1, W2, b2, ... as NumPy arrays."""
        raise NotImplementedError


@dataclass(frozen=True)
class Contender:
    """One entry of the report.

    Parameters
    ----------
    title : str
    module : str
        In this folder.
    group : str, optional
        Of several contenders of a group the fastest counts; default: the title.
    environment : mapping, optional
        Variables of its process.
    by_default : bool
        Whether it runs where nobody names it.
    whole : bool
        Whether it has all that H takes: ``fit`` and ``predict``.
    """

    title: str
    module: str
    group: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    by_default: bool = True
    whole: bool = True


def _bital(executor: str) -> dict[str, Contender]:
    environment = {"BITAL_EXECUTOR": executor}
    group = f"bital, {executor}"
    return {
        f"bital-keras-{executor}": Contender(
            f"bital.keras, `{executor}`", "bital_keras", group, environment
        ),
        f"bital-jit-{executor}": Contender(
            f"bital.jit, `{executor}`", "bital_jit", group, environment, whole=False
        ),
    }


OURS = ("bital, native", "bital, numpy")
CONTENDERS = {
    **_bital("native"),
    **_bital("numpy"),
    "numpy": Contender("NumPy, buffers reused", "numpy_by_hand"),
    "numpy-plain": Contender("NumPy, plain", "numpy_plain", whole=False),
    "pytorch": Contender("PyTorch", "pytorch"),
    "jax": Contender("JAX", "jax"),
    "keras": Contender("Keras, on JAX", "keras", "Keras", {"KERAS_BACKEND": "jax"}),
    "keras-torch": Contender(
        "Keras, on PyTorch", "keras", "Keras", {"KERAS_BACKEND": "torch"}, by_default=False
    ),
    "scikit-learn": Contender("scikit-learn", "scikit_learn"),
    **{
        f"floor-{blas.lower()}": Contender(
            f"products alone, {blas}'s BLAS",
            "matrix_products",
            "floor",
            {"FLOOR": blas.lower()},
            whole=False,
        )
        for blas in ("NumPy", "SciPy")
    },
}
