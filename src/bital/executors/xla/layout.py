"""How arrays lie on several devices.

Programs stay whole: a step is written for the whole batch, and XLA's partitioner makes of it what
each device does, sums over devices included (GSPMD: Xu et al., 2021, arXiv:2105.04663). What is
said here is only where arguments and results lie.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from bital.errors import ExecutorError
from bital.program import Array, Program

LEAST = 1 << 16  # elements of a weight that is worth cutting
_AXIS = "devices"


class Layout:
    """A row of devices.

    Parameters
    ----------
    devices : int, optional
        How many. None: all of them, of all processes.
    least : int, optional
        Weights, and what an optimizer keeps for each, are cut if they have so many elements
        (fully sharded data parallelism: Zhao et al., 2023, arXiv:2304.11277). None: each device has
        them whole.

    Raises
    ------
    ExecutorError
        If there are not so many devices.
    """

    def __init__(self, devices: int | None = None, least: int | None = None) -> None:
        found = jax.devices()
        count = len(found) if devices is None else devices
        if not 1 <= count <= len(found):
            raise ExecutorError(
                f"{count} devices were asked for; JAX has {len(found)}: "
                f"{', '.join(map(str, found[:8]))}{', ...' if len(found) > 8 else ''}. On a "
                "processor XLA_FLAGS=--xla_force_host_platform_device_count=8 makes 8 of it"
            )
        if jax.process_count() > 1 and count != len(found):
            raise ExecutorError(
                f"{count} of {len(found)} devices were asked for by {jax.process_count()} "
                "processes; together they use all: devices='all'"
            )
        if least is not None and jax.process_count() > 1 and found[0].platform == "cpu":
            raise ExecutorError(
                f"weights are not cut among {jax.process_count()} processes on processors: XLA "
                "(0.10.2) begins the collectives of a step in another order in each, and Gloo "
                "aborts them. Leave shard_weights away, or use GPUs or TPUs, or one process"
            )
        self.mesh = Mesh(np.array(found[:count]), (_AXIS,))
        self.count = count
        self.least = least

    def along(self, axis: int | None) -> NamedSharding:
        """Cut along an axis; None: a copy on each device."""
        spec = PartitionSpec() if axis is None else PartitionSpec(*[None] * axis, _AXIS)
        return NamedSharding(self.mesh, spec)

    def of_state(self, shape: tuple[int, ...]) -> NamedSharding:
        """Where a weight lies: cut along its longest axis that the devices divide, if it is large.

        That of its gradient, its moments and its average follow, since their shapes are the same.
        """
        if self.least is None or np.prod(shape, dtype=np.int64) < self.least:
            return self.along(None)
        divided = [axis for axis, length in enumerate(shape) if length % self.count == 0]
        return self.along(max(divided, key=lambda axis: shape[axis], default=None))

    def of_results(self, program: Program, kept: Collection[int]) -> Any:
        """Where the results of a Program lie: state as state does, copies of all else."""
        places = [
            self.of_state(atom.type.shape) if index in kept else self.along(None)
            for index, atom in enumerate(program.outputs)
        ]
        return places, self.along(None)

    def state(self, array: Array) -> jax.Array:
        """A weight, brought to where it lies."""
        return self._put(array, self.of_state(array.shape))

    def placed(self, array: Array, batch_axis: int | None) -> jax.Array:
        """Samples: copies, or this process's share, cut along the axis of the batch."""
        sharding = self.along(batch_axis)
        if batch_axis is None:
            return self._put(array, sharding)
        shape = list(array.shape)
        shape[batch_axis] *= jax.process_count()
        return jax.make_array_from_process_local_data(sharding, array, tuple(shape))

    def share(self, size: int) -> slice:
        """Which samples of a batch this process brings."""
        if size % self.count:
            raise ExecutorError(
                f"a batch of {size} cannot be cut for {self.count} devices: its size must be a "
                f"multiple of {self.count}, such as {-(-size // self.count) * self.count}"
            )
        each = size // jax.process_count()
        return slice(jax.process_index() * each, (jax.process_index() + 1) * each)

    def _put(self, array: Array, sharding: NamedSharding) -> jax.Array:
        if jax.process_count() == 1:
            return jax.device_put(array, sharding)
        # Each process brings what its own devices hold of an array that all of them know.
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


def layout_of(options: Sequence[str]) -> Layout | None:
    """The layout of ``"all"``, ``"8"``, ``"sharded"`` and ``"sharded=65536"``.

    Raises
    ------
    ExecutorError
        If an option is none of these.
    """
    devices: int | None = None
    least: int | None = None
    for option in options:
        name, _, value = option.partition("=")
        if name == "sharded" and (not value or value.isdecimal()):
            least = int(value) if value else LEAST
        elif option.isdecimal():
            devices = int(option)
        elif option != "all":
            raise ExecutorError(
                f"xla has no option {option!r}; there are 'all' or a number of devices, 'sharded' "
                "or 'sharded=65536', and 'bfloat16'"
            )
    return Layout(devices, least) if options else None
