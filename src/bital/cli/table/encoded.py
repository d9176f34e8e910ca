"""Tables as the arrays that a network reads: made piece by piece, in memory or on the disk."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bital import tree
from bital.sklearn.inputs import TableInputs

Make = Callable[[tuple[int, ...], Any], NDArray[Any]]
"""Of a shape and a dtype: an array to fill."""


class Rows:
    """Rows that are encoded already: what an estimator is given in place of a frame.

    ``arrays``: what the network reads, an array or a dict of arrays.
    """

    def __init__(self, arrays: Any, count: int) -> None:
        self.arrays, self.shape = arrays, (count,)

    def __len__(self) -> int:
        return self.shape[0]


class Inputs(TableInputs):
    """What an estimator's frames go through, but for rows that have been there."""

    def transform(self, x: Any) -> Any:
        """Return what the network reads."""
        return x.arrays if isinstance(x, Rows) else super().transform(x)

    def rows(self, frames: Iterable[Any], count: int, make: Make) -> Rows:
        """Encode frames that have so many rows in all."""
        arrays: Any = None
        start = 0
        for frame in frames:
            parts = self.transform(frame)
            if arrays is None:
                arrays = tree.map(lambda a: make((count, *a.shape[1:]), a.dtype), parts)
            for array, part in zip(tree.leaves(arrays), tree.leaves(parts), strict=True):
                array[start : start + len(part)] = part
            start += len(frame)
        return Rows(arrays, count)


def on_disk(folder: Path) -> Make:
    """Make arrays that lie in files of a folder."""

    def make(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        folder.mkdir(exist_ok=True)
        path = folder / f"{len(list(folder.iterdir()))}.npy"
        return np.lib.format.open_memmap(path, "w+", dtype, shape)

    return make


def estimator(base: type, inputs: Inputs, columns: list[str], **parameters: Any) -> Any:
    """An estimator of these columns that is trained on `Rows` which the inputs have encoded."""

    class Estimator(base):  # type: ignore[misc]
        def _checked(self, X: Any, y: Any, anew: bool) -> tuple[Any, Any]:
            self._is_table = True
            self.n_features_in_ = len(columns)
            self.feature_names_in_ = np.array(columns, object)
            return X, y

        def _learnt_inputs(self, X: Any, weights: Any) -> Any:
            return inputs

    Estimator.__name__ = Estimator.__qualname__ = base.__name__  # as its file has to say
    return Estimator(**parameters)
