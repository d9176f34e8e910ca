"""Where pictures are drawn: matplotlib, imported at first use."""

from __future__ import annotations

import io
import warnings
from typing import Any

from bital.errors import MissingExtraError

FONTS = (
    "Noto Sans CJK KR",
    "Noto Sans CJK JP",
    "Noto Sans KR",
    "NanumGothic",
    "Apple SD Gothic Neo",
    "Malgun Gothic",
    "Microsoft YaHei",
    "Arial Unicode MS",
)
"""For letters that matplotlib's own font has not, as those of Korean names of columns."""


def new_figure(width: float, height: float) -> Any:
    """An empty figure of this size in inches.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "Pictures need matplotlib, which is not installed: pip install matplotlib, or install "
            'bital with its extra "plot".'
        ) from error
    # Figure and canvas directly, without pyplot: no global state, no window, no backend choice.
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def as_png(figure: Any) -> bytes:
    """The figure as the bytes of a PNG file, in fonts that have the letters if there are any."""
    from matplotlib.font_manager import fontManager
    from matplotlib.text import Text

    installed = set(fontManager.get_font_names())
    fonts = ["DejaVu Sans", *(name for name in FONTS if name in installed)]
    for text in figure.findobj(Text):
        text.set_fontfamily(fonts)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
