"""④ Transforms: Program -> Program with a new meaning."""

from bital.transforms.batching import batch as batch
from bital.transforms.checkpoint import split_checkpoint as split_checkpoint
from bital.transforms.forward import jvp as jvp
from bital.transforms.linear import linearize as linearize
from bital.transforms.reverse import split as split
from bital.transforms.reverse import vjp as vjp
