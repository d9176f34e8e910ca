"""A Program as a picture: one box a statement, in up to three columns.

The forward pass goes down, the backward pass up again, and what uses its results down once more.

matplotlib draws it, so no program has to be installed beside Python. It is imported at first use.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bital.errors import ArgumentError, MissingExtraError
from bital.executors.numpy.blocks import Block, type_text
from bital.passes import optimize
from bital.program import Program
from bital.program.text import Names

_MOST = 400  # boxes; a larger picture cannot be read
_LINES = 12  # of a loop, in one box
_FONT = 8.0  # points
_CHARACTER, _LINE = 0.62 * _FONT, 1.35 * _FONT
_GAP, _ROW_GAP, _COLUMN_GAP, _PASSING = 14.0, 26.0, 60.0, 8.0
_FORWARD, _BACKWARD, _AFTER = range(3)  # columns
_COLOURS = [("#e3eefa", "#4477aa"), ("#fbe9e7", "#cc6677"), ("#e8f3e8", "#228833")]  # fill, edge
_INPUT = ("#f5f5f5", "#888888")


class Drawing:
    """A picture of a Program.

    Attributes
    ----------
    svg : str
        The picture as SVG text.
    """

    def __init__(self, figure: Any) -> None:
        self._figure = figure

    @property
    def svg(self) -> str:
        return self._written("svg").decode()

    def save(self, path: Any) -> None:
        """Write the picture; the name's ending (.svg, .png, .pdf) says how."""
        kind = Path(path).suffix.lstrip(".").lower()
        if kind not in ("svg", "png", "pdf"):
            raise ArgumentError(f"save({str(path)!r}): the name must end in .svg, .png or .pdf")
        Path(path).write_bytes(self._written(kind))

    def _written(self, kind: str) -> bytes:
        import matplotlib

        file = io.BytesIO()
        # Text stays text, and equal Programs give equal files.
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "bital"}):
            about = {"Date": None} if kind == "svg" else {}
            self._figure.savefig(file, format=kind, dpi=144, metadata=about)
        return file.getvalue()

    def _repr_svg_(self) -> str:
        return self.svg


class _Box:
    """A statement, or an input; without lines, a place where an arrow passes a row."""

    def __init__(self, lines: Sequence[str], column: int, is_input: bool = False) -> None:
        self.lines = lines
        self.column = column
        self.is_input = is_input
        self.row = 0
        self.x = self.y = 0.0  # the centre, in points; y grows downwards
        self.width = max(map(len, lines)) * _CHARACTER + 12 if lines else _PASSING
        self.height = len(lines) * _LINE + 8 if lines else 0.0


Arrow = tuple[_Box, _Box]


def draw(program: Program) -> Drawing:
    """Draw a Program: see `Program.draw`."""
    boxes, arrows = _graph(program)
    if len(boxes) > _MOST:
        raise ArgumentError(
            f"the program {program.name} has {len(boxes)} statements, more than the {_MOST} that a "
            "picture can show; print it with .to_numpy()"
        )
    _choose_rows(boxes, arrows)
    return Drawing(_figure(boxes, _place(boxes, arrows)))


def draw_boxes(
    boxes: Sequence[tuple[Sequence[str], bool]], arrows: Sequence[tuple[int, int]]
) -> Drawing:
    """Draw boxes of lines, each with whether it is an input, and arrows between their numbers."""
    if len(boxes) > _MOST:
        raise ArgumentError(f"{len(boxes)} boxes; a picture can show at most {_MOST}")
    made = [_Box(lines, _FORWARD, is_input) for lines, is_input in boxes]
    ways = [(made[source], made[target]) for source, target in arrows]
    _choose_rows(made, ways)
    return Drawing(_figure(made, _place(made, ways)))


def _graph(program: Program) -> tuple[list[_Box], list[Arrow]]:
    """Boxes in the order of the text, and the arrows between them."""
    program = optimize(program)
    block, names = Block(program, (), []), Names()
    made = {
        var: _Box([f"{names.of(var)}   {type_text(var.type)}"], _AFTER, is_input=True)
        for var in (*program.inputs, *program.constants)
    }
    block.lines(names)
    boxes, arrows = [], []
    for equation, lines in block.statements.items():
        read = dict.fromkeys(made[var] for var in block.read_by(equation))
        if equation in block.late:
            column = _BACKWARD
        else:
            after = any(box.column != _FORWARD and not box.is_input for box in read)
            column = _AFTER if after else _FORWARD
        boxes.append(_Box(_shown(lines), column))
        arrows += [(source, boxes[-1]) for source in read]
        made.update(dict.fromkeys(equation.outputs, boxes[-1]))
    used = list(dict.fromkeys(source for source, _ in arrows if source.is_input))
    for box in used:  # an input belongs to the first column that reads it
        columns = [target.column for source, target in arrows if source is box]
        box.column = _AFTER if min(columns) == _AFTER else _FORWARD
    return [*used, *boxes], arrows


def _shown(lines: Sequence[str]) -> list[str]:
    shown = [line.replace("  # ", "   ") for line in lines if line]
    return shown if len(shown) <= _LINES else [*shown[: _LINES - 1], "..."]


def _choose_rows(boxes: Sequence[_Box], arrows: Sequence[Arrow]) -> None:
    """Each box below what it reads; the backward pass from the last row upwards."""
    sources: dict[_Box, list[_Box]] = {box: [] for box in boxes}
    targets: dict[_Box, list[_Box]] = {box: [] for box in boxes}
    for source, target in arrows:
        if source.column == target.column:
            sources[target].append(source)
            targets[source].append(target)
    for box in boxes:  # in the order of the text
        box.row = max((each.row for each in sources[box] if not each.is_input), default=-1) + 1
    for box in boxes:
        if box.is_input:  # directly above the first box that reads it
            box.row = min((each.row for each in targets[box]), default=0) - 1
    rows = {column: [box.row for box in boxes if box.column == column] for column in range(3)}
    longest = max(max(found, default=0) - min(found, default=0) for found in rows.values())
    for box in boxes:
        if box.column == _BACKWARD:
            box.row = longest - box.row
        else:
            box.row -= min(rows[box.column])


