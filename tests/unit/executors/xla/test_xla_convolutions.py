"""Products with windows are convolutions, reductions of them pools: seen, and equal in value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import bital
from bital.passes import optimize
from bital.transforms import batch, vjp

jax = pytest.importorskip("jax", reason="the xla executor needs JAX")

windows = np.lib.stride_tricks.sliding_window_view


def convolution(strides: tuple[int, ...], dilations: tuple[int, ...], padding: int = 0) -> Any:
    """Channels last, over any number of axes, kernels (places, channels, filters)."""
    rank = len(strides)
    letters, places = "xyz"[:rank], "ijk"[:rank]

    def function(x: Any, kernel: Any) -> Any:
        x = np.pad(x, [(0, 0), *[(padding, padding)] * rank, (0, 0)])
        sizes = [(n - 1) * d + 1 for n, d in zip(kernel.shape, dilations, strict=False)]
        seen = windows(x, sizes, axis=tuple(range(1, rank + 1)))
        seen = seen[:, *(slice(None, None, s) for s in strides)]
        seen = seen[..., *(slice(None, None, d) for d in dilations)]
        words = f"n{letters}c{places},{places}co->n{letters}o"
        return np.einsum(words, seen, kernel)

    return function


def grouped(x: Any, kernel: Any) -> Any:
    """x (n, y, x, groups, channels), kernel (i, j, groups, channels, filters)."""
    return np.einsum(
        "nyxgcij,ijgco->nyxgo", windows(x, kernel.shape[:2], (1, 2))[:, ::2, ::2], kernel
    )


def depthwise(x: Any, kernel: Any) -> Any:
    return np.einsum("nyxcij,ijc->nyxc", windows(x, kernel.shape[:2], (1, 2)), kernel)


def cut_in_groups(x: Any, kernel: Any) -> Any:
    """As layers write it: x (n, y, x, groups * channels) to (n, y, x, groups * filters)."""
    seen = windows(x, kernel.shape[:2], (1, 2))
    groups, channels = kernel.shape[2:4]
    seen = seen.reshape(*seen.shape[:3], groups, channels, *kernel.shape[:2])
    found = np.einsum("nyxgcij,ijgco->nyxgo", seen, kernel)
    return found.reshape(*found.shape[:3], -1)


def channels_first(x: Any, kernel: Any) -> Any:
    return np.einsum("ncyxij,ocij->noyx", windows(x, kernel.shape[2:], (2, 3)), kernel)


def of_one_image(x: Any, kernel: Any) -> Any:
    """No batch, no channels, no filters."""
    return np.einsum("yxij,ij->yx", windows(x, kernel.shape), kernel)


def of_two_batches(x: Any, kernel: Any) -> Any:
    seen = windows(x, kernel.shape[:1], 2)
    return np.einsum("abtck,kcpq->abtpq", seen, kernel)


def with_kernel_first(x: Any, kernel: Any) -> Any:
    return np.einsum("kco,ntck->ont", kernel, windows(x, kernel.shape[:1], 1))


class Form(NamedTuple):
    name: str
    function: Callable[..., Any]
    shapes: tuple[tuple[int, ...], tuple[int, ...]]


TWO = (2, 9, 8, 3), (3, 2, 3, 4)
FORMS = [
    Form("plain", convolution((1, 1), (1, 1)), TWO),
    Form("strides", convolution((2, 3), (1, 1)), TWO),
    Form("dilations", convolution((1, 1), (2, 3)), TWO),
    Form("strides and dilations", convolution((3, 2), (2, 1)), TWO),
    Form("padding", convolution((1, 1), (1, 1), padding=1), TWO),
    Form("padding and strides", convolution((2, 2), (1, 1), padding=2), TWO),
    Form("one image of many channels", convolution((2, 1), (1, 1)), ((1, 7, 6, 33), (3, 3, 33, 5))),
    Form("one axis", convolution((2,), (3,), padding=3), ((5, 11, 2), (3, 2, 3))),
    Form("three axes", convolution((1, 2, 1), (1, 1, 2)), ((2, 5, 5, 6, 2), (2, 3, 2, 2, 3))),
    Form("stride beyond the window", convolution((4,), (1,)), ((2, 14, 2), (3, 2, 2))),
    Form("groups", grouped, ((2, 7, 7, 3, 2), (3, 3, 3, 2, 4))),
    Form("depthwise", depthwise, ((2, 6, 6, 5), (3, 3, 5))),
    Form("cut in groups", cut_in_groups, ((2, 6, 7, 6), (3, 3, 3, 2, 4))),
    Form("cut in single channels", cut_in_groups, ((2, 6, 6, 3), (3, 2, 3, 1, 1))),
    Form("channels first", channels_first, ((2, 3, 6, 7), (4, 3, 3, 3))),
    Form("one image", of_one_image, ((6, 7), (3, 2))),
    Form("two batches", of_two_batches, ((2, 3, 8, 2), (3, 2, 2, 3))),
    Form("kernel first", with_kernel_first, ((2, 8, 3), (3, 3, 4))),
]
ROUNDING = {"float16": 2e-2, "float32": 2e-6, "float64": 4e-15}


def found(program: Any, name: str) -> int:
    """How many of these the executor takes a Program for."""
    from bital.executors.xla.convolutions import recognised

    return sum(each.primitive.name == name for each in recognised(optimize(program)))


def agree(program: Any, values: list[Any], expected: dict[str, int]) -> None:
    """Compiled by XLA it gives what NumPy gives, and holds so many of what was to be found."""
    from bital.executors.numpy.executor import executor as plain
    from bital.executors.xla.executor import executor as xla

    assert {name: found(program, name) for name in expected} == expected
    results = zip(xla.compile(program)(values), plain.compile(program)(values), strict=True)
    for number, (got, want) in enumerate(results):
        assert got.dtype == want.dtype
        assert got.shape == want.shape
        scale = np.abs(want).max(initial=0).astype(np.float64)
        apart = np.abs(got.astype(np.float64) - want.astype(np.float64)).max(initial=0)
        assert apart <= 8 * ROUNDING[want.dtype.name] * scale, f"result {number}"


def drawn(shapes: Any, dtype: str) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recogniser takes the device for one; on a CPU it leaves some of them products."""
    from bital.executors.xla import convolutions

    monkeypatch.setattr(convolutions, "platform", lambda: "gpu")


