"""② Primitives: the meaning of each operation that a Program may hold.

One block a primitive; every field is required, so a gap fails when bital is imported.
"""

from bital.primitives import (
    branch,
    checkpoint,
    complex,
    control,
    cumulative,
    elementwise,
    fourier,
    indexing,
    linear,
    loops,
    random,
    reduction,
    shape,
    sorting,
    special,
    special_derivatives,
    special_distributions,
    windows,
)
from bital.primitives.control import evaluate as evaluate
from bital.primitives.primitive import NOT_DIFFERENTIABLE as NOT_DIFFERENTIABLE
from bital.primitives.primitive import NOT_LINEAR as NOT_LINEAR
from bital.primitives.primitive import REGISTRY as REGISTRY
from bital.primitives.primitive import Linear as Linear
from bital.primitives.primitive import Primitive as Primitive

__all__ = [
    "branch",
    "checkpoint",
    "complex",
    "control",
    "cumulative",
    "decompositions",
    "elementwise",
    "fourier",
    "indexing",
    "linear",
    "loops",
    "random",
    "reduction",
    "shape",
    "sorting",
    "special",
    "special_derivatives",
    "special_distributions",
    "windows",
]
