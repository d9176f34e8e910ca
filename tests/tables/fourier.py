"""Rows of np.fft, and of functions of sampled signals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tables.row import COMPLEX, Operand, Row, row

_NUMBERS = ("int32", "float32", "float64")
_SIGNAL = Operand((3, 5))
_SHAPES = (((1,),), ((0, 4),), ((2, 1, 3),))


def _fft(name: str, *texts: str, **options: Any) -> Row:
    """A transform with these options, of complex numbers or, if it takes none, of reals."""
    calls = [_called(getattr(np.fft, name), text) for text in texts or ("",)]
    is_real = name.startswith(("rfft", "ihfft"))
    return row(
        f"fft.{name} {', '.join(texts)}".strip(),
        lambda x: [call(x) for call in calls],
        options.pop("operand", _SIGNAL),
        dtypes=_NUMBERS if is_real else COMPLEX,
        rtol=16.0,
        # A transform of infinities is NaN, where it is not infinite: as each algorithm has it.
        corners=False,
        **options,
    )


def _called(function: Callable[..., Any], text: str) -> Callable[..., Any]:
    options: dict[str, Any] = eval(f"dict({text})")
    return lambda x: function(x, **options)


_ONE_AXIS = [
    each
    for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
    for each in (
        _fft(name, shapes=_SHAPES if name in ("fft", "ifft", "rfft", "ihfft") else (((2, 3),),)),
        _fft(name, "n=4, axis=0, norm='ortho'", "n=3, norm='forward'", "n=6"),
    )
]
_SEVERAL_AXES = [
    each
    for kind in ("fft", "ifft", "rfft", "irfft")
    for each in (
        _fft(f"{kind}n", "", "s=(4, 3), axes=(2, 0), norm='ortho'", operand=Operand((2, 3, 4))),
        _fft(f"{kind}2", "", "s=(-1, 5), norm='forward'"),
    )
]
_OF_REALS = [
    row(
        f"fft.{name} of real numbers",
        getattr(np.fft, name),
        _SIGNAL,
        dtypes=_NUMBERS,
        rtol=16.0,
        corners=False,
    )
    for name in ("fft", "irfft", "hfft", "fftn")
]
_REFUSED = [
    row("fft.rfft of complex", np.fft.rfft, dtypes=COMPLEX, differentiable=False),
    row("fft.fft of no points", lambda x: np.fft.fft(x, 0), differentiable=False),
    row("fft.fft of a wrong norm", lambda x: np.fft.fft(x, norm="both"), differentiable=False),
]
_SHIFTS = [
    row("fft.fftshift", np.fft.fftshift, _SIGNAL, shapes=(((4,),), ((0, 3),))),
    row("fft.fftshift axes", lambda x: np.fft.fftshift(x, axes=1), _SIGNAL, dtypes=COMPLEX),
    row("fft.ifftshift", np.fft.ifftshift, _SIGNAL, shapes=(((4,),), ((0, 3),))),
    row("fft.ifftshift axes", lambda x: np.fft.ifftshift(x, axes=(-1,)), _SIGNAL),
    row(
        "fft.fft beside fftfreq",
        lambda x: np.fft.ifft(np.fft.fft(x) * (2j * np.pi * np.fft.fftfreq(5))).real,
        _SIGNAL,
        dtypes=("float64",),
        rtol=64.0,
        corners=False,
    ),
]


def _off_half_periods(x: Any, axis: int = -1, half: float = np.pi) -> Any:
    steps = np.diff(x, axis=axis) / half
    return np.abs(steps - 2 * np.rint(steps / 2)) - 1


_SIGNALS = [
    row("sinc", np.sinc, Operand((3, 4), -3, 3), shapes=(((),), ((0,),)), rtol=8.0),
    row("sinc near 0", lambda x: np.sinc(x * 1e-3), Operand((3, 4), -3, 3), rtol=8.0),
    row("unwrap", np.unwrap, Operand((3, 6), -12, 12), kink=_off_half_periods, rtol=16.0),
    row(
        "unwrap period",
        lambda x: np.unwrap(x, discont=3, axis=0, period=4),
        Operand((5, 3), -9, 9),
        kink=lambda x: _off_half_periods(x, 0, 2) * (np.abs(np.diff(x, axis=0)) - 3),
        dtypes=("int32", "float32", "float64"),
        rtol=16.0,
    ),
]

_OF_COMPLEX_SAMPLES = [
    row(
        "interp of complex samples",
        lambda x, y: (
            np.interp(x, [-1.5, 0, 1], y),
            np.interp(x, [-1.5, 0, 1], y, left=1j, right=y[0]),
            np.interp(x, [0, 0.5, 1.7], y, period=2.2),
        ),
        Operand((6,), avoid=(-1.5, -0.5, 0, 0.2, 0.5, 1, 1.7), dtype="float64"),
        Operand((3,)),
        dtypes=("complex128",),  # NumPy reads the real part of a complex64 as right=
        rtol=8.0,
        corners=False,
    ),
    *(
        row(name, function, Operand((4,)), dtypes=COMPLEX, covers=(), differentiable=False)
        for name, function in (
            ("interp at complex positions", lambda z: np.interp(z, [0.0, 1.0], [1.0, 2.0])),
            ("bincount with complex weights", lambda z: np.bincount([0, 1, 1, 2], z)),
            ("i0 of complex numbers", np.i0),
        )
    ),
]

ROWS: list[Row] = [
    *_ONE_AXIS,
    *_SEVERAL_AXES,
    *_OF_REALS,
    *_REFUSED,
    *_SHIFTS,
    *_SIGNALS,
    *_OF_COMPLEX_SAMPLES,
]
