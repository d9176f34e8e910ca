"""Convolutions in plain NumPy, as native code: against loops that read like the definition."""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("llvmlite")
import bital
from bital.executors.loops.form import Host, Multiply, kernels_of
from bital.executors.native.copying import Map, merged
from bital.executors.native.executor import lower_native
from bital.passes import optimize

windows = np.lib.stride_tricks.sliding_window_view


@pytest.fixture(autouse=True, scope="module")
def native_with_red_zones() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, bital.config.executor("native"):
        patch.setenv("BITAL_RED_ZONES", "1")
        patch.setenv("BITAL_CACHE", "0")
        yield


def convolve(x: Any, kernel: Any, strides: Any = (1, 1), dilations: Any = (1, 1)) -> Any:
    spans = tuple((n - 1) * by + 1 for n, by in zip(kernel.shape, dilations, strict=False))
    w = windows(x, spans, axis=(1, 2))
    w = w[:, :: strides[0], :: strides[1], :, :: dilations[0], :: dilations[1]]
    return np.tensordot(w, kernel, axes=((4, 5, 3), (0, 1, 2)))


def places(shape: Any, kernel: Any, strides: Any, dilations: Any) -> Iterator[tuple[Any, Any]]:
    """For each place in the kernel, the elements that it meets."""
    for corner in itertools.product(*map(range, kernel[:2])):
        where: list[slice] = [slice(None)]
        for axis in (0, 1):
            first, step = corner[axis] * dilations[axis], strides[axis]
            count = (shape[axis + 1] - (kernel[axis] - 1) * dilations[axis] - 1) // step + 1
            where.append(slice(first, first + (count - 1) * step + 1, step))
        yield corner, tuple(where)


def by_loops(x: Any, kernel: Any, seed: Any, strides: Any, dilations: Any) -> list[Any]:
    """The convolution, and the gradients of its product with `seed`."""
    result, d_x, d_kernel = 0.0, np.zeros(x.shape), np.zeros(kernel.shape)
    for corner, where in places(x.shape, kernel.shape, strides, dilations):
        result = result + x[where] @ kernel[corner]
        d_x[where] += seed @ kernel[corner].T
        d_kernel[corner] = np.einsum("nyxc,nyxo->co", x[where], seed)
    return [result, d_x, d_kernel]


def both(strides: Any, dilations: Any) -> Any:
    def function(x: Any, kernel: Any, seed: Any) -> Any:
        out, back = bital.vjp(lambda x, k: convolve(x, k, strides, dilations), x, kernel)
        return out, *back(seed)

    return bital.jit(function)


def agree(n: int, image: Any, channels: Any, size: Any, strides: Any, dilations: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, *image, channels[0])).astype(np.float32)
    kernel = rng.normal(size=(*size, *channels)).astype(np.float32)
    counts = [
        (length - (k - 1) * by - 1) // step + 1
        for length, k, step, by in zip(image, size, strides, dilations, strict=True)
    ]
    seed = rng.normal(size=(n, *counts, channels[1])).astype(np.float32)
    wanted = by_loops(x.astype(float), kernel.astype(float), seed, strides, dilations)
    for got, want in zip(both(strides, dilations)(x, kernel, seed), wanted, strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4 * max(1, np.abs(want).max()))


sizes = st.integers(1, 3)


