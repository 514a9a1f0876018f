"""The labels to train on: one label for each text, or in multi-label classification a set of labels.

Open it for the forms of ``y`` that ``fit`` accepts, and for the messages about others.

Letters: N texts, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from textlrp.errors import DataError, OptionError, closest, must_be
from textlrp.models.options import check_labels, distinct_labels


class TrainingLabels(NamedTuple):
    """The labels of N texts: ``classes`` (C,), and ``codes``, positions (N,) or a 0/1 indicator matrix (N, C)."""

    classes: NDArray[Any]
    codes: NDArray[np.int64]


def is_label_set(value: Any) -> bool:
    """Whether this is a set of labels of one text, and not a single label."""
    return isinstance(value, (list, tuple, set, frozenset)) or (isinstance(value, np.ndarray) and value.ndim == 1)


def training_labels(y: Any, rows: int, names: Sequence[Any] | None = None) -> TrainingLabels:
    """Return the classes and labels of ``rows`` texts, given in any form that ``fit`` accepts.

    ``names`` (C,) are the labels of a multi-label model in the order of its scores. Raises :class:`DataError` as
    :func:`check_labels` does, for rows with and without a set of labels, and for an indicator matrix with other
    values than 0 and 1; raises :class:`OptionError` for wrong ``names``.
    """
    if isinstance(y, Iterator):
        y = list(y)
    matrix = _indicator(y)
    if matrix is None and not _are_sets(y):
        if names is not None:
            raise OptionError(must_be("classes", "None unless y has a set of labels for each text", names))
        return TrainingLabels(*check_labels(y, rows))
    known = None if names is None else _checked_label_names(names)
    if matrix is not None:
        columns = getattr(y, "columns", None)  # of a DataFrame: its columns are the labels
        if known is None and columns is not None:
            known = _checked_label_names(columns)
        found = _of_matrix(matrix, rows, known)
    else:
        found = _of_sets(list(y), rows, known)
    if len(found.classes) < 2:
        raise DataError(
            f"the labels must have at least two classes; got only {found.classes.tolist()[0]!r}. Add a label, or "
            "pass one label for each text: this one or another."
        )
    if (found.codes == found.codes[0]).all():
        raise DataError("the labels must differ between texts; all texts have the same labels. Add other texts.")
    return found


def has_label_sets(y: Any) -> bool:
    """Whether ``y`` has sets of labels or is an indicator matrix, so that it is for a multi-label model."""
    return _indicator(y) is not None or _are_sets(y)


def indicator_of(sets: Iterable[Iterable[Any]], classes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the 0/1 matrix (N, C) of N sets of labels; raise :class:`DataError` for a label that is not a class."""
    position = {name: c for c, name in enumerate(classes.tolist())}
    rows = list(sets)
    matrix = np.zeros((len(rows), len(classes)), dtype=np.int64)
    for row, labels in enumerate(rows):
        for label in labels:
            plain = label.strip() if isinstance(label, str) else label
            if plain not in position:
                raise DataError(
                    f"row {row}: label must be one of the {len(position)} classes; got {label!r}."
                    f"{closest(str(label), map(str, position))} Correct it or drop it."
                )
            matrix[row, position[plain]] = 1
    return matrix


