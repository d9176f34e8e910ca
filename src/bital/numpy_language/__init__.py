"""③ The NumPy language: from NumPy calls on tracers to primitives."""

from bital.numpy_language import (
    choosing,
    complex,
    creation,
    cumulative,
    einsum,
    fourier,
    histograms,
    indexing,
    joining,
    linalg,
    mapping,
    norms,
    padding,
    products,
    quantiles,
    reductions,
    sets,
    shapes,
    signals,
    sorting,
    statistics,
    ufunc_methods,
    ufuncs,
    windows,
)
from bital.numpy_language.dispatch import supported as supported
from bital.numpy_language.source import named_scope as named_scope
from bital.numpy_language.tracer import Trace as Trace
from bital.numpy_language.tracer import Tracer as Tracer
from bital.numpy_language.tracer import bind as bind
from bital.numpy_language.tracer import current_trace as current_trace
from bital.numpy_language.tracer import tracing as tracing

__all__ = [
    "choosing",
    "complex",
    "creation",
    "cumulative",
    "einsum",
    "fourier",
    "histograms",
    "indexing",
    "joining",
    "linalg",
    "mapping",
    "norms",
    "padding",
    "products",
    "quantiles",
    "reductions",
    "sets",
    "shapes",
    "signals",
    "sorting",
    "statistics",
    "ufunc_methods",
    "ufuncs",
    "windows",
]