@settings(max_examples=6, deadline=None)
@given(
    n=st.integers(1, 5),
    image=st.tuples(st.integers(5, 12), st.integers(5, 14)),
    channels=st.tuples(st.integers(1, 9), st.integers(1, 20)),
    size=st.tuples(sizes, sizes),
    strides=st.tuples(sizes, sizes),
    dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
@example(1, (28, 28), (1, 32), (3, 3), (1, 1), (1, 1))  # runs of pixels are copied
@example(4, (40, 40), (3, 17), (3, 3), (1, 1), (1, 1))  # deep enough to be summed in parts
@example(3, (13, 13), (33, 24), (3, 3), (1, 1), (1, 1))
@example(16, (9, 9), (16, 40), (3, 3), (2, 2), (1, 1))
@example(2, (12, 12), (5, 7), (12, 12), (1, 1), (1, 1))  # one window
@example(4, (11, 13), (8, 16), (1, 1), (1, 1), (1, 1))
def test_values_and_gradients(
    n: int, image: Any, channels: Any, size: Any, strides: Any, dilations: Any
) -> None:
    agree(n, image, channels, size, strides, dilations)


def test_an_empty_batch() -> None:
    x, kernel = np.zeros((0, 8, 8, 3), np.float32), np.ones((3, 3, 3, 5), np.float32)
    out, d_x, d_kernel = both((1, 1), (1, 1))(x, kernel, np.zeros((0, 6, 6, 5), np.float32))
    assert out.shape == (0, 6, 6, 5)
    assert d_x.shape == x.shape
    np.testing.assert_array_equal(d_kernel, np.zeros(kernel.shape))


def _network(x: Any, kernel: Any, bias: Any) -> Any:
    h = np.maximum(convolve(x, kernel) + bias, 0)
    n, height, width, channels = h.shape
    return h.reshape(n, height // 2, 2, width // 2, 2, channels).max((2, 4))


def _arrays(dtype: Any = np.float32) -> list[Any]:
    rng = np.random.default_rng(1)
    shapes = (16, 14, 14, 8), (3, 3, 8, 24), (24,)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def test_what_follows_a_convolution_is_in_its_kernel() -> None:
    module = lower_native(optimize(bital.trace(_network, *_arrays())))
    (kernel,) = kernels_of(module.steps)
    (product,) = (s for s in kernel.body.statements if isinstance(s, Multiply))
    assert product.out.place == "scratch"
    assert kernel.tasks > 1
    assert module.arena == 64 or module.zones is not None


def test_no_patch_matrix_is_in_memory() -> None:
    def loss(*arrays: Any) -> Any:
        return (_network(*arrays) ** 2).sum()

    program = optimize(bital.trace(bital.grad(loss, argnums=(1, 2)), *_arrays()))
    module = lower_native(program)
    assert not any(isinstance(step, Host) for step in module.steps)
    patches = 16 * 12 * 12 * 9 * 8
    sizes = {b.size for k in kernels_of(module.steps) for b in set.union(*k.buffers())}
    assert max(sizes) < patches


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_is_read_beyond_an_array(dtype: Any) -> None:
    """The image and the kernel end where a page ends, and the next one may not be read."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "mprotect"):
        pytest.skip("no mprotect")
    kept = []

    def at_the_end(array: Any) -> Any:
        page = mmap.PAGESIZE
        size = -(-array.nbytes // page) * page
        memory = mmap.mmap(-1, size + page)
        kept.append(memory)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        assert libc.mprotect(ctypes.c_void_p(address + size), page, 0) == 0
        start = size - array.nbytes
        placed = np.frombuffer(memory, dtype, array.size, start).reshape(array.shape)
        placed[...] = array
        return placed

    for channels, width in ((1, 12), (3, 7), (9, 12)):
        rng = np.random.default_rng(0)
        x = rng.normal(size=(2, 12, width, channels)).astype(dtype)
        kernel = rng.normal(size=(3, 3, channels, 17)).astype(dtype)
        want, pairs = 0.0, places(x.shape, kernel.shape, (1, 1), (1, 1))
        for corner, where in pairs:
            want = want + x[where] @ kernel[corner]
        got = bital.jit(convolve)(at_the_end(x), at_the_end(kernel))
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)


def test_axes_that_lie_together_are_one() -> None:
    assert merged([(2, 60), (3, 20), (4, 5), (5, 1)]) == ((120, 1),)
    assert merged([(3, 32), (1, 7), (3, 8), (4, 2)]) == ((3, 32), (12, 2))
    assert merged([]) == ()
    assert Map(((4, 100), (26, 1)), ((3, 28), (3, 1))).along is False
    assert Map(((4, 100), (26, 8)), ((3, 28), (24, 1))).along is True


def digest() -> str:
    def loss(*arrays: Any) -> Any:
        return (_network(*arrays) ** 2).sum()

    found = bital.jit(bital.grad(loss, argnums=(0, 1, 2)), executor="native")(*_arrays())
    return hashlib.sha256(b"".join(each.tobytes() for each in found)).hexdigest()


def test_the_same_bits_for_any_number_of_threads() -> None:
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
    code += "import test_convolutions as t; print(t.digest())"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "BITAL_NUM_THREADS": number},
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        ).stdout
        for number in ("1", "3")
    }
    assert len(found) == 1
