"""SciPy's special functions: entered when SciPy is there, refused where no derivative is known."""

import subprocess
import sys

import numpy as np
import pytest

import bital
from bital.errors import (
    ArgumentError,
    DifferentiationError,
    TracerConversionError,
    UnsupportedFunctionError,
)
from bital.numpy_language import supported

special = pytest.importorskip("scipy.special")
X = np.array([0.3, 0.5, 0.8])


def test_bital_does_not_import_scipy():
    code = (
        "import sys, bital; bital.numpy_language.supported(); "
        "assert not any(name.startswith('scipy') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_scipy_imported_after_bital_is_found():
    code = (
        "import numpy as np, bital; import scipy.special; "
        "assert abs(bital.grad(scipy.special.erf)(0.0) - 2 / np.sqrt(np.pi)) < 1e-15"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_are_listed():
    names = supported()
    assert "scipy.special.erf" in names
    assert "np.erf" not in names


def test_the_printed_text_imports_scipy():
    text = bital.trace(lambda x: 2 * special.erf(x), X).to_numpy()
    assert text.startswith("import numpy as np\nimport scipy.special\n")
    namespace = {}
    exec(text, namespace)
    np.testing.assert_array_equal(namespace["program"](X)[0], 2 * special.erf(X))


def test_an_argument_whose_derivative_is_not_known():
    with pytest.raises(DifferentiationError, match=r"jv with respect to its argument 0"):
        bital.grad(lambda v: special.jv(v, 1.0))(1.5)
    slope = bital.grad(lambda v: special.jv(bital.stop_gradient(v), v))(1.5)
    assert slope == pytest.approx(special.jvp(1.5, 1.5), rel=1e-14)


def test_functions_without_rules_are_refused():
    with pytest.raises(UnsupportedFunctionError, match=r"scipy\.special\.airye"):
        bital.jit(lambda x: special.airye(x))(X)


def test_functions_that_are_no_ufuncs_name_the_line_and_what_to_write():
    with pytest.raises(TracerConversionError, match=r"instead: bital\.nn\.logsumexp") as caught:
        bital.jit(lambda x: special.logsumexp(x))(X)
    assert str(caught.value).startswith("special.logsumexp would turn")
    assert __file__ in str(caught.value)


def test_complex_numbers_are_refused():
    with pytest.raises(ArgumentError, match="complex"):
        bital.jit(lambda x: special.erf(x * 1j))(X)


def test_zeta_with_two_arguments():
    assert bital.grad(lambda q: special.zeta(2.0, q))(0.7) == pytest.approx(
        -2 * special.zeta(3.0, 0.7), rel=1e-14
    )


# Where a formula written down first would cancel, or divide by zero.
LIMITS = [
    ("expit", lambda x: special.expit(x), 0.0, 0.25, 0.0),
    ("expit far below", lambda x: special.expit(x), -700.0, np.exp(-700.0), np.exp(-700.0)),
    ("log_expit far below", lambda x: special.log_expit(x), -1e4, 1.0, 0.0),
    ("log_expit far above", lambda x: special.log_expit(x), 1e4, 0.0, 0.0),
    ("log_ndtr far below", lambda x: special.log_ndtr(x), -1e4, 1e4 + 1e-4, -1.0),
    ("exprel at 0", lambda x: special.exprel(x), 0.0, 1 / 2, 1 / 3),
    ("boxcox to the logarithm", lambda p: special.boxcox(2.0, p), 0.0, None, None),
    ("inv_boxcox to the exponential", lambda p: special.inv_boxcox(2.0, p), 0.0, None, None),
    ("j1 at 0", lambda x: special.j1(x), 0.0, 0.5, 0.0),
    ("i1 at 0", lambda x: special.i1(x), 0.0, 0.5, 0.0),
    ("spence at 1", lambda x: special.spence(x), 1.0, -1.0, None),
    ("ellipk at 0", lambda x: special.ellipk(x), 0.0, np.pi / 8, 9 * np.pi / 64),
    ("sici at 0", lambda x: special.sici(x)[0], 0.0, 1.0, None),
    ("xlogy at x = 0", lambda x: special.xlogy(x, 3.0), 0.0, np.log(3.0), 0.0),
]


@pytest.mark.parametrize(
    ("function", "x", "slope", "curvature"), [row[1:] for row in LIMITS], ids=[r[0] for r in LIMITS]
)
def test_limits(function, x, slope, curvature):
    log2 = np.log(2.0)
    if slope is None:  # d/dp of (2**p - 1) / p, and of (1 + 2 p)**(1 / p), at p = 0
        slope = log2**2 / 2 if abs(function(1e-9) - log2) < 1e-6 else -2 * np.exp(2.0)
    with np.errstate(all="ignore"):
        first = bital.grad(function)(x)
        np.testing.assert_allclose(first, slope, rtol=1e-12)
        if curvature is not None:
            np.testing.assert_allclose(
                bital.grad(bital.grad(function))(x), curvature, rtol=1e-7, atol=1e-12
            )
