"""Derivatives by complex numbers: the convention, and what has none."""

from __future__ import annotations

import numpy as np
import pytest

import bital
from bital.errors import ArgumentError, DifferentiationError, ShapeError

RNG = np.random.default_rng(0)
X = RNG.normal(size=5)
Z = X + 1j * RNG.normal(size=5)
W = RNG.normal(size=(5, 5)) + 1j * RNG.normal(size=(5, 5))


class TestConvention:
    """df/dx - i df/dy, worked by hand."""

    @pytest.mark.parametrize(
        ("f", "slope"),
        [
            (lambda z: z.real, 1.0),
            (lambda z: z.imag, -1j),
            (lambda z: np.conj(z).imag, 1j),
            (lambda z: abs(z) ** 2, 6 + 8j),  # 2 conj(z)
            (lambda z: (z * z.conj()).real, 6 + 8j),
            (abs, (3 + 4j) / 5),
            (lambda z: (z * z).real, 6 - 8j),  # of holomorphic g: g'(z) for Re g, -i g'(z) for Im g
            (lambda z: (z * z).imag, -1j * (6 - 8j)),
            (np.angle, -1j / (3 - 4j)),  # Im log z
            (lambda z: np.sign(z).real, (4 * 4 - 1j * 3 * 4) / 125),  # x / sqrt(x^2 + y^2)
            (lambda z: np.abs(z.real * 1j + z.imag), (3 + 4j) / 5),
        ],
    )
    def test_grad(self, f, slope):
        z = np.complex128(3 - 4j)
        for g in (bital.grad(f), bital.jit(bital.grad(f)), bital.jacobian(f)):
            np.testing.assert_allclose(g(z), slope, rtol=1e-14)
        differences = bital.numerical_gradient(lambda z: f(np.complex128(z)), z)
        np.testing.assert_allclose(differences, slope, atol=1e-8)

    def test_a_gradient_has_its_arguments_dtype(self):
        for dtype in (np.complex64, np.complex128):
            z = Z.astype(dtype)
            value, slope = bital.value_and_grad(lambda z: np.sum(np.abs(z)))(z)
            assert value.dtype == z.real.dtype
            assert slope.dtype == dtype

    def test_mixed_arguments(self):
        loss = lambda p: np.sum(np.abs(p["w"] @ (p["x"] * np.exp(1j * p["x"]))))  # noqa: E731
        slopes = bital.grad(loss)({"w": W, "x": X})
        assert slopes["x"].dtype == np.float64
        wanted = bital.numerical_gradient(loss, {"w": W.copy(), "x": X.copy()})
        for name in slopes:
            np.testing.assert_allclose(slopes[name], wanted[name], atol=1e-6)

    def test_steps_along_the_conjugate_go_down(self):
        z = Z.copy()
        loss = lambda z: np.sum(np.abs(z @ W - 1j) ** 2)  # noqa: E731
        before = loss(z)
        for _ in range(3):
            z = z - 0.01 * np.conj(bital.grad(loss)(z))
        assert loss(z) < before / 2

    def test_cotangents_are_not_conjugated(self):
        v = np.exp(1j * X)
        for f, wanted in (
            (np.exp, v * np.exp(Z)),
            (np.conj, np.conj(v)),
            (lambda z: z.real, None),
        ):
            value, pull_back = bital.vjp(f, Z)
            cotangent = v if wanted is not None else X
            np.testing.assert_allclose(
                pull_back(cotangent)[0], X + 0j if wanted is None else wanted, rtol=1e-14
            )
            assert value.shape == Z.shape

    def test_a_tangent_of_the_wrong_kind(self):
        with pytest.raises(ShapeError, match="complex128"):
            bital.jvp(np.exp, (Z,), (X,))
        with pytest.raises(ShapeError, match="float64"):
            bital.vjp(np.abs, Z)[1](Z)
        with pytest.raises(ShapeError, match="float64"):
            bital.vjp(np.abs, 1j)[1](1j)
        assert bital.vjp(np.conj, 1j)[1](2)[0] == 2


class TestJacobians:
    def test_of_holomorphic_functions(self):
        f = lambda z: z**3 @ W  # noqa: E731
        got = bital.jacobian(f, holomorphic=True)(Z)
        np.testing.assert_allclose(got, (3 * Z**2)[:, None].T * W.T, rtol=1e-13)

    def test_from_real_to_complex_and_back(self):
        got = bital.jacobian(lambda x: np.exp(1j * x))(X)
        np.testing.assert_allclose(got, np.diag(1j * np.exp(1j * X)), rtol=1e-14)
        got = bital.jacobian(lambda z: np.abs(z) ** 2)(Z)
        np.testing.assert_allclose(got, np.diag(2 * Z.conj()), rtol=1e-13)

    def test_second_derivatives_by_the_parts(self):
        f = lambda x, y: np.abs((x + 1j * y) ** 2)  # noqa: E731  # x^2 + y^2
        (xx, xy), (yx, yy) = bital.hessian(f, argnums=(0, 1))(3.0, 4.0)
        np.testing.assert_allclose([xx, xy, yx, yy], [2, 0, 0, 2], atol=1e-12)


