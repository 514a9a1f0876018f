"""Read the folders that ``save_to_disk`` of Hugging Face's package ``datasets`` writes, without that package.

A folder has ``state.json``, ``dataset_info.json`` and Arrow files; a folder with ``dataset_dict.json`` contains one
such folder for each split. Open this module if a version of ``datasets`` writes another layout.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from textlrp.errors import DataError, OptionError, must_be
from textlrp.files.input_paths import check_regular
from textlrp.text.column_choice import resolve_columns
from textlrp.text.json_shapes import choose_split
from textlrp.text.packed import open_for_arrow
from textlrp.text.parquet_rows import holds_strings
from textlrp.text.row_layout import Columns, FoundRow, Layout, joined_text, row_place
from textlrp.text.stored_classes import class_names, named_class

_DICT, _STATE, _INFO = "dataset_dict.json", "state.json", "dataset_info.json"
_LARGEST = 1 << 26  # bytes of a JSON file


def is_dataset(path: Path) -> bool:
    """Whether a folder contains a saved dataset, or one with splits."""
    return (path / _DICT).is_file() or ((path / _STATE).is_file() and (path / _INFO).is_file())


def dataset_splits(path: Path) -> list[str]:
    """Return the names of the splits of a saved dataset; empty if it has none."""
    names = _json(path / _DICT).get("splits") if (path / _DICT).is_file() else None
    # a name with a folder could lead out of the dataset
    return [str(name) for name in names if Path(str(name)).name == name] if isinstance(names, list) else []


def dataset_rows(path: Path, requested: Columns, layout: Layout, encoding: str, errors: str) -> Iterator[FoundRow]:
    """Read a saved dataset, one batch of rows at a time. Classes stored as numbers become their names."""
    import pyarrow as pa

    splits = dataset_splits(path)
    if layout.split is not None and not splits:
        hint = f"{path} has no splits: leave out split=."
        raise OptionError(must_be("split", "None for a dataset without splits", layout.split, hint))
    folder = path / choose_split(splits, layout.split) if splits else path
    features = _json(folder / _INFO).get("features")
    number = 0
    try:
        for file in _data_files(folder):
            check_regular(file)
            with open_for_arrow(file) as raw, pa.ipc.open_stream(raw) as stream:
                fields = [(field.name, holds_strings(field.type)) for field in stream.schema]
                columns = resolve_columns(fields, requested, f"{folder}")
                classes = class_names(features, columns.label)
                read = (columns.label, columns.id, *columns.texts)
                for batch in stream:
                    nothing = [None] * batch.num_rows
                    table = (nothing if name is None else batch.column(name).to_pylist() for name in read)
                    for label, id, *texts in zip(*table, strict=True):
                        number += 1
                        place = row_place(folder, number)
                        yield FoundRow(place, number, joined_text(texts), named_class(label, classes), id)
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{folder}: not a readable dataset ({reason}). Save it again.") from None


def _json(path: Path) -> Mapping[str, Any]:
    check_regular(path)
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_LARGEST))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}. Save the dataset again.") from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DataError(f"{path}: not valid JSON. Save the dataset again.")
    return found


def _data_files(folder: Path) -> list[Path]:
    """Return the Arrow files of a dataset in order; raises :class:`DataError` if the rows are in another order."""
    state = _json(folder / _STATE)
    if state.get("_indices_files") or state.get("_indices_data_files"):
        raise DataError(
            f"{folder}: a separate file of an old version of datasets selects the rows. Load it with datasets, call "
            "flatten_indices(), and save it again."
        )
    files = state.get("_data_files")
    names = [each.get("filename") for each in files if isinstance(each, dict)] if isinstance(files, list) else []
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise DataError(f"{folder / _STATE}: names no data files. Save the dataset again.")
    return [folder / str(name) for name in names]
