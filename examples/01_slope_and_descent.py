"""Slopes, and walking down them.

1. The derivative of a function of one variable, from its definition, and why the step h must be
   neither too large nor too small.
2. Partial derivatives of f(x0, x1) = x0**2 + x1**2, three ways: by differences, by hand, and with
   bital.grad, which needs no step at all.
3. Gradient descent on that function, with the path drawn on its contour lines.

Run it::

    python examples/01_slope_and_descent.py            # draws out/01_slope_and_descent.png
    python examples/01_slope_and_descent.py --out my_picture.png
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import bital


# ---------------------------------------------------------------- 1. one variable
def line_and_curve(x: float) -> float:
    """A parabola whose slope we know: the derivative of 0.01 x**2 + 0.1 x is 0.02 x + 0.1."""
    return 0.01 * x**2 + 0.1 * x


def forward_difference(f, x, h):
    """The definition of a derivative, stopped before the limit: one step to the right."""
    return (f(x + h) - f(x)) / h


def central_difference(f, x, h):
    """One step to each side. The errors of the two steps cancel: h**2 is left instead of h."""
    return (f(x + h) - f(x - h)) / (2 * h)


def show_step_sizes(x: float = 5.0) -> None:
    """Print how far the two differences are off, from large steps to far too small ones."""
    print(f"The slope of exp at {x:g} is exp({x:g}). Relative error of the differences:")
    print(f"{'h':>9} {'forward':>10} {'central':>10}")
    truth = np.exp(x)
    for exponent in (1, 2, 4, 6, 8, 10, 12, 14, 16):
        h = 10.0**-exponent
        errors = [
            abs(difference(np.exp, x, h) / truth - 1)
            for difference in (forward_difference, central_difference)
        ]
        print(f"{h:9.0e} {errors[0]:10.1e} {errors[1]:10.1e}")
    # A large h is not yet the limit. A tiny h subtracts two numbers that agree in almost every
    # digit, and what is left is rounding. In between lies 1e-4, the textbooks' choice.
    print("Too large: not yet the limit. Too small: only rounding is left.\n")


# ---------------------------------------------------------------- 2. two variables
def bowl(x: NDArray[np.float64]) -> np.float64:
    """f(x0, x1) = x0**2 + x1**2, the simplest valley there is."""
    return np.sum(x**2)


def bowl_gradient_by_hand(x):
    """Its partial derivatives, from the rules of school: (2 x0, 2 x1)."""
    return 2 * x


def gradient_by_differences(f, x, h=1e-4):
    """All partial derivatives: move one coordinate at a time, leave the others where they are."""
    gradient = np.zeros_like(x)
    for i in range(x.size):
        step = np.zeros_like(x)
        step[i] = h
        gradient[i] = (f(x + step) - f(x - step)) / (2 * h)
    return gradient


def show_gradients() -> None:
    """Print the gradient at one point, found in four ways."""
    x = np.array([3.0, 4.0])
    print("The gradient of x0**2 + x1**2 at (3, 4):")
    print("  by differences          ", gradient_by_differences(bowl, x))
    print("  bital.numerical_gradient", bital.numerical_gradient(bowl, x))
    print("  by hand                 ", bowl_gradient_by_hand(x))
    print("  bital.grad              ", bital.grad(bowl)(x))
    print("\nWhat bital.grad runs:\n")
    print(bital.trace(bital.grad(bowl), x).to_numpy())


# ---------------------------------------------------------------- 3. walking down
def gradient_descent(f, start, learning_rate=0.1, steps=30):
    """Walk against the gradient. Returns every point of the way: ``(steps + 1, 2)``."""
    slope = bital.grad(f)
    x = np.array(start, dtype=np.float64)
    path = [x]
    for _ in range(steps):
        x = x - learning_rate * slope(x)
        path.append(x)
    return np.stack(path)


def draw(paths: dict[float, NDArray[np.float64]], file: Path) -> None:
    """Draw each path on the contour lines of the bowl."""
    import matplotlib

    matplotlib.use("Agg")  # draw into a file, no window needed
    import matplotlib.pyplot as plt

    x0, x1 = np.meshgrid(np.linspace(-4.5, 4.5, 181), np.linspace(-4.5, 4.5, 181))
    figure, panels = plt.subplots(
        1, len(paths), figsize=(11, 4.5), sharey=True, layout="constrained"
    )
    for axes, (learning_rate, path) in zip(panels, paths.items(), strict=True):
        lines = axes.contour(x0, x1, x0**2 + x1**2, levels=[1, 4, 9, 16, 25], colors="0.7")
        axes.clabel(lines, fontsize=8)
        axes.plot(*path.T, "o-", ms=4, lw=1.2, color="#4477aa")
        axes.plot(*path[0], "o", ms=8, color="#cc6677")
        axes.annotate("start", path[0], xytext=(8, 2), textcoords="offset points")
        axes.set(
            title=f"learning rate {learning_rate:g}",
            xlabel="x0",
            xlim=(-4.5, 4.5),
            ylim=(-4.5, 4.5),
        )
        axes.set_aspect("equal")
    panels[0].set_ylabel("x1")
    figure.suptitle("Gradient descent on x0² + x1²: too slow, well, too far")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def main() -> None:
    """Run all three parts."""
    parser = argparse.ArgumentParser(description="Slopes, and walking down them.")
    parser.add_argument("--out", type=Path, default=Path("out/01_slope_and_descent.png"))
    out = parser.parse_args().out

    x = 5.0
    print(f"d/dx (0.01 x**2 + 0.1 x) at {x:g}: {0.02 * x + 0.1:g} by the rules,")
    print(f"  {central_difference(line_and_curve, x, 1e-4):.13f} by a central difference,")
    print(f"  {bital.grad(line_and_curve)(x)} by bital.grad\n")
    show_step_sizes()
    show_gradients()

    start = [-3.0, 3.6]
    paths = {rate: gradient_descent(bowl, start, rate) for rate in (0.01, 0.1, 0.95)}
    print("Gradient descent, 30 steps from (-3, 3.6):")
    for rate, path in paths.items():
        print(f"  learning rate {rate:<4g} ends at ({path[-1, 0]:9.2e}, {path[-1, 1]:9.2e})")
    draw(paths, out)
    print(f"Drawn: {out}")


if __name__ == "__main__":
    main()
