"""Convert what a user's function returns for some texts to scores (N, C), and word the errors if it cannot be done.

Letters: N texts, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from textlrp.errors import ModelError
from textlrp.models.finite import not_finite

ScoreKind = Literal["probability", "log-probability", "score"]
"""What the numbers of a function are: class probabilities, their logarithms, or scores of any size."""

SCORE_KINDS: tuple[ScoreKind, ...] = get_args(ScoreKind)

ROUNDING = 1e-4
"""A probability may be outside of 0 to 1 by this much: float32 rounds, and fastText adds 1e-5."""

_LOG_ADVICE = "Return the logarithm of a probability above 0, such as np.log(np.clip(p, 1e-12, 1))."
_ADVICE = "Return a finite number for every text and class."


def score_table(returned: Any, names: Sequence[str], classes: NDArray[Any], kind: ScoreKind) -> NDArray[np.float64]:
    """Return scores (N, C) from what a function returned for N texts with these ``names``.

    Accepted are arrays (N, C), tensors, tables, lists of rows, rows that map each class to its score, and, for two
    classes, one number (N,) for each text: that of ``classes[1]``.

    Raises :class:`ModelError` for anything else, and for a number that is not finite or not a probability.
    """
    texts = len(names)
    numbers = _numbers(returned, texts, classes)
    if len(classes) == 2 and numbers.shape in ((texts,), (texts, 1)):
        numbers = _two_classes(numbers.reshape(texts), kind)
    if numbers.shape != (texts, len(classes)):
        raise ModelError(
            f"function must return an array (N, C), one row for each text and one score for each class; got shape "
            f"{numbers.shape} for {texts} {'text' if texts == 1 else 'texts'} and {len(classes)} classes "
            f"({_first_classes(classes)}).{_shape_hint(numbers, texts, classes)}"
        )
    for n in np.flatnonzero(~np.isfinite(numbers).all(axis=1)).tolist():
        raise not_finite(numbers[n], classes, names[n], _LOG_ADVICE if kind == "log-probability" else _ADVICE)
    if kind != "score":
        _check_probabilities(numbers, kind, names)
    return numbers


def _numbers(returned: Any, texts: int, classes: NDArray[Any]) -> NDArray[np.float64]:
    if isinstance(returned, Tensor):
        returned = returned.detach().cpu().double().numpy()
    elif isinstance(returned, Iterator):
        returned = list(returned)
    if isinstance(returned, Sequence) and returned and all(isinstance(row, Mapping) for row in returned):
        returned = [_row_of_mapping(row, classes) for row in returned]
    elif isinstance(returned, Sequence) and returned and all(isinstance(row, Tensor) for row in returned):
        returned = [row.detach().cpu().double().numpy() for row in returned]
    elif hasattr(returned, "columns") and set(classes.tolist()) <= set(returned.columns):  # a table of pandas
        returned = returned[classes.tolist()]
    try:
        array = np.asarray(returned)
        if returned is None or array.dtype.kind in "USc":
            raise ValueError  # numpy would convert None to NaN, "1" to 1, and drop imaginary parts
        return np.array(array, dtype=np.float64)
    except (TypeError, ValueError):
        labels = isinstance(returned, (Sequence, np.ndarray)) and len(returned) and isinstance(returned[0], str)
        hint = (
            "the scores of all classes and not the predicted class" if labels else "an array (N, C) or a list of rows"
        )
        raise ModelError(
            f"function must return numbers, one score for each class; got {_shown_value(returned)} for {texts} "
            f"{'text' if texts == 1 else 'texts'}. Return {hint}."
        ) from None


def _row_of_mapping(row: Mapping[Any, Any], classes: NDArray[Any]) -> list[Any]:
    missing = [label for label in classes.tolist() if label not in row]
    if missing:
        keys = ", ".join(repr(key) for key in list(row)[:3])
        raise ModelError(
            f"function must return a score for each class; got a row without the class {missing[0]!r}, with the keys "
            f"{keys}{', ...' if len(row) > 3 else ''}. Pass these keys as classes=, or return lists of scores."
        )
    return [row[label] for label in classes.tolist()]


def _two_classes(second: NDArray[np.float64], kind: ScoreKind) -> NDArray[np.float64]:
    """(N, 2) scores from the number (N,) of the second class; a score f counts as (-f, f)."""
    if kind == "score":
        return np.stack([-second, second], axis=1)
    if kind == "probability":
        return np.stack([1 - second, second], axis=1)
    with np.errstate(all="ignore"):  # a logarithm above 0 or of 0 is reported later
        return np.stack([np.log1p(-np.exp(second)), second], axis=1)


def _check_probabilities(numbers: NDArray[np.float64], kind: ScoreKind, names: Sequence[str]) -> None:
    probabilities = numbers if kind == "probability" else np.exp(numbers)
    outside = (probabilities < -ROUNDING) | (probabilities > 1 + ROUNDING)
    for n in np.flatnonzero(outside.any(axis=1)).tolist():
        value = numbers[n][outside[n]][0]
        raise ModelError(
            f"function must return {'probabilities from 0 to 1' if kind == 'probability' else 'logarithms below 0'} "
            f"with scores={kind!r}; got {value:g} for text {names[n]!r}. Pass scores='score' to textlrp.wrap for "
            "numbers of any size."
        )


def _shape_hint(numbers: NDArray[Any], texts: int, classes: NDArray[Any]) -> str:
    shape = numbers.shape
    if shape == (texts,):
        return " Return the scores of all classes and not the predicted class."
    if shape == (len(classes),):
        return " Return a list of rows, also for one text: [[score, score, ...]]."
    if len(shape) == 2 and shape[0] == texts:
        return f" Pass classes= with {shape[1]} labels, in the order of the columns."
    return " Check what the function does with a list of several texts."


def _first_classes(classes: NDArray[Any]) -> str:
    return ", ".join(map(repr, classes.tolist()[:3])) + (", ..." if len(classes) > 3 else "")


def _shown_value(returned: Any) -> str:
    if isinstance(returned, (Sequence, np.ndarray)) and len(returned):
        first = returned[0]
        return f"a {type(returned).__name__} of values such as {first!r:.60}"
    return f"a value of type {type(returned).__name__}"
