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
    row(
        "sliding_window_view with strides",
        lambda a: _windows(a, (2, 3), (0, 1))[1:3, ::2],
        _X,
        covers=(),
    ),
    row(
        "sliding_window_view with dilation",
        lambda a: _windows(a, 3, 1)[:, 1:, ::2].sum((1, -1)),
        _X,
        covers=(),
    ),
    row(
        "sliding_window_view side by side",
        lambda a: _windows(a, 2, 1)[:, ::2].max(-1),
        Operand((4, 5), spread=True),
        covers=(),
    ),
    row(
        "a convolution of two axes",
        lambda x, k: np.tensordot(_windows(x, (2, 3), (1, 2)), k, ((4, 5, 3), (0, 1, 2))),
        Operand((2, 4, 5, 3)),
        Operand((2, 3, 3, 2)),
        covers=(),
    ),
    row("sliding_window_view too long", lambda a: _windows(a, 6, -1), _X, **_PLAIN),
    row("sliding_window_view of other axes", lambda a: _windows(a, 2), _X, **_PLAIN),
]
