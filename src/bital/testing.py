"""Checking derivatives against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bital import api, tree
from bital.errors import ArgumentError

_TOLERANCES = {
    np.dtype(name): tolerance
    for names, tolerance in (
        (("float64", "complex128"), 1e-6),
        (("float32", "complex64"), 1e-2),
        (("float16",), 1e-1),
    )
    for name in names
}


def numerical_gradient(f: Callable[..., Any], x: Any, eps: float = 1e-4) -> Any:
    """The gradient of `f` at `x` by central differences, element by element.

    Parameters
    ----------
    f : callable
        Takes what `x` is, returns a number.
    x : array, number, or any nesting of them
        Elements of floating and complex arrays are moved in place and put back, so that an `f` that
        reads the array itself and ignores its argument works too, as the textbooks write it. `f`
        is given float64 or complex128: of other dtypes, and of read-only arrays, a moved copy.
    eps : float, default 1e-4
        The step h.

    Returns
    -------
    Of x's structure, float64 or complex128
        ``(f(x + h e_i) - f(x - h e_i)) / 2h`` for each element i; for a complex one
        ``df/dx - i df/dy``, as `bital.grad` has it, with differences of both parts.

    Raises
    ------
    ArgumentError
        Where `eps` is not positive, x is not numeric, or f does not return a real number.

    Notes
    -----
    The error is of order h^2, plus rounding of order 1e-16/h: 1e-4 serves both. Two calls of f for
    each element make this a check for gradients, not a way to train.

    Examples
    --------
    >>> numerical_gradient(lambda x: np.sum(x ** 2), np.array([3.0, 4.0])).round(6)
    array([6., 8.])
    """
    if not eps > 0:
        raise ArgumentError(f"numerical_gradient: eps must be positive, got {eps}")
    leaves, structure = tree.flatten(x)
    arrays = [_movable(leaf) for leaf in leaves]
    kept = [array.copy() for array in arrays]

    def value_at(number: int, index: tuple[int, ...], step: complex) -> float:
        arrays[number][index] += step
        if _is_movable(leaves[number]):
            leaves[number][index] = arrays[number][index]
        try:
            result = f(tree.unflatten(structure, [a if a.shape else a.item() for a in arrays]))
        finally:  # f may have written to its argument
            for array, leaf, original in zip(arrays, leaves, kept, strict=True):
                array[...] = original
                if _is_movable(leaf):
                    leaf[...] = original
        if np.size(result) != 1:
            raise ArgumentError(
                "numerical_gradient: f must return one number, it returned an array of shape "
                f"{np.shape(result)}"
            )
        if np.iscomplexobj(result):
            raise ArgumentError(
                f"numerical_gradient: f returned {result!r:.60}, and a gradient is that of a real "
                "number: return its .real, .imag or np.abs"
            )
        return float(np.asarray(result).reshape(()))

    gradients = []
    for number, array in enumerate(arrays):
        gradient = np.zeros(array.shape, array.dtype)
        for index in np.ndindex(array.shape):
            for unit in (1.0, 1j) if array.dtype.kind == "c" else (1.0,):
                step = unit * eps
                difference = value_at(number, index, step) - value_at(number, index, -step)
                gradient[index] += np.conj(unit) * (difference / (2 * eps))
        gradients.append(gradient if gradient.shape else gradient[()])
    return tree.unflatten(structure, gradients)


def _is_movable(leaf: Any) -> bool:
    """Whether the caller's own array can hold a moved element."""
    return (
        isinstance(leaf, np.ndarray)
        and leaf.dtype.kind in "fc"
        and leaf.flags.writeable
        and bool(leaf.shape)
    )


