"""Values, gradients and second derivatives as JAX has them, in float64, for the names it shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from comparing import Namespace, Peer, check, shared

jax = pytest.importorskip("jax")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

MODULES = {"": jax.numpy, "linalg": jax.numpy.linalg, "fft": jax.numpy.fft}
JAX = Peer(
    Namespace(MODULES, lambda name, function: function), jax.Array, jax.numpy.asarray, jax.grad
)
# Functions of the same name that do something else.
APART = {
    "np.histogram": "its counts are floating",
    "np.histogram2d": "its counts are floating",
}


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    jax.clear_caches()  # of the test before: hundreds of programs are a lot of memory
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", shared(MODULES))
def test_agrees(name: str) -> None:
    check(JAX, name, APART)
