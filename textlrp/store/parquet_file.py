"""Read and write explanations as Parquet: whole explanations, and the rows of bulk runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.files.written_file import FileKind
from textlrp.store.arrow_rows import explanation_of, schema_and_tables
from textlrp.store.columns import METADATA, RunMetadata, run_metadata_of
from textlrp.store.file_formats import KIND_NAME, Format
from textlrp.store.row_groups import write_parquet
from textlrp.store.stored_checks import WRONG_VALUES, consistent
from textlrp.text.opening import open_for_arrow


def _write_rows(explanations: Iterable[Explanation], path: Path) -> None:
    schema, tables = schema_and_tables(explanations)
    with open_for_arrow(path, "wb") as sink:
        write_parquet(tables, sink, schema)


@contextmanager
def opened_parquet(path: Path) -> Iterator[tuple[pq.ParquetFile, RunMetadata | None]]:
    """Open a Parquet file of explanations; yield it with the metadata of its bulk run (None: whole explanations).

    Raises :class:`DataError` if the file is damaged, or contains no explanations.
    """
    where = repr(str(path))
    try:
        with open_for_arrow(path) as raw, pq.ParquetFile(raw) as file:
            yield file, run_metadata_of(file.schema_arrow, where)
    except (pa.ArrowException, OSError):
        raise DataError(f"{where} is damaged or not a Parquet file. Explain the documents again.") from None


def _read_rows(path: Path) -> Iterator[Explanation]:
    with opened_parquet(path) as (file, metadata):
        # one row group per call, because iter_batches over several keeps all of them in memory
        groups = range(file.num_row_groups)
        batches = (batch for group in groups for batch in file.iter_batches(batch_size=64, row_groups=[group]))
        yield from explanations_of_rows(batches, metadata, repr(str(path)))


def explanations_of_rows(
    batches: Iterable[pa.RecordBatch], metadata: RunMetadata | None, source: str
) -> Iterator[Explanation]:
    """Yield the explanation of each row; ``source`` is the name of the table in messages.

    Raises :class:`DataError` for a damaged row.
    """
    number = 0
    for batch in batches:
        columns = {name: batch.column(name) for name in batch.schema.names}
        for n in range(batch.num_rows):
            number += 1
            where = f"{source}, row {number}"
            try:
                explanation = explanation_of({name: column[n] for name, column in columns.items()}, metadata)
            except WRONG_VALUES:
                raise DataError(f"{where}: not an explanation that textlrp wrote. Write the file again.") from None
            yield consistent(explanation, where)


def _is_whole(path: Path) -> bool:
    """Whether a file contains whole explanations, of this or an older version."""
    with open_for_arrow(path) as file:
        schema = pq.read_schema(file)
    return METADATA in (schema.metadata or {}) and "text" in schema.names


PARQUET = Format(FileKind(KIND_NAME, _is_whole), _write_rows, _read_rows)
