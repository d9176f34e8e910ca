"""Gradients of tensors with respect to tensors and variables."""

from __future__ import annotations

from typing import Any

from bital.graphs.evaluation import Part, between
from bital.graphs.graph import Tensor, get_default_graph
from bital.graphs.operation import Anys, convert_to_tensor, operation


def gradients(
    ys: Any, xs: Any, grad_ys: Any = None, name: str = "gradients", stop_gradients: Any = None
) -> list[Tensor | None]:
    """The gradient of the sum of all elements of `ys` with respect to each of `xs`.

    None stands for those on which no y depends. `grad_ys` weights the elements of `ys`, and
    `stop_gradients` count as constant.

    Examples
    --------
    >>> import bital.tf1 as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     x = tf.constant([1.0, 2.0])
    ...     sess.run(tf.gradients(x ** 3, x))
    [array([ 3., 12.], dtype=float32)]
    """
    targets, sources = (
        [convert_to_tensor(item) for item in (each if isinstance(each, (list, tuple)) else [each])]
        for each in (ys, xs)
    )
    if bad := [t for t in (*targets, *sources) if not (t.dtype.is_floating or t.dtype.is_complex)]:
        raise TypeError(f"tf.gradients takes floating tensors, got {bad[0]!r}: use tf.cast")
    stops = [convert_to_tensor(item) for item in stop_gradients or ()]
    operations = between(targets, sources, stops)
    made = {tensor for op in operations for tensor in op.outputs}
    read = {tensor for op in operations for tensor in op.inputs} | {*targets}
    reached = [tensor for tensor in dict.fromkeys(sources) if tensor in read]
    kept = [i for i, tensor in enumerate(targets) if tensor in made or tensor in reached]
    if not reached or not kept:
        return [None] * len(sources)
    part = Part(reached, operations, [targets[i] for i in kept])
    weights = []
    if grad_ys is not None:
        given = grad_ys if isinstance(grad_ys, (list, tuple)) else [grad_ys]
        weights = [convert_to_tensor(given[i], targets[i].dtype) for i in kept]
    op = get_default_graph().add(
        "Gradients",
        [*weights, *reached, *part.captured],
        {"weights": len(weights), "part": part.described()},
        [(tensor.dtype, tensor.probes) for tensor in reached],
        name,
    )
    found = dict(zip(reached, op.outputs, strict=True))
    return [found.get(tensor) for tensor in sources]


@operation("Gradients")
def _gradients(inputs: Anys, weights: int, part: Any) -> Anys:
    raise AssertionError("evaluated by Evaluation, which shares the forward pass")
