"""The input of a bulk run: its rows, an estimate of their number, and an identity that detects a changed input."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from textlrp.errors import DataError, OptionError, must_be
from textlrp.files.input_paths import check_regular, user_path
from textlrp.records import Document
from textlrp.text.corpora import Corpus
from textlrp.text.opening import open_for_arrow
from textlrp.text.readers import BadRow, Record, read_files, read_rows
from textlrp.text.row_layout import AS_FOUND, FILE_TYPES, Columns, Layout

RecordsOrBadRows = Iterable[Record | BadRow]

COMPRESSION = 3
"""The approximate ratio by which gzip compresses texts."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """A table, or a folder of class folders. Iterating yields a record per row; a ``BadRow`` if it is unreadable."""

    path: Path
    columns: Columns
    encoding: str = "utf-8"
    layout: Layout = AS_FOUND

    def __iter__(self) -> Iterator[Record | BadRow]:
        if self.path.is_dir():
            return read_files(self.path, encoding=self.encoding, max_length=self.layout.max_row_length)
        return read_rows(self.path, self.columns, layout=self.layout, encoding=self.encoding)

    def identity(self) -> dict[str, Any]:
        """What must not change while a run is continued: path, size, time of the last change, columns, encoding."""
        found = self.path.stat()
        changed = {} if self.path.is_dir() else {"bytes": found.st_size, "changed": found.st_mtime_ns}
        described = {
            "path": str(self.path.resolve()),
            **changed,
            "columns": list(self.columns),
            "encoding": self.encoding,
        }
        layout = [self.layout.delimiter, self.layout.header, self.layout.names]
        described |= {} if self.layout.label_separator is None else {"label_separator": self.layout.label_separator}
        return described | ({} if layout == [None, None, None] else {"layout": layout})

    def count(self, rows: int, characters: int) -> int | None:
        """Estimate the number of rows from the ``characters`` of the first ``rows``; None if that is impossible."""
        if self.path.suffix == ".parquet":
            with open_for_arrow(self.path) as file:
                return int(pq.read_metadata(file).num_rows)
        if self.path.is_dir():
            return sum(len(names) for _, _, names in os.walk(self.path))
        ratio = COMPRESSION if self.path.suffix == ".gz" else 1
        return max(rows, self.path.stat().st_size * ratio * rows // max(1, characters))


@dataclass(frozen=True, slots=True)
class CorpusSource:
    """Documents in memory, or a named corpus. ``name`` identifies them when a run is continued."""

    documents: Corpus | list[Document]
    name: str

    def __iter__(self) -> Iterator[Record | BadRow]:
        return (Record(document.id, document.text, document.label) for document in self.documents)

    def identity(self) -> dict[str, Any]:
        """See :meth:`FileSource.identity`."""
        return {"corpus": self.name}

    def count(self, rows: int, characters: int) -> int | None:
        """See :meth:`FileSource.count`; exact here."""
        return len(self.documents)


Source = FileSource | CorpusSource


def file_source(path: str | Path, columns: Columns, encoding: str = "utf-8", layout: Layout = AS_FOUND) -> FileSource:
    """Return the rows of a file or folder as a source. The first row is read, so that wrong options fail here.

    Raises :class:`DataError` if ``path`` does not exist, contains no texts or cannot be read, and
    :class:`OptionError` for ``columns`` of a folder.
    """
    found = user_path(path)
    check_regular(found)
    if not found.exists():
        raise DataError(f"file not found: {found}. Pass one of {FILE_TYPES}.")
    if found.is_dir() and any(columns):
        hint = f"{found} has no columns: omit text=, label= and id=."
        raise OptionError(must_be("columns", "empty for a folder", columns, hint))
    source = FileSource(found, columns, encoding, layout)
    if next(iter(source), None) is None:
        raise DataError(f"no texts in {found}. Pass one of {FILE_TYPES}.")
    return source
