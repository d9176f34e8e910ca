"""Strings and integers as their places in a vocabulary, and back."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from bital.errors import ArgumentError, DataError, ModelStateError
from bital.keras import checks
from bital.keras.layers.base import Layer, Shape
from bital.keras.layers.preprocessing.adapting import array_of, batches
from bital.keras.layers.preprocessing.encoding import MODES, dense, encoded, encoded_shape
from bital.keras.layers.preprocessing.hashing import hashed, plain_array, salted

_MODES = ("int", *MODES, "tf_idf")


class _Lookup(Layer):
    """Base: a vocabulary, sorted once, and a binary search in it."""

    _integer_inputs = True
    _token: type = str

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        sparse: bool,
        pad_to_max_tokens: bool,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        who = type(self).__name__
        self.max_tokens = max_tokens
        if max_tokens is not None:
            self.max_tokens = checks.integer(who, "max_tokens", max_tokens, 2)
        self.num_oov_indices = checks.integer(who, "num_oov_indices", num_oov_indices, 0)
        for token in (mask_token, oov_token):
            if token is not None and type(token) is not self._token:
                raise ArgumentError(
                    f"{who}(mask_token={mask_token!r}, oov_token={oov_token!r}): must be of type "
                    f"{self._token.__name__}, or None."
                )
        self.mask_token = mask_token
        self.oov_token = oov_token
        if oov_token is None and self.num_oov_indices:
            raise ArgumentError(f"{who}(oov_token=None): must be a token, or num_oov_indices=0.")
        self.invert = checks.boolean(who, "invert", invert)
        mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode)
        self.output_mode = checks.choice(who, "output_mode", mode, _MODES)
        self.sparse = dense(who, sparse)
        self.pad_to_max_tokens = checks.boolean(who, "pad_to_max_tokens", pad_to_max_tokens)
        if self.pad_to_max_tokens and max_tokens is None:
            raise ArgumentError(f"{who}(pad_to_max_tokens=True): give max_tokens=... too.")
        if self.invert and mode != "int":
            raise ArgumentError(f"{who}(invert=True, output_mode={output_mode!r}): must be 'int'.")
        if idf_weights is not None and mode != "tf_idf":
            raise ArgumentError(f"{who}(idf_weights=...): is for output_mode='tf_idf'.")
        self.idf_weights: Any = None
        self._tokens: np.ndarray | None = None
        self._given = vocabulary is not None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    # The vocabulary -----------------------------------------------------------------------

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replace the vocabulary.

        Parameters
        ----------
        vocabulary : list or array
            The tokens in their order, with or without the special ones in front.
        idf_weights : list or array, optional
            A weight for each, for ``output_mode="tf_idf"``.

        Raises
        ------
        ArgumentError
            If a token stands twice, or there are too many.
        """
        who = f"{self.name}.set_vocabulary"
        if isinstance(vocabulary, str):
            raise ArgumentError(
                f"{who}({vocabulary!r}): give the tokens themselves. From a file of one token a "
                "line: pathlib.Path(path).read_text().splitlines()."
            )
        tokens = self._as_tokens(vocabulary)
        special = self._special()
        whole = bool(special) and tokens[: len(special)].tolist() == special
        weights = None
        if idf_weights is not None:
            weights = array_of(who, "idf_weights", idf_weights, "iuf", "a list of numbers")
            weights = weights.astype(np.float64)
        if (self.output_mode == "tf_idf") != (weights is not None):
            raise ArgumentError(
                f"{who}: output_mode={self.output_mode!r} "
                f"{'needs' if weights is None else 'takes no'} idf_weights."
            )
        if weights is not None:
            if weights.shape != tokens.shape:
                raise ArgumentError(
                    f"{who}: {len(tokens)} tokens and idf_weights of shape {weights.shape}."
                )
            if not whole:
                weights = np.concatenate([np.full(len(special), weights.mean()), weights])
        self._take(tokens[len(special) :] if whole else tokens, weights)

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """Return the tokens in their order: a token's place is its index."""
        tokens = [] if self._tokens is None else self._tokens.tolist()
        return self._special() + tokens if include_special_tokens else tokens

    def vocabulary_size(self) -> int:
        """Return the number of tokens, those for masks and unknown ones included."""
        return len(self._special()) + (0 if self._tokens is None else len(self._tokens))

    def adapt(self, data: Any) -> None:
        """Learn the vocabulary: the most frequent tokens first, of equally frequent ones the last.

        Parameters
        ----------
        data : array or list, or iterable of batches
            Each row is a document, for ``"tf_idf"``.

        Raises
        ------
        ArgumentError
            If the layer was made with a vocabulary.
        DataError
            If there are no data.
        """
        if self._given:
            raise ArgumentError(f"{self.name}.adapt(data): the layer was made with a vocabulary.")
        counts: Counter[Any] = Counter()
        documents: Counter[Any] = Counter()
        number = 0
        for batch in batches(self.name, data):
            rows = self._as_values(batch)
            rows = rows.reshape(len(rows), -1)
            number += len(rows)
            for row in rows.tolist():
                counts.update(row)
                documents.update(set(row))
        for token in (self.mask_token, self.oov_token):
            counts.pop(token, None)
        most = None if self.max_tokens is None else self.max_tokens - len(self._special())
        tokens = sorted(counts, key=lambda token: (counts[token], token), reverse=True)[:most]
        weights = None
        if self.output_mode == "tf_idf":
            found = np.array([np.log(1 + number / (1 + documents[token])) for token in tokens])
            weights = np.concatenate([np.full(len(self._special()), found.mean()), found])
        self._take(self._as_tokens(tokens), weights)

    @property
    def vocabulary(self) -> list[Any] | None:
        """The tokens without special ones; None before there are any."""
        return None if self._tokens is None else self.get_vocabulary(False)

    def _take(self, tokens: np.ndarray, weights: np.ndarray | None) -> None:
        kinds, counts = np.unique(tokens, return_counts=True)
        reserved = [self.mask_token] + [self.oov_token] * self.invert
        held = [token for token in reserved if token is not None and token in kinds.tolist()]
        if not len(tokens) or counts.max() > 1 or held:
            why = f"holds the reserved token {held[0]!r}" if held else "is empty"
            if len(tokens) and counts.max() > 1:
                why = f"holds {kinds.tolist()[counts.argmax()]!r} more than once"
            raise ArgumentError(f"{self.name}: the vocabulary {why}.")
        size = len(self._special()) + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ArgumentError(
                f"{self.name}: a vocabulary of {size} tokens, special ones included, and "
                f"max_tokens={self.max_tokens}."
            )
        self._tokens = tokens
        self._order = np.argsort(tokens, kind="stable")
        self._sorted = tokens[self._order]
        self.idf_weights = None if weights is None else weights.tolist()

    def _special(self) -> list[Any]:
        return self._mask() + [self.oov_token] * self.num_oov_indices

    def _mask(self) -> list[Any]:
        masked = self.mask_token is not None and self.output_mode == "int"
        return [self.mask_token] if masked else []

    def _argument(self, name: str) -> Any:
        if name == "vocabulary" and self.idf_weights is not None:
            return self.get_vocabulary()  # the special tokens have weights too
        return super()._argument(name)

    # Calls --------------------------------------------------------------------------------

    def call(self, x: Any) -> Any:
        """Return the places in the vocabulary, or with ``invert`` the tokens at these places."""
        if self._tokens is None:
            raise ModelStateError(
                f"{self.name} has no vocabulary yet: call {self.name}.adapt(data) first, or write "
                f"{type(self).__name__}(vocabulary=[...])."
            )
        if self.invert:
            return self._inverted(x)
        places = self._places(self._as_values(x))
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        vectors = encoded(places, mode, self._depth(), self.dtype)
        if self.output_mode != "tf_idf":
            return vectors
        weights = np.zeros(self._depth(), self.dtype)
        weights[: len(self.idf_weights)] = self.idf_weights
        return vectors * weights

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape, or that of the vectors."""
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        return encoded_shape(input_shape, mode, self._depth())

    def _depth(self) -> int:
        if self.pad_to_max_tokens and self.max_tokens is not None:
            return self.max_tokens
        return self.vocabulary_size()

    def _places(self, x: Any) -> Any:
        assert self._tokens is not None
        start = len(self._special())
        spot = np.minimum(np.searchsorted(self._sorted, x), len(self._sorted) - 1)
        known = _taken(self._sorted, spot) == x
        places = np.where(known, _taken(self._order, spot) + start, self._unknown(x, known))
        if self.mask_token is None:
            return places
        # In vectors a masked token counts for nothing.
        return np.where(x == self.mask_token, 0 if self._mask() else -1, places)

    def _unknown(self, x: Any, known: Any) -> Any:
        first = len(self._mask())
        if self.num_oov_indices == 0:
            if not isinstance(x, np.ndarray):
                return -1
            loose = ~known if self.mask_token is None else ~known & (x != self.mask_token)
            if loose.any():
                raise DataError(
                    f"{self.name}: {x[loose].tolist()[0]!r} is not in the vocabulary, and with "
                    "num_oov_indices=0 nothing stands for unknown tokens. Write num_oov_indices=1."
                )
            return -1
        return first if self.num_oov_indices == 1 else first + self._bins(x)

    def _inverted(self, x: Any) -> Any:
        table = self._as_tokens(self.get_vocabulary())
        oov = self._as_tokens([self.oov_token])
        inside = (x >= 0) & (x < len(table))
        return np.where(inside, _taken(table, np.where(inside, x, 0)), oov[0])

    def _bins(self, x: Any) -> Any:
        """Which of several indices an unknown token gets."""
        raise NotImplementedError

    def _as_tokens(self, tokens: Any) -> np.ndarray:
        raise NotImplementedError

    def _as_values(self, x: Any) -> Any:
        raise NotImplementedError


def _taken(table: np.ndarray, places: Any) -> Any:
    return np.asarray(table, like=places)[places]


class StringLookup(_Lookup):
    """The place of each string in a vocabulary: ``(batch, ...) -> (batch, ...)``, int64.

    Indices begin with 0 for ``mask_token``, if there is one, then ``num_oov_indices`` for unknown
    strings, then the vocabulary. It runs on plain arrays: put the layer before the model, not into
    it.

    Parameters
    ----------
    max_tokens : int, optional
        The largest size of the vocabulary, special tokens included.
    num_oov_indices : int, default 1
        How many indices stand for unknown strings; several share them by their hash. With 0 an
        unknown string is an error.
    mask_token : str, optional
        What means "nothing here". In vectors it counts for nothing.
    oov_token : str, default "[UNK]"
        What unknown strings are with ``invert``.
    vocabulary : list of str, optional
        Instead of learning it by `adapt`.
    idf_weights : list of float, optional
        A weight for each token, beside a vocabulary with ``output_mode="tf_idf"``.
    invert : bool, default False
        Return the strings for indices instead.
    output_mode : {"int", "one_hot", "multi_hot", "count", "tf_idf"}, default "int"
        Indices, or vectors as in `CategoryEncoding` in the layer's dtype. ``"tf_idf"``: counts
        times ``log(1 + documents / (1 + documents with the token))``.
    pad_to_max_tokens : bool, default False
        Whether vectors have ``max_tokens`` places.
    sparse : bool, default False
        Taken for Keras's sake; there are no sparse arrays here.
    encoding : str, default "utf-8"
        Of byte strings.
    salt : int or (int, int), optional
        Of the hash for several indices of unknown strings, as in `Hashing`.
    name, dtype
        As in `Layer`.

    Raises
    ------
    DataError
        Within a compiled model, and for anything but strings.
    ModelStateError
        If it is called before it has a vocabulary.

    Examples
    --------
    >>> import numpy as np
    >>> layer = StringLookup(vocabulary=["a", "b"])
    >>> layer(np.array([["b", "x", "a"]]))
    array([[2, 0, 1]])
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str | None = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        **options: Any,
    ) -> None:
        self.encoding = encoding
        self.salt = salted("StringLookup", salt)
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            sparse,
            pad_to_max_tokens,
            name=name,
            **options,
        )

    def _bins(self, x: Any) -> Any:
        return hashed(x, self.num_oov_indices, self.salt)

    def _as_tokens(self, tokens: Any) -> np.ndarray:
        array = array_of("StringLookup", "vocabulary", tokens, "USOT", "a list of strings")
        if array.ndim != 1:
            raise ArgumentError(f"{self.name}: the vocabulary must be a list of strings.")
        return np.array([], np.str_) if array.size == 0 else self._as_values(array)

    def _as_values(self, x: Any) -> Any:
        found = plain_array(self, x, self.encoding)
        if found.dtype.kind not in "UT":
            raise DataError(
                f"{self.name} received an array of dtype {x.dtype}; StringLookup takes strings. "
                "Write IntegerLookup for integers, or x.astype(str)."
            )
        return found


