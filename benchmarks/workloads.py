"""What is measured: every workload as data, and the arrays that all contenders start from."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

# Of Adam. Some add it before they correct the bias of the second moment, others after: where it
# is this small, all take the same steps.
EPSILON = 1e-10
NORMAL_EPSILON, MOMENTUM = 1e-3, 0.99  # of batch normalization: Keras's defaults
SETTINGS = {
    "fit": "inside `fit`",
    "step": "a call from Python",
    "hand": "backward pass by hand",
    "predict": "one row",
}


@dataclass(frozen=True)
class Workload:
    """A network, how it is trained, and the ratios to reach.

    Parameters
    ----------
    name : str
        The letter of its section, and what tells it from others of that letter.
    sizes, activation, optimizer, rate, batch
        The network; the output is a softmax under cross-entropy, everything is float32.
    steps : int
        Batches in the data; one pass through them, in order, is the unit that is timed.
    settings : sequence of str
        The keys of `SETTINGS` in which it is measured.
    targets : mapping of str to float
        At most this, for our time divided by that of the group.
    per_setting : mapping, optional
        In place of `targets`, where each setting has its own: like is then compared with like.
    filters : tuple of int
        Of a ConvNet: before the dense layers a convolution of 3 x 3 for each, relu, and the largest
        of 2 x 2. The first size is that of a square image.
    normalized : bool
        Whether each convolution is followed by batch normalization.
    """

    name: str
    sizes: tuple[int, ...]
    activation: str
    optimizer: str
    rate: float
    batch: int
    steps: int
    settings: Sequence[str] = ("fit", "step")
    targets: Mapping[str, float] = field(default_factory=dict)
    per_setting: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    filters: tuple[int, ...] = ()
    normalized: bool = False

    @property
    def letter(self) -> str:
        return self.name[0]

    def __str__(self) -> str:
        network = f"{'-'.join(map(str, self.sizes))} {self.activation}"
        if self.filters:
            normal = " and normalization" if self.normalized else ""
            network = f"convolutions{normal} {self.filters}, {network}"
        if self.settings == ("predict",):
            return f"{network}, prediction of one row"
        hand = ", backward pass by hand" if self.settings == ("hand",) else ""
        return f"{network}, {self.optimizer}, batch {self.batch}{hand}"

    @property
    def side(self) -> int:
        """Of the image."""
        return math.isqrt(self.sizes[0])

    @property
    def dense_sizes(self) -> tuple[int, ...]:
        """Of the dense layers; a ConvNet's first is what the convolutions leave."""
        if not self.filters:
            return self.sizes
        side = self.side
        for _ in self.filters:
            side = (side - 2) // 2
        return (side * side * self.filters[-1], *self.sizes[1:])

    @property
    def loss(self) -> str:
        """What the loss in the report is."""
        if self.settings == ("predict",):
            return f"of the probabilities of {self.steps} rows"
        return f"on all samples, after {self.steps} steps from the same weights"

    def tolerance(self, loss: float) -> float:
        """How much the losses of those who do the same work may differ.

        Adam's first steps are little more than the signs of the gradients, so the rounding of
        each contender shows: it has 2 % of what training gained, SGD 0.1 %.
        """
        if self.settings == ("predict",):
            return 1e-4
        x, t = samples(self)
        gained = abs(cross_entropy(probabilities(self, initial_weights(self), x), t) - loss)
        return (0.02 if self.optimizer == "adam" else 0.001) * gained


A_TARGETS = {"PyTorch": 0.52, "JAX": 0.75, "Keras": 0.22, "floor": 1.5}
WORKLOADS = (
    Workload("A", (784, 300, 100, 10), "relu", "sgd", 0.01, 50, 100, targets=A_TARGETS),
    Workload("A, Adam", (784, 300, 100, 10), "relu", "adam", 0.001, 50, 100, targets=A_TARGETS),
    Workload(
        "B", (784, 50, 10), "sigmoid", "adam", 0.001, 32, 200,
        targets={"PyTorch": 0.30, "JAX": 0.50, "Keras": 0.10},
    ),
    Workload(
        "C", (784, 50, 10), "sigmoid", "sgd", 0.1, 100, 100,
        targets={"PyTorch": 0.38, "JAX": 0.45, "Keras": 0.12},
    ),
    Workload(
        "D", (4, 16, 3), "tanh", "sgd", 0.1, 16, 500,
        per_setting={
            "fit": {"PyTorch": 0.03, "JAX": 0.25, "Keras": 0.01},
            "step": {"PyTorch": 0.12, "JAX": 0.9},
        },
    ),
    Workload(
        "E", (784, 300, 100, 10), "relu", "sgd", 0.01, 1000, 20,
        targets={"PyTorch": 0.75, "JAX": 0.9, "floor": 1.2},
    ),
    Workload(
        "F", (784, 300, 100, 10), "relu", "sgd", 0.01, 1, 20, settings=("predict",),
        targets={"PyTorch": 0.5, "JAX": 0.4, "Keras": 0.001},
    ),
    Workload(
        "K", (784, 128, 10), "relu", "adam", 0.001, 64, 20, filters=(32, 64),
        targets={"PyTorch": 0.6, "JAX": 0.35},
    ),
    Workload(
        "L", (784, 128, 10), "relu", "adam", 0.001, 64, 20, filters=(32, 64), normalized=True,
        targets={"PyTorch": 0.6, "JAX": 0.35},
    ),
    Workload(
        "I", (784, 300, 100, 10), "relu", "sgd", 0.01, 50, 100, settings=("hand",),
        targets={"NumPy, plain": 0.4},
    ),
)  # fmt: skip
MNIST = Workload("H", (784, 300, 100, 10), "relu", "adam", 0.001, 50, 1200)
LETTERS = "ABCDEFGHIJKLMNO"  # G is the time of an import; J, M, N, O have functions of their own