class TestErrors:
    def test_a_complex_loss(self):
        with pytest.raises(DifferentiationError, match=r"np\.abs.*holomorphic=True"):
            bital.grad(lambda z: np.sum(z * z))(Z)
        with pytest.raises(DifferentiationError, match="complex128"):
            bital.value_and_grad(lambda x: x * 1j)(1.0)

    def test_a_jacobian_from_complex_to_complex(self):
        with pytest.raises(DifferentiationError, match="holomorphic"):
            bital.jacobian(np.exp)(Z)
        with pytest.raises(DifferentiationError, match="holomorphic"):
            bital.jacobian(np.abs, holomorphic=True)(Z)

    def test_a_hessian_by_complex_numbers(self):
        with pytest.raises(DifferentiationError, match=r"lambda x, y: f\(x \+ 1j \* y\)"):
            bital.hessian(lambda z: np.sum(np.abs(z) ** 2))(Z)
        with pytest.raises(DifferentiationError, match="Hessian"):
            bital.hessian(lambda z: (np.abs(z) ** 2, z), has_aux=True)(1j)

    def test_a_complex_value_of_numerical_gradient(self):
        with pytest.raises(ArgumentError, match=r"\.real"):
            bital.numerical_gradient(lambda z: z * z, 1j)

    def test_too_wide_numbers(self):
        with pytest.raises(ArgumentError, match="clongdouble"):
            bital.grad(lambda z: np.abs(z))(np.clongdouble(1))


class TestChecks:
    def test_a_wrong_derivative_is_found(self):
        @bital.custom_vjp
        def f(z):
            return np.abs(z) ** 2

        f.defvjp(lambda z: (np.abs(z) ** 2, z), lambda z, ct: (2 * z * ct,))  # not conjugated
        with pytest.raises(AssertionError, match="vjp"):
            bital.check_grads(f, (Z,), modes=("rev",), order=1)

    def test_a_right_rule_passes(self):
        @bital.custom_vjp
        def f(z):
            return np.abs(z) ** 2

        f.defvjp(lambda z: (np.abs(z) ** 2, z), lambda z, ct: (2 * np.conj(z) * ct,))
        bital.check_grads(f, (Z,), modes=("rev",), order=1)
        np.testing.assert_allclose(bital.grad(lambda z: np.sum(f(z)))(Z), 2 * Z.conj())

    def test_numerical_gradient_moves_the_callers_array(self):
        z = Z.copy()
        got = bital.numerical_gradient(lambda _: np.sum(np.abs(z) ** 2), z)
        np.testing.assert_allclose(got, 2 * Z.conj(), atol=1e-9)
        np.testing.assert_array_equal(z, Z)


@pytest.mark.usefixtures("executor")
class TestOnEachExecutor:
    def test_a_recurrence(self):
        def loss(z, start):
            def step(h, each):
                h = h * (0.5 + 0.5j) + each * np.conj(h)
                return h, np.abs(h)

            h, sizes = bital.scan(step, start, z)
            return np.sum(sizes**2) + h.real

        def plain(z, start):
            h, total = start, 0.0
            for each in z:
                h = h * (0.5 + 0.5j) + each * np.conj(h)
                total += np.abs(h) ** 2
            return total + h.real

        np.testing.assert_allclose(bital.jit(loss)(Z, 1j), plain(Z, 1j), rtol=1e-13)
        got = bital.jit(bital.grad(loss, argnums=(0, 1)))(Z, 1j)
        wanted = bital.numerical_gradient(lambda a: plain(*a), (Z.copy(), 1j), eps=1e-5)
        for a, b in zip(got, wanted, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)

    def test_branches_and_endless_loops(self):
        def f(z):
            z = bital.while_loop(lambda z: np.abs(z) < 4, lambda z: z * (1 + 1j), z)
            return bital.cond(z.imag > 0, lambda z: z * 2j, np.conj, z)

        for z in (0.3 + 0.1j, -1j, 5.0 + 0j):
            wanted = z
            while abs(wanted) < 4:
                wanted *= 1 + 1j
            wanted = wanted * 2j if wanted.imag > 0 else wanted.conjugate()
            np.testing.assert_allclose(bital.jit(f)(z), wanted, rtol=1e-14)

    def test_mapped(self):
        f = lambda z, w: np.sum(np.abs(np.fft.fft(z) * w) ** 2)  # noqa: E731
        zs = np.stack([Z, 2 * Z, 1j * Z])
        got = bital.vmap(bital.grad(f), in_axes=(0, None))(zs, 0.5j)
        wanted = [bital.grad(f)(z, 0.5j) for z in zs]
        np.testing.assert_allclose(got, wanted, rtol=1e-13)

    def test_python_numbers_as_arguments_stay_weak(self):
        f = bital.jit(lambda z, c: z * c)
        for c in (2j, 1.5, 3):
            for z in (Z, Z.astype(np.complex64), X.astype(np.float32)):
                assert f(z, c).dtype == (z * c).dtype
                np.testing.assert_array_equal(f(z, c), z * c)
        assert f(2j, 3) == 6j
        assert type(f(2j, 3)) is complex

    def test_donated(self):
        f = bital.jit(lambda z, w: (z + w) * 2, donate_argnums=0)
        np.testing.assert_array_equal(f(Z.copy(), Z), Z * 4)
        part = bital.jit(lambda z: (z.real * 2, z * 2), donate_argnums=0)
        real, whole = part(Z.copy())
        np.testing.assert_array_equal(real, Z.real * 2)
        np.testing.assert_array_equal(whole, Z * 2)

    def test_results_are_no_views_of_an_argument(self):
        z = Z.copy()
        real, imag = bital.jit(lambda z: (z.real, z.imag))(z)
        real += 1
        imag[...] = 0
        np.testing.assert_array_equal(z, Z)
