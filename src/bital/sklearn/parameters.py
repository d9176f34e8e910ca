"""Checks of the estimators' parameters, before anything is looked at."""

from __future__ import annotations

import math
from typing import Any

from bital.errors import ArgumentError
from bital.keras import checks, optimizers

RATES = ("auto", "constant", "invscaling", "adaptive", "cosine")

_NUMBERS = {  # name: lowest, highest
    "learning_rate_init": (1e-300, math.inf),
    "power_t": (0, math.inf),
    "tol": (0, math.inf),
    "momentum": (0, 1),
    "validation_fraction": (1e-300, 1 - 1e-16),
    "beta_1": (0, 1 - 1e-16),
    "beta_2": (0, 1 - 1e-16),
    "epsilon": (1e-300, math.inf),
}
_BOOLEANS = (
    "shuffle",
    "warm_start",
    "nesterovs_momentum",
    "early_stopping",
    "restore_best",
    "standardize",
)


SHARED = """hidden_layer_sizes : int or sequence of int, default (100,)
        Units of each hidden layer. ``()`` is a linear model.
    activation : str, function or list of them, default "relu"
        Of the hidden layers: "identity", "logistic", "tanh", "relu", any name of
        `bital.keras.activations`, or a function of NumPy code; one for all, or one for each.
    hidden_units : int or sequence of int, optional
        The same as ``hidden_layer_sizes``, and goes before it.
    solver : str or Optimizer, default "adam"
        "adam", "sgd", "lbfgs" (all samples at once), any name of `bital.keras.optimizers` (with
        ``learning_rate_init``), or an optimizer, of which `fit` makes one of its own.
    alpha : float, optional
        The penalty of large weights, ``alpha / (2 batch) sum(w^2)``. Default: 0.1, of more than
        1,000 samples 100 divided by their number.
    dropout : float or list of float, default 0
        Share of the units that a step leaves out after each hidden layer.
    batch_size : int or "auto", default "auto"
        Samples in a step. "auto" cuts an epoch into batches of one size, at most 32, of more than
        10,000 samples a 300th of them, at most 200; what is left over, fewer samples than there are
        batches, has its turn in other epochs.
    learning_rate : {"auto", "constant", "invscaling", "adaptive", "cosine"}, default "auto"
        What becomes of the rate. "auto" is "cosine" where a training's end is known, and "constant"
        in `partial_fit`, with ``warm_start`` and with an optimizer object. With ``solver="sgd"``:
        "invscaling" divides it by the number of samples seen to the power of ``power_t``;
        "adaptive" divides it by 5 instead of ending.
        "cosine", with every solver, lets it fall to 0 over ``max_iter`` epochs; the training loss
        does not end such a training before.
    learning_rate_init : float, default 0.01
        The first rate.
    power_t : float, default 0.5
    max_iter : int, optional
        Epochs, at most; for "lbfgs" its iterations. Default: 50 epochs, 200 iterations.
    steps : int, optional
        Train for so many batches, in place of ``max_iter``; rounded up so that all epochs are
        equally long.
    shuffle : bool, default True
        Whether each epoch has another order.
    random_state : int, RandomState or None, default None
        Of first weights, order, dropout and the samples held out. Equal ones give equal bits.
    tol : float, default 0.0001
        Training ends when the loss has not fallen by more than this, or the score not risen by it,
        for ``n_iter_no_change`` epochs. For "lbfgs": the largest element of the gradient.
    verbose : bool or int, default False
        True: a bar in a terminal, else a line for each epoch.
    warm_start : bool, default False
        Whether `fit` goes on from the network there is: its weights and its optimizer's state.
        ``n`` times one epoch are one time ``n`` epochs at a constant rate, bit for bit.
    momentum, nesterovs_momentum : float, default 0.9; bool, default True
        Of "sgd".
    early_stopping : bool, default False
        Hold out ``validation_fraction`` of the samples (or take ``validation_data`` of `fit`), end
        by their score, and put the best weights back. Works with `partial_fit` too.
    validation_fraction : float, default 0.1
    monitor : str, default "auto"
        What training is ended by: a name of the logs, such as "val_loss". "auto": the score of
        the samples held out, or the training loss.
    restore_best : bool, default True
        Whether the weights of the best epoch are put back, where validation is monitored.
    beta_1, beta_2, epsilon : float, default 0.9, 0.999, 1e-8
        Of "adam".
    n_iter_no_change : int or inf, default 10
        See ``tol``.
    max_fun : int, default 15000
        Evaluations of the loss by "lbfgs", at most."""

