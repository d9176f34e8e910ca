"""Between the labels that users have and the numbers that a network is trained with."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from bital.errors import DataError

KINDS = ("binary", "multiclass", "multilabel", "multioutput")


class Labels:
    """The classes of one target or of several, and what they are in the network.

    =============  =======================  =====================================
    kind           y                        network
    =============  =======================  =====================================
    binary         ``(n,)``, two classes    one sigmoid, targets 0 and 1
    multiclass     ``(n,)``, more           a softmax, targets are places
    multilabel     ``(n, k)`` of 0 and 1    k sigmoids
    multioutput    ``(n, k)`` of classes    k softmax outputs
    =============  =======================  =====================================
    """

    def __init__(self, kind: str, classes: Any) -> None:
        self.kind = kind
        self.classes = classes

    @classmethod
    def of(cls, y: Any, classes: Any = None) -> Labels:
        """Return the labels of these targets; ``classes`` names those that may come later."""
        check_classification_targets(y)
        found = type_of_target(y)
        if found.startswith("multilabel"):
            return cls("multilabel", np.arange(y.shape[1]))
        if found.startswith("multiclass-multioutput"):
            columns = [np.unique(column) for column in np.asarray(y).T]
            return cls("multioutput", columns if classes is None else list(classes))
        known = np.unique(y) if classes is None else np.unique(classes)
        return cls("binary" if len(known) <= 2 else "multiclass", known)

    @property
    def outputs(self) -> list[int]:
        """Sizes of the network's outputs."""
        if self.kind == "multioutput":
            return [max(len(classes), 2) for classes in self.classes]
        return [1 if self.kind == "binary" else len(self.classes)]

    def encode(self, y: Any) -> Any:
        """Return targets: int32 places, or 0 and 1; a list of them for several outputs.

        Raises
        ------
        DataError
            If ``y`` holds a label that is none of the classes.
        """
        check_classification_targets(y)
        if self.kind == "multilabel":
            y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
            if y.ndim != 2 or y.shape[1] != len(self.classes):
                raise DataError(
                    f"y has shape {y.shape}; the estimator was fitted with {len(self.classes)} "
                    "labels for each sample."
                )
            return (y != 0).astype(np.int32)
        if self.kind == "multioutput":
            columns = zip(np.asarray(y).T, self.classes, strict=True)
            return [_places(column, classes) for column, classes in columns]
        places = _places(np.asarray(y), self.classes)
        return places[:, np.newaxis] if self.kind == "binary" else places

    def probabilities(self, outputs: Any) -> Any:
        """Return the probabilities of the classes from the network's outputs."""
        if self.kind == "multioutput":
            columns = zip(outputs, self.classes, strict=True)
            return [_normal(output)[:, : len(classes)] for output, classes in columns]
        if self.kind == "multiclass":
            return _normal(outputs)
        limits = np.finfo(outputs.dtype)  # a sigmoid is 0 or 1 by rounding only
        outputs = np.clip(outputs, limits.tiny, 1 - limits.epsneg)
        if self.kind == "multilabel":
            return outputs
        if len(self.classes) < 2:
            return np.ones_like(outputs)
        return np.concatenate([1 - outputs, outputs], axis=1)

    def decode(self, outputs: Any) -> np.ndarray:
        """Return the most likely labels."""
        if self.kind == "multilabel":
            return (outputs > 0.5).astype(int)
        if self.kind == "multioutput":
            columns = zip(outputs, self.classes, strict=True)
            found = [c[np.argmax(o[:, : len(c)], axis=1)] for o, c in columns]
            return np.stack(found, axis=1)
        return self.classes[np.argmax(self.probabilities(outputs), axis=1)]

    def state(self) -> dict[str, Any]:
        """Return plain data from which `from_state` makes the same."""
        several = self.kind == "multioutput"
        columns = self.classes if several else [self.classes]
        return {"kind": self.kind, "classes": [plain(column) for column in columns]}

    @classmethod
    def from_state(cls, document: dict[str, Any]) -> Labels:
        """Return what `state` described."""
        if document["kind"] not in KINDS:
            raise DataError(f"there is no kind of labels {document['kind']!r:.40}")
        columns = [from_plain(column) for column in document["classes"]]
        return cls(document["kind"], columns if document["kind"] == "multioutput" else columns[0])


def plain(values: np.ndarray) -> dict[str, Any]:
    """Return an array of labels as JSON can hold it.

    Raises
    ------
    DataError
        If they are neither numbers nor text.
    """
    if values.dtype.kind not in "iubfUO":
        raise DataError(f"labels of dtype {values.dtype} cannot be saved; use numbers or text.")
    listed = values.tolist()
    for value in listed:
        if not isinstance(value, (str, int, float, bool)):
            raise DataError(f"the label {value!r} is neither number nor text, and cannot be saved.")
    return {"dtype": values.dtype.str, "values": listed}


def from_plain(document: dict[str, Any]) -> np.ndarray:
    """Return the labels that `plain` described."""
    values, dtype = document["values"], np.dtype(document["dtype"])
    if dtype.kind not in "iubfUO" or not isinstance(values, list):
        raise DataError(f"labels cannot have the dtype {dtype}")
    if dtype.kind == "O":
        found = np.empty(len(values), object)
        found[:] = values
        return found
    return np.array(values, dtype)


def _places(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    if y.dtype.kind == "O" or classes.dtype.kind == "O":
        lookup = {label: place for place, label in enumerate(classes.tolist())}
        found = np.array([lookup.get(label, -1) for label in y.tolist()], np.int32)
        unknown = found < 0
    else:
        found = np.searchsorted(classes, y).clip(0, len(classes) - 1)
        unknown = classes[found] != y
    if np.any(unknown):
        raise DataError(
            f"y holds {y[unknown][0]!r}, which is none of the {len(classes)} classes that the "
            f"estimator knows ({', '.join(map(str, classes[:8]))}). Name all in classes= at the "
            "first partial_fit; with warm_start=True keep to the classes of the first fit."
        )
    return found.astype(np.int32)


def _normal(outputs: np.ndarray) -> np.ndarray:
    """Rows that add up to 1 for float64's sake too."""
    return outputs / outputs.sum(axis=1, keepdims=True)
