"""Every public name of NumPy, and every ufunc of scipy.special: what becomes of it in a trace.

A name is *supported* if the language has an entry for it, which is looked up and never written
down here; *refused* with a reason and what to write instead; or *not an array function*, by group.
Names are written ``np.sum``, ``np.linalg.norm``, ``np.fft.fft``, ``ndarray.sum`` and
``scipy.special.erf``. A test fails when the installed NumPy or SciPy has a name that is none of
these. Names that only other versions have do no harm.
"""

from __future__ import annotations

import importlib
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

SUPPORTED, NEEDS_VALUES = "supported", "supported, not under jit"
REFUSED_, NOT_ARRAY = "refused", "not an array function"


@dataclass(frozen=True)
class Status:
    """What becomes of a name.

    Attributes
    ----------
    kind : str
        ``"supported"``, ``"supported, not under jit"``, ``"refused"`` or
        ``"not an array function"``.
    reason : str
        Why it is refused, or which group it belongs to.
    instead : str
        What to write instead of a refused one.
    """

    kind: str
    reason: str = ""
    instead: str = ""


def _each(prefix: str, groups: dict[Any, str]) -> dict[str, Any]:
    """``{value: "a b"}`` as ``{prefix + "a": value, prefix + "b": value}``."""
    return {prefix + name: value for value, names in groups.items() for name in names.split()}


# --- refused: (reason, instead) -------------------------------------------------------------

_OUTSIDE = "the plain array, outside of the traced function"
_ITSELF = "the traced value itself: NumPy functions take it as it is"
_LAYOUT = "a traced value has no layout in memory"
_BYTES = "a traced value has no bytes to reinterpret"
_LEAVES = "the value would leave the trace, and its gradient would be lost"

REFUSED: dict[str, tuple[str, str]] = _each(
    "np.",
    {
        (_LAYOUT, _ITSELF): "ascontiguousarray asfortranarray require asarray_chkfinite",
        (
            "matrices of class np.matrix redefine operators and cannot be traced",
            "arrays of two axes, and @ for the product",
        ): "asmatrix bmat matrix",
        (
            "it calls a Python function for each number",
            "the function itself on whole arrays, or bital.vmap",
        ): "frompyfunc vectorize",
        (
            "the number of roots and the length of the result depend on values",
            "np.linalg.eigvals of the companion matrix",
        ): "roots",
        (
            "polynomials of class np.poly1d are made of plain numbers",
            "np.polyval(coefficients, x)",
        ): "poly1d",
        (
            "reads the bits of whole bytes",
            "(x[..., np.newaxis] >> np.arange(8)) & 1 and sums of shifted bits",
        ): "packbits unpackbits",
        (
            "how many elements it gives depends on values, which are unknown under bital.jit",
            "np.sort(x), which keeps the shape; or the plain array, outside of the traced function",
        ): (
            "intersect1d setdiff1d setxor1d union1d unique unique_all unique_counts "
            "unique_inverse unique_values"
        ),
        (
            "how many elements it gives depends on values, which are unknown under bital.jit",
            "np.where(mask, x, 0), which keeps the shape",
        ): "argwhere flatnonzero nonzero trim_zeros",
        (
            "the length of the remainder depends on values",
            "np.polysub(u, np.polymul(q, v)) for the remainder of a known quotient q",
        ): "polydiv",
    },
) | _each(
    "ndarray.",
    {
        (_LEAVES, "has_aux=True hands the value out of the trace"): "item tolist",
        (
            _BYTES,
            "x.astype(dtype) converts values",
        ): "view byteswap getfield newbyteorder setfield",
        (
            "the size of a traced value is fixed, as its shape is",
            "np.concatenate or np.pad for a longer array, x[:n] for a shorter one",
        ): "resize",
        ("NumPy 2 has dropped it", "x[i] = v"): "itemset",
        ("NumPy 2 has dropped it", "np.ptp(x)"): "ptp",
    },
)

# Of scipy.special the language has those ufuncs whose derivatives primitives/special*.py know.
_DISTRIBUTIONS = """
bdtrik bdtrin btdtria btdtrib chdtriv chndtridf fdtridfd gdtrib kolmogi kolmogorov nbdtrik nbdtrin
ncfdtr ncfdtri ncfdtridfd ncfdtridfn ncfdtrinc nctdtr nctdtridf nctdtrinc nctdtrit pdtrik smirnov
smirnovi stdtridf
"""
_RARE = """
agm airye besselpoly elliprc elliprd elliprf elliprg elliprj hankel1 hankel1e hankel2 hankel2e
kelvin mathieu_a mathieu_b modfresnelm modfresnelp obl_ang1 obl_ang1_cv obl_cv obl_rad1 obl_rad1_cv
obl_rad2 obl_rad2_cv pro_ang1 pro_ang1_cv pro_cv pro_rad1 pro_rad1_cv pro_rad2 pro_rad2_cv
voigt_profile wofz zetac
"""
REFUSED |= _each(
    "scipy.special.",
    {
        (
            "no rule for the derivatives of this distribution by its parameters is known here",
            "betainc, gammainc or ndtr, of which most distributions are made",
        ): _DISTRIBUTIONS,
        ("no rule for its derivatives is known here", _OUTSIDE): _RARE,
    },
)

# --- not array functions: the group ---------------------------------------------------------

