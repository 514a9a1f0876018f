"""Check what users pass to models: options, texts and labels."""

from __future__ import annotations

import math
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import DataError, OptionError
from textlrp.records import Document
from textlrp.text.invisible import visible, without_blank_edges


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether this is a whole number, Python's or numpy's."""
    return isinstance(value, (int, np.integer))


def is_range(value: Any, most: float = math.inf) -> bool:
    """Whether this is a pair of whole numbers from 1 to ``most``, the smaller one first."""
    pair = isinstance(value, (tuple, list)) and len(value) == 2
    return (
        pair
        and all(is_whole(end) and not isinstance(end, bool) for end in value)
        and 1 <= value[0] <= value[1] <= most
    )


def is_number(value: Any) -> TypeGuard[float]:
    """Whether this is a real number, Python's or numpy's."""
    return isinstance(value, (int, float, np.integer, np.floating))


def check_whole(name: str, value: Any, *, none: str | None = None) -> None:
    """Raise :class:`OptionError` unless this is a whole number >= 1, or None where ``none`` says what that means."""
    if (none and value is None) or (is_whole(value) and value >= 1):
        return
    otherwise = f", or None for {none}," if none else ""
    raise OptionError(f"{name}={value!r} came; a whole number >= 1{otherwise} is wanted.")


def check_flag(name: str, value: Any) -> None:
    """Raise :class:`OptionError` unless this is True or False, Python's or numpy's."""
    if not isinstance(value, (bool, np.bool_)):
        raise OptionError(f"{name} must be True or False; got {value!r}.")


def check_fraction(name: str, value: Any) -> None:
    """Raise :class:`OptionError` unless 0 <= ``value`` < 1."""
    if not (is_number(value) and 0 <= value < 1):
        raise OptionError(f"{name}={value!r} came; a number from 0 up to (not including) 1 is wanted.")


def check_positive(name: str, value: Any, *, zero: bool = False) -> None:
    """Raise :class:`OptionError` unless ``value`` is finite and above 0 (or 0, where ``zero``)."""
    if not (is_number(value) and math.isfinite(value) and (value > 0 or (zero and value == 0))):
        raise OptionError(f"{name}={value!r} came; a finite number {'>= 0' if zero else 'above 0'} is wanted.")


def plain_option(value: Any) -> Any:
    """An option as JSON can hold it: a tuple as a list, a number of numpy as a plain one, a function by its name.

    A map becomes a list of pairs, for its keys need not be strings.
    """
    if isinstance(value, dict):
        return {"pairs": [[plain_option(key), plain_option(entry)] for key, entry in value.items()]}
    if hasattr(value, "tolist"):  # an array or a number of numpy
        return value.tolist()
    if isinstance(value, (tuple, list)):
        return [plain_option(entry) for entry in value]
    if callable(value):
        return {"callable": callable_name(value)}
    return value


def callable_name(function: Callable[..., Any]) -> str:
    """``module:name`` of a function, or of the class of an object that can be called."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"


TextInputs = Iterable[str | Document]
"""A list, tuple, numpy array, pandas Series or any other iterable of strings or Documents."""


def check_texts(X: TextInputs) -> list[str | Document]:
    """The texts as a list, each a string or a :class:`Document`.

    Raises :class:`DataError` on a bare string, a table of several columns, and on the first row that is
    no text (None, NaN, bytes, a number), which it names.
    """
    return [check_text(text, row) for row, text in enumerate(check_container(X))]


def check_container(X: TextInputs) -> Iterable[Any]:
    """What to iterate over; raises :class:`DataError` on anything but one series of values. Reads nothing yet."""
    if isinstance(X, (str, bytes, Document)):
        raise DataError(f"one {type(X).__name__} came where a list of texts is wanted; put it in a list: [text].")
    if isinstance(X, Mapping) or not isinstance(X, Iterable):
        raise DataError(f"{'None' if X is None else f'a {type(X).__name__}'} came where a list of texts is wanted.")
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape) == 2 and shape[1] == 1:
        return np.asarray(X).ravel()
    if shape is not None and len(shape) != 1:
        raise DataError(
            f"a table of shape {tuple(shape)} came; one column of texts is wanted, such as frame['text']."
        )
    return X


def check_text(text: Any, row: int) -> str | Document:
    """The text itself; raises :class:`DataError`, which names the row, where it is none."""
    if isinstance(text, (str, Document)):
        return text
    what = f"a {type(text).__name__}"
    if _is_missing(text):
        what = "NaN" if is_number(text) else repr(text)
    raise DataError(f"row {row} holds {what}, not a text; drop such rows or write '' for an empty text.")


