"""The rows of the tables, computed by another library: the same functions, with another `np`."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import tables

import bital


class Namespace:
    """NumPy's names, answered by a peer. A name that the peer has not is an AttributeError.

    Parameters
    ----------
    modules : dict
        Where the peer has them, by what stands before the name: ``{"": jnp, "linalg": ...}``.
    wrap : callable
        ``wrap(name, function)``: what to call instead of the peer's function.
    """

    def __init__(
        self, modules: dict[str, Any], wrap: Callable[[str, Any], Any], prefix: str = ""
    ) -> None:
        self._modules, self._wrap, self._prefix = modules, wrap, prefix

    def __getattr__(self, name: str) -> Any:
        path = f"{self._prefix}.{name}" if self._prefix else name
        if path in self._modules:
            return Namespace(self._modules, self._wrap, path)
        own: Any = np
        for part in path.split("."):
            own = getattr(own, part)
        if not callable(own) or isinstance(own, type):  # pi, newaxis, float64
            return own
        return self._wrap(path, getattr(self._modules[self._prefix], name))


@contextmanager
def speaking(namespace: Namespace) -> Iterator[None]:
    """Let `np` be the peer in all tables."""
    modules = [m for m in vars(tables).values() if isinstance(m, types.ModuleType)]
    changed = [module for module in modules if getattr(module, "np", None) is np]
    try:
        for module in changed:
            module.np = namespace  # type: ignore[attr-defined]
        yield
    finally:
        for module in changed:
            module.np = np  # type: ignore[attr-defined]


def translated(function: Any, namespace: Namespace) -> Any:
    """A function of NumPy's own, or one that closes over some, in the words of the peer."""
    if isinstance(function, (list, tuple)):
        return type(function)([translated(each, namespace) for each in function])
    if isinstance(function, types.FunctionType) and not function.__module__.startswith("numpy"):
        if not function.__closure__:
            return function
        cells = [translated(cell.cell_contents, namespace) for cell in function.__closure__]
        made = types.FunctionType(
            function.__code__,
            function.__globals__,
            function.__name__,
            function.__defaults__,
            tuple(map(types.CellType, cells)),
        )
        made.__kwdefaults__ = function.__kwdefaults__
        return made
    module = getattr(function, "__module__", None) or ""
    if isinstance(function, np.ufunc) and not module.startswith("scipy"):
        return getattr(namespace, function.__name__)
    if module.startswith("numpy") and callable(function) and not isinstance(function, type):
        for part in module.split(".")[1:]:
            if not part.startswith("_") and hasattr(np, part):
                namespace = getattr(namespace, part)
        return getattr(namespace, function.__name__)
    return function


def leaves(value: Any, kind: type) -> list[Any]:
    """The real numbers of a peer's arrays in a result, in order; complex ones are two.

    An array of another kind is an AttributeError.
    """
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in leaves(item, kind)]
    if not isinstance(value, kind):
        raise AttributeError(f"the result holds a {type(value).__name__}")
    if "complex" in str(value.dtype):
        return [value.real, value.imag]
    return [value] if "float" in str(value.dtype) else []


def weights(shape: Sequence[int], seed: int) -> Any:
    """Fixed numbers to sum with, so that no part of a derivative cancels."""
    return np.random.default_rng([seed, *shape]).uniform(0.5, 1.5, tuple(shape))


def is_compared(row: Any) -> bool:
    """Whether a row is of floating numbers, has a derivative, and runs under jit."""
    return (
        row.differentiable
        and row.main_dtype == "float64"
        and row.jit
        and row.reverse
        and not row.is_complex
        and any(row.is_free(i) for i in range(len(row.operands)))
    )


def by_name() -> dict[str, list[Any]]:
    """The rows of each NumPy name."""
    found: dict[str, list[Any]] = {}
    for row in tables.ROWS:
        for name in row.covers:
            if is_compared(row) and name.startswith("np."):
                found.setdefault(name, []).append(row)
    return dict(sorted(found.items()))


