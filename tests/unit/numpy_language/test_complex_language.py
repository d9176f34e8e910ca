"""Complex numbers in NumPy's words: parts that are written to, casts, refusals, Fourier lengths."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import bital
from bital.errors import TracerConversionError, UnsupportedFunctionError, ViewError

Z = np.arange(6.0).reshape(2, 3) - 2 + 1j * np.arange(6.0).reshape(2, 3)


def agrees(f, *arguments):
    for traced in (bital.jit(f), lambda *xs: bital.vjp(f, *xs)[0]):
        copies = [a.copy() for a in arguments]
        got, want = traced(*copies), f(*[a.copy() for a in arguments])
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


class TestParts:
    def test_setting(self):
        def f(z):
            z.real = 3.0
            z.imag *= 2
            z.imag -= z.real
            z[0].real  # noqa: B018  # a view that nobody keeps
            return z

        agrees(f, Z)

    def test_setting_broadcasts_and_of_real_arrays_sets_all(self):
        def f(z):
            z.real = np.arange(3.0)
            x = np.zeros_like(z.imag)
            x.real = 2.0
            return z * x

        agrees(f, Z)

    def test_no_imaginary_part_to_set(self):
        def f(x):
            x.imag = 1.0
            return x

        with pytest.raises(TypeError):
            f(Z.real.copy())
        with pytest.raises(TypeError, match="no imaginary part"):
            bital.jit(f)(Z.real.copy())

    def test_a_part_is_a_view(self):
        def f(z):
            x = z.real
            x[0] = 1.0
            return z

        with pytest.raises(ViewError):
            bital.jit(f)(Z)

        def g(z):
            x = z.imag
            z[0] = 0
            return x

        with pytest.raises(ViewError):
            bital.jit(g)(Z)


class TestCasts:
    def test_dropping_the_imaginary_part_warns_as_numpy_does(self):
        for f in (lambda z: z.astype(float), lambda z: z.astype(np.int8)):
            for each in (f, bital.jit(f)):
                with pytest.warns(np.exceptions.ComplexWarning, match="imaginary"):
                    got = each(Z)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                np.testing.assert_array_equal(got, f(Z))

    def test_a_complex_number_does_not_go_into_reals_in_place(self):
        def f(x):
            x *= 2j
            return x

        with pytest.raises(TypeError):
            f(Z.real.copy())
        with pytest.raises(TypeError, match=r"astype\(np\.complex128\)"):
            bital.jit(f)(Z.real.copy())

    def test_a_traced_number_is_no_python_complex(self):
        with pytest.raises(TracerConversionError):
            bital.grad(lambda z: abs(complex(z)))(1j)


class TestRefusals:
    @pytest.mark.parametrize(
        "f", [np.floor, np.arctan2, np.fmod, np.cbrt, np.hypot, np.signbit, np.i0, np.floor_divide]
    )
    def test_what_numpy_has_for_reals_only(self, f):
        arguments = [Z] * getattr(f, "nin", 1)
        with pytest.raises(TypeError):
            f(*arguments)
        with pytest.raises(TypeError):
            bital.jit(f)(*arguments)

    def test_real_if_close(self):
        with pytest.raises(UnsupportedFunctionError, match=r"z\.real"):
            bital.jit(np.real_if_close)(Z)


class TestFourier:
    @pytest.mark.parametrize(
        "f",
        [
            lambda z: np.fft.fft(z, n=0),
            lambda z: np.fft.fft(z, axis=2),
            lambda z: np.fft.fft(z, norm="twice"),
            lambda z: np.fft.fftn(z, s=(2,), axes=(0, 1)),
            lambda z: np.fft.fftn(z, axes=(0, 5)),
            lambda z: np.fft.irfft(z[:, :1]),
            lambda z: np.fft.rfft(z),
            lambda z: np.fft.rfftn(z.real, axes=()),
            lambda z: np.fft.fft(z[0, 0]),
        ],
    )
    def test_errors_are_numpys(self, f):
        with pytest.raises((ValueError, TypeError, IndexError)) as numpys:
            f(Z)
        with pytest.raises((ValueError, TypeError, IndexError)) as ours:
            bital.jit(f)(Z)
        assert issubclass(ours.type, numpys.type) or issubclass(numpys.type, ours.type)

    def test_lengths_without_axes_are_deprecated(self):
        f = lambda z: np.fft.fftn(z, s=(4,))  # noqa: E731
        with pytest.warns(DeprecationWarning, match="axes"):
            want = f(Z)
        with pytest.warns(DeprecationWarning, match="axes"):
            got = bital.jit(f)(Z)
        np.testing.assert_allclose(got, want, rtol=1e-14)

    def test_an_axis_twice_and_no_axis(self):
        for axes in ((1, 1), (0, 1, 0), ()):
            f = lambda z, axes=axes: np.fft.fftn(z, axes=axes)  # noqa: E731
            np.testing.assert_allclose(bital.jit(f)(Z), f(Z), rtol=1e-14, atol=1e-13)

    def test_out(self):
        def f(z):
            out = np.zeros_like(z)
            np.fft.fft(z, out=out)
            return out

        np.testing.assert_allclose(bital.jit(f)(Z), np.fft.fft(Z), rtol=1e-14)

    def test_the_transpose_of_a_real_transform_is_real_and_fast(self):
        """No transform of full length stands in a gradient through half a spectrum."""
        loss = lambda x: np.sum(np.abs(np.fft.rfft(x)) ** 2)  # noqa: E731
        text = str(bital.trace(bital.grad(loss), np.ones(8)))
        assert "kind='irfft'" in text
        assert "kind='fft'" not in text
        for n in (1, 2, 7, 8):  # by Parseval n * sum(x^2), and half of what occurs twice
            x = np.random.default_rng(n).normal(size=n)
            weights = np.where(np.isin(np.arange(n // 2 + 1), (0, n / 2)), 1.0, 0.5)
            got = bital.grad(lambda x: np.sum(np.abs(np.fft.rfft(x)) ** 2 / weights))(x)  # noqa: B023
            np.testing.assert_allclose(got, 2 * n * x, rtol=1e-12, atol=1e-12)
