"""Static shapes: what is known of a tensor's shape before anything runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any


class Dimension:
    """A length that may be unknown (None, printed as ``?``)."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value.value if isinstance(value, Dimension) else value
        if self.value is not None:
            self.value = int(self.value)
            if self.value < 0:
                raise ValueError(f"Dimension {self.value} must be >= 0")

    def __int__(self) -> int:
        if self.value is None:
            raise TypeError(
                "the length of this axis is unknown until the graph runs: use tf.shape(x)[axis] "
                "in its place, or give the placeholder a length"
            )
        return int(self.value)

    __index__ = __int__

    def _combined(self, other: Any, function: Any) -> Dimension:
        other = Dimension(other).value
        unknown = self.value is None or other is None
        return Dimension(None if unknown else function(self.value, other))

    def __add__(self, other: Any) -> Dimension:
        return self._combined(other, lambda a, b: a + b)

    def __sub__(self, other: Any) -> Dimension:
        return self._combined(other, lambda a, b: a - b)

    def __mul__(self, other: Any) -> Dimension:
        return self._combined(other, lambda a, b: a * b)

    def __floordiv__(self, other: Any) -> Dimension:
        return self._combined(other, lambda a, b: a // b)

    __radd__, __rmul__ = __add__, __mul__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Dimension, int)) or other is None:
            return bool(self.value == Dimension(other).value)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.value)

    def __str__(self) -> str:
        return "?" if self.value is None else str(self.value)

    def __repr__(self) -> str:
        return f"Dimension({self.value})"


class TensorShape:
    """A shape of which some lengths, or even how many there are, may be unknown.

    Parameters
    ----------
    dims : None, int, TensorShape or sequence of int, None or Dimension
        None is a shape of unknown rank.

    Examples
    --------
    >>> TensorShape([None, 784]).as_list()
    [None, 784]
    """

    __slots__ = ("dims",)

    def __init__(self, dims: Any) -> None:
        if isinstance(dims, TensorShape):
            dims = dims.dims
        elif isinstance(dims, (int, Dimension)):
            dims = [dims]
        self.dims = None if dims is None else [Dimension(length) for length in dims]

    @property
    def ndims(self) -> int | None:
        """How many axes there are, None if that is unknown."""
        return None if self.dims is None else len(self.dims)

    rank = ndims

    def as_list(self) -> list[int | None]:
        """The lengths, None for the unknown ones.

        Raises
        ------
        ValueError
            If the number of axes is unknown.
        """
        return [length.value for length in self._known()]

    def is_fully_defined(self) -> bool:
        """Whether all lengths are known."""
        return self.dims is not None and all(length.value is not None for length in self.dims)

    def num_elements(self) -> int | None:
        """The product of the lengths, None where one is unknown."""
        return math.prod(map(int, self._known())) if self.is_fully_defined() else None

    def is_compatible_with(self, other: Any) -> bool:
        """Whether an array could have both shapes."""
        other = TensorShape(other)
        if self.dims is None or other.dims is None:
            return True
        return len(self.dims) == len(other.dims) and all(
            None in (a.value, b.value) or a == b for a, b in zip(self.dims, other.dims, strict=True)
        )

    def merge_with(self, other: Any) -> TensorShape:
        """What is known of the shape when both are true of it.

        Raises
        ------
        ValueError
            If no array can have both.
        """
        other = TensorShape(other)
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {other} are not compatible")
        if self.dims is None or other.dims is None:
            return other if self.dims is None else self
        pairs = zip(self.dims, other.dims, strict=True)
        return TensorShape([b if a.value is None else a for a, b in pairs])

    def concatenate(self, other: Any) -> TensorShape:
        """The lengths of this shape, then those of another."""
        other = TensorShape(other)
        known = self.dims is not None and other.dims is not None
        return TensorShape([*self._known(), *other._known()] if known else None)

    def _known(self) -> Sequence[Dimension]:
        if self.dims is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return self.dims

    def __len__(self) -> int:
        return len(self._known())

    def __bool__(self) -> bool:
        return self.dims is not None

    def __iter__(self) -> Iterator[Dimension]:
        return iter(self._known())

    def __getitem__(self, key: Any) -> Any:
        found = self._known()[key]
        return TensorShape(found) if isinstance(key, slice) else found

    def __eq__(self, other: object) -> bool:
        try:
            return self.dims == TensorShape(other).dims
        except (TypeError, ValueError):
            return NotImplemented

    def __hash__(self) -> int:
        return hash(None if self.dims is None else tuple(self.dims))

    def __str__(self) -> str:
        if self.dims is None:
            return "<unknown>"
        inner = ", ".join(map(str, self.dims))
        return f"({inner},)" if len(self.dims) == 1 else f"({inner})"

    def __repr__(self) -> str:
        return f"TensorShape({None if self.dims is None else self.dims})"
