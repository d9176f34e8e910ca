"""A few classes drawn in the place of very many: sampled softmax, noise-contrastive loss."""

from __future__ import annotations

from typing import Any

import numpy as np

import bital

Array = Any


def log_uniform_candidates(
    key: Any, count: int, classes: int, targets: Array, unique: bool = True
) -> tuple[Array, Array, Array]:
    """Draw classes whose probability falls with their number, as frequencies of words do.

    ``P(k) = log((k + 2) / (k + 1)) / log(classes + 1)``: what is frequent must have low numbers.

    Parameters
    ----------
    key : (2,) uint64
    count : int
        How many to draw; with ``unique`` at most ``classes``.
    classes : int
        How many there are.
    targets : integer array, any shape
        Classes of which is asked how often they are to be expected among the drawn ones.
    unique : bool, default True
        Whether a class that has been drawn is not drawn again.

    Returns
    -------
    drawn : int64 array, ``(count,)``
    expected_targets, expected_drawn : float32 arrays
        Expected numbers of each of ``targets``, and of each of ``drawn``, in such a draw: with
        ``unique`` they are ``1 - (1 - P(k))**tries``.

    Raises
    ------
    ArgumentError
        If more unique classes are asked for than there are.

    Notes
    -----
    Source: Jean et al. 2015, "On Using Very Large Target Vocabulary for Neural Machine
    Translation".

    Examples
    --------
    >>> drawn, _, _ = log_uniform_candidates(bital.random.key(0), 4, 4, np.array([0]))
    >>> sorted(drawn.tolist())
    [0, 1, 2, 3]
    """
    if unique and count > classes:
        raise bital.errors.ArgumentError(
            f"log_uniform_candidates(count={count}, classes={classes}): so many unique classes "
            "there are not; draw fewer, or pass unique=False."
        )
    top, places = np.log(classes + 1), np.arange(count)

    def draw(state: Any) -> Any:
        filled, tries, found = state
        u = bital.random.uniform(bital.random.fold_in(key, tries), (), np.float64)
        new = np.minimum(np.exp(u * top) - 1, classes - 1).astype(np.int64)
        fresh = ~np.any(found == new) if unique else np.True_
        return filled + fresh, tries + 1, np.where((places == filled) & fresh, new, found)

    start = np.int64(0), np.int64(0), np.full(count, -1)
    _, tries, drawn = bital.while_loop(lambda state: state[0] < count, draw, start)

    def expected(numbers: Any) -> Any:
        p = np.log1p(1 / (numbers + 1.0)) / top
        return (-np.expm1(tries * np.log1p(-p)) if unique else p * count).astype(np.float32)

    return drawn, expected(targets), expected(drawn)


def sampled_logits(
    weights: Array,
    biases: Array,
    inputs: Array,
    expected_targets: Array,
    expected_drawn: Array,
    targets: Array,
    drawn: Array,
    remove_hits: bool = True,
) -> tuple[Array, Array]:
    """Logits of the true classes and of drawn ones, and the labels that belong to them.

    Logits are less by the logarithm of what was to be expected, so that a loss of them estimates
    one of all classes.

    Parameters
    ----------
    weights, biases : arrays, ``(classes, units)``, ``(classes,)``
        Of the layer that gives the logits of all classes.
    inputs : array, ``(batch, units)``
    expected_targets, expected_drawn, drawn
        What `log_uniform_candidates` returns.
    targets : integer array, ``(batch, true)``
        The true classes of each input.
    remove_hits : bool, default True
        Whether a drawn class that is a true one of the input counts for nothing.

    Returns
    -------
    logits, labels : arrays, ``(batch, true + count)``
        The labels of an input sum to 1.

    Notes
    -----
    Source: Jean et al. 2015, as `log_uniform_candidates`.

    Examples
    --------
    >>> weights, biases, inputs = np.eye(3), np.zeros(3), np.ones((1, 3))
    >>> drawn, ones = np.array([0, 2]), np.ones(2)
    >>> sampled_logits(weights, biases, inputs, ones[:1], ones, np.array([[1]]), drawn)
    (array([[1., 1., 1.]]), array([[1., 0., 0.]]))
    """

    def rows(table: Any, places: Any) -> Any:
        known = isinstance(table, np.ndarray) and not isinstance(places, np.ndarray)
        return np.take(np.asarray(table, like=places) if known else table, places, 0)

    true = np.sum(inputs[:, None] * rows(weights, targets), -1) + rows(biases, targets)
    others = inputs @ rows(weights, drawn).T + rows(biases, drawn)
    true, others = true - np.log(expected_targets), others - np.log(expected_drawn)
    if remove_hits:
        hits = np.any(targets[:, :, None] == drawn, 1)
        others = np.where(hits, np.finfo(others.dtype).min, others)
    labels = [np.ones_like(true) / true.shape[1], np.zeros_like(others)]
    return np.concatenate([true, others], 1), np.concatenate(labels, 1)


__all__ = ["log_uniform_candidates", "sampled_logits"]
