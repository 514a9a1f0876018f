"""Read and write explanations as JSON Lines: one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.explanation_data import from_dict
from textlrp.files.kinds import json_lines
from textlrp.store.file_formats import KIND_NAME, Format
from textlrp.store.stored_checks import WRONG_VALUES, consistent


def _write_lines(explanations: Iterable[Explanation], path: Path) -> None:
    with path.open("wb") as file:
        for explanation in explanations:
            data = explanation.to_dict()
            text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
            try:
                line = text.encode()
            except UnicodeEncodeError:  # half a surrogate pair cannot be encoded as UTF-8, but as a JSON escape
                line = json.dumps(data, separators=(",", ":")).encode()
            file.write(line + b"\n")


def _read_lines(path: Path) -> Iterator[Explanation]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f"{str(path)!r}, line {number}"
            try:
                data = json.loads(line)
            except (ValueError, RecursionError):
                raise DataError(f"{where}: the line is not JSON, or it is truncated. Write the file again.") from None
            try:
                explanation = from_dict(data)
            except DataError as problem:
                raise DataError(f"{where}: {problem}") from None
            except WRONG_VALUES:
                raise DataError(f"{where}: not an explanation that textlrp wrote. Write the file again.") from None
            yield consistent(explanation, where)


_KEYS = {field.name for field in fields(Explanation)} - {"tokens"} | {"text", "spans", "forms", "dtype"}
_ADDED = ("start", "notes", "target_notes", "score_name", "thresholds", "true_labels", "pieces", "own_prediction")


JSON_LINES = Format(json_lines(KIND_NAME, _KEYS, added=_ADDED), _write_lines, _read_lines)
