"""Data on the way into a model: checked before anything is trained, then cut into batches.

Three kinds of sources have the same methods: `Data` in memory, `Mapped` on disk, and `Batches` that
somebody else makes. Each yields an epoch as `Part` objects, which are in memory.
"""

from bital.keras.models.data.arrays import (
    batch_size,
    features,
    numbers,
    require_finite,
    sample_weights,
    targets,
)
from bital.keras.models.data.batches import Batches, is_batches
from bital.keras.models.data.frames import plain
from bital.keras.models.data.mapped import Mapped, is_mapped
from bital.keras.models.data.padding import bucket, padded
from bital.keras.models.data.parts import Arrays, Part, stack
from bital.keras.models.data.placing import Placing
from bital.keras.models.data.samples import Data, Limited, limited, readable
from bital.keras.models.data.trees import inputs, outputs

__all__ = [
    "Arrays",
    "Batches",
    "Data",
    "Limited",
    "Mapped",
    "Part",
    "Placing",
    "batch_size",
    "bucket",
    "features",
    "inputs",
    "is_batches",
    "is_mapped",
    "limited",
    "numbers",
    "outputs",
    "padded",
    "plain",
    "readable",
    "require_finite",
    "sample_weights",
    "stack",
    "targets",
]
