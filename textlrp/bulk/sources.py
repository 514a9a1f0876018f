"""Where the rows of a run come from, how many there are about, and how to tell that they are still the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from textlrp.errors import DataError, OptionError
from textlrp.files.input_paths import check_regular, user_path
from textlrp.records import Document
from textlrp.text.corpora import Corpus
from textlrp.text.opening import open_for_arrow
from textlrp.text.readers import BadRow, Record, read_files, read_rows
from textlrp.text.row_layout import AS_FOUND, FILE_TYPES, Columns, Layout

Rows = Iterable[Record | BadRow]

PACKED = 3
"""How many times smaller gzip makes texts, about."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """A table or a folder of class folders: rows that cannot be read are told apart, not fatal."""

    path: Path
    columns: Columns
    encoding: str = "utf-8"
    layout: Layout = AS_FOUND

    def __iter__(self) -> Iterator[Record | BadRow]:
        if self.path.is_dir():
            return read_files(self.path, encoding=self.encoding, max_length=self.layout.max_row_length)
        return read_rows(self.path, self.columns, layout=self.layout, encoding=self.encoding)

    def identity(self) -> dict[str, Any]:
        """What must be the same for a run to go on: place, size, time of the last change, columns."""
        found = self.path.stat()
        changed = {} if self.path.is_dir() else {"bytes": found.st_size, "changed": found.st_mtime_ns}
        described = {
            "path": str(self.path.resolve()),
            **changed,
            "columns": list(self.columns),
            "encoding": self.encoding,
        }
        asked = [self.layout.delimiter, self.layout.header, self.layout.names]
        return described | ({} if asked == [None, None, None] else {"layout": asked})

    def count(self, rows: int, characters: int) -> int | None:
        """About how many rows there are, if the first ``rows`` have so many ``characters``; None if unknown."""
        if self.path.suffix == ".parquet":
            with open_for_arrow(self.path) as file:
                return int(pq.read_metadata(file).num_rows)
        if self.path.is_dir():
            return sum(len(names) for _, _, names in os.walk(self.path))
        packed = PACKED if self.path.suffix == ".gz" else 1
        return max(rows, self.path.stat().st_size * packed * rows // max(1, characters))


@dataclass(frozen=True, slots=True)
class CorpusSource:
    """Documents that can all be read: a corpus with a name, or a part of one."""

    documents: Corpus | list[Document]
    name: str

    def __iter__(self) -> Iterator[Record | BadRow]:
        return (Record(document.id, document.text, document.label) for document in self.documents)

    def identity(self) -> dict[str, Any]:
        """As :meth:`FileSource.identity`."""
        return {"corpus": self.name}

    def count(self, rows: int, characters: int) -> int | None:
        """As :meth:`FileSource.count`."""
        return len(self.documents)


Source = FileSource | CorpusSource


def file_source(path: str | Path, columns: Columns, encoding: str = "utf-8", layout: Layout = AS_FOUND) -> FileSource:
    """The rows of a file or folder; raises :class:`DataError` where there is none, and reads the first row."""
    place = user_path(path)
    check_regular(place)
    if not place.exists():
        raise DataError(f"{place} does not exist; a corpus is one of {FILE_TYPES}.")
    if place.is_dir() and any(columns):
        raise OptionError(f"{place} is a folder: it has no columns, so text=, label= and id= must be left out.")
    source = FileSource(place, columns, encoding, layout)
    if next(iter(source), None) is None:
        raise DataError(f"{place} holds no texts; a corpus is one of {FILE_TYPES}.")
    return source
