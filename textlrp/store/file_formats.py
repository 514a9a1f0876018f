"""The formats of stored explanations, by the suffix of their files. Open it to add one.

A format is a :class:`Format` in a module of this package, which is imported when it is first used: the command line
lists the suffixes without pyarrow.
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
    """How explanations are stored in one kind of file: the ``kind``, and how they are written and read back."""

    kind: FileKind
    write: Callable[[Iterable[Explanation], Path], None]
    read: Callable[[Path], Iterator[Explanation]]


FORMATS: Mapping[str, str] = MappingProxyType(
    {".jsonl": "json_lines_file:JSON_LINES", ".parquet": "parquet_file:PARQUET"}
)
"""Each suffix, and ``module:name`` of its :class:`Format` within :mod:`textlrp.store`."""

KIND_NAME = "a file of explanations"


def stored_files(source: str | Path) -> list[Path]:
    """A file of explanations, or those in the folder of a bulk run; raises :class:`DataError` if there is none."""
    path = Path(source)
    check_regular(path)
    files = sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise DataError(f"there are no explanations at {str(source)!r}.")
    return files


def format_of(path: str | Path) -> Format:
    """The format of a file by its suffix; raises :class:`DataError` for another suffix."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise DataError(f"the name of the file must end in {' or '.join(FORMATS)}; got {str(path)!r}.")
    module, name = FORMATS[suffix].split(":")
    found: Format = getattr(import_module(f"textlrp.store.{module}"), name)
    return found