LATER = """standardize : bool, default True
        Whether columns {targets}are brought to mean 0 and variance 1. What that takes is learnt in
        `fit`, of the samples trained on, and saved with the network.
    callbacks : list of bital.keras.callbacks.Callback, optional
    executor : str, optional
        What runs the training: "numpy", "native", ... Default: NumPy where compiling takes longer
        than it saves, else ``bital.config``'s.

    Attributes
    ----------
    model_ : bital.keras.Model
        The network; it reads what ``describe_columns`` tells.
    coefs_, intercepts_ : list of array
        Weights ``(in, out)`` and biases ``(out,)`` of the layers. They can be set.
    loss_, best_loss_, loss_curve_ : float, float or None, list of float
        The training loss: at the end, the lowest, of each epoch.
    validation_scores_, validation_loss_curve_, best_validation_score_ : list or None, float or None
        The same of the samples held out.
    history_ : dict of list
        All values of each epoch by name.
    n_iter_, t_ : int
        Epochs of the last training; samples seen in all.
    n_features_in_, feature_names_in_ : int, array of str
    n_layers_, n_outputs_, out_activation_ : int, int, str"""


def documented(cls: type) -> type:
    """Put the parameters that the estimators share into a class's docstring."""
    text = (cls.__doc__ or "").replace("{shared}", SHARED)
    cls.__doc__ = text.replace("{later}", LATER.format(targets=getattr(cls, "_also", "")))
    return cls


def check(estimator: Any) -> None:
    """Raise `ArgumentError`, a ValueError, for the first parameter that cannot be meant."""
    who = type(estimator).__name__
    for name, (low, high) in _NUMBERS.items():
        checks.number(who, name, getattr(estimator, name), low, high)
    for name in _BOOLEANS:
        checks.boolean(who, name, getattr(estimator, name))
    checks.choice(who, "learning_rate", estimator.learning_rate, RATES)
    if estimator.alpha is not None:
        checks.number(who, "alpha", estimator.alpha, 0, math.inf)
    if estimator.max_iter is not None:
        checks.integer(who, "max_iter", estimator.max_iter)
    checks.integer(who, "max_fun", estimator.max_fun)
    if estimator.n_iter_no_change != math.inf:
        checks.integer(who, "n_iter_no_change", estimator.n_iter_no_change)
    if estimator.steps is not None:
        checks.integer(who, "steps", estimator.steps)
    if estimator.batch_size != "auto":
        checks.integer(who, "batch_size", estimator.batch_size)
    solver = estimator.solver
    if isinstance(solver, str) and solver != "lbfgs":
        optimizers.get(solver)
    elif not isinstance(solver, (str, optimizers.Optimizer)):
        raise ArgumentError(
            f"{who}(solver={solver!r}): must be 'adam', 'sgd', 'lbfgs', another name or an "
            "instance of bital.keras.optimizers."
        )
    if is_lbfgs(estimator) and estimator.steps is not None:
        raise ArgumentError(
            f"{who}(solver='lbfgs'): takes all samples in each step and ends by itself; "
            "steps belong to the other solvers."
        )


def is_lbfgs(estimator: Any) -> bool:
    """Whether the solver is L-BFGS."""
    return isinstance(estimator.solver, str) and estimator.solver == "lbfgs"