def with_slopes(form: Form, dtype: str) -> tuple[Any, list[Any]]:
    """The product, the slope of the array and that of the kernel; and what it takes."""
    values = drawn(form.shapes, dtype)
    program = bital.trace(form.function, *values)
    (out,) = program.output_types
    return vjp(program, [True, True]), [*values, *drawn([out.shape], dtype)]


@pytest.mark.parametrize("form", FORMS[:3], ids=lambda form: form.name)
def test_convolutions_in_the_order_of_axes_that_a_cpu_is_quick_at(form: Form) -> None:
    agree(*with_slopes(form, "float32"), {"convolution": 2})


@pytest.mark.slow
@pytest.mark.usefixtures("on_a_gpu")
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_convolutions_and_their_slopes(form: Form) -> None:
    agree(*with_slopes(form, "float32"), {"convolution": 3})


def test_on_a_cpu_what_is_quicker_as_a_product_stays_one() -> None:
    for form in FORMS[:2]:
        assert found(with_slopes(form, "float32")[0], "convolution") == 2  # not of the kernel
    for form in FORMS:
        if form.function in (grouped, depthwise, cut_in_groups):
            assert found(with_slopes(form, "float32")[0], "convolution") == 0


@pytest.mark.slow
@pytest.mark.usefixtures("on_a_gpu")
@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("form", FORMS[:2], ids=lambda form: form.name)
def test_other_dtypes(form: Form, dtype: str) -> None:
    agree(*with_slopes(form, dtype), {"convolution": 3})