def _movable(leaf: Any) -> Any:
    """A float64 or complex128 array to move elements of: the caller's own if it is one."""
    if _is_movable(leaf) and leaf.dtype in (np.float64, np.complex128):
        return leaf
    array = np.array(leaf)
    if array.dtype.kind == "c":
        return array.astype(np.complex128)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"numerical_gradient: x holds {array.dtype}, not numbers: {leaf!r}")
    return array.astype(np.float64)


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float = 1e-4,
    seed: int = 0,
) -> None:
    """Assert that derivatives of `f` at `args` are right, up to `order`, in both modes.

    Each is compared with a central difference along a random direction; of order 2 and more, on the
    derivative itself.

    Parameters
    ----------
    f : callable
        Floating or complex arguments to floating or complex outputs, in any nesting.
    args : sequence
    order : int, default 2
    modes : sequence of "fwd", "rev"
    atol, rtol : float, optional
        By default 1e-6 in double precision, 1e-2 in single.
    eps : float, default 1e-4
        Step of the differences. Points closer than this to a kink cannot be checked.
    seed : int, default 0
        Of the random directions.

    Raises
    ------
    AssertionError
        With the mode, the order, both values and the tolerances.
    ArgumentError

    Examples
    --------
    >>> check_grads(np.sin, (0.3,))
    """
    unknown = set(modes) - {"fwd", "rev"}
    if unknown or order < 1:
        raise ArgumentError(
            f"check_grads: modes are 'fwd' and 'rev', order >= 1; got {modes}, {order}"
        )
    args = tuple(tree.map(np.asarray, tuple(args)))
    dtypes = {leaf.dtype for leaf in tree.leaves(args)}
    if not dtypes or any(dtype.kind not in "fc" for dtype in dtypes):
        raise ArgumentError(
            f"check_grads needs floating or complex arguments, got {dtypes or 'none'}"
        )
    tolerance = max(_TOLERANCES.get(dtype, 1e-6) for dtype in dtypes)
    check = _Check(
        tolerance if atol is None else atol, tolerance if rtol is None else rtol, eps, tuple(modes)
    )
    check.run(f, args, order, np.random.default_rng(seed), "f")


class _Check:
    def __init__(self, atol: float, rtol: float, eps: float, modes: tuple[str, ...]) -> None:
        self.atol, self.rtol, self.eps, self.modes = atol, rtol, eps, modes

    def run(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        order: int,
        rng: np.random.Generator,
        name: str,
    ) -> None:
        direction = tree.map(lambda x: _direction(rng, x), args)
        above, below = (
            tree.leaves(
                f(
                    *tree.map(
                        lambda x, d, s=sign: (x + s * self.eps * d).astype(x.dtype), args, direction
                    )
                )
            )
            for sign in (1.0, -1.0)
        )
        expected = [
            (_in_double(a) - _in_double(b)) / (2 * self.eps)
            for a, b in zip(above, below, strict=True)
        ]
        if "fwd" in self.modes:
            _, slope = api.jvp(f, args, direction)
            for index, (got, want) in enumerate(zip(tree.leaves(slope), expected, strict=True)):
                self._compare(got, want, f"jvp of {name}, output {index}")
        if "rev" in self.modes:
            self._reverse(f, args, direction, expected, rng, name)
        if order > 1:
            self._next_order(f, args, direction, order, rng, name)

    def _reverse(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        direction: Any,
        expected: list[Any],
        rng: np.random.Generator,
        name: str,
    ) -> None:
        value, pull_back = api.vjp(f, *args)
        weights = tree.map(lambda y: _direction(rng, np.asarray(y)), value)
        gradients = pull_back(weights)
        pairs = zip(tree.leaves(gradients), tree.leaves(direction), strict=True)
        got = sum(np.sum(_in_double(g) * d).real for g, d in pairs)
        want = sum(
            np.sum(_in_double(w) * e).real
            for w, e in zip(tree.leaves(weights), expected, strict=True)
        )
        self._compare(got, want, f"vjp of {name} along a random direction")

    def _next_order(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        direction: Any,
        order: int,
        rng: np.random.Generator,
        name: str,
    ) -> None:
        if "fwd" in self.modes:
            self.run(lambda *xs: api.jvp(f, xs, direction)[1], args, order - 1, rng, f"jvp({name})")
        if "rev" in self.modes:
            value = f(*args)
            weights = tree.map(lambda y: _direction(rng, np.asarray(y)), value)
            self.run(lambda *xs: api.vjp(f, *xs)[1](weights), args, order - 1, rng, f"vjp({name})")

    def _compare(self, got: Any, want: Any, what: str) -> None:
        got, want = _in_double(got), _in_double(want)
        if got.shape != want.shape:
            raise AssertionError(f"{what}: shape {got.shape}, by differences {want.shape}")
        error = np.abs(got - want)
        limit = self.atol + self.rtol * np.abs(want)
        wrong = ~(error <= limit)
        if wrong.any():
            index = np.unravel_index(int(np.argmax(wrong)), wrong.shape) if wrong.shape else ()
            raise AssertionError(
                f"{what}: {int(wrong.sum())} of {wrong.size} elements are wrong, the first at "
                f"{tuple(int(i) for i in index)}: got {got[index]!r}, by central differences "
                f"{want[index]!r} (error {error[index]:.3g}, allowed {limit[index]:.3g})"
            )


def _direction(rng: np.random.Generator, x: Any) -> Any:
    direction = rng.standard_normal(x.shape)
    if x.dtype.kind == "c":
        direction = direction + 1j * rng.standard_normal(x.shape)
    return np.asarray(direction, x.dtype)


def _in_double(x: Any) -> Any:
    return np.asarray(x, np.complex128 if np.iscomplexobj(x) else np.float64)
