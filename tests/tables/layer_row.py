"""What a row of the table of layers is."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Shape = tuple[int, ...]


def _normal(rng: np.random.Generator, shape: Shape) -> Any:
    return rng.normal(size=shape)


def below(count: int) -> Callable[[np.random.Generator, Shape], Any]:
    """Draw integers in ``[0, count)``."""
    return lambda rng, shape: rng.integers(0, count, shape)


@dataclass(frozen=True)
class Row:
    """A layer, how to make it, and on what to call it.

    Attributes
    ----------
    name : str
        The class's name, then what is special; unique.
    make : callable
        ``make(k)`` is the layer, where ``k`` is ``bital.keras`` or Keras itself.
    shapes : sequence of tuple
        Of the inputs, batch first. One input is an array, several are a list.
    spread : bool
        Whether several inputs are arguments of their own: ``layer(query, value)``.
    draw : callable
        ``draw(rng, shape)`` makes an input. Floating inputs get a derivative.
    mask : tuple, optional
        Shape of the mask that the call gets.
    call : dict
        Further keyword arguments of the call.
    random : bool
        Whether the output is random while training: compared with Keras otherwise only.
    adapt : bool
        Whether the layer learns its state from the inputs first, by ``adapt``.
    tolerance : float
        Of the comparison with Keras in float64, relative to the largest value.
    config_apart : tuple of str
        Names in the configuration whose values differ from Keras's, and are meant to.
    peer : bool
        Whether Keras has it.
    smooth : bool
        Whether there is a derivative at the inputs, to be found by differences.
    """

    name: str
    make: Callable[[Any], Any]
    shapes: Sequence[Shape]
    spread: bool = False
    draw: Callable[[np.random.Generator, Shape], Any] = field(default=_normal)
    mask: Shape | None = None
    call: dict[str, Any] = field(default_factory=dict)
    random: bool = False
    adapt: bool = False
    tolerance: float = 1e-9
    config_apart: Sequence[str] = ()
    peer: bool = True
    smooth: bool = True

    @property
    def rng(self) -> np.random.Generator:
        """A new generator: the same numbers for the row at every run."""
        return np.random.default_rng(zlib.crc32(self.name.encode()))

    def inputs(self) -> list[Any]:
        """Return the arrays that the layer is called on; floating ones are float64."""
        rng = self.rng
        return [self.draw(rng, shape) for shape in self.shapes]

    def arguments(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """Return the positional arguments of a call, or of ``compute_output_shape``."""
        if self.spread or len(values) == 1:
            return tuple(values)
        return (list(values),)

    def options(self) -> dict[str, Any]:
        """Return further arguments, and the mask, whose first step always counts."""
        if self.mask is None:
            return dict(self.call)
        mask = self.rng.random(self.mask) < 0.6
        mask[:, 0] = True
        return {**self.call, "mask": mask}

    def weights(self, variables: Sequence[Any]) -> list[Any]:
        """Return values for the layer's weights; variances are positive."""
        rng = self.rng
        found = []
        for variable in variables:
            shape = tuple(variable.shape)
            if np.dtype(variable.dtype).kind != "f":
                found.append(np.asarray(variable.numpy()))
            elif "variance" in variable.name:
                found.append(rng.uniform(0.5, 1.5, size=shape))
            else:
                found.append(rng.normal(scale=0.4, size=shape))
        return found