@pytest.mark.usefixtures("on_a_gpu")
def test_in_bfloat16_their_factors_are_rounded_and_their_sums_are_not() -> None:
    from bital.executors.xla.executor import XlaExecutor

    x, kernel = np.full((1, 4, 1), 1 + 2.0**-9, np.float32), np.ones((3, 1, 2), np.float32)
    kernel[0] = 2.0**-7
    program = bital.trace(convolution((1,), (1,)), x, kernel)
    assert found(program, "convolution") == 1
    (got,) = XlaExecutor(precision="bfloat16").compile(program)([x, kernel])
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, np.full((1, 2, 2), 2 + 2.0**-7, np.float32))


@pytest.mark.slow
@pytest.mark.usefixtures("on_a_gpu")
@pytest.mark.parametrize("form", [FORMS[3], FORMS[10]], ids=lambda form: form.name)
def test_batches_and_second_slopes(form: Form) -> None:
    values = drawn(form.shapes, "float64")
    program = bital.trace(form.function, *values)
    stacked = [np.stack([each] * 3) for each in values]
    agree(batch(program, 3), stacked, {"convolution": 1})
    second = vjp(vjp(program, [True, True]), [True, True, True])
    agree(second, drawn([type.shape for type in second.input_types], "float64"), {})


def test_what_no_convolution_is_stays() -> None:
    """Sums over half of the windows' axes, over both, or with a kernel for each place."""
    x, kernel = drawn([(2, 8, 3), (4, 3)], "float32")

    def local(x: Any, kernel: Any) -> Any:
        return np.einsum("ntck,tk->nc", windows(x, 3, 1), np.ones((6, 3), np.float32)) * kernel[0]

    def of_each_place(x: Any, kernel: Any) -> Any:
        return np.einsum("ntck,tck->nt", windows(x, 3, 1), np.ones((6, 3, 3), np.float32))

    for function in (local, of_each_place):
        agree(bital.trace(function, x, kernel), [x, kernel], {"convolution": 0})
    whole = np.arange(24).reshape(2, 4, 3)
    program = bital.trace(lambda x: np.einsum("ntck,k->ntc", windows(x, 2, 1), [1, 2]), whole)
    assert found(program, "convolution") == 0


# --- pools ----------------------------------------------------------------------------------


def pooled(function: Any, sizes: tuple[int, int], strides: tuple[int, int], dilation: int) -> Any:
    def pool(x: Any) -> Any:
        spans = [(n - 1) * dilation + 1 for n in sizes]
        seen = windows(x, spans, (1, 2))[:, :: strides[0], :: strides[1]]
        return function(seen[..., ::dilation, ::dilation], axis=(-2, -1))

    return pool


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("function", [np.max, np.min, np.sum, np.mean])
def test_pools_and_their_slopes(function: Any, dtype: str) -> None:
    for sizes, strides, dilation in (
        ((3, 2), (1, 1), 1),
        ((3, 3), (2, 2), 1),
        ((2, 3), (3, 1), 1),
        ((2, 2), (2, 1), 2),
    ):
        (x,) = drawn([(2, 9, 8, 3)], dtype)
        program = bital.trace(pooled(function, sizes, strides, dilation), x)
        (out,) = program.output_types
        agree(program, [x], {"pool": 1})
        linear = function in (np.sum, np.mean)
        slopes = vjp(program, [True])
        agree(slopes, [x, *drawn([out.shape], dtype)], {"pool": 2} if linear else {})


def test_corners_of_pools() -> None:
    from bital.executors.xla.executor import executor as xla

    x = np.array([1.0, np.nan, 3.0, -np.inf, -np.inf, np.inf, 2.0])
    for function in (np.max, np.min, np.sum):
        with np.errstate(invalid="ignore"):
            want = function(windows(x, 2), axis=-1)
        program = bital.trace(lambda x, function=function: function(windows(x, 2), axis=-1), x)
        np.testing.assert_array_equal(xla.compile(program)([x])[0], want)
