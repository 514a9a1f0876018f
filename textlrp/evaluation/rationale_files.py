"""Read files of human rationales: texts in which people marked the words that show the class.

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
    """A text with the ranges that people marked.

    ``spans`` (S, 2) are character offsets, sorted and disjoint; ``label`` is the true label as text, if given.
    """

    id: str
    text: str
    label: str | None
    spans: Ranges

    @property
    def document(self) -> Document:
        """The text as a document, to pass to a model."""
        return Document(self.id, self.text, self.label)


def read_rationales(path: str | Path) -> list[Rationale]:
    """Read rationales from a JSON Lines file in UTF-8.

    Each line is ``{"text": "...", "label": "...", "id": "...", "spans": [[start, end], ...], "words": [...]}``. Only
    ``text`` and at least one of ``spans`` and ``words`` are needed. ``spans`` are character offsets in the text, end
    exclusive. Each of ``words`` is marked wherever it occurs as a whole word, ignoring case. ``id`` is the line
    number by default. Rows that mark nothing are skipped, with one warning that counts them. Raises
    :class:`DataError` that names the file and the line.
    """
    found, skipped = read_marked(path)
    if skipped:
        warnings.warn(skipped_rows_text(path, len(found), skipped), UserWarning, stacklevel=2)
    return found


def skipped_rows_text(path: str | Path, read: int, skipped: Sequence[int]) -> str:
    """The warning about rows that mark nothing: ``read`` rows were read, ``skipped`` are the other line numbers."""
    lines = ", ".join(map(str, skipped[:5])) + ", ..." * (len(skipped) > 5)
    return (
        f"{len(skipped)} of {read + len(skipped)} rows of {path} mark nothing and were skipped "
        f"(line{'s' * (len(skipped) > 1)} {lines}). Fill in spans or words, or drop the rows."
    )


def read_marked(path: str | Path) -> tuple[list[Rationale], tuple[int, ...]]:
    """As :func:`read_rationales`, but without the warning: rationales, and line numbers of rows that mark nothing."""
    source, rows = user_path(path), dict[int, Rationale]()
    check_regular(source)
    try:
        with open_text(source, "utf-8", "strict", newline="\n") as file:
            lines = Lines(file, source, MAX_ROW_LENGTH)
            for line in lines:
                lines.begin_row()
                if line.strip():
                    rows[lines.number] = _rationale(line, lines.number, f"line {lines.number} ({path})")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8. Save it as JSON Lines in UTF-8.") from None
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem.strerror}.") from None
    if not rows:
        raise DataError(f"{path} is empty. Write one JSON object per line: {_EXAMPLE}.")
    found = [rationale for rationale in rows.values() if len(rationale.spans)]
    if not found:
        raise DataError(f"no row of {path} marks anything. Fill in spans [[start, end], ...] or words [...].")
    return found, tuple(number for number, rationale in rows.items() if not len(rationale.spans))


_EXAMPLE = '{"text": "...", "spans": [[start, end], ...]}'


def _rationale(line: str, number: int, where: str) -> Rationale:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as problem:
        raise DataError(f"{where} is not JSON: {problem}.") from None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise DataError(f"{where}: text is missing. Write {_EXAMPLE}.")
    text, label = row["text"], row.get("label")
    if label is not None and not isinstance(label, (str, int)):
        raise DataError(f"{where}: label must be text or a whole number; got {label!r}.")
    spans, words = (_listed(row, name, where) for name in ("spans", "words"))
    ranges = [(start, end) for start, end in (_checked_span(span, text, where) for span in spans) if start < end]
    ranges += [found for word in words for found in _occurrences(word, text, where)]
    name = str(row.get("id", number))
    return Rationale(
        name,
        text,
        None if label is None else str(label),
        merge_ranges(np.array(ranges, dtype=np.int32).reshape(-1, 2)),
    )


def _listed(row: Mapping[str, Any], name: str, where: str) -> list[Any]:
    value = row.get(name) or []
    if not isinstance(value, list):
        raise DataError(f"{where}: {name} must be a list; got {value!r}.")
    return value


def _checked_span(span: Any, text: str, where: str) -> tuple[int, int]:
    whole = isinstance(span, list) and len(span) == 2 and all(type(end) is int for end in span)
    if not whole:
        raise DataError(f"{where}: a span must be two whole numbers [start, end]; got {span!r}.")
    start, end = span
    if start < 0 or end > len(text):
        raise DataError(f"{where}: a span must be within the text of {len(text)} characters; got {span}.")
    if start > end:
        raise DataError(f"{where}: a span must not end before it starts; got {span}.")
    return start, end


def _occurrences(word: Any, text: str, where: str) -> list[tuple[int, int]]:
    parts = word.split() if isinstance(word, str) else []
    if not parts:
        raise DataError(f"{where}: words must be non-empty text; got {word!r}.")
    pattern = r"\s+".join(map(re.escape, parts))
    found = [match.span() for match in re.finditer(rf"(?<!\w)(?:{pattern})(?!\w)", text, re.IGNORECASE)]
    if not found:
        raise DataError(f"{where}: the word {word!r} is not in the text. Correct it or remove it from words.")
    return found