def _place(boxes: Sequence[_Box], arrows: Sequence[Arrow]) -> list[Sequence[_Box]]:
    """Give each box its place; return the way of each arrow."""
    members = list(boxes)
    ways = []
    for source, target in arrows:
        way = [source]
        if source.column == target.column:
            step = 1 if target.row > source.row else -1
            for row in range(source.row + step, target.row, step):
                way.append(_Box([], source.column))
                way[-1].row = row
            members += way[1:]
        ways.append([*way, target])
    rows: dict[tuple[int, int], list[_Box]] = {}
    for box in members:
        rows.setdefault((box.column, box.row), []).append(box)
    near = _neighbours(ways)
    for _ in range(4):  # a few sweeps bring each box near what it is joined to
        for order in (sorted(rows), sorted(rows, reverse=True)):
            for place in order:
                rows[place].sort(key=lambda box: _wanted(box, near))
                _spread(rows[place], near)
    _shift_apart(members)
    y = 0.0
    for row in sorted({box.row for box in members}):
        beside = [box for box in members if box.row == row]
        height = max(box.height for box in beside)
        for box in beside:
            box.y = y + height / 2
        y += height + _ROW_GAP
    return ways


def _neighbours(ways: Sequence[Sequence[_Box]]) -> dict[_Box, list[_Box]]:
    near: dict[_Box, list[_Box]] = {}
    for way in ways:
        for a, b in itertools.pairwise(way):
            if a.column == b.column:
                near.setdefault(a, []).append(b)
                near.setdefault(b, []).append(a)
    return near


def _wanted(box: _Box, near: Mapping[_Box, Sequence[_Box]]) -> float:
    joined = near.get(box, ())
    return sum(other.x for other in joined) / len(joined) if joined else box.x


def _spread(row: Sequence[_Box], near: Mapping[_Box, Sequence[_Box]]) -> None:
    """Put the boxes of a row beside one another, each as near to its wanted place as they allow."""
    right = -1e9
    for box in row:
        box.x = max(_wanted(box, near), right + box.width / 2)
        right = box.x + box.width / 2 + _GAP
    if row:
        excess = sum(box.x - _wanted(box, near) for box in row) / len(row)
        for box in row:
            box.x -= excess


def _shift_apart(members: Sequence[_Box]) -> None:
    """The columns beside one another."""
    edge = 0.0
    for column in range(3):
        found = [box for box in members if box.column == column]
        if found:
            left = min(box.x - box.width / 2 for box in found)
            for box in found:
                box.x += edge - left
            edge = max(box.x + box.width / 2 for box in found) + _COLUMN_GAP


def _figure(boxes: Sequence[_Box], ways: Sequence[Sequence[_Box]]) -> Any:
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
    except ImportError as fault:
        raise MissingExtraError(
            "a picture needs matplotlib, which is not installed: pip install matplotlib, or "
            'install bital with its extra "plot"'
        ) from fault
    width = max((box.x + box.width / 2 for box in boxes), default=10.0) + 20
    height = max((box.y + box.height / 2 for box in boxes), default=10.0) + 20
    figure = Figure(figsize=((width + 20) / 72, (height + 20) / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-20, width), ylim=(height, -20))
    axes.axis("off")
    for way in ways:
        axes.add_patch(
            FancyArrowPatch(
                path=_curve(way),
                arrowstyle="-|>",
                mutation_scale=7,
                color=_COLOURS[way[-1].column][1],
                linewidth=0.8,
                fill=False,
            )
        )
    for box in boxes:
        fill, edge = _INPUT if box.is_input else _COLOURS[box.column]
        corner = box.x - box.width / 2, box.y - box.height / 2
        style = "round,pad=0,rounding_size=3"
        axes.add_patch(
            FancyBboxPatch(corner, box.width, box.height, boxstyle=style, fc=fill, ec=edge)
        )
        text = "\n".join(box.lines).replace("  ", "\u00a0\u00a0")  # SVG takes several as one
        left = corner[0] + 6
        axes.text(left, box.y, text, family="monospace", size=_FONT, va="center", linespacing=1.15)
    return figure


def _curve(way: Sequence[_Box]) -> Any:
    """Down or up through the rows; from side to side across."""
    from matplotlib.path import Path as Curve

    source, target = way[0], way[-1]
    if source.column != target.column:  # below the boxes between
        start = source.x + source.width / 2 - 6, source.y + source.height / 2
        end = target.x - target.width / 2 + 6, target.y + target.height / 2
        across = end[0] - start[0]
        points = [start, (start[0] + across / 3, start[1] + _ROW_GAP)]
        points += [(end[0] - across / 12, end[1] + _ROW_GAP), end]
        return Curve(points, [Curve.MOVETO, *[Curve.CURVE4] * 3])
    sign = 1 if target.row > source.row else -1
    points, codes = [(source.x, source.y + sign * source.height / 2)], [Curve.MOVETO]
    for box in way[1:]:
        end = box.x, box.y - sign * box.height / 2
        bend = (end[1] - points[-1][1]) / 2
        points += [(points[-1][0], points[-1][1] + bend), (end[0], end[1] - bend), end]
        codes += [Curve.CURVE4] * 3
    return Curve(points, codes)
