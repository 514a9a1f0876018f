"""Files of human rationales: texts with what people marked in them.

Letters: S marked ranges.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from textlrp.errors import DataError
from textlrp.files.input_paths import check_regular, user_path
from textlrp.records import Document, Ranges
from textlrp.text.opening import MAX_ROW_LENGTH, Lines, open_text
from textlrp.text.skip import merge_ranges


@dataclass(frozen=True, slots=True, eq=False)
class Rationale:
    """A text with what people marked in it: character ``spans`` (S, 2), sorted and disjoint; ``label`` as text."""

    id: str
    text: str
    label: str | None
    spans: Ranges

    @property
    def document(self) -> Document:
        """What a model gets to read."""
        return Document(self.id, self.text, self.label)


def read_rationales(path: str | Path) -> list[Rationale]:
    """JSON lines: ``{"text": "...", "label": "...", "id": "...", "spans": [[start, end], ...], "words": [...]}``.

    Label and id may be missing, and one of spans and words.
    Spans are characters of the text, the end not included. Words are looked for as whole words, in any case, and
    every occurrence is marked; both may come together. The id is the line's number unless given. Empty spans mark
    nothing; rows that mark nothing are skipped, and one warning counts them.
    Raises :class:`DataError` naming file and line.
    """
    found, skipped = read_marked(path)
    if skipped:
        warnings.warn(skipped_text(path, len(found), skipped), UserWarning, stacklevel=2)
    return found


def skipped_text(path: str | Path, read: int, skipped: Sequence[int]) -> str:
    """One sentence on the rows that mark nothing."""
    lines = ", ".join(map(str, skipped[:5])) + ", ..." * (len(skipped) > 5)
    return (
        f"{len(skipped)} of {read + len(skipped)} rows of {path} mark nothing and were skipped "
        f"(line{'s' * (len(skipped) > 1)} {lines})."
    )


def read_marked(path: str | Path) -> tuple[list[Rationale], tuple[int, ...]]:
    """As :func:`read_rationales` without its warning: the rationales, and the lines of rows that mark nothing."""
    source, rows = user_path(path), dict[int, Rationale]()
    check_regular(source)
    try:
        with open_text(source, "utf-8", "strict", newline="\n") as file:
            lines = Lines(file, source, MAX_ROW_LENGTH)
            for line in lines:
                lines.begin_row()
                if line.strip():
                    rows[lines.number] = _rationale(line, lines.number, f"{path}, line {lines.number}")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8; rationales are JSON lines in UTF-8.") from None
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem.strerror}.") from None
    if not rows:
        raise DataError(f"{path} holds no rationales; one JSON object a line is wanted.")
    found = [rationale for rationale in rows.values() if len(rationale.spans)]
    if not found:
        raise DataError(f"no row of {path} marks anything; rows must have spans [[start, end], ...] or words.")
    return found, tuple(number for number, rationale in rows.items() if not len(rationale.spans))


def _rationale(line: str, number: int, place: str) -> Rationale:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as problem:
        raise DataError(f"{place} is not JSON: {problem}.") from None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise DataError(f'{place} has no text; {{"text": "...", "spans": [[start, end], ...]}} is wanted.')
    text, label = row["text"], row.get("label")
    if label is not None and not isinstance(label, (str, int)):
        raise DataError(f"{place}: the label {label!r} is neither text nor a whole number.")
    spans, words = (_listed(row, name, place) for name in ("spans", "words"))
    ranges = [(start, end) for start, end in (_checked_span(span, text, place) for span in spans) if start < end]
    ranges += [found for word in words for found in _occurrences(word, text, place)]
    name = str(row.get("id", number))
    return Rationale(
        name,
        text,
        None if label is None else str(label),
        merge_ranges(np.array(ranges, dtype=np.int32).reshape(-1, 2)),
    )


def _listed(row: Mapping[str, Any], name: str, place: str) -> list[Any]:
    value = row.get(name) or []
    if not isinstance(value, list):
        raise DataError(f"{place}: {name} came as {value!r}; a list is wanted.")
    return value


def _checked_span(span: Any, text: str, place: str) -> tuple[int, int]:
    whole = isinstance(span, list) and len(span) == 2 and all(type(end) is int for end in span)
    if not whole:
        raise DataError(f"{place}: the span {span!r} is no pair of whole numbers [start, end].")
    start, end = span
    if start < 0 or end > len(text):
        raise DataError(f"{place}: the span {span} reaches outside the text of {len(text)} characters.")
    if start > end:
        raise DataError(f"{place}: the span {span} ends before it starts.")
    return start, end


def _occurrences(word: Any, text: str, place: str) -> list[tuple[int, int]]:
    parts = word.split() if isinstance(word, str) else []
    if not parts:
        raise DataError(f"{place}: {word!r} is no word to look for.")
    pattern = r"\s+".join(map(re.escape, parts))
    found = [match.span() for match in re.finditer(rf"(?<!\w)(?:{pattern})(?!\w)", text, re.IGNORECASE)]
    if not found:
        raise DataError(f"{place}: the word {word!r} is not in the text.")
    return found
