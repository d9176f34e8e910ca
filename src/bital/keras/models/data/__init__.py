"""Data on the way into a model: checked before anything is trained, then cut into batches."""

from bital.keras.models.data.arrays import (
    batch_size,
    features,
    numbers,
    require_finite,
    sample_weights,
    targets,
)
from bital.keras.models.data.padding import bucket, padded
from bital.keras.models.data.samples import Arrays, Data, readable, stack
from bital.keras.models.data.trees import inputs, outputs

__all__ = [
    "Arrays",
    "Data",
    "batch_size",
    "bucket",
    "features",
    "inputs",
    "numbers",
    "outputs",
    "padded",
    "readable",
    "require_finite",
    "sample_weights",
    "stack",
    "targets",
]
