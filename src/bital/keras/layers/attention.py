"""Attention: outputs that are averages of values, weighted by how queries and keys agree."""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError, ShapeError
from bital.keras import checks, constraints, initializers, regularizers
from bital.keras.layers.base import Layer
from bital.keras.layers.calling import Shape
from bital.keras.layers.einsum_dense import EinsumDense
from bital.keras.random_state import draw_key
from bital.nn import softmax

_FAR = -1e9  # added to scores that do not count


class Attention(Layer):
    """Dot-product attention: ``softmax(query @ key.T) @ value``.

    Called on a list, ``[query, value]`` or ``[query, value, key]``; without a key the value is it.
    Query ``(batch, Tq, dim)``, value ``(batch, Tv, out)``, key ``(batch, Tv, dim)`` give
    ``(batch, Tq, out)``.

    Parameters
    ----------
    use_scale : bool, default False
        Whether the scores have a factor that is learnt.
    score_mode : {"dot", "concat"}, default "dot"
        Scores are dot products, or sums of ``tanh(query + key)`` times a factor that is learnt.
    dropout : float, default 0
        Part of the weights of the average to drop while training.
    seed : int, optional
        Of the dropout.
    name, trainable, dtype
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs do not fit each other.

    Notes
    -----
    Arguments of a call: ``mask``, a list of the masks of query and value, bool, ``(batch, Tq)`` and
    ``(batch, Tv)``, each of which can be None; ``return_attention_scores`` returns ``(output,
    weights)``, weights ``(batch, Tq, Tv)``; ``use_causal_mask`` lets a query see no later values.
    Outputs of masked queries are 0.

    Source: Luong et al. 2015, "Effective Approaches to Attention-based Neural Machine Translation".

    Examples
    --------
    >>> import numpy as np
    >>> Attention()([np.zeros((1, 2, 3)), np.ones((1, 4, 3))])[0, 0]
    array([1., 1., 1.], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        who = type(self).__name__
        self.use_scale = checks.boolean(who, "use_scale", use_scale)
        self.score_mode = checks.choice(who, "score_mode", score_mode, ("dot", "concat"))
        self.dropout = checks.number(who, "dropout", dropout, 0, 1)
        self.seed = None if seed is None else checks.integer(who, "seed", seed, low=0)
        self.scale: Any = None

    def build(self, input_shape: Shape) -> None:
        """Make the factors that are learnt."""
        self.check_input(input_shape)
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless these are the shapes of a query, a value and perhaps a key."""
        who = f"{type(self).__name__} {self.name!r}"
        several = isinstance(input_shape, list) and isinstance(input_shape[0], (tuple, list))
        if not several or len(input_shape) not in (2, 3):
            raise ShapeError(
                f"{who} received inputs of shape {input_shape}; it is called on a list, "
                "layer([query, value]) or layer([query, value, key])."
            )
        query, value, key = (*input_shape, input_shape[1])[:3]
        if len({len(query), len(value), len(key)}) > 1 or len(query) < 3 or query[-1] != key[-1]:
            raise ShapeError(
                f"{who} received query {query}, value {value} and key {key}; it takes (batch, Tq, "
                "dim), (batch, Tv, out) and (batch, Tv, dim)."
            )
        if value[-2] != key[-2]:
            raise ShapeError(f"{who}: value {value} and key {key} must have as many steps.")

    def scores(self, query: Any, key: Any) -> Any:
        """Return how much queries and keys agree, ``(batch, Tq, Tv)``."""
        if self.score_mode == "dot":
            found = query @ np.swapaxes(key, -1, -2)
            return found if self.scale is None else found * self.scale
        joint = query[..., :, np.newaxis, :] + key[..., np.newaxis, :, :]
        joint = joint if self.scale is None else self.scale * joint
        return self.concat_score_weight * np.sum(np.tanh(joint), axis=-1)

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Return the averages, or a tuple of them and of the weights."""
        query, value, *rest = inputs
        query_mask, value_mask = (mask[0], mask[1]) if mask is not None else (None, None)
        scores = self.scores(query, rest[0] if rest else value)
        seen = None if value_mask is None else value_mask.astype(bool)[:, np.newaxis, :]
        if use_causal_mask:
            causal = _causal(*scores.shape[-2:])
            seen = causal if seen is None else seen & causal
        if seen is not None:
            scores = np.where(seen, scores, scores + _FAR)
        weights = softmax(scores)
        if training and self.dropout:
            weights = _dropped(weights, self.dropout, draw_key(self.seed))
        output = weights @ value
        if query_mask is not None:
            output = np.where(query_mask.astype(bool)[:, :, np.newaxis], output, 0)
        return (output, weights) if return_attention_scores else output

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """Return the query's mask."""
        return None if mask is None else mask[0]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(batch, Tq, out)``."""
        return (*input_shape[0][:-1], input_shape[1][-1])


class AdditiveAttention(Attention):
    """Additive attention: scores are ``sum(scale * tanh(query + key))`` over the features.

    Inputs, output and arguments of a call are those of `Attention`; the scale is ``(dim,)``.

    Parameters
    ----------
    use_scale : bool, default True
        Whether the features have factors that are learnt.
    dropout : float, default 0
        Part of the weights of the average to drop while training.
    seed : int, optional
        Of the dropout.
    name, trainable, dtype
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs do not fit each other.

    Notes
    -----
    Source: Bahdanau et al. 2015, "Neural Machine Translation by Jointly Learning to Align and
    Translate", appendix A.1.2.

    Examples
    --------
    >>> import numpy as np
    >>> AdditiveAttention()([np.zeros((1, 2, 3)), np.ones((1, 4, 3))])[0, 0]
    array([1., 1., 1.], dtype=float32)
    """

    _left_out = (*Attention._left_out, "score_mode")

    def __init__(
        self, use_scale: bool = True, dropout: float = 0.0, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, seed=seed, **options)

    def build(self, input_shape: Shape) -> None:
        """Make the scale."""
        self.check_input(input_shape)
        if self.use_scale:
            self.scale = self.add_weight((input_shape[0][-1],), "glorot_uniform", name="scale")

    def scores(self, query: Any, key: Any) -> Any:
        """Return how much queries and keys agree, ``(batch, Tq, Tv)``."""
        joint = np.tanh(query[..., :, np.newaxis, :] + key[..., np.newaxis, :, :])
        return np.sum(joint if self.scale is None else joint * self.scale, axis=-1)


class MultiHeadAttention(Layer):
    """Attention in several heads, each with projections of its own.

    ``layer(query, value, key=value)``: query ``(batch, T, dim)``, value and key ``(batch, S, ...)``
    give ``(batch, T, dim)``. Each head projects query and key to ``key_dim`` features and value to
    ``value_dim``, takes averages of the values with the weights ``softmax(query @ key.T /
    sqrt(key_dim))``, and all heads are projected together to the output.

    Weights: kernels and biases of query ``(dim, heads, key_dim)`` and ``(heads, key_dim)``, of key,
    of the gate if there is one, of value, and of the output ``(heads, value_dim, dim)`` and
    ``(dim,)``.

    Parameters
    ----------
    num_heads, key_dim : int
        Number of heads, and size of query and key in each.
    value_dim : int, optional
        Size of value in each head. Default: ``key_dim``.
    dropout : float, default 0
        Part of the weights of the average to drop while training.
    use_bias : bool, default True
        Whether the projections have biases.
    output_shape : int or tuple of int, optional
        Sizes of an output. Default: the query's features.
    attention_axes : int or tuple of int, optional
        Axes of the query along which it attends. Default: all but the batch and the features.
    sliding_window : int, optional
        Lets a query see values fewer than so many steps away only.
    flash_attention : bool, optional
        Taken for Keras's sake; True is refused.
    kernel_initializer, bias_initializer : str or Initializer, default "glorot_uniform", "zeros"
        First values of all kernels and biases.
    kernel_regularizer, bias_regularizer : str, Regularizer or function, optional
        What their size adds to the loss.
    kernel_constraint, bias_constraint : str, Constraint or function, optional
        What they are replaced by after each step of training.
    use_gate : bool, default False
        Whether a sigmoid of one more projection of the query multiplies what the heads found.
    seed : int, optional
        Of the dropout.
    name, trainable, dtype, activity_regularizer
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs do not fit each other.

    Notes
    -----
    Arguments of a call: ``query_mask``, ``value_mask``, ``key_mask``, bool, ``(batch, T)`` or
    ``(batch, S)``; ``attention_mask``, bool, ``(batch, T, S)`` or with an axis of heads after the
    batch: which values a query sees; ``use_causal_mask`` lets a query see no later values;
    ``return_attention_scores`` returns ``(output, weights)``, weights ``(batch, heads, T, S)``. The
    weights of a query that sees nothing are all the same.

    Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2.2.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.zeros((2, 5, 16), "f")
    >>> MultiHeadAttention(num_heads=4, key_dim=4)(x, x, use_causal_mask=True).shape
    (2, 5, 16)
    """

    supports_masking = True
    _left_out = (*Layer._left_out, "flash_attention")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        who = "MultiHeadAttention"
        if flash_attention:
            raise ArgumentError(f"{who}(flash_attention=True): bital has none. Leave it out.")

        def optional(name: str, value: Any, low: int = 1) -> int | None:
            return None if value is None else checks.integer(who, name, value, low)

        self.num_heads = checks.integer(who, "num_heads", num_heads)
        self.key_dim = checks.integer(who, "key_dim", key_dim)
        self.value_dim = optional("value_dim", value_dim) or self.key_dim
        self.dropout = checks.number(who, "dropout", dropout, 0, 1)
        self.use_bias = checks.boolean(who, "use_bias", use_bias)
        sizes = (output_shape,) if isinstance(output_shape, (int, np.integer)) else output_shape
        self._output_sizes = checks.shape(who, "output_shape", sizes) if sizes else None
        self.attention_axes = attention_axes
        if attention_axes is not None:
            axes = attention_axes if isinstance(attention_axes, (list, tuple)) else [attention_axes]
            self.attention_axes = [checks.integer(who, "attention_axes", a, -64) for a in axes]
        self.sliding_window = optional("sliding_window", sliding_window)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.use_gate = checks.boolean(who, "use_gate", use_gate)
        self.seed = optional("seed", seed, 0)

    def _argument(self, name: str) -> Any:
        return self._output_sizes if name == "output_shape" else super()._argument(name)

    def build(self, query_shape: Shape, value_shape: Shape, key_shape: Shape = None) -> None:
        """Make the projections.

        Raises
        ------
        ShapeError
            If the inputs do not fit each other.
        """
        key_shape = value_shape if key_shape is None else key_shape
        self._require_fit(query_shape, value_shape, key_shape)
        heads, dim = self.num_heads, self.value_dim
        self.query_dense = self._projection(query_shape, (heads, self.key_dim), "query")
        self.key_dense = self._projection(key_shape, (heads, self.key_dim), "key")
        if self.use_gate:
            self.gate_dense = self._projection(query_shape, (heads, dim), "gate", "sigmoid")
        self.value_dense = self._projection(value_shape, (heads, dim), "value")
        found = (*query_shape[:-1], heads, dim)
        out = self._output_sizes or (query_shape[-1],)
        self.output_dense = self._projection(found, out, "attention_output", bound=2)

    def _projection(
        self,
        shape: Shape,
        sizes: tuple[int, ...],
        name: str,
        activation: Any = None,
        bound: int = 1,
    ) -> EinsumDense:
        """A dense layer from the last axes, ``bound`` of them, to axes of these sizes."""
        free = len(shape) - bound
        letters = string.ascii_lowercase[: len(shape) + len(sizes)]
        x, out = letters[: len(shape)], letters[:free] + letters[len(shape) :]
        dense = EinsumDense(
            f"{x},{x[free:] + out[free:]}->{out}",
            (*(None,) * (free - 1), *sizes),
            activation=activation,
            bias_axes=out[free:] if self.use_bias else None,
            kernel_initializer=self.kernel_initializer,
            bias_initializer=self.bias_initializer,
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            name=name,
        )
        dense._parent = self  # its weights have this layer's dtype
        dense.build(shape)
        return dense

    def _require_fit(self, query: Shape, value: Shape, key: Shape) -> None:
        who = f"MultiHeadAttention {self.name!r}"
        if min(len(query), len(value)) < 3 or len(query) != len(value):
            raise ShapeError(
                f"{who} received query {tuple(query)} and value {tuple(value)}; it takes "
                "(batch, ..., features) of as many axes, at least 3."
            )
        if tuple(value[1:-1]) != tuple(key[1:-1]):
            raise ShapeError(
                f"{who} received value {tuple(value)} and key {tuple(key)}; they must be the same "
                "but for the features."
            )

    def _axes(self, ndim: int) -> list[int]:
        """Along which axes of a query of so many axes it attends."""
        if self.attention_axes is None:
            return list(range(1, ndim - 1))
        return [axis % ndim for axis in self.attention_axes]

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
        mask: Any = None,
    ) -> Any:
        """Return the output, or a tuple of it and of the weights.

        ``mask`` is the query's, as the layer before it hands it on.
        """
        key = value if key is None else key
        query_mask = mask if query_mask is None else query_mask
        axes = self._axes(query.ndim)
        seen = self._seen(query, value, axes, (query_mask, value_mask, key_mask), use_causal_mask)
        if attention_mask is not None:
            given = attention_mask.astype(bool)
            seen = given if seen is None else given & seen
        q = self.query_dense(query) * (1 / math.sqrt(self.key_dim))
        k, v = self.key_dense(key), self.value_dense(value)
        by_heads, back = _equations(q.ndim, axes)
        scores = np.einsum(by_heads, q, k)
        if seen is not None:
            # The axis of heads stands before those of the query and of the value.
            for _ in range(scores.ndim - seen.ndim):
                seen = np.expand_dims(seen, -2 * len(axes) - 1)
            scores = np.where(seen, scores, _FAR)
        weights = softmax(scores, axis=tuple(range(scores.ndim - len(axes), scores.ndim)))
        kept = weights
        if training and self.dropout:
            kept = _dropped(weights, self.dropout, draw_key(self.seed))
        found = np.einsum(back, kept, v)
        if self.use_gate:
            found = found * self.gate_dense(query)
        output = self.output_dense(found)
        return (output, weights) if return_attention_scores else output

    def _seen(self, query: Any, value: Any, axes: Any, masks: Any, causal: bool) -> Any:
        """Which values each query sees, ``(batch or 1, T, S)``; None if all."""
        of_query, of_value, of_key = masks
        length, source = query.shape[1], value.shape[1]
        found = []
        if of_query is not None:
            found.append(of_query.astype(bool)[:, :, np.newaxis])
        found += [m.astype(bool)[:, np.newaxis, :] for m in (of_value, of_key) if m is not None]
        if causal:
            found.append(_causal(length, source)[np.newaxis])
        if self.sliding_window is not None:
            away = np.arange(length)[:, np.newaxis] - np.arange(source)
            found.append((np.abs(away) < self.sliding_window)[np.newaxis])
        if found and len(axes) > 1:
            raise ShapeError(
                f"MultiHeadAttention {self.name!r}: masks by steps, use_causal_mask and "
                f"sliding_window need one axis of attention, and it has {len(axes)}. Give "
                "attention_mask."
            )
        return None if not found else _all_of(found)

    def compute_output_shape(
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape = None
    ) -> Shape:
        """Return the query's shape with the sizes of an output."""
        self._require_fit(query_shape, value_shape, key_shape or value_shape)
        return (*query_shape[:-1], *(self._output_sizes or (query_shape[-1],)))


