"""Convert stored explanations to long Arrow tables for pandas, DuckDB or Polars.

No Python object is created per document, so this is fast for millions of documents. For a few documents,
:func:`textlrp.store.to_frame` gives the same table with more columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from textlrp.store.columns import RunMetadata, run_metadata_of
from textlrp.store.file_formats import stored_files
from textlrp.store.parquet_file import opened_parquet


def long_tables(source: str | Path | pa.Table) -> Iterator[pa.Table]:
    """Yield tables with one line per document, target and stored word: one table per row group of the files.

    ``source``: a ``.parquet`` file of explanations, the folder of a bulk run, or a table that
    :class:`textlrp.bulk.BatchExplainer` returned.

    Columns: ``row``, ``document_id``, ``target``, ``versus`` (null unless the target is a contrast), ``word``,
    ``start``, ``end``, ``status`` (see :class:`textlrp.records.Status`; 0 if the model reads the word) and
    ``relevance`` (float32).

    Raises :class:`DataError` if the source does not exist, is damaged, or contains no explanations.
    """
    if isinstance(source, pa.Table):
        yield _long_table(source, run_metadata_of(source.schema, "the table"))
        return
    for path in stored_files(source):
        with opened_parquet(path) as (file, metadata):
            for group in range(file.num_row_groups):
                yield _long_table(file.read_row_group(group), metadata)


def _long_table(table: pa.Table, metadata: RunMetadata | None) -> pa.Table:
    matrices = [
        _matrix(stored, scale) for stored, scale in zip(table["relevance"], table["scale"].to_pylist(), strict=True)
    ]
    lengths = [matrix.shape[1] for matrix in matrices]
    firsts = np.concatenate([[0], np.cumsum(lengths)])
    word = _joined(
        [
            np.tile(np.arange(first, first + matrix.shape[1]), len(matrix))
            for first, matrix in zip(firsts, matrices, strict=False)
        ],
        np.int64,
    )
    sizes = [matrix.size for matrix in matrices]
    line = np.repeat(np.arange(len(table)), sizes) if matrices else np.zeros(0, np.int64)
    labels = [metadata.classes] * len(table) if metadata else table["labels"].to_pylist()

    def of_line(name: str) -> Any:
        return table[name].take(pa.array(line))

    def of_word(name: str) -> Any:
        chunks = [chunk.flatten() for chunk in table[name].chunks]
        return (pa.concat_arrays(chunks) if chunks else pa.array([], table[name].type.value_type)).take(
            pa.array(word)
        )

    def of_target(name: str) -> Any:
        named = [
            None if target < 0 else names[target]
            for names, targets in zip(labels, table[name].to_pylist(), strict=True)
            for target in targets
        ]
        widths = [matrix.shape[1] for matrix in matrices for _ in range(len(matrix))]
        places = np.repeat(np.arange(len(named)), widths) if named else np.zeros(0, np.int64)
        return pa.array(named, pa.string()).take(pa.array(places))

    return pa.table(
        {
            "row": of_line("row"),
            "document_id": of_line("document_id"),
            "target": of_target("targets"),
            "versus": of_target("versus"),
            "word": of_word("words"),
            "start": of_word("starts"),
            "end": of_word("ends"),
            "status": of_word("status"),
            "relevance": _joined([matrix.reshape(-1) for matrix in matrices], np.float32),
        }
    )


def _matrix(stored: Any, scale: float) -> NDArray[np.float32]:
    """(K, L) The relevance of a row."""
    lists = stored.values  # K lists of L numbers
    numbers = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32) * np.float32(scale)
    return numbers.reshape(len(lists), -1) if len(lists) else np.zeros((0, 0), np.float32)


def _joined(arrays: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *arrays])
