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
# Functions of the same name that do something else.
APART = {
    "np.fft.fft": "beside it fftfreq, which is float32 there",
    "np.ldexp": "2 to a negative integer is an integer there, 0",
    "np.linalg.svd": "other signs of the vectors, and full matrices by default",
    "np.median": "the lower of the two in the middle",
    "np.meshgrid": "indexing='ij' by default",
    "np.nanmedian": "the lower of the two in the middle",
    "np.split": "by the size of the parts, not by their number",
    "np.std": "divided by n - 1",
    "np.var": "divided by n - 1",
}


@pytest.mark.parametrize("name", shared(MODULES))
def test_agrees(name: str) -> None:
    check(TORCH, name, APART)
