"""Read a corpus as shards, and write the explanations of each shard to one Parquet file.

A shard is :data:`SHARD_ROWS` consecutive rows of the input. The files are ``part-000000.parquet``,
``part-000001.parquet``, ..., named as in Spark and Hive. Open this module to change how a corpus is divided, or how
the file of a shard is written.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from textlrp.bulk.sources import Source
from textlrp.files.written_file import atomic_file
from textlrp.records import label_text
from textlrp.store.columns import arrow_table
from textlrp.store.row_groups import write_parquet
from textlrp.text.opening import open_for_arrow
from textlrp.text.readers import BadRow, Record

if TYPE_CHECKING:
    from textlrp.bulk.explainer import BatchExplainer

SHARD_ROWS = 2048
"""Rows of the input in one shard: a multiple of the 64 documents that are explained as one block."""

REJECTED_KEY = b"rejected"
"""The metadata key under which the file of a shard lists its unreadable rows, as JSON."""

SHARD_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),  # position in the input, from 0
        ("document_id", pa.string()),
        ("text", pa.string()),
        ("label", pa.string()),
        ("labels", pa.list_(pa.string())),  # of a row with a list of labels, else null
        ("reason", pa.string()),  # why the row cannot be read; null for a readable row
    ]
)


class ShardSummary(NamedTuple):
    """Counts of a shard: ``documents`` explained, rows ``rejected``, ``bytes`` of its file (0 until written)."""

    shard: int
    documents: int
    rejected: int
    bytes: int = 0


def split_into_shards(
    rows: Iterable[Record | BadRow], *, skip: Callable[[int], bool] = lambda shard: False
) -> Iterator[pa.Table]:
    """Yield the rows of a corpus as one table of :data:`SHARD_SCHEMA` per shard, except the shards to ``skip``."""
    rows, shard = iter(rows), 0
    while chunk := list(islice(rows, SHARD_ROWS)):
        if not skip(shard):
            yield _table(chunk, shard * SHARD_ROWS)
        shard += 1


class Shards:
    """An iterator over the shards of a corpus that still have to be explained. Rows are read on demand.

    ``done``: numbers of the shards that are already written, which are skipped; set it before the iteration.
    ``seen``: the number of shards read or skipped so far.
    """

    def __init__(self, source: Source) -> None:
        self.done: Collection[int] = frozenset()
        self.seen = 0
        self._source = source
        self._rest = split_into_shards(source, skip=self._skip)
        self._read_ahead: deque[pa.Table] = deque()

    def __iter__(self) -> Iterator[pa.Table]:
        return self

    def __next__(self) -> pa.Table:
        while self._read_ahead:
            # checked again, because `done` may have been set after this shard was read
            shard = self._read_ahead.popleft()
            if shard_number(shard) not in self.done:
                return shard
        return next(self._rest)

    def peek(self) -> pa.Table | None:
        """Return the next shard without consuming it, or None if no shard is left."""
        shard = next(self, None)
        if shard is not None:
            self._read_ahead.appendleft(shard)
        return shard

    def at_least_two(self) -> bool:
        """Whether at least two shards are left; reads two shards ahead."""
        self._read_ahead.extend(islice(self._rest, 2 - len(self._read_ahead)))
        return len(self._read_ahead) > 1

    def reader(self) -> Callable[[], Iterator[pa.Table]]:
        """Return a function that reads the same shards again; it can be pickled and called in another process."""
        return partial(_read_shards, self._source, frozenset(self.done))

    def read_to_end(self) -> None:
        """Read the rest of the input and drop it, so that ``seen`` is the number of all shards."""
        for _ in self:
            pass

    def _skip(self, shard: int) -> bool:
        self.seen = shard + 1
        return shard in self.done


def _read_shards(source: Source, done: Collection[int]) -> Iterator[pa.Table]:
    return split_into_shards(source, skip=done.__contains__)


def shard_number(table: pa.Table) -> int:
    """The number of a shard, from 0."""
    return int(table["row"][0].as_py()) // SHARD_ROWS


def shard_file_name(shard: int) -> str:
    """The name of the Parquet file of a shard."""
    return f"part-{shard:06d}.parquet"


def _table(rows: list[Record | BadRow], first: int) -> pa.Table:
    readable = [row if isinstance(row, Record) else Record("", None, None) for row in rows]  # type: ignore[arg-type]
    columns: dict[str, list[Any]] = {
        "row": list(range(first, first + len(rows))),
        "document_id": [row.id for row in readable],
        "text": [row.text for row in readable],
        "label": [None if isinstance(row.label, tuple) else label_text(row.label) for row in readable],
        "labels": [list(map(str, row.label)) if isinstance(row.label, tuple) else None for row in readable],
        "reason": [row.wrong if isinstance(row, BadRow) else None for row in rows],
    }
    return arrow_table(columns, SHARD_SCHEMA)


def explain_to_sink(explainer: BatchExplainer, shard: pa.Table, sink: Any) -> ShardSummary:
    """Explain the readable rows of a shard, and write them to a binary file as Parquet.

    The unreadable rows are listed in the metadata of the file, with their numbers from 1 and the reasons.
    """
    is_unreadable = pc.is_valid(shard["reason"])
    unreadable, readable = shard.filter(is_unreadable), shard.filter(pc.invert(is_unreadable))
    rejected = [
        {"row": row + 1, "reason": reason}
        for row, reason in zip(unreadable["row"].to_pylist(), unreadable["reason"].to_pylist(), strict=True)
    ]
    tables, schema = explainer.tables(readable), explainer.metadata.schema()
    documents = write_parquet(tables, sink, schema, {REJECTED_KEY: json.dumps(rejected, ensure_ascii=False)})
    return ShardSummary(shard_number(shard), documents, len(rejected))


def explained_size(explainer: BatchExplainer, rows: pa.Table) -> int:
    """The size in bytes of a Parquet file with the explanations of these rows."""
    sink = BytesIO()
    explain_to_sink(explainer, rows, sink)
    return sink.tell()


def write_shard(explainer: BatchExplainer, shard: pa.Table, folder: Path) -> ShardSummary:
    """Explain a shard and write its file atomically: a reader finds the complete file or no file."""
    path = folder / shard_file_name(shard_number(shard))
    with atomic_file(path) as temporary:
        with open_for_arrow(temporary, "wb") as sink:
            summary = explain_to_sink(explainer, shard, sink)
        size = _sync(temporary)
    return summary._replace(bytes=size)


def write_shard_bytes(data: bytes, shard: int, folder: Path) -> int:
    """Write the file of a shard that another machine explained, atomically; return its size in bytes."""
    with atomic_file(folder / shard_file_name(shard)) as temporary:
        temporary.write_bytes(data)
        return _sync(temporary)


def _sync(path: Path) -> int:
    """Flush a file to the disk before it is renamed, so that no file is incomplete after a crash; return its size."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def read_summary(path: Path) -> tuple[int, list[dict[str, Any]]]:
    """Return the number of documents in the file of a shard, and its rejected rows as ``{"row", "reason"}``."""
    with open_for_arrow(path) as file:
        metadata = pq.read_metadata(file)
    return metadata.num_rows, json.loads((metadata.metadata or {})[REJECTED_KEY])
