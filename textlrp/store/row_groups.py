"""Write Arrow tables of explanations to Parquet files, in row groups of bounded memory.

Open it to make the files smaller or faster to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

GROUP_BYTES = 1 << 25
"""Minimum size of a row group: 32 MiB. It bounds the memory of writers and readers."""

_OF_ELEMENTS = ".list.element"
_PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": [
        "document_id", "true_label", "predicted", "method", "rule", "model", "version", "start",
        *(name + _OF_ELEMENTS for name in ("targets", "versus", "words", "status", "labels", "counts", "notes")),
    ],
    "column_encoding": dict.fromkeys(("row", "starts" + _OF_ELEMENTS, "ends" + _OF_ELEMENTS), "DELTA_BINARY_PACKED"),
}  # fmt: skip
"""Options for Parquet that make files small without making them slow to write."""


def write_parquet(
    tables: Iterable[pa.Table], sink: Any, schema: pa.Schema, metadata: Mapping[bytes, str] | None = None
) -> int:
    """Write tables and the file's ``metadata`` to a sink, one row group at a time; return the number of rows."""
    rows = 0
    with pq.ParquetWriter(sink, schema, **_PARQUET) as writer:
        for group in _row_groups(tables):
            writer.write_table(group, row_group_size=len(group))
            rows += len(group)
        writer.add_key_value_metadata(metadata or {})
    return rows


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Concatenate tables to row groups of at least :data:`GROUP_BYTES`; the last one may be smaller."""
    group: list[pa.Table] = []
    size = 0
    for table in filter(len, tables):
        group.append(table)
        size += table.nbytes
        if size >= GROUP_BYTES:
            yield pa.concat_tables(group)
            group, size = [], 0
    if group:
        yield pa.concat_tables(group)
