"""What the options of ``bital train`` accept. Each wrong value is named, with a right one."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import click

ACTIVATIONS = (
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu_tanh",
    "silu",
    "mish",
    "softplus",
    "softsign",
    "tanh",
    "sigmoid",
    "hard_sigmoid",
    "linear",
)
RATES = {"adam": 0.002, "adamw": 0.002, "rmsprop": 0.001, "sgd": 0.3}
"""The optimizers, and the learning rate of each where none is given."""


@dataclass(frozen=True)
class Preset:
    """What a network is trained with where the options leave it open."""

    hidden: tuple[int, ...]
    activation: str
    schedule: str
    batch_size: int
    epochs: int
    dropout: float


PRESETS = {
    "mlp": Preset((300, 100), "relu", "cosine", 128, 20, 0.3),
    "cnn": Preset((24, 48, 96), "relu", "onecycle", 128, 6, 0.5),
    "lstm": Preset((128,), "tanh", "onecycle", 64, 6, 0.2),
}
"""Chosen by the validation images: see docs/command_line.md."""

REPEATED = ("ignore", "kind")
"""Options that may stand several times."""

WIDEST = 10_000
DEEPEST = 50


class LayerSizes(click.ParamType):
    """``300,100`` as ``(300, 100)``; ``none`` as ``()``."""

    name = "sizes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Read the sizes, or fail with the part that is not one."""
        if isinstance(value, tuple):
            return value
        if value.strip().lower() == "none":
            return ()
        parts = [part.strip() for part in value.split(",")]
        for part in parts:
            if not (part.isascii() and part.isdigit() and 1 <= len(part) <= 6):
                self.fail(f"{value!r}: {part!r} is not a size. Write 300,100 or none.", param, ctx)
            if not 1 <= int(part) <= WIDEST:
                self.fail(f"{value!r}: a size must be from 1 to {WIDEST}.", param, ctx)
        if len(parts) > DEEPEST:
            self.fail(f"{len(parts)} layers: at most {DEEPEST} are allowed.", param, ctx)
        return tuple(int(part) for part in parts)


class Number(click.ParamType):
    """A finite number between two bounds. click's FloatRange lets NaN through."""

    name = "number"

    def __init__(self, low: float, high: float, include_low: bool) -> None:
        self.low, self.high, self.include_low = low, high, include_low

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the number, or fail with the bounds."""
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number.", param, ctx)
        above = self.low <= number if self.include_low else self.low < number
        if not (above and number < self.high):  # so written, it holds for NaN too
            least = "at least" if self.include_low else "more than"
            most = "" if math.isinf(self.high) else f" and less than {self.high:g}"
            self.fail(f"{value} must be {least} {self.low:g}{most}.", param, ctx)
        return number


LAYER_SIZES = LayerSizes()
LEARNING_RATE = Number(0, math.inf, include_low=False)
DROPOUT = Number(0, 1, include_low=True)


def default_text(name: str) -> str:
    """What an option is by default, for its help.

    Examples
    --------
    >>> default_text("batch_size")
    '[default: mlp 128, cnn 128, lstm 64]'
    """
    values = {model: getattr(preset, name) for model, preset in PRESETS.items()}
    told = {m: ",".join(map(str, v)) if isinstance(v, tuple) else v for m, v in values.items()}
    return f"[default: {', '.join(f'{model} {value}' for model, value in told.items())}]"


def complete(chosen: dict[str, Any]) -> dict[str, Any]:
    """Fill what was not chosen from the preset of the model.

    Raises
    ------
    click.BadParameter
        An LSTM without a layer.
    """
    if chosen["model"] == "lstm" and chosen["hidden"] == ():
        raise click.BadParameter("--hidden none: an lstm needs a layer. Write --hidden 128.")
    given = {name: value for name, value in chosen.items() if value is not None}
    return {**asdict(PRESETS[chosen["model"]]), **given}


def as_arguments(chosen: Mapping[str, Any]) -> list[str]:
    """Write options as on a command line. Several texts are one option, repeated.

    Examples
    --------
    >>> as_arguments({"hidden": [300, 100], "batch_size": 64, "epochs": None})
    ['--hidden', '300,100', '--batch-size', '64']
    >>> as_arguments({"ignore": ["id", "name"], "stream": False})
    ['--ignore', 'id', '--ignore', 'name', '--no-stream']
    """
    found: list[str] = []
    for name, value in chosen.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            found.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, (list, tuple)) and name in REPEATED:
            found += [part for text in value for part in (f"--{flag}", text)]
        elif isinstance(value, list):
            found += [f"--{flag}", ",".join(map(str, value)) or "none"]
        elif value is not None:
            found += [f"--{flag}", str(value)]
    return found
