"""Read the rows of Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textlrp.errors import DataError
from textlrp.text.column_choice import resolve_columns
from textlrp.text.packed import open_for_arrow
from textlrp.text.row_layout import Columns, FoundRow, Layout, joined_text, row_place
from textlrp.text.stored_classes import class_names, features_of, named_class

_PARQUET_BATCH = 256  # rows


def parquet_rows(path: Path, requested: Columns, layout: Layout, encoding: str, errors: str) -> Iterator[FoundRow]:
    """Read a Parquet file. Only the requested columns are loaded, one batch of rows at a time.

    If Hugging Face's package ``datasets`` wrote the file, classes stored as numbers become their names.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with open_for_arrow(path) as raw, pq.ParquetFile(raw) as file:
            fields = [(field.name, holds_strings(field.type)) for field in file.schema_arrow]
            columns = resolve_columns(fields, requested, f"{path}")
            classes = class_names(features_of(file.schema_arrow.metadata), columns.label)
            read = (columns.label, columns.id, *columns.texts)
            for batch in _batches(file, [name for name in dict.fromkeys(read) if name is not None]):
                nothing = [None] * batch.num_rows
                table = (
                    nothing if name is None else _python_values(batch.column(name), errors != "strict")
                    for name in read
                )
                for label, id, *texts in zip(*table, strict=True):
                    number += 1
                    yield FoundRow(
                        row_place(path, number), number, joined_text(texts), named_class(label, classes), id
                    )
    except UnicodeDecodeError:
        raise DataError(
            f"{path}: a text after row {number} is not UTF-8. Write the file again with UTF-8 texts."
        ) from None
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{path}: not a readable Parquet file ({reason}). Write the file again.") from None


def holds_strings(kind: Any) -> bool:
    """Whether an Arrow type is one of strings."""
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _batches(file: Any, columns: list[str]) -> Iterator[Any]:
    """Yield the batches of a Parquet file. One reader per row group: a reader of the whole file keeps all it read."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(batch_size=_PARQUET_BATCH, row_groups=[group], columns=columns)


def _python_values(column: Any, lenient: bool) -> list[object]:
    """Return the values of a column. With ``lenient``, bytes that are not UTF-8 become lone surrogates."""
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
