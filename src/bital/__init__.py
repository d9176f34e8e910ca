"""bital: a deep-learning framework whose language is NumPy.

Write plain ``import numpy as np`` code; bital differentiates it, compiles it, and shows what it
did.
"""

from __future__ import annotations

import importlib
from typing import Any

from bital import config as config
from bital import tree as tree
from bital.api import checkpoint as checkpoint
from bital.api import cond as cond
from bital.api import count_traces as count_traces
from bital.api import custom_jvp as custom_jvp
from bital.api import custom_vjp as custom_vjp
from bital.api import eval_shape as eval_shape
from bital.api import fori_loop as fori_loop
from bital.api import from_text as from_text
from bital.api import grad as grad
from bital.api import hessian as hessian
from bital.api import jacfwd as jacfwd
from bital.api import jacobian as jacobian
from bital.api import jacrev as jacrev
from bital.api import jit as jit
from bital.api import jvp as jvp
from bital.api import linearize as linearize
from bital.api import named as named
from bital.api import random_bits as random_bits
from bital.api import scan as scan
from bital.api import stop_gradient as stop_gradient
from bital.api import to_text as to_text
from bital.api import trace as trace
from bital.api import value_and_grad as value_and_grad
from bital.api import vjp as vjp
from bital.api import vmap as vmap
from bital.api import while_loop as while_loop
from bital.config import debug_nans as debug_nans
from bital.config import distribution as distribution
from bital.config import joined as joined
from bital.executors import DeviceArray as DeviceArray
from bital.numpy_language import named_scope as named_scope
from bital.numpy_language import supported as supported
from bital.testing import check_grads as check_grads
from bital.testing import numerical_gradient as numerical_gradient

__version__ = "0.1.0"

# Loaded at first use, so that `import bital` stays as quick as NumPy's own import.
_LAZY = {
    "datasets": "bital.datasets",
    "keras": "bital.keras",
    "nn": "bital.nn",
    "random": "bital.random",
    "tune": "bital.tune",
    "tables": "bital.tables",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(_LAZY[name])
    raise AttributeError(f"module 'bital' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