ROWS = by_name()
_TRIED = 3  # rows of a name: a peer takes some of the options only


class NotShared(Exception):
    """What a row does is not in the peer's words."""


class Peer:
    """Another library.

    Parameters
    ----------
    namespace : Namespace
    kind : type
        Of its arrays.
    place : callable
        Makes an array of it.
    grad : callable
        ``grad(fun, argnums)``.
    """

    def __init__(self, namespace: Namespace, kind: type, place: Any, grad: Any) -> None:
        self.namespace, self.kind, self.place, self.grad = namespace, kind, place, grad

    def agrees(self, name: str) -> None:
        """Compare the first row of a name that the peer takes, or raise `NotShared`."""
        reasons = []
        for row in ROWS[name][:_TRIED]:
            try:
                self._compare(row)
            except NotShared as fault:
                reasons.append(f"{row.name}: {fault}")
            else:
                return
        raise NotShared("; ".join(reasons))

    def _compare(self, row: Any) -> None:
        arguments = row.arguments("float64")
        free = tuple(
            i for i, a in enumerate(arguments) if row.is_free(i) and np.asarray(a).dtype.kind == "f"
        )
        theirs = _weighted(lambda args: self._results(row, args), 1, self.place)
        given = [self.place(a) if isinstance(a, np.ndarray) else a for a in arguments]
        wanted: list[Any] = []
        try:
            wanted.append([theirs(*given)])
            wanted.append(self.grad(theirs, free)(*given))
            slopes = _weighted(lambda args: self.grad(theirs, free)(*args), 2, self.place)
            wanted.append(self.grad(slopes, free)(*given))
        except Exception as fault:
            raise NotShared(f"{type(fault).__name__}: {str(fault)[:200]}") from fault
        ours = _weighted(lambda args: _own_results(row, args), 1)
        second = _weighted(lambda args: bital.grad(ours, free)(*args), 2)
        found = [[bital.jit(ours)(*arguments)]]
        found += [bital.grad(fun, free)(*arguments) for fun in (ours, second)]
        for order, got, want in zip(("value", "gradient", "second"), found, wanted, strict=True):
            for a, b in zip(got, want, strict=True):
                close(f"{row.name}: {order}", a, b)

    def _results(self, row: Any, arguments: Any) -> list[Any]:
        with speaking(self.namespace):
            return leaves(translated(row.function, self.namespace)(*arguments), self.kind)


def _own_results(row: Any, arguments: Any) -> list[Any]:
    found = []
    for each in bital.tree.leaves(row.function(*arguments)):
        kind = np.dtype(each.dtype).kind
        found += [each.real, each.imag] if kind == "c" else [each] * (kind == "f")
    return found


def _weighted(function: Any, seed: int, place: Any = np.asarray) -> Any:
    """The weighted sum of what a function returns."""

    def total(*arguments: Any) -> Any:
        results = function(arguments)
        return sum((each * place(weights(each.shape, seed))).sum() for each in results)

    return total


def close(name: str, got: Any, want: Any) -> None:
    if hasattr(want, "numpy"):  # a tensor
        want = want.numpy(force=True)
    np.testing.assert_allclose(
        np.asarray(got), np.asarray(want), rtol=1e-8, atol=1e-9, err_msg=name
    )


def check(peer: Peer, name: str, apart: dict[str, str]) -> None:
    """A name agrees, or stands among those that do not, and does not.

    Where the peer takes none of the rows, the test is skipped with its errors.
    """
    try:
        peer.agrees(name)
    except NotShared as fault:
        pytest.skip(f"{name}: {fault}")
    except AssertionError:
        if name not in apart:
            raise
    else:
        assert name not in apart, f"{name} agrees: take it out of the list"


def shared(modules: dict[str, Any]) -> list[str]:
    """The names with rows that a peer has too."""
    found = []
    for name in ROWS:
        prefix, _, last = name.removeprefix("np.").rpartition(".")
        if hasattr(modules.get(prefix), last):
            found.append(name)
    return found
