"""Numbers on the way out of the steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from bital.errors import NonFiniteLossError
from bital.keras.models.step import Sums


def as_result(logs: dict[str, float], as_dict: bool) -> Any:
    """Return logs as a dict, else as the loss alone or a list with the loss first."""
    if as_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def require_finite_loss(
    sums: Sums,
    epoch: int,
    batch: int,
    before: tuple[Any, Any],
    explain: Callable[[], str | None] | None = None,
) -> None:
    """Refuse a loss that is no number; ``before`` holds its sum and count before this batch.

    ``explain`` says what made it so, where that is known.

    Raises
    ------
    NonFiniteLossError
        If the loss is NaN or infinite.
    """
    value = float(sums[0][0])
    if not math.isfinite(value):
        total, count = map(float, before)
        known = f"{total / max(count, 1.0):.4g}" if batch else "none, it was the first"
        cause = explain() if explain else None
        raise NonFiniteLossError(
            f"the loss became {value} in epoch {epoch + 1}, batch {batch + 1} (mean before: "
            f"{known}). The weights of the step have taken this on: set them anew, and train with "
            "a lower learning_rate, with clipnorm=1.0 in the optimizer, or with inputs scaled to "
            "about 1." + (f"\n{cause}" if cause else "")
        )
