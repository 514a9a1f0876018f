"""Checks of what users pass to models: options, texts and labels.

Open it for the wording of an error, or to add a kind of option. Every check names the parameter or the row.
"""

from __future__ import annotations

import math
import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import DataError, OptionError, must_be
from textlrp.records import Document
from textlrp.text.invisible import visible, without_blank_edges
from textlrp.text.user_tokenizers import callable_path


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether this is a whole number of Python or numpy."""
    return isinstance(value, (int, np.integer))


def is_range(value: Any, largest: float = math.inf) -> bool:
    """Whether this is a pair of whole numbers from 1 to ``largest``, the smaller one first."""
    pair = isinstance(value, (tuple, list)) and len(value) == 2
    return (
        pair
        and all(is_whole(end) and not isinstance(end, bool) for end in value)
        and 1 <= value[0] <= value[1] <= largest
    )


def is_number(value: Any) -> TypeGuard[float]:
    """Whether this is a real number of Python or numpy."""
    return isinstance(value, (int, float, np.integer, np.floating))


# ---- options: each check raises OptionError; ``hint`` ends its message


def check_whole(name: str, value: Any, *, none: str | None = None, hint: str = "") -> None:
    """Raise :class:`OptionError` unless this is a whole number >= 1.

    ``none`` allows None and is its meaning for the message, such as "no limit".
    """
    if (none and value is None) or (is_whole(value) and value >= 1):
        return
    otherwise = f", or None for {none}" if none else ""
    raise OptionError(must_be(name, f"a whole number >= 1{otherwise}", value, hint))


def whole_numbers(name: str, value: Any, hint: str = "") -> tuple[int, ...]:
    """Return one or several whole numbers >= 1 as a tuple; raise :class:`OptionError` for anything else."""
    several = (value,) if is_whole(value) else value
    if isinstance(several, (str, bytes)) or not isinstance(several, Iterable):
        raise OptionError(must_be(name, "a whole number >= 1, or a tuple of several", value, hint))
    numbers = tuple(several)
    for number in numbers:
        check_whole(name, number, hint=hint)
    return tuple(map(int, numbers))


def check_flag(name: str, value: Any, hint: str = "") -> None:
    """Raise :class:`OptionError` unless this is True or False of Python or numpy."""
    if not isinstance(value, (bool, np.bool_)):
        raise OptionError(must_be(name, "True or False", value, hint))


def check_fraction(name: str, value: Any, hint: str = "") -> None:
    """Raise :class:`OptionError` unless 0 <= ``value`` < 1."""
    if not (is_number(value) and 0 <= value < 1):
        raise OptionError(must_be(name, "a number from 0 up to (not including) 1", value, hint))


def check_positive(name: str, value: Any, *, zero: bool = False, hint: str = "") -> None:
    """Raise :class:`OptionError` unless ``value`` is finite and above 0; ``zero`` allows 0."""
    if not (is_number(value) and math.isfinite(value) and (value > 0 or (zero and value == 0))):
        raise OptionError(must_be(name, f"a finite number {'>= 0' if zero else '> 0'}", value, hint))


def plain_option(value: Any) -> Any:
    """Return an option as a value for JSON: a tuple as a list, a numpy number as a Python number, a function by name.

    A dict becomes a list of pairs, because its keys may be other than strings.
    """
    if isinstance(value, dict):
        return {"pairs": [[plain_option(key), plain_option(entry)] for key, entry in value.items()]}
    if hasattr(value, "tolist"):  # an array or a number of numpy
        return value.tolist()
    if isinstance(value, (tuple, list)):
        return [plain_option(entry) for entry in value]
    if callable(value):
        return {"callable": callable_path(value)}
    return value


# ---- texts

TextInputs = Iterable[str | Document]
"""A list, tuple, numpy array, pandas Series or any other iterable of strings or Documents."""


def check_texts(X: TextInputs) -> list[str | Document]:
    """Return the texts as a list, each a string or a :class:`Document`.

    Raises :class:`DataError` for a bare string, for a table of several columns, and for the first row that is not a
    text (None, NaN, bytes, a number); the message names the row.
    """
    return [check_text(text, row) for row, text in enumerate(check_container(X))]


def check_container(X: TextInputs) -> Iterable[Any]:
    """Return an iterable of the rows without reading any; raise :class:`DataError` unless it is one column."""
    if isinstance(X, (str, bytes, Document)):
        raise DataError(f"the texts must be a list; got one {type(X).__name__}. Put it in a list: [text].")
    if isinstance(X, Mapping) or not isinstance(X, Iterable):
        what = "None" if X is None else f"an object of type {type(X).__name__}"
        raise DataError(f"the texts must be a list of strings or Documents; got {what}. Pass [text, ...].")
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape) == 2 and shape[1] == 1:
        return np.asarray(X).ravel()
    if shape is not None and len(shape) != 1:
        raise DataError(
            f"the texts must be one column; got a table of shape {tuple(shape)}. Pass one column: frame['text']."
        )
    return X


def check_text(text: Any, row: int) -> str | Document:
    """Return the text; raise :class:`DataError`, which names the row, if it is not a text."""
    if isinstance(text, (str, Document)):
        return text
    what = f"a value of type {type(text).__name__}"
    if _is_missing(text):
        what = "NaN" if is_number(text) else repr(text)
    raise DataError(f"row {row}: text must be a string; got {what}. Drop the row, or write '' for an empty text.")


# ---- labels


def check_labels(y: Iterable[Any], rows: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the distinct labels (C,), sorted, and the position of each row's label in them (N,).

    Labels must be all strings, all ints or all bools. Leading and trailing blanks of strings are removed, and one
    warning names classes that look the same. Raises :class:`DataError` for missing labels, mixed
    types, whole numbers of more than 64 bits, a single class, and if the number of labels is not ``rows``.
    """
    labels = _flat_labels(y)
    if len(labels) != rows:
        raise DataError(f"y must have {rows} labels, one for each text; got {len(labels)}. Pass one per text.")
    if not labels:
        raise DataError("the texts must be at least two, of two classes; got none. Check what was read.")
    classes, codes = distinct_labels(labels, range(rows))
    if len(classes) < 2:
        raise DataError(
            f"the labels must have at least two classes; got only {classes.tolist()[0]!r} in all {rows} texts. "
            "Add texts of another class."
        )
    return classes, codes


