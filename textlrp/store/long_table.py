"""Stored explanations as long Arrow tables, for pandas, DuckDB or Polars, without an object for each document.

Open it for millions of documents; :func:`textlrp.store.to_frame` is the same for a few, with more columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from textlrp.store.columns import About, about_of
from textlrp.store.file_formats import stored_files
from textlrp.store.parquet_file import opened_parquet


def long_tables(source: str | Path | pa.Table) -> Iterator[pa.Table]:
    """One line for each document, target and stored word, a row group of the files at a time.

    ``source``: a ``.parquet`` file of explanations, the folder of a bulk run, or a table of
    :class:`textlrp.bulk.BatchExplainer`. Columns: row, document_id, target, versus (null unless it is a contrast),
    word, start, end, status (0 is a known word; see :class:`textlrp.records.Status`), relevance (float32). Raises
    :class:`DataError` where there are no explanations.
    """
    if isinstance(source, pa.Table):
        yield _long_table(source, about_of(source.schema, "the table"))
        return
    for path in stored_files(source):
        with opened_parquet(path) as (file, about):
            for group in range(file.num_row_groups):
                yield _long_table(file.read_row_group(group), about)


def _long_table(table: pa.Table, about: About | None) -> pa.Table:
    matrices = [
        _matrix(own, scale) for own, scale in zip(table["relevance"], table["scale"].to_pylist(), strict=True)
    ]
    lengths = [own.shape[1] for own in matrices]
    firsts = np.concatenate([[0], np.cumsum(lengths)])
    word = _joined(
        [
            np.tile(np.arange(first, first + own.shape[1]), len(own))
            for first, own in zip(firsts, matrices, strict=False)
        ],
        np.int64,
    )
    line = np.repeat(np.arange(len(table)), [own.size for own in matrices]) if matrices else np.zeros(0, np.int64)
    labels = [about.classes] * len(table) if about else table["labels"].to_pylist()

    def of_line(name: str) -> Any:
        return table[name].take(pa.array(line))

    def of_word(name: str) -> Any:
        chunks = [chunk.flatten() for chunk in table[name].chunks]
        return (pa.concat_arrays(chunks) if chunks else pa.array([], table[name].type.value_type)).take(
            pa.array(word)
        )

    def of_target(name: str) -> Any:
        named = [
            None if target < 0 else own[target]
            for own, targets in zip(labels, table[name].to_pylist(), strict=True)
            for target in targets
        ]
        sizes = [length for length, own in zip(lengths, matrices, strict=True) for _ in range(len(own))]
        places = np.repeat(np.arange(len(named)), sizes) if named else np.zeros(0, np.int64)
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
            "relevance": _joined([own.reshape(-1) for own in matrices], np.float32),
        }
    )


def _matrix(stored: Any, scale: float) -> NDArray[np.float32]:
    """(K, L) the relevance of a row."""
    own = stored.values  # K lists
    numbers = own.flatten().to_numpy(zero_copy_only=False).astype(np.float32) * np.float32(scale)
    return numbers.reshape(len(own), -1) if len(own) else np.zeros((0, 0), np.float32)


def _joined(parts: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *parts])
