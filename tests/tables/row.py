"""What a row of the tables is, and how its operands are drawn.

A row says which function, on which operands, in which domain; the generic tests in
``tests/conformance`` read it. Kinks and poles are declared, so that no test depends on luck.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

DTYPES = ("bool", "int8", "int32", "int64", "uint8", "float16", "float32", "float64")
FLOATS = ("float16", "float32", "float64")
INTEGERS = ("int8", "int32", "int64", "uint8")
NUMBERS = INTEGERS + FLOATS
COMPLEX = ("complex64", "complex128")  # for the rows that ask for them

Shape = tuple[int, ...]

# What agreement means for results that NumPy computes in another order of operations.
TOLERANCES = {
    "float16": 4e-3,
    "float32": 2e-6,
    "float64": 4e-15,
    "complex64": 2e-6,
    "complex128": 4e-15,
}
MARGIN = 0.02  # how far operands stay from declared kinks and poles


@dataclass(frozen=True)
class Operand:
    """How one operand is drawn.

    Attributes
    ----------
    shape : tuple of int
    low, high : float
        Bounds of the domain; of complex numbers those of both parts.
    avoid : tuple of float
        Kinks and poles inside of it; of complex numbers neither part comes near.
    dtype : str, optional
        Where it is always the same; by default the test's.
    spread : bool
        Whether all elements lie well apart, for functions with kinks at ties.
    """

    shape: Shape = (3, 4)
    low: float = -2.0
    high: float = 2.0
    avoid: tuple[float, ...] = ()
    dtype: str | None = None
    spread: bool = False

    def draw(self, rng: np.random.Generator, dtype: str, shape: Shape | None = None) -> Any:
        shape = self.shape if shape is None else shape
        kind = np.dtype(self.dtype or dtype)
        if kind.kind == "b":
            return rng.random(shape) < 0.5
        if kind.kind == "c":
            real, imag = (self._floats(rng, shape, kind) for _ in range(2))
            return (real + 1j * imag).astype(kind)
        draw = self._floats if kind.kind == "f" else self._integers
        return draw(rng, shape, kind).astype(kind)

    def _floats(self, rng: np.random.Generator, shape: Shape, kind: np.dtype[Any]) -> Any:
        if self.spread:
            count = math.prod(shape)
            steps = self.low + (self.high - self.low) * (np.arange(count) + 0.5) / max(count, 1)
            return rng.permutation(steps).reshape(shape)
        values = rng.uniform(self.low, self.high, shape)
        for point in self.avoid:
            near = np.abs(values - point) < MARGIN
            values = np.where(near, point + np.copysign(2 * MARGIN, values - point), values)
        return np.asarray(values)

    def _integers(self, rng: np.random.Generator, shape: Shape, kind: np.dtype[Any]) -> Any:
        low = max(math.ceil(self.low), np.iinfo(kind).min)
        high = min(math.floor(self.high), np.iinfo(kind).max)
        choices = [n for n in range(low, max(low, high) + 1) if n not in self.avoid]
        return rng.choice(choices or [1], shape)


@dataclass(frozen=True)
class Row:
    """One NumPy name, or one way of calling it.

    Attributes
    ----------
    name : str
        Unique. Its first word is the NumPy name.
    function : callable
        Plain NumPy.
    operands : tuple of Operand
    covers : tuple of str
        The names of ``bital.numpy_language.supported()`` that the row is for.
    differentiable : bool
        Whether derivatives are compared with differences.
    dtypes : tuple of str
        Those that the function is tried with.
    shapes : tuple of tuples of shapes
        Further shapes of the operands, 0-d and empty ones among them.
    corners : bool
        Whether infinities, NaN and signed zeros are tried too.
    kink : callable, optional
        ``kink(*operands)`` is 0 where the function has a kink or pole: operands stay away from it.
    rtol : float
        Factor on the tolerance.
    mapped : bool
        Whether the row is mapped with ``bital.vmap``.
    jit : bool
        Whether shapes are known without values; if not, only eager derivatives can trace it.
    reverse : bool
        Whether it has a reverse mode.
    """

    name: str
    function: Callable[..., Any]
    operands: tuple[Operand, ...]
    covers: tuple[str, ...]
    differentiable: bool = True
    dtypes: tuple[str, ...] = DTYPES
    shapes: tuple[tuple[Shape, ...], ...] = ()
    corners: bool = True
    kink: Callable[..., Any] | None = None
    rtol: float = 1.0
    mapped: bool = True
    jit: bool = True
    reverse: bool = True

    def __repr__(self) -> str:
        return self.name

    def arguments(
        self, dtype: str = "float64", shapes: Sequence[Shape] | None = None, seed: int = 0
    ) -> list[Any]:
        """Operands inside of the domain and away from kinks, equal at every run."""
        wanted = [each.shape for each in self.operands] if shapes is None else shapes
        for attempt in range(500):
            rng = np.random.default_rng([zlib.crc32(self.name.encode()), seed, attempt])
            drawn = [
                each.draw(rng, dtype, shape)
                for each, shape in zip(self.operands, wanted, strict=True)
            ]
            if self.kink is None or np.dtype(dtype).kind not in "fc":
                return drawn
            distance = np.abs(np.asarray(self.kink(*drawn)).astype(np.complex128))
            if not distance.size or distance.min() > MARGIN / 2:
                return drawn
        raise AssertionError(f"{self.name}: no operands away from the declared kink")

    @property
    def main_dtype(self) -> str:
        """The dtype in which most is tested."""
        return "float64" if "float64" in self.dtypes else self.dtypes[-1]

    @property
    def is_complex(self) -> bool:
        """Whether it is there for complex numbers."""
        return self.main_dtype in COMPLEX

    def is_free(self, index: int) -> bool:
        """Whether an operand takes the dtype of the test."""
        return self.operands[index].dtype is None


def row(name: str, function: Callable[..., Any], *operands: Operand, **options: Any) -> Row:
    """A row for the name that stands in front of `name`, with one operand by default."""
    covers = options.pop("covers", (f"np.{name.split()[0]}",))
    return Row(name, function, operands or (Operand(),), tuple(covers), **options)


def indices(*shape: int, below: int, dtype: str = "int64") -> Operand:
    """An operand that points into an axis of length `below`, from both of its ends."""
    return Operand(shape, -below if dtype[0] == "i" else 0, below - 1, dtype=dtype)


def mask(*shape: int) -> Operand:
    return Operand(shape, dtype="bool")
