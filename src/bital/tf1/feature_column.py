"""Feature columns: how the columns of a table become the input of a network."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

import bital.tf1 as tf
from bital.graphs.operation import Any_, Index, Value, operation
from bital.keras.layers.preprocessing.hashing import hashed, plain_array


class Column(NamedTuple):
    """Functions of features that give ids, ``(batch, n)``, or numbers, ``(batch, width)``."""

    name: str
    width: int
    ids: Any = None
    numbers: Any = None


def numeric_column(key, shape=1, default_value=None, dtype=None, normalizer_fn=None) -> Column:
    """Numbers of a shape, which a function may scale."""
    width, scale = math.prod(np.atleast_1d(shape).tolist()), normalizer_fn or tf.identity
    cast = lambda f: tf.cast(scale(_of(f, key)), tf.float32)  # noqa: E731
    return Column(key, width, numbers=lambda f: tf.reshape(cast(f), [-1, width]))


def bucketized_column(source_column: Column, boundaries: Any) -> Column:
    """Which of the intervals between increasing boundaries a number lies in."""
    name, width, _, numbers = source_column
    limits = sorted(map(float, boundaries))
    if numbers is None or limits != [*boundaries]:
        raise ValueError(f"{name}: give numbers and increasing boundaries, not {boundaries}")
    size, ids = width * (len(limits) + 1), lambda f: _buckets(numbers(f), limits)
    return indicator_column(Column("", size, ids))._replace(name=f"{name}_bucketized", ids=ids)


def categorical_column_with_identity(key: str, num_buckets: int) -> Column:
    """Integers below `num_buckets`."""
    return Column(key, num_buckets, lambda f: _of(f, key))


def categorical_column_with_vocabulary_list(
    key, vocabulary_list, dtype=None, default_value=-1, num_oov_buckets=0
) -> Column:
    """Strings or integers by their places in a list; others are hashed, or get the default."""
    words = [item.decode() if isinstance(item, bytes) else str(item) for item in vocabulary_list]
    if len({*words}) < len(words):
        raise ValueError(f"Duplicate keys found in vocabulary_list of column {key}: {words}")
    ids = lambda f: lookup(_of(f, key), np.array(words, str), default_value, num_oov_buckets)  # noqa: E731
    return Column(key, len(words) + num_oov_buckets, ids)


def categorical_column_with_hash_bucket(key, hash_bucket_size, dtype=None) -> Column:
    """Strings or integers by their hash (FarmHash, as in TensorFlow) modulo `hash_bucket_size`."""
    return categorical_column_with_vocabulary_list(key, [], num_oov_buckets=hash_bucket_size)


def indicator_column(categorical_column: Column) -> Column:
    """How often each id occurs, ``(batch, width)``."""
    name, width, ids, _ = categorical_column
    counts = lambda f: tf.reduce_sum(tf.one_hot(ids(f), width), 1)  # noqa: E731
    return Column(f"{name}_indicator", width, numbers=counts)


def embedding_column(categorical_column, dimension, combiner="mean", initializer=None) -> Column:
    """A vector for each id, which is learned; "mean", "sqrtn" or "sum" of those of a row."""
    name, width, ids, _ = categorical_column
    start = initializer or tf.truncated_normal_initializer(0.0, 1 / math.sqrt(dimension))

    def numbers(features: Any) -> Any:
        table = tf.get_variable("embedding_weights", (width, dimension), initializer=start)
        return _embedded(table, ids(features), combiner)

    return Column(f"{name}_embedding", dimension, numbers=numbers)


def input_layer(features: Any, feature_columns: Any) -> Any:
    """The numbers of all columns in the order of their names, ``(batch, sum of widths)``."""
    found = []
    with tf.variable_scope(None, "input_layer"):
        for column in sorted(feature_columns, key=lambda column: column.name):
            if column.numbers is None:
                raise ValueError(f"wrap {column.name} with an embedding_column or indicator_column")
            with tf.variable_scope(None, column.name or "column"):
                found.append(column.numbers(features))
        return tf.concat(found, 1, name="concat")


def _of(features: Any, key: str) -> Any:
    """A feature with two axes at least."""
    if not isinstance(features, dict) or key not in features:
        raise ValueError(f"Feature {key} is not in features dictionary.")
    x = tf.convert_to_tensor(features[key])
    return tf.expand_dims(x, 1) if x.shape.ndims == 1 else x


@operation("Bucketize")
def _buckets(x: Any_, boundaries: Any) -> Index:
    first = (len(boundaries) + 1) * np.arange(x.shape[1])
    return np.digitize(x, np.array(boundaries, x.dtype)) + first


@operation("EmbeddingLookupSparse")
def _embedded(table: Value, ids: Index, combiner: str) -> Value:
    there = (ids >= 0)[..., None].astype(table.dtype)  # negative ids are none
    power = {"sum": 0.0, "sqrtn": 0.5, "mean": 1.0}[combiner]
    return np.sum(table[np.maximum(ids, 0)] * there, 1) / np.maximum(np.sum(there, 1), 1) ** power


@operation("LookupTableFind")
def lookup(values: Any_, vocabulary: Any_, default: int = -1, buckets: int = 0) -> Index:
    """Places in a vocabulary, else hashed to buckets behind it, else the default; "" and -1 are -1.

    Hashing is Python's: as the vocabulary is of strings, it runs ahead of what is compiled.
    """
    if values.dtype.kind not in "iuO":
        raise TypeError(f"a categorical column takes strings or integers, got {values.dtype}")
    if not isinstance(values, np.ndarray):  # the shape is asked for
        return (values * 0).astype(np.int64)
    places = {key.decode(): i for i, key in enumerate(vocabulary)}
    texts = plain_array(None, values).astype(str)
    rest = hashed(texts, buckets, None) + len(places) if buckets else np.full(texts.shape, default)
    places["" if values.dtype == object else "-1"] = -1
    return np.vectorize(places.get, otypes=[np.int64])(texts, rest)
