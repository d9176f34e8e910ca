"""A two-layer network on MNIST, with the backward pass written by hand, and then without it.

The network: 784 pixels -> 50 sigmoid units -> 10 probabilities (softmax). All of it is ordinary
NumPy, and stays so:

1. the forward pass, and the loss;
2. the backward pass by hand, layer by layer, with the chain rule;
3. the same gradient from bital.grad: equal, without a line of it being written;
4. the hand-written training step, unchanged, under bital.jit;
5. the time of each, and the backward pass that bital wrote, as NumPy source.

Run it::

    python examples/03_network_by_hand.py              # draws out/03_network_by_hand.png
    python examples/03_network_by_hand.py --images 5000 --epochs 2 --no-source
"""

import argparse
import time
from pathlib import Path

import numpy as np

import bital
from bital.datasets import mnist

BATCH_SIZE = 100


# ---------------------------------------------------------------- 1. forward
def sigmoid(x):
    """Squash any number into (0, 1)."""
    return 1 / (1 + np.exp(-x))


def softmax(z):
    """Turn each row of scores into probabilities: ``(n, 10) -> (n, 10)``."""
    z = z - z.max(axis=1, keepdims=True)  # changes nothing but keeps exp from overflowing
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def forward(weights, x):
    """Probabilities of the ten digits: ``(n, 784) -> (n, 10)``."""
    W1, b1, W2, b2 = weights
    h = sigmoid(x @ W1 + b1)
    return softmax(h @ W2 + b2)


def loss(weights, x, t):
    """Cross-entropy against the one-hot rows ``t``, averaged over the batch."""
    y = forward(weights, x)
    return -np.mean(np.sum(t * np.log(y + 1e-7), axis=1))


def accuracy(weights, x, labels):
    """Share of images whose most probable digit is the true one."""
    return np.mean(forward(weights, x).argmax(axis=1) == labels)


# ---------------------------------------------------------------- 2. backward, by hand
def gradient_by_hand(weights, x, t):
    """The derivative of the loss by each weight, from the last layer back to the first."""
    W1, b1, W2, b2 = weights
    # Forward again, and keep what the way back needs.
    h = sigmoid(x @ W1 + b1)  # (n, 50)
    y = softmax(h @ W2 + b2)  # (n, 10)
    # Softmax and cross-entropy together have the simplest derivative there is: answer - truth.
    dz2 = (y - t) / len(x)  # (n, 10)
    dW2 = h.T @ dz2  # (50, 10)
    db2 = dz2.sum(axis=0)
    dh = dz2 @ W2.T  # back through the matrix product
    dz1 = dh * h * (1 - h)  # back through the sigmoid, whose derivative is h (1 - h)
    dW1 = x.T @ dz1  # (784, 50)
    db1 = dz1.sum(axis=0)
    return dW1, db1, dW2, db2


def step_by_hand(weights, x, t, learning_rate=0.5):
    """One step of gradient descent, in plain NumPy. This is the function that is jitted below."""
    gradient = gradient_by_hand(weights, x, t)
    return tuple(w - learning_rate * g for w, g in zip(weights, gradient, strict=True))


# ---------------------------------------------------------------- 3. backward, by bital
gradient_by_bital = bital.grad(loss)


def step_by_bital(weights, x, t, learning_rate=0.5):
    """The same step, with the gradient that bital derives from ``loss``."""
    gradient = gradient_by_bital(weights, x, t)
    return tuple(w - learning_rate * g for w, g in zip(weights, gradient, strict=True))


# ---------------------------------------------------------------- 4. the same steps, compiled
STEPS = {
    "by hand, plain NumPy": step_by_hand,
    "by hand, bital.jit": bital.jit(step_by_hand),
    "bital.grad": step_by_bital,
    "bital.grad, bital.jit": bital.jit(step_by_bital),
}


def start_weights(seed=0, hidden=50):
    """Small random weights, zero biases, in float32 as the images are."""
    random = np.random.default_rng(seed)
    W1 = random.normal(0, 1 / np.sqrt(784), (784, hidden)).astype(np.float32)
    W2 = random.normal(0, 1 / np.sqrt(hidden), (hidden, 10)).astype(np.float32)
    return W1, np.zeros(hidden, np.float32), W2, np.zeros(10, np.float32)


