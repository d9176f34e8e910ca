"""Summaries of a training for TensorBoard, in event files that tensorboardX writes."""

from __future__ import annotations

import importlib
import re
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from bital.errors import MissingExtraError
from bital.graphs.graph import Graph, GraphKeys, Tensor, get_collection, get_default_graph
from bital.graphs.operation import Any_, Anys, operation
from bital.tf1 import errors


def _load(name: str) -> Any:
    try:
        return importlib.import_module(f"tensorboardX{name}")
    except ImportError as fault:
        raise MissingExtraError(
            'tf.summary writes with tensorboardX: pip install "bital[tensorboard]"'
        ) from fault


@operation("ScalarSummary", host=True)
def _scalar(values: Any_, tag: str) -> Any_:
    return _load(".summary").scalar(tag, values).SerializeToString()


@operation("HistogramSummary", host=True)
def _histogram(values: Any_, tag: str) -> Any_:
    if not np.all(np.isfinite(values)):
        raise errors.InvalidArgumentError(f"Nan in summary histogram for: {tag}")
    bounds = 1e-12 * 1.1 ** np.arange(775)
    bounds = np.concatenate([-bounds[::-1], [0], bounds])
    return _load(".summary").histogram(tag, values, bounds).SerializeToString()


@operation("MergeSummary", host=True)
def _merge(inputs: Anys) -> Any_:
    return b"".join(inputs)  # messages of the same fields


def _collected(found: Tensor, collections: Any) -> Tensor:
    for key in [GraphKeys.SUMMARIES] if collections is None else collections:
        found.graph.add_to_collection(key, found)
    return found


def _summary(kind: Any, name: str, values: Any, collections: Any) -> Tensor:
    with get_default_graph().name_scope(re.sub(r"[^-\w./]", "_", name)) as scope:
        return _collected(kind(values, scope[:-1], name=scope), collections)


def scalar(name: str, tensor: Any, collections: Any = None) -> Tensor:
    """A number, as a point of a curve."""
    return _summary(_scalar, name, tensor, collections)


def histogram(name: str, values: Any, collections: Any = None) -> Tensor:
    """How the elements of a tensor are distributed."""
    return _summary(_histogram, name, values, collections)


def merge(inputs: Any, collections: Any = None, name: str | None = None) -> Tensor:
    """Several summaries as one."""
    with get_default_graph().name_scope(name or "Merge"):
        return _collected(_merge(list(inputs)), collections or ())


def merge_all(key: str = GraphKeys.SUMMARIES, scope: Any = None, name: Any = None) -> Any:
    """All summaries of a collection as one; None if there are none."""
    found = get_collection(key, scope)
    return merge(found, name=name) if found else None


class FileWriter(AbstractContextManager):
    """Writes summaries, and the graph, to a new event file in a folder."""

    def __init__(self, logdir: Any, graph: Any = None, max_queue: int = 10, flush_secs: int = 120):
        writer = self._writer = _load("").FileWriter(logdir, max_queue, flush_secs)
        self.get_logdir, self.flush, self.close = writer.get_logdir, writer.flush, writer.close
        if graph is not None:
            self.add_graph(graph)

    def add_summary(self, summary: bytes, global_step: int | None = None) -> None:
        """Write what a session gave for a summary."""
        message = _load(".proto.summary_pb2").Summary.FromString(summary)
        self._writer.add_summary(message, global_step)

    def add_graph(self, graph: Graph, global_step: int | None = None) -> None:
        """Write which operations a graph has, and what each of them reads."""
        found = _load(".proto.graph_pb2").GraphDef()
        for op in graph.get_operations():
            inputs = [tensor.name.removesuffix(":0") for tensor in op.inputs]
            inputs += [f"^{control.name}" for control in op.control_inputs]
            found.node.add(name=op.name, op=op.type, input=inputs)
        event = _load(".proto.event_pb2").Event(graph_def=found.SerializeToString())
        self._writer.add_event(event, global_step)

    def __exit__(self, *exception: Any) -> None:
        self.close()