Arrays = list[np.ndarray]


def named(name: str) -> Workload:
    """The workload of this name."""
    return next(workload for workload in (*WORKLOADS, MNIST) if workload.name == name)


def initial_weights(workload: Workload) -> Arrays:
    """W1, b1, W2, b2, ...: float32, normal by He or Glorot, biases zero.

    A ConvNet's kernels and biases come first, each with gamma and beta where it is normalized.
    """
    rng = np.random.default_rng(0)
    gain = 2 if workload.activation == "relu" else 1
    result = []
    for channels, filters in itertools.pairwise((1, *workload.filters)):
        scale = np.sqrt(gain / (9 * channels))
        result.append(rng.normal(0, scale, (3, 3, channels, filters)).astype(np.float32))
        result.append(np.zeros(filters, np.float32))
        if workload.normalized:
            result += [np.ones(filters, np.float32), np.zeros(filters, np.float32)]
    for rows, columns in itertools.pairwise(workload.dense_sizes):
        scale = np.sqrt(gain / rows)
        result.append(rng.normal(0, scale, (rows, columns)).astype(np.float32))
        result.append(np.zeros(columns, np.float32))
    return result


def samples(workload: Workload) -> tuple[np.ndarray, np.ndarray]:
    """``steps * batch`` rows in [0, 1): noise over the pattern of their class; labels int64."""
    rng = np.random.default_rng(1)
    rows, (features, *_, classes) = workload.steps * workload.batch, workload.sizes
    patterns = rng.random((classes, features), dtype=np.float32)
    t = rng.permutation(np.resize(np.arange(classes), rows))
    x = rng.random((rows, features), dtype=np.float32)
    x *= np.float32(0.8)
    x += np.float32(0.2) * patterns[t]
    if workload.filters:
        x = x.reshape(-1, workload.side, workload.side, 1)
    return x, t


def probabilities(workload: Workload, weights: Sequence[np.ndarray], x: np.ndarray) -> np.ndarray:
    """The network's outputs in float64, however they were trained."""
    act: Callable[[np.ndarray], np.ndarray] = {
        "relu": lambda a: np.maximum(a, 0),
        "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
        "tanh": np.tanh,
    }[workload.activation]
    h = x.astype(np.float64)
    if workload.filters:
        size = (4 if workload.normalized else 2) * len(workload.filters)
        weights, kernels = weights[size:], weights[:size]
        parts = np.split(h, workload.steps)
        h = np.concatenate([_convolved(workload, kernels, part) for part in parts])
    for w, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        h = act(h @ w + b)
    z = h @ weights[-2] + weights[-1]
    p: np.ndarray = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def _convolved(workload: Workload, weights: Sequence[np.ndarray], x: np.ndarray) -> np.ndarray:
    """What a ConvNet's convolutions make of a batch; each batch is normalized by itself."""
    each = 4 if workload.normalized else 2
    for start in range(0, len(weights), each):
        kernel, bias, *scales = weights[start : start + each]
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
        x = np.tensordot(windows, kernel, axes=((4, 5, 3), (0, 1, 2))) + bias
        if scales:
            gamma, beta = scales
            variance = x.var(axis=(0, 1, 2)) + NORMAL_EPSILON
            x = (x - x.mean(axis=(0, 1, 2))) / np.sqrt(variance) * gamma + beta
        n, height, width, filters = x.shape
        x = np.maximum(x, 0)[:, : height // 2 * 2, : width // 2 * 2]
        x = x.reshape(n, height // 2, 2, width // 2, 2, filters).max(axis=(2, 4))
    return x.reshape(len(x), -1)


def cross_entropy(p: np.ndarray, t: np.ndarray) -> float:
    """The mean loss of these probabilities."""
    return float(-np.log(p[np.arange(len(t)), t]).mean())