def train(step, x, t, epochs, seed=0, watch=None):
    """Run ``step`` over the data. Returns the weights, a step's median time, what was watched."""
    weights = start_weights(seed)
    random = np.random.default_rng(seed)
    weights = step(weights, x[:BATCH_SIZE], t[:BATCH_SIZE])  # bital records the step here, once
    seen, seconds = [], []
    for _ in range(epochs):
        order = random.permutation(len(x))
        for i in range(0, len(x) - BATCH_SIZE + 1, BATCH_SIZE):
            batch = order[i : i + BATCH_SIZE]
            begin = time.perf_counter()
            weights = step(weights, x[batch], t[batch])
            seconds.append(time.perf_counter() - begin)
        if watch is not None:
            seen.append(watch(weights))
    return weights, np.median(seconds), seen


def largest_difference(first, second):
    """How far two sets of weights or gradients are apart, at most."""
    return max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))


def draw(seen, weights, file: Path) -> None:
    """Draw accuracy over the epochs, and what some of the hidden units look at."""
    import matplotlib

    matplotlib.use("Agg")  # draw into a file, no window needed
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(9.5, 4.0), layout="constrained")
    left, right = figure.subfigures(1, 2)
    axes = left.subplots()
    epochs = np.arange(1, len(seen) + 1)
    for label, column, colour in (("training", 0, "#4477aa"), ("test", 1, "#cc6677")):
        values = [100 * row[column] for row in seen]
        axes.plot(epochs, values, "o-", ms=4, color=colour, label=label)
    axes.set(title="Two-layer network on MNIST", xlabel="epoch", ylabel="accuracy (%)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.25)
    axes.legend(loc="lower right")

    right.suptitle("W1: what 20 hidden units look for (red: ink, blue: paper)", fontsize=10)
    for cell, unit in zip(right.subplots(4, 5).ravel(), weights[0].T, strict=False):
        limit = np.abs(unit).max()
        cell.imshow(unit.reshape(28, 28), cmap="RdBu_r", vmin=-limit, vmax=limit)
        cell.axis("off")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def main() -> None:
    """Compare, time, train and draw."""
    parser = argparse.ArgumentParser(description="A two-layer network with its gradient by hand.")
    parser.add_argument("--out", type=Path, default=Path("out/03_network_by_hand.png"))
    parser.add_argument(
        "--images", type=int, default=60000, help="use the first of the training set"
    )
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--no-source", action="store_true", help="do not print the generated code")
    options = parser.parse_args()

    (x, t), (x_test, t_test) = mnist.load_mnist(one_hot_label=True)
    x, t = x[: options.images], t[: options.images]
    labels, labels_test = t.argmax(axis=1), t_test.argmax(axis=1)

    weights, batch = start_weights(), (x[:BATCH_SIZE], t[:BATCH_SIZE])
    by_hand, by_bital = gradient_by_hand(weights, *batch), gradient_by_bital(weights, *batch)
    print("Largest difference between the gradient by hand and that of bital.grad:")
    for name, a, b in zip(("W1", "b1", "W2", "b2"), by_hand, by_bital, strict=True):
        print(f"  {name}: {np.abs(a - b).max():.1e}  (largest entry {np.abs(a).max():.1e})")

    if not options.no_source:
        print("\nThe gradient that bital derived, as NumPy source:\n")
        print(bital.trace(bital.grad(loss), weights, *batch).to_numpy())

    print(f"\nOne training step, {BATCH_SIZE} images:")
    timed = {name: train(step, x[:10000], t[:10000], epochs=1) for name, step in STEPS.items()}
    reference = timed["by hand, plain NumPy"][0]
    for name, (reached, seconds, _) in timed.items():
        apart = largest_difference(reached, reference)
        print(f"  {name:<22} {1e6 * seconds:7.0f} us, weights apart by {apart:.0e} at the end")

    print(f"\nTraining on {len(x):,} images:")

    def watch(weights):
        row = accuracy(weights, x, labels), accuracy(weights, x_test, labels_test)
        print(f"  training accuracy {row[0]:.4f}, test accuracy {row[1]:.4f}")
        return row

    trained, _, seen = train(STEPS["bital.grad, bital.jit"], x, t, options.epochs, watch=watch)
    draw(seen, trained, options.out)
    print(f"Drawn: {options.out}")


if __name__ == "__main__":
    main()
