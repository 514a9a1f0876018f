"""Messages from the parent process to its workers. Importable without torch.

A worker reads messages in order and answers each except :class:`Begin`. A table is a part to explain.
"""

from __future__ import annotations

from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa


class SharedTable(NamedTuple):
    """A table in shared memory: the name of the memory, shape and data type."""

    name: str
    shape: tuple[int, int]
    dtype: str


class SharedProjections(NamedTuple):
    """Projections of the first ``words`` of the vocabulary in shared memory: one table for each filter width."""

    words: int
    tables: dict[int, SharedTable]

    def release(self) -> None:
        """Free the memory. Processes that are attached keep it; no other process can attach any more."""
        for table in self.tables.values():
            with suppress(FileNotFoundError):
                memory = SharedMemory(table.name)
                memory.close()
                memory.unlink()


class Introduce(NamedTuple):
    """Answered by what all rows share (:class:`textlrp.store.columns.About`)."""


class Size(NamedTuple):
    """Asks how many bytes the explanations of these rows take in a file."""

    rows: pa.Table


class Share(NamedTuple):
    """Asks for projections in shared memory; the answer is None if there are none."""


class Begin(NamedTuple):
    """Parts follow, to be explained into ``folder``. Without ``shared`` projections the worker makes its own."""

    shared: SharedProjections | None
    folder: Path
