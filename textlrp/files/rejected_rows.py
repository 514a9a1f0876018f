"""The file that lists the rows of an input that were skipped, each with its number and the reason.

Bulk runs and ``--skip-bad`` write it. Open this module to change what is written about such a row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from textlrp.files.kinds import json_lines
from textlrp.files.written_file import atomic_file

REJECTED_ROWS = json_lines("a file of rejected rows", ("row", "reason"))


def write_rejected(path: str | Path, rows: Iterable[tuple[int, str]], *, force: bool = False) -> None:
    """Write rejected rows, each as its number from 1 and the reason, as JSON lines.

    Raises :class:`DataError` as :func:`textlrp.files.written_file.atomic_file`.
    """
    lines = [json.dumps({"row": row, "reason": reason}, ensure_ascii=False) + "\n" for row, reason in rows]
    with atomic_file(path, REJECTED_ROWS, force=force) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def rejected_sentence(count: int, path: str | Path, first: str) -> str:
    """Return a sentence: how many rows were skipped, where they are listed, and the reason of the first."""
    return f"skipped {count:,} row{'s' * (count != 1)} that could not be read, listed in {path}; the first: {first}"
