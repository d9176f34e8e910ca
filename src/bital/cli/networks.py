"""The networks that ``bital train`` knows, and everything that a run depends on.

All of them take images as rows of 784 gray values, ``(n, 784) -> (n, 10)``; what needs the picture
starts with a layer that gives it its shape back. So one way of reading images serves all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bital import keras
from bital.cli.options import Preset

layers = keras.layers
schedules: Any = keras.optimizers.schedules

SIDE = 28


@dataclass(frozen=True)
class Settings(Preset):
    """Everything that a run depends on, beside the data and the versions."""

    model: str
    optimizer: str
    learning_rate: float
    seed: int
    executor: str
    threads: int

    @property
    def network(self) -> str:
        """The network in the books' way of writing: ``784-300-100-10``."""
        sizes = "-".join(map(str, (*self.hidden, 10)))
        return f"784-{sizes}" if self.model == "mlp" else f"{self.model} {SIDE}x{SIDE}-{sizes}"


def build(settings: Settings, steps_per_epoch: int) -> Any:
    """The untrained, compiled network; its optimizer follows the schedule by itself."""
    keras.utils.set_random_seed(settings.seed)
    parts: list[Any] = [keras.Input((SIDE * SIDE,)), *_HIDDEN[settings.model](settings)]
    model = keras.Sequential([*parts, layers.Dense(10, activation="softmax")])
    optimizer = type(keras.optimizers.get(settings.optimizer))
    rate = rates(settings, steps_per_epoch)
    model.compile(
        optimizer=optimizer(learning_rate=rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def rates(settings: Settings, steps_per_epoch: int) -> Any:
    """The learning rate as a number, or as a function of the step."""
    steps = settings.epochs * steps_per_epoch
    kinds: dict[str, Callable[[float, int], Any]] = {
        "constant": lambda rate, _: rate,
        "cosine": schedules.CosineDecay,
        "onecycle": schedules.OneCycle,
    }
    return kinds[settings.schedule](settings.learning_rate, steps)


def _mlp(settings: Settings) -> list[Any]:
    found: list[Any] = []
    for size in settings.hidden:
        found.append(layers.Dense(size, activation=settings.activation))
        if settings.dropout:
            found.append(layers.Dropout(settings.dropout))
    return found


def _cnn(settings: Settings) -> list[Any]:
    """Convolutions of 3 x 3, each of half the side of the one before.

    Pooling stands before normalization: the largest of four is the same in both orders as long as
    the scale is positive, and this one normalizes a quarter of the values.
    """
    found: list[Any] = [layers.Reshape((SIDE, SIDE, 1))]
    side = SIDE
    for filters in settings.hidden:
        found.append(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        if side > 1:
            found.append(layers.MaxPooling2D(2))
            side //= 2
        found.append(layers.BatchNormalization(momentum=0.9))
        found.append(layers.Activation(settings.activation))
    found.append(layers.Flatten())
    if settings.dropout:
        found.append(layers.Dropout(settings.dropout))
    return found


def _lstm(settings: Settings) -> list[Any]:
    """The rows of the image, from top to bottom, as a sequence of 28 vectors."""
    found: list[Any] = [layers.Reshape((SIDE, SIDE))]
    for number, units in enumerate(settings.hidden, start=1):
        last = number == len(settings.hidden)
        found.append(layers.LSTM(units, activation=settings.activation, return_sequences=not last))
        if settings.dropout:
            found.append(layers.Dropout(settings.dropout))
    return found


_HIDDEN = {"mlp": _mlp, "cnn": _cnn, "lstm": _lstm}
