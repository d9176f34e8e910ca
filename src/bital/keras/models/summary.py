"""The table that ``model.summary()`` prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def describe(model: Any, line_length: int | None, print_fn: Callable[[str], Any] | None) -> None:
    """Print a line for each layer, with its output's shape and number of parameters, and totals."""
    rows = [("Layer (type)", "Output shape", "Params")]
    rows += [_row(layer) for layer in model.layers]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    if line_length is not None:
        widths[0] = max(widths[0], line_length - widths[1] - widths[2] - 4)
    rule = "-" * (sum(widths) + 4)
    lines = [f"Model: {model.name} (Sequential)", rule]
    for place, (name, shape, count) in enumerate(rows):
        lines.append(f"{name:<{widths[0]}}  {shape:<{widths[1]}}  {count:>{widths[2]}}")
        if place == 0:
            lines.append(rule)
    lines.append(rule)
    lines += _totals(model)
    (print_fn or print)("\n".join(lines))


def _row(layer: Any) -> tuple[str, str, str]:
    kind = type(layer).__name__
    if not layer.built:
        return f"{layer.name} ({kind})", "?", "not built"
    return f"{layer.name} ({kind})", _sizes(layer.output_shape), f"{layer.count_params():,}"


def _sizes(shape: tuple[Any, ...]) -> str:
    inner = ", ".join("batch" if size is None else str(size) for size in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def _totals(model: Any) -> list[str]:
    if not model.built:
        return ["The model gets its weights with the shape of its input: give the first layer one."]
    trained = sum(v.size for v in model.trainable_weights)
    fixed = sum(v.size for v in model.non_trainable_weights)
    size = sum(v.size * v.dtype.itemsize for v in model.weights)
    return [
        f"Total params: {trained + fixed:,} ({_bytes(size)})",
        f"Trainable params: {trained:,}",
        f"Non-trainable params: {fixed:,}",
    ]


def _bytes(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} TB"
