"""Check the label or the labels of a row, and warn once about values that may be mistakes.

Open this module to change which values are labels.
"""

from __future__ import annotations

import re
import warnings

from textlrp.errors import DataError
from textlrp.records import Label, Labels
from textlrp.text.invisible import without_blank_edges
from textlrp.text.row_layout import is_missing, shortened, shown_value

_CONTROLS = re.compile("[\x80-\x84\x86-\x9f]")
"""The control characters that Windows-1252 punctuation becomes if it is decoded as Latin-1."""
CORRECT = "Correct it or drop the row."
"""What to do with a row that has a wrong value."""


class RowWarnings:
    """Issues each warning only once for all rows of a file or folder."""

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._controls = self._edges = False

    def of_controls(self, place: str, text: str) -> None:
        if self._controls or text.isascii() or (found := _CONTROLS.search(text)) is None:
            return
        self._controls = True
        remedy = "Pass encoding='cp1252'."
        if self._codec != "iso8859-1":
            remedy = "If you have the original file, read it with encoding='cp1252'."
        warnings.warn(
            f"{place}: contains the control character U+{ord(found[0]):04X}, so this is probably Windows-1252 text "
            f"that was decoded as Latin-1. The model ignores such characters. {remedy}",
            UserWarning,
            stacklevel=2,
        )

    def of_edges(self, place: str, label: str) -> None:
        if self._edges:
            return
        self._edges = True
        warnings.warn(
            f"{place}: the label {label!a} begins or ends with white space, which is removed here and in other rows.",
            UserWarning,
            stacklevel=2,
        )


def labels_of(place: str, value: object, warned: RowWarnings, separator: str | None) -> Label | Labels | None:
    """The label of a row or, for a list and for text with a ``separator``, all its labels, each once."""
    if separator is not None and isinstance(value, str):
        value = [part for part in value.split(separator) if without_blank_edges(part)]
        several = [label_of(place, without_blank_edges(part), warned) for part in value]
    elif isinstance(value, (list, tuple)):
        several = [label_of(place, part, warned) for part in value]
    elif separator is None or is_missing(value):
        return label_of(place, value, warned)
    else:
        several = [label_of(place, value, warned)]
    if None in several:
        raise DataError(f"{place}: label is missing in the list {shortened(str(value))}. Fill it in or drop it.")
    return tuple(dict.fromkeys(label for label in several if label is not None))


def label_of(place: str, value: object, warned: RowWarnings) -> Label | None:
    if is_missing(value):
        return None
    if isinstance(value, str):
        stripped = without_blank_edges(value)
        if stripped != value:
            warned.of_edges(place, value)
        return stripped or None
    # a column of whole numbers with missing values is stored as floats
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (bool, int)):
        if not -(2**63) <= value < 2**63:
            raise DataError(f"{place}: label must be below 2**63; got {shortened(str(value))}. Store it as text.")
        return value
    raise DataError(f"{place}: label must be text, a whole number or true/false; got {shown_value(value)}. {CORRECT}")
