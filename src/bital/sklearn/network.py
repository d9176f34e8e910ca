"""From an estimator's parameters to a compiled `bital.keras` model."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from bital.errors import ArgumentError
from bital.keras import Input, Model, Sequential, activations, layers, losses, optimizers
from bital.keras.regularizers import L2
from bital.keras.variables import values_from

ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid"}
LOSSES = {
    "squared_error": "mean_squared_error",
    "absolute_error": "mean_absolute_error",
    "quantile": "pinball",
}
WEIGHTED_MEAN = "mean_with_sample_weight"


def hidden_sizes(estimator: Any) -> list[int]:
    """Return the sizes of the hidden layers; ``hidden_units`` goes before the other name.

    Raises
    ------
    ArgumentError
        If one is not a positive integer.
    """
    given = estimator.hidden_units
    name = "hidden_layer_sizes" if given is None else "hidden_units"
    given = estimator.hidden_layer_sizes if given is None else given
    sizes = list(given) if np.iterable(given) else [given]
    for size in sizes:
        if not isinstance(size, (int, np.integer)) or size <= 0:
            raise ArgumentError(f"{name} must be > 0, got {sizes}: write for instance (100, 50).")
    return [int(size) for size in sizes]


def per_layer(name: str, given: Any, count: int) -> list[Any]:
    """Return one value for each hidden layer.

    Raises
    ------
    ArgumentError
        If a list has another length.
    """
    if not isinstance(given, (list, tuple)):
        return [given] * count
    if len(given) != count:
        raise ArgumentError(
            f"{name} has {len(given)} entries and there are {count} hidden layers; give one for "
            "each, or one for all."
        )
    return list(given)


def build(
    estimator: Any,
    spec: dict[str, Any],
    outputs: list[int],
    last: str,
    dtype: Any,
    seed: int,
    regularizer: Any,
) -> Any:
    """Return the network: hidden layers with dropout, and an output layer for each target.

    Parameters
    ----------
    estimator : estimator
        Whose parameters count.
    spec : dict
        What the inputs are: ``numbers``, a count, and ``categories``, from the size of a vector to
        the rows of its table and the number of columns that look up there.
    outputs : list of int
        Sizes of the outputs.
    last : str
        Their activation.
    dtype : dtype
    seed : int
        Of the first weights.
    regularizer : Regularizer or None
        Of the kernels.
    """
    sizes = hidden_sizes(estimator)
    kinds = per_layer("activation", estimator.activation, len(sizes))
    drops = per_layer("dropout", estimator.dropout, len(sizes))
    hidden = []
    for size, kind, rate in zip(sizes, kinds, drops, strict=True):
        if isinstance(kind, str):
            kind = ACTIVATIONS.get(kind, kind)
        hidden.append(layers.Dense(size, activations.get(kind), kernel_regularizer=regularizer))
        if rate:
            hidden.append(layers.Dropout(rate))
    ends = [layers.Dense(size, last, kernel_regularizer=regularizer) for size in outputs]
    with values_from(_start(seed, kinds)):
        if not spec["categories"] and len(ends) == 1:
            row = [layers.Input((spec["numbers"],)), *hidden, *ends]
            return Sequential(row, dtype=np.dtype(dtype).name)
        return _functional(spec, hidden, ends, np.dtype(dtype).name)


def _functional(spec: dict[str, Any], hidden: list[Any], ends: list[Any], dtype: str) -> Any:
    inputs, parts = {}, []
    if spec["numbers"]:
        inputs["numbers"] = Input((spec["numbers"],), name="numbers", dtype=dtype)
        parts.append(inputs["numbers"])
    for size, (rows, columns) in spec["categories"].items():
        name = f"categories_{size}"
        inputs[name] = Input((columns,), name=name, dtype="int32")
        table = layers.Embedding(rows, size, name=f"embedding_{size}", dtype=dtype)
        parts.append(layers.Flatten()(table(inputs[name])))
    value = parts[0] if len(parts) == 1 else layers.Concatenate()(parts)
    for layer in hidden:
        value = layer(value)
    found = [layer(value) for layer in ends]
    given = inputs if spec["categories"] else inputs["numbers"]
    return Model(given, found[0] if len(found) == 1 else found, dtype=dtype)


def _start(seed: int, kinds: list[Any]) -> Any:
    """First values as scikit-learn draws them: uniform, by the sizes around (Glorot, Bengio)."""
    generator = np.random.Generator(np.random.PCG64(seed))
    factor = 2.0 if kinds and kinds[0] in ("logistic", "sigmoid") else 6.0
    bound = 0.0

    def value(variable: Any) -> np.ndarray:
        nonlocal bound
        shape = variable.shape
        if "embedding" in variable.name:
            return generator.normal(0, 0.3, shape)
        if len(shape) == 2:
            bound = np.sqrt(factor / sum(shape))
        return generator.uniform(-bound, bound, shape)

    return value


def penalty(alpha: float, samples: float) -> L2 | None:
    """Return what ``alpha`` is in scikit-learn: ``alpha / (2 samples) sum(w^2)``."""
    return L2(0.5 * alpha / samples) if alpha else None


def make_optimizer(estimator: Any) -> optimizers.Optimizer:
    """Return the optimizer that ``solver`` names, with the parameters that are its.

    Raises
    ------
    ArgumentError
        If it means none.
    """
    solver, rate = estimator.solver, estimator.learning_rate_init
    if isinstance(solver, optimizers.Optimizer):
        return type(solver).from_config(solver.get_config())
    if solver == "sgd":
        momentum = estimator.momentum
        nesterov = bool(estimator.nesterovs_momentum and momentum > 0)
        return optimizers.SGD(rate, momentum=momentum, nesterov=nesterov)
    if solver in ("adam", "lbfgs"):
        return optimizers.Adam(
            rate, beta_1=estimator.beta_1, beta_2=estimator.beta_2, epsilon=estimator.epsilon
        )
    return type(optimizers.get(solver))(rate)


def make_loss(given: Any, weighted: bool, **options: Any) -> losses.Loss:
    """Return the loss of a name, an object or a function.

    Weights of samples divide by their sum, so that a sample of weight 2 counts as two samples.
    """
    if isinstance(given, str):
        given = LOSSES.get(given, given)
        loss = losses.get(given)
        if options:
            loss = type(loss)(**options)
    else:
        loss = losses.get(given)
    if weighted and loss.reduction == "sum_over_batch_size":
        loss = copy.copy(loss)
        loss.reduction = WEIGHTED_MEAN
    return loss