def _equations(ndim: int, axes: list[int]) -> tuple[str, str]:
    """Of projected queries, keys -> scores; and of weights, values -> what the heads found.

    The scores have the axes that queries and keys share, the heads among them, then the query's,
    then the key's.
    """
    query = string.ascii_lowercase[:ndim]
    new = iter(string.ascii_lowercase[ndim:])
    key = "".join(next(new) if axis in axes else query[axis] for axis in range(ndim))
    shared = "".join(query[axis] for axis in range(ndim - 1) if axis not in axes)
    scores = shared + "".join(query[a] for a in axes) + "".join(key[a] for a in axes)
    return f"{query},{key}->{scores}", f"{scores},{key}->{query}"


def _causal(length: int, source: int) -> Any:
    """Which values each query sees, if none that come later."""
    return np.arange(length)[:, np.newaxis] >= np.arange(source)


def _all_of(masks: list[Any]) -> Any:
    found = masks[0]
    for mask in masks[1:]:
        found = found & mask
    return found


def _dropped(weights: Any, rate: float, key: Any) -> Any:
    if rate == 1:
        return np.zeros_like(weights)
    keep = bital.random.bernoulli(key, 1 - rate, weights.shape)
    return np.where(keep, weights * (1 / (1 - rate)), 0)


__all__ = ["AdditiveAttention", "Attention", "MultiHeadAttention"]
