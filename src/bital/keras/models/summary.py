"""The table that ``model.summary()`` prints, as text and as HTML."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from typing import Any

from bital import tree
from bital.keras.layers import calling
from bital.keras.layers.symbolic import Symbol


def describe(
    model: Any,
    line_length: int | None,
    print_fn: Callable[[str], Any] | None,
    expand_nested: bool = False,
    show_trainable: bool = False,
) -> None:
    """Print a line for each layer, with its output's shape and number of parameters, and totals."""
    rows = _table(model, expand_nested, show_trainable)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    if line_length is not None:
        widths[0] = max(widths[0], line_length - sum(widths[1:]) - 2 * (len(widths) - 1))
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [f"Model: {model.name} ({type(model).__name__})", rule]
    for place, row in enumerate(rows):
        cells = [
            f"{cell:>{width}}" if column == 2 else f"{cell:<{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
        if place == 0:
            lines.append(rule)
    lines += [rule, *_totals(model)]
    (print_fn or print)("\n".join(lines))


def as_html(model: Any) -> str:
    """Return the table for notebooks."""
    head, *rows = _table(model, False, False)
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    totals = "<br>".join(html.escape(line) for line in _totals(model))
    title = html.escape(f"{model.name} ({type(model).__name__})")
    return f"<b>{title}</b><table><tr>{_cells('th', head)}</tr>{body}</table>{totals}"


def _cells(kind: str, row: tuple[str, ...]) -> str:
    return "".join(f"<{kind}>{html.escape(cell)}</{kind}>" for cell in row)


def _table(model: Any, expand_nested: bool, show_trainable: bool) -> list[tuple[str, ...]]:
    connected = model._graph is not None
    head = ["Layer (type)", "Output shape", "Params"]
    head += ["Connected to"] * connected + ["Trainable"] * show_trainable
    rows = [tuple(head)]
    for layer, depth in _walk(model, expand_nested, 0):
        sources = [_connections(model, layer)] if connected else []
        trained = ["yes" if layer.trainable else "no"] if show_trainable else []
        rows.append((*_row(layer, "  " * depth), *sources, *trained))
    return rows


def _walk(model: Any, expand_nested: bool, depth: int) -> Iterator[tuple[Any, int]]:
    if depth == 0 and model._graph is not None:
        for symbol in model._graph.sources:
            yield symbol.node.layer, depth
    for layer in model.layers:
        yield layer, depth
        if expand_nested and hasattr(layer, "layers"):
            yield from _walk(layer, expand_nested, depth + 1)


def _connections(model: Any, layer: Any) -> str:
    sources = [s.name for node in model._graph.nodes if node.layer is layer for s in node.sources]
    return ", ".join(dict.fromkeys(sources))


def _row(layer: Any, indent: str) -> tuple[str, str, str]:
    name = f"{indent}{layer.name} ({type(layer).__name__})"
    if not layer.built and not layer._nodes:
        return name, "?", "not built"
    shapes = layer._nodes[0].outputs if layer._nodes else layer.output_shape
    return name, _sizes(shapes), f"{sum(variable.size for variable in layer.weights):,}"


def _sizes(shapes: Any) -> str:
    if isinstance(shapes, Symbol):
        shapes = shapes.shape
    if not calling.is_shape(shapes) or any(isinstance(size, Symbol) for size in shapes):
        if isinstance(shapes, dict):
            return "{" + ", ".join(f"{key}: {_sizes(shapes[key])}" for key in shapes) + "}"
        return ", ".join(_sizes(shape) for shape in shapes)
    inner = ", ".join("batch" if size is None else str(size) for size in shapes)
    return f"({inner},)" if len(shapes) == 1 else f"({inner})"


def _totals(model: Any) -> list[str]:
    if not model.built:
        return ["The model gets its weights with the shape of its input: give the first layer one."]
    trained = sum(v.size for v in model.trainable_weights)
    fixed = sum(v.size for v in model.non_trainable_weights)
    size = sum(v.size * v.dtype.itemsize for v in model.weights)
    lines = [
        f"Total params: {trained + fixed:,} ({_bytes(size)})",
        f"Trainable params: {trained:,}",
        f"Non-trainable params: {fixed:,}",
    ]
    state = getattr(model.optimizer, "state", None)
    if state is not None:
        count = sum(getattr(leaf, "size", 1) for leaf in tree.leaves(state))
        lines.append(f"Optimizer params: {count:,}")
    return lines


def _bytes(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} TB"
