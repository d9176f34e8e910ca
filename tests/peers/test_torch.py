"""Values, gradients and second derivatives as PyTorch has them, for the names it shares."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from comparing import Namespace, Peer, check, shared

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

MODULES = {"": torch, "linalg": torch.linalg, "fft": torch.fft}


def _with_tensors(name: str, function: Any) -> Any:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*_tensors(args), **_tensors(kwargs))

    return call


def _tensors(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return torch.as_tensor(value)
    if isinstance(value, (tuple, list)):
        return type(value)(map(_tensors, value))
    if isinstance(value, dict):
        return {key: _tensors(item) for key, item in value.items()}
    return value


TORCH = Peer(Namespace(MODULES, _with_tensors), torch.Tensor, torch.as_tensor, torch.func.grad)
# Of the same name, but not NumPy's function, or without the derivatives: what PyTorch does.
APART = {
    "np.asarray": "no like=",
    "np.bincount": "tensors only",
    "np.empty": "no like=",
    "np.eye": "no like=",
    "np.fft.fft": "beside it fftfreq, which is float32 there",
    "np.fft.rfftn": "dim= instead of axes=",
    "np.flip": "the axes must be named",
    "np.floor_divide": "no derivative",
    "np.full": "no like=",
    "np.heaviside": "no derivative",
    "np.histogram": "no derivative",
    "np.imag": "complex numbers only",
    "np.ldexp": "2 to a negative integer is an integer, 0",
    "np.linalg.matrix_rank": "no floating result",
    "np.linalg.svd": "other signs of the vectors, and full matrices by default",
    "np.linspace": "0-dimensional ends only",
    "np.logspace": "no geomspace beside it",
    "np.median": "the lower of the two in the middle",
    "np.meshgrid": "indexing='ij' by default",
    "np.nanmedian": "the lower of the two in the middle",
    "np.nanquantile": "interpolation= instead of method=",
    "np.outer": "vectors only",
    "np.put": "another function",
    "np.select": "another function",
    "np.split": "by the size of the parts, not by their number",
    "np.std": "divided by n - 1",
    "np.tile": "a tuple only",
    "np.transpose": "of two axes",
    "np.tril": "two axes at least",
    "np.triu": "two axes at least",
    "np.vander": "no derivative: written in place",
    "np.var": "divided by n - 1",
    "np.vdot": "vectors only",
    "np.zeros": "no like=",
}


@pytest.mark.parametrize("name", shared(MODULES))
def test_agrees(name: str) -> None:
    check(TORCH, name, APART)
