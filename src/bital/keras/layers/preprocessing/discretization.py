"""Numbers as the bins that they fall into."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import ArgumentError, ModelStateError
from bital.keras import checks
from bital.keras.layers.base import Layer, Shape
from bital.keras.layers.preprocessing.adapting import array_of, batches
from bital.keras.layers.preprocessing.encoding import MODES, dense, encoded, encoded_shape


class Discretization(Layer):
    """The number of the bin that each input falls into: ``(batch, ...) -> (batch, ...)``.

    With boundaries ``[0, 1]`` the bins are ``x < 0``, ``0 <= x < 1`` and ``1 <= x``.

    Parameters
    ----------
    bin_boundaries : list of float, optional
        Increasing.
    num_bins : int, optional
        Instead of boundaries: `adapt` finds them, so that the bins hold equally many samples.
    epsilon : float, default 0.01
        How exact they are: samples are summed up in ``1 / epsilon`` steps.
    output_mode : {"int", "one_hot", "multi_hot", "count"}, default "int"
        int32 numbers, or vectors as in `CategoryEncoding`.
    sparse : bool, default False
        Taken for Keras's sake; there are no sparse arrays here.
    name, dtype
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If not exactly one of ``bin_boundaries`` and ``num_bins`` is given.
    ModelStateError
        If it is called before `adapt`.

    Examples
    --------
    >>> import numpy as np
    >>> Discretization([0.0, 1.0])(np.array([[-1.5, 0.0, 3.4]]))
    array([[0, 1, 2]], dtype=int32)
    """

    _integer_inputs = True

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        who = "Discretization"
        if (bin_boundaries is None) == (num_bins is None):
            raise ArgumentError(
                f"{who}(bin_boundaries={bin_boundaries!r}, num_bins={num_bins!r}): give one of "
                "them."
            )
        self.bin_boundaries = None if bin_boundaries is None else _boundaries(bin_boundaries)
        self.num_bins = None if num_bins is None else checks.integer(who, "num_bins", num_bins)
        self.epsilon = checks.number(who, "epsilon", epsilon, 1e-9, 1)
        self.output_mode = checks.choice(who, "output_mode", output_mode, ("int", *MODES))
        self.sparse = dense(who, sparse)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Discretization:
        """Return a layer with these arguments; learnt boundaries stand beside num_bins."""
        learnt = config.get("bin_boundaries") if config.get("num_bins") is not None else None
        if learnt is None:
            return cls(**config)
        layer = cls(**{**config, "bin_boundaries": None})
        layer.bin_boundaries = _boundaries(learnt)
        return layer

    def adapt(self, data: Any) -> None:
        """Learn the boundaries from all of ``data``: an array, or an iterable of batches.

        Raises
        ------
        ArgumentError
            If the layer was made with boundaries.
        DataError
            If there are no data.
        """
        if self.num_bins is None:
            raise ArgumentError(f"{self.name}.adapt(data): the layer was made with boundaries.")
        summary = np.zeros((2, 0), np.float32)
        for batch in batches(self.name, data):
            new = _summary(batch, self.epsilon)
            merged = np.concatenate([new, summary], axis=1)
            merged = merged[:, np.argsort(merged[0])]
            summary = _compressed(merged, self.epsilon)
        self.bin_boundaries = _compressed(summary, 1 / self.num_bins)[0, :-1].tolist()

    def call(self, x: Any) -> Any:
        """Return the bins."""
        bins = np.asarray(self._known(), x.dtype if np.dtype(x.dtype).kind == "f" else np.float64)
        found = np.digitize(x, bins).astype(np.int32)
        return encoded(found, self.output_mode, len(bins) + 1, self.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape, or that of the vectors."""
        return encoded_shape(input_shape, self.output_mode, len(self._known()) + 1)

    def _known(self) -> list[float]:
        if self.bin_boundaries is None:
            raise ModelStateError(
                f"{self.name} has no boundaries yet: call {self.name}.adapt(data) first, or write "
                "Discretization(bin_boundaries=[...])."
            )
        return self.bin_boundaries


def _boundaries(value: Any) -> list[float]:
    bounds = array_of("Discretization", "bin_boundaries", value, "iuf", "a list of numbers")
    if bounds.ndim != 1 or not np.all(np.isfinite(bounds)) or np.any(np.diff(bounds) < 0):
        raise ArgumentError(
            f"Discretization(bin_boundaries={value!r}): must be a list of increasing numbers."
        )
    return [float(bound) for bound in bounds]


def _summary(values: np.ndarray, epsilon: float) -> np.ndarray:
    """Values at equal distances in the order of size, and how many each stands for: ``(2, n)``."""
    ordered = np.sort(values.astype(np.float32).reshape(-1))
    step = max(ordered.size * epsilon, 1)
    chosen = ordered[int(step - 1) :: int(step)]
    return np.stack([chosen, np.full_like(chosen, step)])


def _compressed(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """The same in ``1 / epsilon`` steps, if it has more."""
    if summary.shape[1] * epsilon < 1:
        return summary
    wanted = epsilon + np.arange(0.0, 1.0, epsilon)
    total = summary[1].cumsum()
    reached = total / total[-1]
    values = np.interp(wanted, reached, summary[0])
    weights = np.diff(np.interp(wanted, reached, total), prepend=0)
    return np.stack([values, weights]).astype(np.float32)


__all__ = ["Discretization"]