def check_labels(y: Iterable[Any], rows: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Distinct labels (C,) sorted, and each row's position in them (N,).

    Labels are all strings, all ints or all bools. Blanks at the edges of strings are removed, and one warning names
    classes that look the same. Raises :class:`DataError` on several labels in a row, missing ones (the row is named),
    mixed kinds, whole numbers of more than 64 bits, a single class, and where there are not ``rows`` of them.
    """
    labels = _stripped(_flat_labels(y))
    if len(labels) != rows:
        raise DataError(f"{rows} texts but {len(labels)} labels came; each text needs exactly one.")
    if not labels:
        raise DataError("no texts came; at least two, of two classes, are wanted.")
    for row, label in enumerate(labels):
        if _is_missing(label):
            raise DataError(f"row {row} has no label; drop unlabeled rows before fitting.")
        if isinstance(label, (list, tuple, set, frozenset, np.ndarray)):
            raise DataError(f"row {row} has several labels ({label!r}); one label a text is wanted.")
        if isinstance(label, (int, np.integer)) and not -(2**63) <= label < 2**63:
            raise DataError(f"row {row}: label must be a whole number below 2**63; got {label}. Pass str(label).")
        if not isinstance(label, (str, bool, int, np.bool_, np.integer)):
            raise DataError(f"row {row} has the label {label!r}; a string, an int or a bool is wanted.")
    kinds = sorted({_kind(label) for label in labels})
    if len(kinds) > 1:
        raise DataError(f"the labels mix {' and '.join(kinds)}; make them all of one kind, str(label) for instance.")
    # numpy makes floats of uint64 next to int64
    together = np.array(labels, dtype=np.int64 if kinds == [_kind(1)] else None)
    classes, codes = np.unique(together, return_inverse=True)
    _warn_of_look_alikes(classes)
    if len(classes) < 2:
        raise DataError(f"all {rows} texts have the label {labels[0]!r}; a classifier needs at least two classes.")
    return classes, codes.astype(np.int64)


def _stripped(labels: Sequence[Any]) -> Sequence[Any]:
    """The labels without blanks at the edges of strings; a warning names the first that had some."""
    stripped = [without_blank_edges(label) if isinstance(label, str) else label for label in labels]
    changed = [row for row, label in enumerate(labels) if isinstance(label, str) and label != stripped[row]]
    if not changed:
        return labels
    warnings.warn(
        f"{len(changed):,} of {len(labels):,} labels have blanks at their edges, the first {labels[changed[0]]!a} in "
        f"row {changed[0]}; they are removed.",
        UserWarning,
        stacklevel=4,
    )
    return stripped


def _warn_of_look_alikes(classes: NDArray[Any]) -> None:
    """Warn of classes that differ in case, in invisible characters or in how accents are encoded alone."""
    if classes.dtype.kind != "U":
        return
    alike: dict[str, list[str]] = {}
    for name in classes.tolist():
        folded = unicodedata.normalize("NFC", visible(name)).casefold()
        alike.setdefault(" ".join(folded.split()), []).append(name)
    groups = [names for names in alike.values() if len(names) > 1]
    if not groups:
        return
    some = "; ".join(" and ".join(f"{name!a}" for name in names) for names in groups[:5])
    more = f"; and {len(groups) - 5} more" if len(groups) > 5 else ""
    warnings.warn(
        f"these labels look the same but are different classes: {some}{more}. "
        "Write them alike if they mean the same class.",
        UserWarning,
        stacklevel=4,
    )


def _flat_labels(y: Iterable[Any]) -> Sequence[Any]:
    shape = getattr(y, "shape", None)
    if isinstance(y, (str, bytes)) or not isinstance(y, Iterable):
        raise DataError(f"y={y!r} came; a list with one label a text is wanted.")
    if shape is not None and len(shape) == 2 and shape[1] == 1:
        return list(np.asarray(y).ravel())
    if shape is not None and len(shape) != 1:
        raise DataError(
            f"labels of shape {tuple(shape)} came: several labels a row; one label a text is wanted (no multi-label)."
        )
    return list(y)


def _is_missing(value: Any) -> bool:
    if is_number(value):
        return bool(value != value)
    # pandas' own signs for missing values, without loading pandas
    return value is None or (isinstance(value, str) and value == "") or type(value).__name__ in ("NAType", "NaTType")


def _kind(label: Any) -> str:
    if isinstance(label, str):
        return "strings"
    return "bools" if isinstance(label, (bool, np.bool_)) else "ints"
