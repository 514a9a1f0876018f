"""Messages from the parent process to its worker processes. Importable without torch.

A worker processes the messages in order. It replies to each one except :class:`BeginRun`. A ``pa.Table`` is a shard
to explain; the reply is its :class:`~textlrp.bulk.shards.ShardSummary`.
"""

from __future__ import annotations

from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa


class SharedTable(NamedTuple):
    """A table in shared memory: the name of the memory block, and the shape and data type of the table."""

    name: str
    shape: tuple[int, int]
    dtype: str


class SharedProjections(NamedTuple):
    """Projections of the first ``words`` words of the vocabulary in shared memory: one table per filter width."""

    words: int
    tables: dict[int, SharedTable]

    def release(self) -> None:
        """Free the memory. Attached processes can still use it; no other process can attach any more."""
        for table in self.tables.values():
            with suppress(FileNotFoundError):
                memory = SharedMemory(table.name)
                memory.close()
                memory.unlink()


class GetMetadata(NamedTuple):
    """Request the metadata that all rows of the run share (:class:`textlrp.store.columns.RunMetadata`)."""


class MeasureSize(NamedTuple):
    """Request the size in bytes of a file with the explanations of these rows."""

    rows: pa.Table


class ShareProjections(NamedTuple):
    """Request projections in shared memory; the reply is None if the model has none or the memory is too small."""


class BeginRun(NamedTuple):
    """Announce that shards follow, to be explained into ``folder``.

    If ``shared`` is None, the worker computes its own projections.
    """

    shared: SharedProjections | None
    folder: Path
