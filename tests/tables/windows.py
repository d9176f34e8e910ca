"""Rows of sliding windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.numpy_language.dispatch import function_name
from tables.row import Operand, Row, row

_windows = np.lib.stride_tricks.sliding_window_view
_X = Operand((4, 5))
_PLAIN: dict[str, Any] = {"covers": (), "differentiable": False}

ROWS: list[Row] = [
    row(
        "sliding_window_view",
        lambda a: _windows(a, (2, 3)),
        _X,
        covers=(function_name(_windows),),
    ),
    row("sliding_window_view axis=", lambda a: _windows(a, 3, axis=1).sum(-1), _X, covers=()),
    row("sliding_window_view twice", lambda a: _windows(a, (2, 2), (-1, 1)), _X, covers=()),
    row("sliding_window_view of the whole", lambda a: _windows(a, 5, -1), _X, covers=()),
    row("sliding_window_view too long", lambda a: _windows(a, 6, -1), _X, **_PLAIN),
    row("sliding_window_view of other axes", lambda a: _windows(a, 2), _X, **_PLAIN),
]
