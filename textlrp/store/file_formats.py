"""The file formats of stored explanations, by file suffix. Open this module to add a format.

A format is a :class:`Format` in a module of this package. The module is imported on first use, so that the command
line can list the suffixes without importing pyarrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.files.input_paths import check_regular
from textlrp.files.written_file import FileKind


class Format(NamedTuple):
    """A file format: how the files are recognized (``kind``), and the functions that write and read them."""

    kind: FileKind
    write: Callable[[Iterable[Explanation], Path], None]
    read: Callable[[Path], Iterator[Explanation]]


FORMATS: Mapping[str, str] = MappingProxyType(
    {".jsonl": "json_lines_file:JSON_LINES", ".parquet": "parquet_file:PARQUET"}
)
"""File suffix -> ``module:name`` of its :class:`Format`, relative to :mod:`textlrp.store`."""

KIND_NAME = "a file of explanations"


def stored_files(source: str | Path) -> list[Path]:
    """Return a file of explanations, or all shards in the folder of a bulk run.

    Raises :class:`DataError` if there is none.
    """
    path = Path(source)
    check_regular(path)
    files = sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        suffixes = " or ".join(FORMATS)
        raise DataError(
            f"no explanations found: {str(source)!r}. Pass a {suffixes} file, or the folder of a bulk run."
        )
    return files


def format_of(path: str | Path) -> Format:
    """Return the format of a file by its suffix; raise :class:`DataError` for an unknown suffix."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise DataError(
            f"path must end in {' or '.join(FORMATS)}; got {str(path)!r}. Change the suffix of the file name."
        )
    module, name = FORMATS[suffix].split(":")
    found: Format = getattr(import_module(f"textlrp.store.{module}"), name)
    return found
