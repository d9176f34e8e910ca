"""From one threshold unit to a network that learns XOR.

1. A threshold unit: weights, a bias, and a yes or no. With hand-set weights it is a logic gate.
2. The perceptron rule finds such weights by itself, for AND, OR and NAND. It cannot find them for
   XOR, because they do not exist: no straight line parts the four points.
3. Two layers of gates make XOR: OR and NAND first, then AND of the two.
4. A 2-2-1 network with smooth units learns those two layers from the four rows alone, by walking
   down the gradient that bital.grad computes.

Run it::

    python examples/02_perceptron_and_gates.py         # draws out/02_perceptron_and_gates.png
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import bital

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])  # all inputs, one per row
TRUTH = {
    "AND": np.array([0, 0, 0, 1]),
    "OR": np.array([0, 1, 1, 1]),
    "NAND": np.array([1, 1, 1, 0]),
    "XOR": np.array([0, 1, 1, 0]),
}


# ---------------------------------------------------------------- 1. a threshold unit
def threshold_unit(x, w, b):
    """1 where the weighted sum exceeds the threshold -b, else 0: ``(n, 2) -> (n,)``."""
    return np.where(x @ w + b > 0, 1, 0)


# Weights that anyone can find with a pencil. Many others do as well.
HAND_SET = {
    "AND": (np.array([0.5, 0.5]), -0.7),
    "OR": (np.array([0.5, 0.5]), -0.2),
    "NAND": (np.array([-0.5, -0.5]), 0.7),
}


# ---------------------------------------------------------------- 2. the perceptron rule
def perceptron_rule(x, t, learning_rate=0.1, epochs=100, seed=0):
    """Rosenblatt's rule: after each wrong answer, move the weights towards the right one.

    ``w += learning_rate * (t - y) * x`` and ``b += learning_rate * (t - y)``. If any line parts
    the classes, the rule stops after finitely many corrections; if none does, it never stops.

    Returns the weights, the bias, and the number of mistakes in each epoch.
    """
    random = np.random.default_rng(seed)
    w, b = random.normal(0, 0.1, x.shape[1]), random.normal(0, 0.1)  # anywhere near zero
    mistakes = []
    for _ in range(epochs):
        wrong = 0
        for x_row, t_row in zip(x, t, strict=True):
            error = t_row - threshold_unit(x_row, w, b)  # -1, 0 or 1
            w = w + learning_rate * error * x_row
            b = b + learning_rate * error
            wrong += int(error != 0)
        mistakes.append(wrong)
        if wrong == 0:
            break
    return w, b, mistakes


# ---------------------------------------------------------------- 3. XOR from a layer of gates
def xor_from_gates(x):
    """XOR is what OR and NAND both say yes to."""
    layer = np.stack([threshold_unit(x, *HAND_SET["OR"]), threshold_unit(x, *HAND_SET["NAND"])], 1)
    return threshold_unit(layer, *HAND_SET["AND"])


# ---------------------------------------------------------------- 4. a 2-2-1 network
def network(weights, x):
    """Two smooth units, then one: ``(n, 2) -> (n,)``, between 0 and 1."""
    W1, b1, W2, b2 = weights
    hidden = np.tanh(x @ W1 + b1)  # a threshold with a slope, so that there is a gradient
    return 1 / (1 + np.exp(-(hidden @ W2 + b2)))


def loss(weights, x, t):
    """Cross-entropy: how surprised the network is by the right answers, on average."""
    y = network(weights, x)
    return -np.mean(t * np.log(y) + (1 - t) * np.log(1 - y))


def start_weights(seed: int):
    """Small random weights. All zeros would make the two hidden units twins for ever."""
    random = np.random.default_rng(seed)
    return (random.normal(0, 1, (2, 2)), np.zeros(2), random.normal(0, 1, 2), np.float64(0.0))


def learn(t, seed=0, learning_rate=0.5, steps=2000):
    """Gradient descent on the four rows. Returns the weights and the loss after each step."""
    weights = start_weights(seed)
    loss_and_slope = bital.jit(bital.value_and_grad(loss))
    losses = []
    for _ in range(steps):
        value, slope = loss_and_slope(weights, X, t)
        weights = tuple(w - learning_rate * s for w, s in zip(weights, slope, strict=True))
        losses.append(float(value))
    return weights, losses


# ---------------------------------------------------------------- pictures
def draw(lines, weights, losses, file: Path) -> None:
    """Draw the learned lines, the network's answer over the plane, and its loss."""
    import matplotlib

    matplotlib.use("Agg")  # draw into a file, no window needed
    import matplotlib.pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12.6, 4.4), layout="constrained")
    x0 = np.linspace(-0.5, 1.5, 101)
    for name, colour in (("OR", "#4477aa"), ("AND", "#228833"), ("NAND", "#cc6677")):
        w, b = lines[name]
        style = "--" if name == "NAND" else "-"
        left.plot(x0, -(w[0] * x0 + b) / w[1], style, color=colour, lw=1.8, label=name)
    left.plot(*X.T, "o", ms=9, color="0.25", zorder=3)
    left.set(title="Lines that the perceptron rule found")
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3, frameon=False)

    grid = np.stack(np.meshgrid(x0, x0), axis=-1)
    answer = network(weights, grid.reshape(-1, 2)).reshape(grid.shape[:2])
    shades = middle.contourf(x0, x0, answer, levels=np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.8)
    figure.colorbar(shades, ax=middle, label="network's answer", shrink=0.75)
    middle.set(title="XOR, learned by a 2-2-1 network")
    true, false = X[TRUTH["XOR"] == 1], X[TRUTH["XOR"] == 0]
    middle.plot(*true.T, "o", ms=10, mec="k", mfc="w", label="true", zorder=3)
    middle.plot(*false.T, "X", ms=10, mec="k", mfc="w", label="false", zorder=3)
    middle.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, frameon=False)
    for axes in (left, middle):
        axes.set(xlabel="x0", ylabel="x1", xlim=(-0.5, 1.5), ylim=(-0.5, 1.5))
        axes.set_aspect("equal")

    right.semilogy(np.arange(1, len(losses) + 1), losses, color="#4477aa")
    right.set(title="Its loss on the way", xlabel="step", ylabel="cross-entropy")
    right.grid(alpha=0.25)
    right.set_box_aspect(1)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def main() -> None:
    """Run all four parts."""
    parser = argparse.ArgumentParser(description="From one threshold unit to XOR.")
    parser.add_argument("--out", type=Path, default=Path("out/02_perceptron_and_gates.png"))
    out = parser.parse_args().out

    print("Gates with weights set by hand, for the inputs 00 01 10 11:")
    for name, (w, b) in HAND_SET.items():
        print(f"  {name:<4} {threshold_unit(X, w, b)}  w = {w}, b = {b}")

    print("\nThe perceptron rule:")
    lines: dict[str, tuple[NDArray[np.float64], float]] = {}
    for name, t in TRUTH.items():
        w, b, mistakes = perceptron_rule(X, t)
        lines[name] = (w, b)
        answer = threshold_unit(X, w, b)
        if mistakes[-1] == 0:
            found = f"w = {np.round(w, 2)}, b = {b:.2f}"
            print(f"  {name:<4} {answer}  learned in {len(mistakes)} epochs: {found}")
        else:
            print(f"  {name:<4} {answer}  not learned: mistakes per epoch ... {mistakes[-8:]}")

    print(f"\nXOR from OR, NAND and AND: {xor_from_gates(X)}")

    weights, losses = learn(TRUTH["XOR"])
    print(f"XOR learned by a 2-2-1 network: {np.round(network(weights, X), 3)}")
    print(f"  loss {losses[0]:.3f} at the first step, {losses[-1]:.4f} after {len(losses)}")
    draw(lines, weights, losses, out)
    print(f"Drawn: {out}")


if __name__ == "__main__":
    main()
