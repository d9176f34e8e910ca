"""Static shapes: what is known of a tensor's shape before anything runs."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any


class Dimension:
    """A length that may be unknown (None, printed as ``?``)."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        value = value.value if isinstance(value, Dimension) else value
        self.value = None if value is None else operator.index(value)
        if value is not None and value < 0:
            raise ValueError(f"Dimension {value} must be >= 0")

    def __int__(self) -> int:
        if self.value is None:
            raise TypeError(
                f"the length {self} of this axis is unknown until the graph runs: use "
                "tf.shape(x)[axis] in its place, or give the placeholder a length"
            )
        return self.value

    __index__ = __int__

    def _combined(self, other: Any, function: Callable[[int, int], int]) -> Dimension:
        lengths = self.value, Dimension(other).value
        return Dimension(None if None in lengths else function(*lengths))  # type: ignore[arg-type]

    def __add__(self, other: Any) -> Dimension:
        return self._combined(other, operator.add)

    def __sub__(self, other: Any) -> Dimension:
        return self._combined(other, operator.sub)

    def __mul__(self, other: Any) -> Dimension:
        return self._combined(other, operator.mul)

    def __floordiv__(self, other: Any) -> Dimension:
        return self._combined(other, operator.floordiv)

    __radd__, __rmul__ = __add__, __mul__

    def __eq__(self, other: object) -> bool:
        return self.value == getattr(other, "value", other)

    def __hash__(self) -> int:
        return hash(self.value)

    def __str__(self) -> str:
        return "?" if self.value is None else str(self.value)

    def __repr__(self) -> str:
        return f"Dimension({self.value})"


class TensorShape:
    """A shape of which some lengths may be unknown (None), or how many there are (dims None).

    Examples
    --------
    >>> TensorShape([None, 784]).as_list()
    [None, 784]
    """

    __slots__ = ("dims",)

    def __init__(self, dims: Any) -> None:
        dims = dims.dims if isinstance(dims, TensorShape) else dims
        dims = [dims] if isinstance(dims, (int, Dimension)) else dims
        self.dims = None if dims is None else [Dimension(length) for length in dims]

    @property
    def ndims(self) -> int | None:
        """How many axes there are, None if that is unknown."""
        return None if self.dims is None else len(self.dims)

    rank = ndims

    def as_list(self) -> list[int | None]:
        """The lengths, None for unknown ones; a ValueError where even the rank is unknown."""
        return [length.value for length in self]

    def is_fully_defined(self) -> bool:
        """Whether all lengths are known."""
        return self.dims is not None and None not in self.as_list()

    def num_elements(self) -> int | None:
        """The product of the lengths, None where one is unknown."""
        return math.prod(map(int, self)) if self.is_fully_defined() else None

    def is_compatible_with(self, other: Any) -> bool:
        """Whether an array could have both shapes."""
        other = TensorShape(other)
        if self.dims is None or other.dims is None:
            return True
        if len(self) != len(other):
            return False
        pairs = zip(self.as_list(), other.as_list(), strict=True)
        return all(a is None or b is None or a == b for a, b in pairs)

    def merge_with(self, other: Any) -> TensorShape:
        """What is known when both shapes are true of an array; a ValueError if they cannot be."""
        other = TensorShape(other)
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {other} are not compatible")
        if self.dims is None or other.dims is None:
            return other if self.dims is None else self
        return TensorShape([b if a.value is None else a for a, b in zip(self, other, strict=True)])

    def concatenate(self, other: Any) -> TensorShape:
        """The lengths of this shape, then those of another."""
        other = TensorShape(other)
        return TensorShape([*self, *other] if self and other else None)

    def __iter__(self) -> Iterator[Dimension]:
        if self.dims is None:
            raise ValueError(f"as_list() is not defined on an unknown TensorShape, {self}.")
        return iter(self.dims)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return self.dims is not None

    def __getitem__(self, key: Any) -> Any:
        found = list(iter(self))[key]
        return TensorShape(found) if isinstance(key, slice) else found

    def __eq__(self, other: object) -> bool:
        return self.dims == TensorShape(other).dims

    def __hash__(self) -> int:
        return hash(None if self.dims is None else tuple(self.dims))

    def __str__(self) -> str:
        if self.dims is None:
            return "<unknown>"
        return f"({', '.join(map(str, self.dims))}{',' if len(self.dims) == 1 else ''})"

    def __repr__(self) -> str:
        return f"TensorShape({self.dims})"
