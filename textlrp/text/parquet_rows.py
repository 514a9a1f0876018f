"""Rows of Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textlrp.errors import DataError
from textlrp.text.opening import open_for_arrow
from textlrp.text.row_layout import Columns, FoundRow, Layout, resolve_columns

_PARQUET_BATCH = 256  # rows


def parquet_rows(path: Path, wanted: Columns, layout: Layout, encoding: str, errors: str) -> Iterator[FoundRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def is_string(kind: Any) -> bool:
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))

    number = 0
    try:
        with open_for_arrow(path) as raw, pq.ParquetFile(raw) as file:
            fields = [(field.name, is_string(field.type)) for field in file.schema_arrow]
            columns = resolve_columns(fields, wanted, f"{path}")
            named = [name for name in columns if name is not None]
            for batch in _batches(file, named):
                nothing = [None] * batch.num_rows
                table = (
                    nothing if name is None else _values(batch.column(name), errors != "strict") for name in columns
                )
                for text, label, id in zip(*table, strict=True):
                    number += 1
                    yield FoundRow(f"{path}, row {number}", number, text, label, id)
    except UnicodeDecodeError:
        raise DataError(f"{path} holds a text that is not UTF-8 after row {number}; write it anew.") from None
    except pa.ArrowException as error:
        raise DataError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}.") from None


def _batches(file: Any, columns: list[str]) -> Iterator[Any]:
    """The batches of a Parquet file, row group by row group: one reader for all keeps what it has read."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(batch_size=_PARQUET_BATCH, row_groups=[group], columns=columns)


def _values(column: Any, lenient: bool) -> list[object]:
    """The values of a column; with ``lenient`` those that are not UTF-8 as the bytes they are."""
    try:
        values: list[object] = column.to_pylist()
    except UnicodeDecodeError:
        if not lenient:
            raise
        values = [
            scalar.as_buffer().to_pybytes().decode(errors="surrogateescape") if scalar.is_valid else None
            for scalar in column
        ]
    return values