class IntegerLookup(_Lookup):
    """The place of each integer in a vocabulary: ``(batch, ...) -> (batch, ...)``, int64.

    Indices begin with 0 for ``mask_token``, if there is one, then ``num_oov_indices`` for unknown
    integers, then the vocabulary. It works within a compiled model too.

    Parameters
    ----------
    max_tokens, num_oov_indices, idf_weights, invert, output_mode, pad_to_max_tokens, sparse
        As in `StringLookup`.
    mask_token : int, optional
        What means "nothing here".
    oov_token : int, default -1
        What unknown integers are with ``invert``.
    vocabulary : list of int, optional
        Instead of learning it by `adapt`.
    vocabulary_dtype : {"int64", "int32"}, default "int64"
        Of the tokens.
    oov_method : {"floormod", "farmhash"}, default "floormod"
        How unknown integers share several indices: by their remainder, or by their hash (on plain
        arrays only).
    salt : int or (int, int), optional
        Of the hash, as in `Hashing`.
    name, dtype
        As in `Layer`.

    Raises
    ------
    ModelStateError
        If it is called before it has a vocabulary.

    Examples
    --------
    >>> import numpy as np
    >>> layer = IntegerLookup(vocabulary=[12, 36, 1138])
    >>> layer(np.array([[36, 7, 12]]))
    array([[2, 0, 1]])
    """

    _token = int

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int | None = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        name: str | None = None,
        oov_method: str = "floormod",
        salt: Any = None,
        **options: Any,
    ) -> None:
        who = "IntegerLookup"
        self.vocabulary_dtype = checks.choice(
            who, "vocabulary_dtype", vocabulary_dtype, ("int64", "int32")
        )
        self.oov_method = checks.choice(who, "oov_method", oov_method, ("floormod", "farmhash"))
        self.salt = salted(who, salt)
        if salt is not None and oov_method != "farmhash":
            raise ArgumentError(f"{who}(salt={salt!r}): is for oov_method='farmhash'.")
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            sparse,
            pad_to_max_tokens,
            name=name,
            **options,
        )

    def _bins(self, x: Any) -> Any:
        if self.oov_method == "floormod":
            return x % self.num_oov_indices
        return hashed(plain_array(self, x), self.num_oov_indices, self.salt)

    def _as_tokens(self, tokens: Any) -> np.ndarray:
        array = array_of("IntegerLookup", "vocabulary", tokens, "iu", "a list of integers")
        if array.ndim != 1:
            raise ArgumentError(f"{self.name}: the vocabulary must be a list of integers.")
        return array.astype(self.vocabulary_dtype)

    def _as_values(self, x: Any) -> Any:
        if np.dtype(x.dtype).kind not in "biuf":
            raise DataError(
                f"{self.name} received an array of dtype {x.dtype}; IntegerLookup takes integers. "
                "Write StringLookup for strings."
            )
        return x.astype(self.vocabulary_dtype)


__all__ = ["IntegerLookup", "StringLookup"]
