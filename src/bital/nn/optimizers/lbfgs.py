"""L-BFGS: a quasi-Newton method for the whole data set at once, with a line search."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bital import tree
from bital.errors import ArgumentError
from bital.nn.optimizers.base import check_number

_ARMIJO, _CURVATURE = 1e-4, 0.9
_TRIALS = 25

Slope = tuple[float, np.ndarray]
Function = Callable[[np.ndarray], Slope]


@dataclass(frozen=True)
class LBFGSResult:
    """Where `minimize_lbfgs` ended.

    Attributes
    ----------
    weights : container of arrays
        In the form and the dtypes of the first ones.
    value : float
    gradient_norm : float
        Largest size of an element of the gradient.
    iterations, evaluations : int
    converged : bool
        Whether the gradient is below the tolerance.
    message : str
        Why it ended.
    values : list of float
        The value before the first iteration, and after each.
    """

    weights: Any
    value: float
    gradient_norm: float
    iterations: int
    evaluations: int
    converged: bool
    message: str
    values: list[float]


def minimize_lbfgs(
    value_and_gradient: Callable[[Any], tuple[Any, Any]],
    weights: Any,
    max_iterations: int = 200,
    tolerance: float = 1e-5,
    memory: int = 10,
    callback: Callable[[int, float], Any] | None = None,
    max_evaluations: int | None = None,
) -> LBFGSResult:
    """Lower a function of weights by L-BFGS with a line search of the strong Wolfe conditions.

    Plain NumPy in float64 over ``value_and_gradient``, which may be compiled. It must be smooth,
    and always the same function: no dropout, no batches.

    Parameters
    ----------
    value_and_gradient : callable
        ``weights -> (value, gradients)``, such as ``bital.jit(bital.value_and_grad(loss))``.
    weights : container of floating arrays
        Where to begin.
    max_iterations : int, default 200
    tolerance : float, default 1e-5
        It ends where no element of the gradient is larger.
    memory : int, default 10
        How many steps back the curvature is remembered.
    callback : callable, optional
        ``callback(iteration, value)`` after each iteration; True ends the search.
    max_evaluations : int, optional
        It ends after the iteration in which the function was computed so often. Default: no
        limit.

    Returns
    -------
    LBFGSResult

    Notes
    -----
    Source: Liu and Nocedal 1989, "On the limited memory BFGS method for large scale optimization";
    Nocedal and Wright 2006, "Numerical Optimization", algorithms 7.4, 3.5 and 3.6.

    Raises
    ------
    ArgumentError
        If an argument is wrong, or the function is no number where it begins.

    Examples
    --------
    >>> import numpy as np, bital
    >>> rosenbrock = lambda w: (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
    >>> found = minimize_lbfgs(bital.value_and_grad(rosenbrock), np.array([-1.2, 1.0]))
    >>> found.converged, found.weights.round(4)
    (True, array([1., 1.]))
    """
    who = "minimize_lbfgs"
    check_number(who, "tolerance", tolerance, 0.0, math.inf)
    for name, number in (
        ("max_iterations", max_iterations),
        ("memory", memory),
        ("max_evaluations", 1 if max_evaluations is None else max_evaluations),
    ):
        check_number(who, name, number, 1.0, math.inf)
    leaves, form = tree.flatten(weights)
    leaves = [np.asarray(leaf) for leaf in leaves]
    count = 0

    def packed(x: np.ndarray) -> Any:
        found, start = [], 0
        for leaf in leaves:
            found.append(x[start : start + leaf.size].reshape(leaf.shape).astype(leaf.dtype))
            start += leaf.size
        return tree.unflatten(form, found)

    def function(x: np.ndarray) -> Slope:
        nonlocal count
        count += 1
        with np.errstate(all="ignore"):
            value, gradients = value_and_gradient(packed(x))
        return float(value), _flat(tree.flatten(gradients)[0])

    x = _flat(leaves)
    value, slope = function(x)
    if not math.isfinite(value) or not np.isfinite(slope).all():
        raise ArgumentError(
            f"{who}: the function is {value} where it begins, or its gradient is not finite. Give "
            "other first weights."
        )
    values, pairs = [value], deque[tuple[np.ndarray, np.ndarray, float]](maxlen=int(memory))
    message, done = "the largest number of iterations or evaluations", 0
    limit = math.inf if max_evaluations is None else max_evaluations
    while done < max_iterations and count < limit:
        if np.abs(slope).max(initial=0.0) <= tolerance:
            message = "the gradient is below the tolerance"
            break
        direction = _direction(slope, pairs)
        first = 1.0 if pairs else min(1.0, 1.0 / np.abs(slope).sum())
        found = _search(function, x, direction, value, slope, first)
        if found is None and pairs:
            pairs.clear()
            continue
        if found is None:
            message = "no lower value was found: rounding, or a kink"
            break
        size, value, new = found
        step, turn = size * direction, new - slope
        _remember(pairs, step, turn)
        x, slope, done = x + step, new, done + 1
        values.append(value)
        if callback is not None and callback(done, value):
            message = "the callback ended it"
            break
    norm = float(np.abs(slope).max(initial=0.0))
    converged = norm <= tolerance
    return LBFGSResult(packed(x), value, norm, done, count, converged, message, values)


def _flat(leaves: list[Any]) -> np.ndarray:
    parts = [np.asarray(leaf, np.float64).ravel() for leaf in leaves]
    return np.concatenate(parts) if parts else np.zeros(0)


def _direction(slope: np.ndarray, pairs: Any) -> np.ndarray:
    """Minus the inverse Hessian, as the pairs know it, times the gradient: the two loops."""
    q = slope.copy()
    shares = []
    for step, turn, scale in reversed(pairs):
        share = scale * (step @ q)
        q -= share * turn
        shares.append(share)
    if pairs:
        step, turn, _ = pairs[-1]
        q *= (step @ turn) / (turn @ turn)
    for (step, turn, scale), share in zip(pairs, reversed(shares), strict=True):
        q += (share - scale * (turn @ q)) * step
    if not q @ slope > 0:  # rounding has spoilt the curvature
        pairs.clear()
        return -slope
    return -q


def _remember(pairs: Any, step: np.ndarray, turn: np.ndarray) -> None:
    if step @ turn > 1e-10 * (turn @ turn) * np.finfo(np.float64).eps:
        pairs.append((step, turn, 1.0 / (step @ turn)))


def _search(
    function: Function,
    x: np.ndarray,
    direction: np.ndarray,
    value: float,
    slope: np.ndarray,
    size: float,
) -> tuple[float, float, np.ndarray] | None:
    """A step that fulfils the strong Wolfe conditions, its value and gradient; or None."""
    fall = float(direction @ slope)
    low = (0.0, value, fall, slope)  # size, value, derivative along the direction, gradient
    before = low
    for trial in range(_TRIALS):
        now = _at(function, x, direction, size)
        too_high = now[1] > value + _ARMIJO * size * fall or not math.isfinite(now[1])
        if too_high or (trial and now[1] >= before[1]):
            return _zoom(function, x, direction, value, fall, before, now)
        if abs(now[2]) <= -_CURVATURE * fall:
            return size, now[1], now[3]
        if now[2] >= 0:
            return _zoom(function, x, direction, value, fall, now, before)
        before, size = now, 2.0 * size
    return None


def _zoom(
    function: Function,
    x: np.ndarray,
    direction: np.ndarray,
    value: float,
    fall: float,
    low: Any,
    high: Any,
) -> tuple[float, float, np.ndarray] | None:
    """The same between two sizes, of which ``low`` has the lower value."""
    for _ in range(_TRIALS):
        size = _between(low, high)
        now = _at(function, x, direction, size)
        bad = not math.isfinite(now[1]) or now[1] > value + _ARMIJO * size * fall
        if bad or now[1] >= low[1]:
            high = now
        else:
            if abs(now[2]) <= -_CURVATURE * fall:
                return size, now[1], now[3]
            if now[2] * (high[0] - low[0]) >= 0:
                high = low
            low = now
        if abs(high[0] - low[0]) * np.abs(direction).max() < 1e-16 * (1 + np.abs(x).max()):
            break
    # Not steep enough, but lower: better than nothing.
    return (low[0], low[1], low[3]) if low[0] > 0 and low[1] < value else None


def _at(function: Function, x: np.ndarray, direction: np.ndarray, size: float) -> Any:
    value, slope = function(x + size * direction)
    return size, value, float(direction @ slope), slope


def _between(low: Any, high: Any) -> float:
    """The lowest point of the cubic through both, kept off the ends; else the middle."""
    a, fa, da, _ = low
    b, fb, db, _ = high
    middle = 0.5 * (a + b)
    if not (math.isfinite(fb) and math.isfinite(db)):
        return middle
    first = da + db - 3 * (fa - fb) / (a - b)
    inner = first * first - da * db
    if inner < 0:
        return middle
    second = math.copysign(math.sqrt(inner), b - a)
    below = db - da + 2 * second
    if below == 0:
        return middle
    size = b - (b - a) * (db + second - first) / below
    edge = 0.1 * abs(b - a)
    inside = min(a, b) + edge <= size <= max(a, b) - edge
    return size if inside else middle


__all__ = ["LBFGSResult", "minimize_lbfgs"]