def true_indicator(y: Any, classes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the true labels of texts as a 0/1 matrix (N, C), from sets of labels or an indicator matrix."""
    matrix = _indicator(y)
    if matrix is None:
        rows = list(y)
        _check_mixture(rows)
        return indicator_of(rows, classes)
    return _of_matrix(matrix, matrix.shape[0], classes).codes


# ---- forms of y


def _are_sets(y: Any) -> bool:
    """Whether ``y`` has a set of labels in at least one row. Other arrays of two dimensions are single columns."""
    if isinstance(y, (str, bytes)) or not isinstance(y, Iterable) or len(getattr(y, "shape", (0,))) != 1:
        return False
    return any(map(is_label_set, y))


def _indicator(y: Any) -> Any:
    """The indicator matrix, dense or sparse, if ``y`` is one of two or more columns; else None."""
    if sparse.issparse(y):
        return y
    shape = getattr(y, "shape", None)
    if shape is not None:
        return np.asarray(y) if len(shape) == 2 and shape[1] != 1 else None
    if not isinstance(y, (list, tuple)) or not y or not all(isinstance(row, (list, tuple, np.ndarray)) for row in y):
        return None
    width = len(y[0])
    # as sets of labels, rows of two or more 0s and 1s would either repeat a label or be the same set in every row
    binary = width > 1 and all(len(row) == width and all(_is_binary(value) for value in row) for row in y)
    return np.asarray(y) if binary else None


def _is_binary(value: Any) -> bool:
    return isinstance(value, (bool, int, np.bool_, np.integer)) and value in (0, 1)


def _of_matrix(matrix: Any, rows: int, known: NDArray[Any] | None) -> TrainingLabels:
    if matrix.ndim != 2 or matrix.shape[0] != rows:
        raise DataError(f"y must have {rows} rows, one for each text; got an array of shape {matrix.shape}.")
    dense = matrix.toarray() if sparse.issparse(matrix) else matrix
    try:
        wrong = np.argwhere(~np.isin(dense, (0, 1)))
    except TypeError:  # objects of several types cannot be sorted
        wrong = np.zeros((1, 2), dtype=np.int64)
    if len(wrong):
        row, column = wrong[0].tolist()
        raise DataError(
            f"row {row}: an indicator matrix must have only 0 and 1; got {dense[row].tolist()[column]!r} in column "
            f"{column}. Pass 1 for each label of the text and 0 elsewhere."
        )
    if not dense.any():
        raise DataError("y must have at least one label; got only 0. Check the columns of the labels.")
    classes = np.arange(dense.shape[1]) if known is None else known
    if len(classes) != dense.shape[1]:
        raise DataError(
            f"classes must have {dense.shape[1]} labels, one for each column of y; got {len(classes)}. Pass as many "
            "labels as columns."
        )
    return TrainingLabels(classes, dense.astype(np.int64))


def _of_sets(sets: list[Any], rows: int, known: NDArray[Any] | None) -> TrainingLabels:
    if len(sets) != rows:
        raise DataError(f"y must have {rows} sets of labels, one for each text; got {len(sets)}. Pass one per text.")
    _check_mixture(sets)
    flat = [label for labels in sets for label in labels]
    if not flat:
        raise DataError("y must have at least one label; got only empty sets. Check the column of the labels.")
    row_of = [row for row, labels in enumerate(sets) for _ in labels]
    classes, codes = distinct_labels(flat, row_of)
    if known is not None:
        return TrainingLabels(known, indicator_of(sets, known))
    matrix = np.zeros((rows, len(classes)), dtype=np.int64)
    matrix[row_of, codes] = 1
    return TrainingLabels(classes, matrix)


def _check_mixture(sets: list[Any]) -> None:
    """Raise :class:`DataError` for the first row that is not a set of labels, or for a set among single labels."""
    are_sets = [is_label_set(labels) for labels in sets]
    if 2 * sum(are_sets) < len(sets):
        row = are_sets.index(True) if any(are_sets) else 0
        raise DataError(
            f"row {row}: label must be a single label; got {sets[row]!r}. Keep one label or drop the row."
        )
    for row, labels in enumerate(sets):
        if not is_label_set(labels):
            raise DataError(
                f"row {row}: y must have a set of labels in every row if it has one in some; got {labels!r}. Pass "
                f"{[labels]!r}, or [] for a text without labels."
            )


def _checked_label_names(names: Iterable[Any]) -> NDArray[Any]:
    """The labels (C,) in the given order; raises :class:`OptionError` unless they are distinct and of one type."""
    given = list(names)
    try:
        distinct, codes = distinct_labels(given, range(len(given)))
    except DataError as wrong:
        raise OptionError(f"classes must be distinct labels of one type; {wrong}") from None
    if len(distinct) != len(given) or not given:
        raise OptionError(must_be("classes", "distinct labels", given, "Name each label once."))
    return distinct[codes]