def distinct_labels(labels: Sequence[Any], rows: Sequence[int]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the distinct labels (C,), sorted, and the position of each label in them.

    ``rows`` are the rows of the labels, for messages. Warns and raises as :func:`check_labels` does.
    """
    labels = _stripped(labels, rows)
    for row, label in zip(rows, labels, strict=True):
        if _is_missing(label):
            raise DataError(f"row {row}: label is missing. Fill it in or drop the row.")
        if isinstance(label, (int, np.integer)) and not -(2**63) <= label < 2**63:
            raise DataError(f"row {row}: label must be a whole number below 2**63; got {label}. Pass str(label).")
        if not isinstance(label, (str, bool, int, np.bool_, np.integer)):
            raise DataError(f"row {row}: label must be a string, an int or a bool; got {label!r}. Pass str(label).")
    kinds = sorted({_kind(label) for label in labels})
    if len(kinds) > 1:
        raise DataError(f"the labels must have one type; got {' and '.join(kinds)}. Convert them with str(label).")
    # without a dtype, numpy turns a mixture of uint64 and int64 into floats
    array = np.array(labels, dtype=np.int64 if kinds == [_kind(1)] else None)
    classes, codes = np.unique(array, return_inverse=True)
    _warn_of_look_alikes(classes)
    return classes, codes.astype(np.int64)


def _stripped(labels: Sequence[Any], rows: Sequence[int]) -> Sequence[Any]:
    """The labels without leading and trailing blanks; a warning names the first that had some."""
    stripped = [without_blank_edges(label) if isinstance(label, str) else label for label in labels]
    changed = [n for n, label in enumerate(labels) if isinstance(label, str) and label != stripped[n]]
    if not changed:
        return labels
    warnings.warn(
        f"{len(changed):,} of {len(labels):,} labels have leading or trailing blanks, which were removed. The first "
        f"is {labels[changed[0]]!a} in row {rows[changed[0]]}.",
        UserWarning,
        stacklevel=5,
    )
    return stripped


def _warn_of_look_alikes(classes: NDArray[Any]) -> None:
    """Warn about classes that differ only in case, in invisible characters or in how accents are encoded."""
    if classes.dtype.kind != "U":
        return
    alike: dict[str, list[str]] = {}
    for name in classes.tolist():
        folded = unicodedata.normalize("NFC", visible(name)).casefold()
        alike.setdefault(" ".join(folded.split()), []).append(name)
    groups = [names for names in alike.values() if len(names) > 1]
    if not groups:
        return
    examples = "; ".join(" and ".join(f"{name!a}" for name in names) for names in groups[:5])
    more = f"; and {len(groups) - 5} more" if len(groups) > 5 else ""
    warnings.warn(
        f"these labels look the same but are different classes: {examples}{more}. "
        "Use one spelling if they mean the same class.",
        UserWarning,
        stacklevel=5,
    )


def _flat_labels(y: Iterable[Any]) -> Sequence[Any]:
    shape = getattr(y, "shape", None)
    if isinstance(y, (str, bytes)) or not isinstance(y, Iterable):
        raise DataError(must_be("y", "a list with one label for each text", y, "Pass [label, ...]."))
    if shape is not None and len(shape) == 2 and shape[1] == 1:
        return list(np.asarray(y).ravel())
    if shape is not None and len(shape) != 1:
        raise DataError(
            f"y must have one label for each text; got an array of shape {tuple(shape)}. Pass one column."
        )
    return list(y)


def _is_missing(value: Any) -> bool:
    if is_number(value):
        return bool(value != value)
    # by type name, so that pandas' missing values are recognized without importing pandas
    return value is None or (isinstance(value, str) and value == "") or type(value).__name__ in ("NAType", "NaTType")


def _kind(label: Any) -> str:
    if isinstance(label, str):
        return "strings"
    return "bools" if isinstance(label, (bool, np.bool_)) else "ints"
