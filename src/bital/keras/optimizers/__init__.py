"""Optimizers: Keras's names and arguments, over the pure rules of ``bital.nn.optimizers``."""

from __future__ import annotations

import re
from typing import Any

from bital.errors import ArgumentError
from bital.keras import checks
from bital.keras.optimizers import schedules
from bital.keras.optimizers.base import Optimizer
from bital.keras.optimizers.full_batch import fit_lbfgs
from bital.keras.variables import Variable
from bital.keras.vocabulary import Vocabulary
from bital.nn import optimizers as rules


class SGD(Optimizer):
    """Gradient descent, with momentum: see ``bital.nn.optimizers.SGD``.

    Examples
    --------
    >>> SGD(momentum=0.9).learning_rate
    0.01
    """

    rule_class = rules.SGD


class RMSprop(Optimizer):
    """Gradients divided by their running root mean square: see ``bital.nn.optimizers.RMSprop``.

    Examples
    --------
    >>> RMSprop().learning_rate
    0.001
    """

    rule_class = rules.RMSprop


class Adam(Optimizer):
    """Adaptive moments: see ``bital.nn.optimizers.Adam``.

    Examples
    --------
    >>> Adam(1e-4).learning_rate
    0.0001
    """

    rule_class = rules.Adam


class AdamW(Optimizer):
    """`Adam` with weight decay, 0.004 unless told otherwise: see ``bital.nn.optimizers.AdamW``.

    Examples
    --------
    >>> AdamW().get_config()["weight_decay"]
    0.004
    """

    rule_class = rules.AdamW


class Adadelta(Optimizer):
    """Steps in the units of the weights: see ``bital.nn.optimizers.Adadelta``.

    Examples
    --------
    >>> Adadelta().get_config()["rho"]
    0.95
    """

    rule_class = rules.Adadelta


class Adafactor(Optimizer):
    """Squares of gradients kept as rows and columns: see ``bital.nn.optimizers.Adafactor``.

    Examples
    --------
    >>> Adafactor().get_config()["beta_2_decay"]
    -0.8
    """

    rule_class = rules.Adafactor


class Adagrad(Optimizer):
    """Gradients over the root of the sum of their squares: see ``bital.nn.optimizers.Adagrad``.

    Examples
    --------
    >>> Adagrad().get_config()["initial_accumulator_value"]
    0.1
    """

    rule_class = rules.Adagrad


class Adamax(Optimizer):
    """`Adam` by the largest gradient: see ``bital.nn.optimizers.Adamax``.

    Examples
    --------
    >>> Adamax().learning_rate
    0.001
    """

    rule_class = rules.Adamax


class Ftrl(Optimizer):
    """Follow the regularized leader: see ``bital.nn.optimizers.Ftrl``.

    Examples
    --------
    >>> Ftrl().get_config()["learning_rate_power"]
    -0.5
    """

    rule_class = rules.Ftrl


class Lamb(Optimizer):
    """`Adam` scaled to each weight's norm, for large batches: see ``bital.nn.optimizers.Lamb``.

    Examples
    --------
    >>> Lamb().learning_rate
    0.001
    """

    rule_class = rules.Lamb


class Lion(Optimizer):
    """The sign of a momentum: see ``bital.nn.optimizers.Lion``.

    Examples
    --------
    >>> Lion().get_config()["beta_2"]
    0.99
    """

    rule_class = rules.Lion


class Nadam(Optimizer):
    """`Adam` with Nesterov's momentum: see ``bital.nn.optimizers.Nadam``.

    Examples
    --------
    >>> Nadam().learning_rate
    0.001
    """

    rule_class = rules.Nadam


class ScheduleFreeAdamW(Optimizer):
    """`Adam` whose weights are the mean of its path: see the rule of this name.

    Examples
    --------
    >>> ScheduleFreeAdamW().learning_rate
    0.0025
    """

    rule_class = rules.ScheduleFreeAdamW


class Muon(Optimizer):
    """Orthogonal momentum for matrices, `AdamW` for the rest: see ``bital.nn.optimizers.Muon``.

    Parameters
    ----------
    exclude_layers : list of str, optional
        Regular expressions that are searched in the paths of weights, such as ``"head"``: `AdamW`
        updates these too.
    exclude_embeddings : bool, default True
        The same for paths with ``embedding`` in them.
    **options
        Those of the rule.

    Examples
    --------
    >>> Muon(exclude_layers=["head"]).get_config()["momentum"]
    0.95
    """

    rule_class = rules.Muon

    def __init__(
        self,
        *arguments: Any,
        exclude_layers: list[str] | None = None,
        exclude_embeddings: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.exclude_layers = list(exclude_layers or ())
        self.exclude_embeddings = checks.boolean("Muon", "exclude_embeddings", exclude_embeddings)

    def _places(self, variables: list[Variable]) -> dict[str, tuple[int, ...]]:
        def left_out(path: str) -> bool:
            embedding = self.exclude_embeddings and "embedding" in path.lower()
            return embedding or any(re.search(pattern, path) for pattern in self.exclude_layers)

        places = [place for place, variable in enumerate(variables) if left_out(variable.path)]
        return {**super()._places(variables), "adam_weights": tuple(places)}

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        own = {
            "exclude_layers": self.exclude_layers,
            "exclude_embeddings": self.exclude_embeddings,
        }
        return {**super().get_config(), **own}


_ALL = (
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    AdamW,
    Adamax,
    Ftrl,
    Lamb,
    Lion,
    Muon,
    Nadam,
    RMSprop,
    ScheduleFreeAdamW,
)

VOCABULARY = Vocabulary("optimizer", Optimizer, _ALL, spell=str.lower)


def get(identifier: Any) -> Optimizer:
    """Return the optimizer that a name, config, class or instance means.

    Raises
    ------
    ArgumentError
        If it means none.

    Examples
    --------
    >>> get("adam").learning_rate
    0.001
    """
    if isinstance(identifier, str) and identifier.lower().replace("-", "") == "lbfgs":
        raise ArgumentError(
            f"optimizer {identifier!r}: L-BFGS takes all samples in each step, and has no batches. "
            "Compile with any optimizer and call keras.optimizers.fit_lbfgs(model, x, y)."
        )
    if isinstance(identifier, str) and identifier.lower() == "lossscaleoptimizer":
        raise ArgumentError(
            f"optimizer {identifier!r}: gradients are computed in float32 or float64, which need "
            "no scaling of the loss. Use the inner optimizer."
        )
    return VOCABULARY.get(identifier)


__all__ = [*(cls.__name__ for cls in _ALL), "Optimizer", "fit_lbfgs", "get", "schedules"]
