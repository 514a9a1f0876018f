"""Read a folder of Parquet files as one table, as Spark, Dask and Hugging Face's datasets write large ones.

The files are read in the order of their names. Names such as ``train-00000-of-00003.parquet`` name a split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from textlrp.errors import OptionError, must_be
from textlrp.files.input_paths import check_regular
from textlrp.text.json_shapes import choose_split
from textlrp.text.parquet_rows import parquet_rows
from textlrp.text.row_layout import Columns, FoundRow, Layout

_OF_SPLIT = re.compile(r"(.+)-\d+-of-\d+\.parquet")


def is_sharded(path: Path) -> bool:
    """Whether a folder contains Parquet files and nothing else but hidden files and files such as ``_SUCCESS``."""
    try:
        files = _files(path) if path.is_dir() else []
    except OSError:  # the reader of folders names the problem
        return False
    return bool(files) and all(each.suffix.lower() == ".parquet" for each in files)


def shard_splits(path: Path) -> list[str]:
    """Return the splits that the names of all files give; empty if a name gives none."""
    found = [_split_of(each) for each in _files(path)] if is_sharded(path) else []
    return list(dict.fromkeys(each for each in found if each)) if all(found) else []


def sharded_rows(path: Path, requested: Columns, layout: Layout, encoding: str, errors: str) -> Iterator[FoundRow]:
    """Read the Parquet files of a folder, or of one split, one after the other; rows are numbered through."""
    files, splits = _files(path), shard_splits(path)
    if splits:
        split = choose_split(splits, layout.split)
        files = [each for each in files if _split_of(each) == split]
    elif layout.split is not None:
        hint = f"{path} has no splits: leave out split=."
        raise OptionError(must_be("split", "None for a folder without splits", layout.split, hint))
    before = 0
    for file in files:
        check_regular(file)
        last = 0
        for row in parquet_rows(file, requested, layout, encoding, errors):
            last = row.number
            yield row._replace(number=before + last)
        before += last


def _split_of(file: Path) -> str | None:
    found = _OF_SPLIT.fullmatch(file.name)
    return found and found[1]


def _files(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if not each.name.startswith((".", "_")))