NOT_ARRAY_FUNCTIONS: dict[str, str] = (
    _each(
        "np.",
        {
            "a dtype or a class of scalars": (
                "bool bool_ byte bytes_ cdouble character clongdouble complex128 complex192 "
                "complex256 complex64 complexfloating csingle datetime64 double dtype flexible "
                "float128 float16 float32 float64 float96 floating generic half inexact int16 "
                "int32 int64 int8 int_ intc integer intp long longdouble longlong number object_ "
                "record short signedinteger single str_ timedelta64 ubyte uint uint16 uint32 "
                "uint64 uint8 uintc uintp ulong ulonglong unsignedinteger ushort void"
            ),
            "a class of arrays or iterators": (
                "broadcast chararray flatiter memmap ndarray ndenumerate ndindex nditer "
                "nested_iters recarray ufunc"
            ),
            "about dtypes": (
                "can_cast common_type finfo iinfo isdtype issubdtype min_scalar_type mintypecode "
                "promote_types typename"
            ),
            "about Python objects and shapes": "broadcast_shapes isscalar iterable",
            "about memory": "isfortran may_share_memory shares_memory",
            "deprecated by NumPy: write np.isin and np.trapezoid": "in1d trapz",
            "dates": (
                "busday_count busday_offset busdaycalendar datetime_as_string datetime_data "
                "is_busday isnat"
            ),
            "text": (
                "array2string array_repr array_str base_repr binary_repr format_float_positional "
                "format_float_scientific"
            ),
            "files, buffers and iterables": (
                "from_dlpack frombuffer fromfile fromfunction fromiter fromregex fromstring "
                "genfromtxt load loadtxt save savetxt savez savez_compressed"
            ),
            "an array of plain numbers, which a trace takes as it is": (
                "bartlett blackman diag_indices hamming hanning indices kaiser mask_indices "
                "tril_indices triu_indices"
            ),
            "settings": (
                "errstate get_printoptions getbufsize geterr geterrcall printoptions "
                "set_printoptions setbufsize seterr seterrcall"
            ),
            "about the installation": "get_include info show_config show_runtime test",
        },
    )
    | _each("np.linalg.", {"an error": "LinAlgError", "about the installation": "test"})
    | _each(
        "np.fft.",
        {
            "an array of plain numbers, which a trace takes as it is": "fftfreq rfftfreq",
            "about the installation": "test",
        },
    )
    | _each(
        "ndarray.",
        {
            "about memory": "base ctypes data flags setflags strides",
            "files and pickles": "dump dumps tobytes tofile tostring",
        },
    )
)


# --- looking up -----------------------------------------------------------------------------


def namespaces() -> dict[str, Any]:
    """The prefixes of names, and the objects that they stand for; SciPy's only where it is."""
    spaces: dict[str, Any] = {
        "np.": np,
        "np.linalg.": np.linalg,
        "np.fft.": np.fft,
        "ndarray.": np.ndarray,
    }
    try:
        return spaces | {"scipy.special.": importlib.import_module("scipy.special")}
    except ImportError:
        return spaces


def public_names() -> list[str]:
    """The names of the installed NumPy and SciPy that must be known, in the order of the page."""
    return [prefix + name for prefix, space in namespaces().items() for name in _names(space)]


def _names(space: Any) -> Iterator[str]:
    for name in sorted(dir(space)):
        value = _attribute(space, name)
        if name.startswith("_") or isinstance(value, types.ModuleType):
            continue
        if space.__name__ == "scipy.special" and not isinstance(value, np.ufunc):
            continue
        if space is np.ndarray or callable(value):
            yield name


def _attribute(space: Any, name: str) -> Any:
    with warnings.catch_warnings():  # some names are deprecated
        warnings.simplefilter("ignore")
        return getattr(space, name, None)


def status(name: str) -> Status | None:
    """What becomes of a name; None for one that nobody has thought of."""
    prefix, _, short = name.rpartition(".")
    space = namespaces().get(prefix + ".")
    if space is not None and hasattr(space, short):
        kind = _supported(space, short)
        if kind is not None:
            why = REFUSED.get(name, ("", "")) if kind == NEEDS_VALUES else ()
            return Status(kind, *why)
    if name in REFUSED:
        return Status(REFUSED_, *REFUSED[name])
    if name in NOT_ARRAY_FUNCTIONS:
        return Status(NOT_ARRAY, NOT_ARRAY_FUNCTIONS[name])
    return None


def _supported(space: Any, name: str) -> str | None:
    from bital.numpy_language import dispatch
    from bital.numpy_language.tracer import Tracer

    if space is np.ndarray:
        method = getattr(Tracer, name, None)
        refuses = getattr(method, "__annotations__", {}).get("return") == "NoReturn"
        return None if method is None or refuses else SUPPORTED
    function = _attribute(space, name)
    handler = dispatch.handler_of(function)
    if handler is None:
        return None
    return NEEDS_VALUES if getattr(handler, "needs_values", False) else SUPPORTED


def further_names() -> list[str]:
    """Functions that the language has entries for, and that stand in none of the namespaces."""
    from bital.numpy_language import dispatch

    listed = {id(_attribute(space, n)) for space in namespaces().values() for n in dir(space)}
    return [
        dispatch.function_name(function)
        for function in dispatch.FUNCTIONS
        if id(function) not in listed
    ]
